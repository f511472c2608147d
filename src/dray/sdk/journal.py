"""A small durable map in one file: key -> JSON object, changed by appending a line.

Decides the form of the file and how it survives crashes. The first line says what the file is; every other one holds
a set of changes with a checksum over the very bytes it guards:

    {"kind":"DriverCheckpoint","apiVersion":"checkpoint.sdk.dray/v2"}
    {"crc":"8d1c3a70","changes":{"uid-1":{"state":"PrepareStarted", ...}}}
    {"crc":"0fb2c9e1","changes":{"uid-1":null}}

A change costs one append and one fdatasync, whatever the map holds; now and then the file is written anew, under a
temporary name that is renamed. A last line without its end is a write that was cut off, which nobody was told had
happened: it is ignored. Anything else that does not fit is damage, and said so.

Several processes may share the file, one at a time: the caller holds a lock around each method.
"""

import contextlib
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

KIND: Final = "DriverCheckpoint"
API_VERSION: Final = "checkpoint.sdk.dray/v2"
_MODE: Final = 0o600
_FEWEST_LINES: Final = 64
"""Below which the file is never written anew just to make it shorter."""
_PREFIX: Final = b'{"crc":"'
_MIDDLE: Final = b'","changes":'
_DATA_START: Final = len(_PREFIX) + 8 + len(_MIDDLE)

Json = Mapping[str, Any]


class Damaged(Exception):
    """The file is not a journal, or its content does not match its checksums; the text says which."""


class Journal:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries: dict[str, Json] = {}
        self._inode = -1
        self._size = 0
        """How far the file has been read: the end of its last whole line."""
        self._lines = 0

    def read(self) -> Mapping[str, Json]:
        """The entries as they are on disk. Raises Damaged, and OSError."""
        try:
            self._catch_up()
        except FileNotFoundError:
            self._forget()
        except Damaged:
            self._forget()
            raise
        return self._entries

    def _catch_up(self) -> None:
        found = self.path.stat()
        if found.st_ino == self._inode and found.st_size == self._size:
            return
        if found.st_ino != self._inode or found.st_size < self._size:
            self._forget()
        with self.path.open("rb") as file:
            file.seek(self._size)
            self._take(file.read())
        self._inode = found.st_ino

    def _forget(self) -> None:
        self._entries, self._inode, self._size, self._lines = {}, -1, 0, 0

    def _take(self, data: bytes) -> None:
        whole, newline, _ = data.rpartition(b"\n")
        if not newline and not self._lines:
            raise Damaged("it ends within its first line")
        for line in whole.split(b"\n") if newline else ():
            if self._lines == 0:
                _check_header(line)
            else:
                self._apply(_changes_in(line, self._lines + 1))
            self._lines += 1
        self._size += len(whole) + len(newline)

    def _apply(self, changes: Mapping[str, Json | None]) -> None:
        for key, entry in changes.items():
            if entry is None:
                self._entries.pop(key, None)
            else:
                self._entries[key] = entry

    def write(self, changes: Mapping[str, Json | None]) -> None:
        """Make `changes` (None removes a key) durable; returns when they are on disk. Call `read` before.

        Raises OSError; the file then says what it said before.
        """
        worn = self._lines > max(_FEWEST_LINES, 3 * len(self._entries))
        if self._inode == -1 or worn:
            entries = {key: entry for key, entry in {**self._entries, **changes}.items() if entry is not None}
            self._replace(entries)
        else:
            self._append(_line(changes))
            self._apply(changes)

    def _append(self, line: bytes) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            if os.fstat(descriptor).st_size > self._size:
                os.ftruncate(descriptor, self._size)  # a write that was cut off
            try:
                written = os.pwrite(descriptor, line, self._size)
                if written < len(line):
                    raise OSError(f"only {written} of {len(line)} bytes could be written")
                _sync_data(descriptor)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, self._size)
                raise
        finally:
            os.close(descriptor)
        self._size += len(line)
        self._lines += 1

    def _replace(self, entries: Mapping[str, Json]) -> None:
        header = orjson.dumps({"kind": KIND, "apiVersion": API_VERSION}) + b"\n"
        content = header + (_line(entries) if entries else b"")
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _MODE)
            with open(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                inode = os.fstat(file.fileno()).st_ino
            temporary.replace(self.path)
            _sync_directory(self.path.parent)
        except OSError:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
            raise
        self._entries, self._inode = dict(entries), inode
        self._size, self._lines = len(content), 2 if entries else 1


def _line(changes: Mapping[str, Json | None]) -> bytes:
    data = orjson.dumps(changes)
    return b"%b%08x%b%b}\n" % (_PREFIX, zlib.crc32(data), _MIDDLE, data)


def _changes_in(line: bytes, number: int) -> Mapping[str, Json | None]:
    data = line[_DATA_START:-1]
    if line != b"%b%08x%b%b}" % (_PREFIX, zlib.crc32(data), _MIDDLE, data):
        raise Damaged(f"the checksum of line {number} does not match its content")
    changes: Mapping[str, Json | None] = orjson.loads(data)
    return changes


def _check_header(line: bytes) -> None:
    try:
        header = orjson.loads(line)
        what = header["kind"], header["apiVersion"]
    except (ValueError, KeyError, TypeError):
        raise Damaged("it does not begin with what it is") from None
    if what != (KIND, API_VERSION):
        raise Damaged(f"it is a {what[0]} of {what[1]}, not a {KIND} of {API_VERSION}")


# Some systems have no fdatasync; the size of the file is data that it must write as well.
_sync_data: Final = getattr(os, "fdatasync", os.fsync)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
