"""A container's log in the CRI format: `<time> <stream> <tag> <text>` a line, rotated by size.

The tag is F for a whole line and P for a piece of one longer than 16 KiB, or not ended yet. Files are reached
through an open directory, so that the log stays writable whatever the container's view of the file system hides.
"""

import os
import time
from collections.abc import Iterator

MAX_LINE = 16 * 1024


class LogFile:
    """`<name>` is the newest file; older ones are `<name>.<UTC time>`, at most `keep` files in all."""

    def __init__(self, directory: int, name: str, limit: int, keep: int) -> None:
        self._directory = directory
        self._name = name
        self._limit = limit
        self._keep = keep
        self._open()

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(self._name, flags, 0o640, dir_fd=self._directory)
        self._size = os.fstat(self._file).st_size

    def append(self, lines: bytes) -> None:
        """Write whole log lines. A full disk loses them: the container must not stall on its log."""
        try:
            os.write(self._file, lines)
        except OSError:
            return
        self._size += len(lines)
        if self._size >= self._limit:
            self._rotate()

    def _rotate(self) -> None:
        stamp = timestamp(time.time_ns()).translate({ord(":"): None})
        os.close(self._file)
        os.rename(self._name, f"{self._name}.{stamp}", src_dir_fd=self._directory, dst_dir_fd=self._directory)
        old = sorted(name for name in os.listdir(self._directory) if name.startswith(self._name + "."))
        for name in old[: max(0, len(old) - self._keep + 1)]:
            os.unlink(name, dir_fd=self._directory)
        self._open()

    def close(self) -> None:
        os.close(self._file)


class LineCutter:
    """Turns the bytes of one stream into log lines; keeps an unfinished line until its end comes."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """The log lines that `data` completes."""
        prefix = self._prefix()
        self._rest, lines = b"", self._rest + data
        output = []
        for line, ended in _split(lines):
            if ended:
                output.append(prefix + b"F " + line + b"\n")
            elif len(line) == MAX_LINE:
                output.append(prefix + b"P " + line + b"\n")
            else:
                self._rest = line
        return b"".join(output)

    def finish(self) -> bytes:
        """The last line, when the stream ended without a line feed."""
        rest, self._rest = self._rest, b""
        return self._prefix() + b"F " + rest + b"\n" if rest else b""

    def _prefix(self) -> bytes:
        return f"{timestamp(time.time_ns())} {self._stream} ".encode()


def _split(data: bytes) -> Iterator[tuple[bytes, bool]]:
    """(piece, ended by a line feed), pieces of at most MAX_LINE bytes."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start, start + MAX_LINE + 1)
        if end < 0:
            yield data[start : start + MAX_LINE], False
            start += MAX_LINE
        else:
            yield data[start:end], True
            start = end + 1


def timestamp(nanoseconds: int) -> str:
    """RFC 3339 in UTC with nine fractional digits."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09d}Z"
