"""A container's log as a client asked for it: from the end, since a time, with times, followed as it grows."""

import asyncio
import datetime as dt
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dray.api.meta import parse_time

POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class LogOptions:
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail: int | None = None
    since: dt.datetime | None = None
    limit_bytes: int | None = None

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> "LogOptions":
        since = parse_time(query["sinceTime"]) if query.get("sinceTime") else None
        if query.get("sinceSeconds"):
            since = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=int(query["sinceSeconds"]))
        return cls(
            follow=query.get("follow", "").lower() in ("true", "1"),
            previous=query.get("previous", "").lower() in ("true", "1"),
            timestamps=query.get("timestamps", "").lower() in ("true", "1"),
            tail=int(query["tailLines"]) if query.get("tailLines") else None,
            since=since,
            limit_bytes=int(query["limitBytes"]) if query.get("limitBytes") else None,
        )


async def read_log(path: Path, options: LogOptions, is_running: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Pieces of the log; with `follow` until the container has ended and all it said was read."""
    left = options.limit_bytes
    async for piece in _pieces(path, options, is_running):
        yield piece if left is None else piece[:left]
        if left is not None:
            left -= len(piece)
            if left <= 0:
                return


async def _pieces(path: Path, options: LogOptions, is_running: Callable[[], bool]) -> AsyncIterator[bytes]:
    reader = _LogReader(path)
    # Asked before reading: what is written between the two is then read in the next round.
    running = is_running()
    entries = list(_entries(reader.read(), options))
    for text, _ in entries if options.tail is None else _last_lines(entries, options.tail):
        yield text
    while options.follow and running:
        await asyncio.sleep(POLL_SECONDS)
        running = is_running()
        for text, _ in _entries(reader.read(), options):
            yield text


class _LogReader:
    """Reads a log from its beginning, on and on, through rotations."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inode = 0
        self._offset = 0

    def read(self) -> bytes:
        """Every whole record that was not read before."""
        return b"".join(self._read(file) for file in self._unread())

    def _unread(self) -> list[Path]:
        files = _files(self._path)
        for index, file in enumerate(files):
            if _inode(file) == self._inode:
                return files[index:]
        # At the beginning; or so far behind that the file read last is gone, and all there are are newer.
        return files

    def _read(self, path: Path) -> bytes:
        try:
            with path.open("rb") as file:
                inode = os.fstat(file.fileno()).st_ino
                if inode != self._inode:
                    self._inode, self._offset = inode, 0
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return b""
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        return whole


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0


def _files(path: Path) -> list[Path]:
    """Oldest first; rotated files carry their time in the name."""
    rotated = sorted(path.parent.glob(f"{path.name}.*"))
    return [*rotated, path] if path.exists() else rotated


def _entries(data: bytes, options: LogOptions) -> Iterator[tuple[bytes, bool]]:
    """(text, whether it ends a line) of every record that is new enough."""
    for record in data.splitlines(keepends=True):
        if not record.endswith(b"\n"):
            continue
        stamp, _, tag, text = [*record.split(b" ", 3), b"", b"", b""][:4]
        if options.since is not None and parse_time(_micros(stamp.decode())) < options.since:
            continue
        if tag == b"P":
            text = text.removesuffix(b"\n")
        yield (stamp + b" " + text if options.timestamps else text), tag != b"P"


def _micros(stamp: str) -> str:
    """Nanoseconds are more than datetime can hold."""
    head, _, rest = stamp.partition(".")
    digits = "".join(char for char in rest if char.isdigit())[:6]
    return f"{head}.{digits or '0'}+00:00"


def _last_lines(entries: list[tuple[bytes, bool]], count: int) -> list[tuple[bytes, bool]]:
    kept: list[tuple[bytes, bool]] = []
    lines = 0
    for entry in reversed(entries):
        if entry[1]:
            lines += 1
            if lines > count:
                break
        kept.append(entry)
    return kept[::-1] if count else []
