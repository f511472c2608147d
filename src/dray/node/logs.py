"""A container's log as a client asked for it: from the end, since a time, with times, followed as it grows."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dray.api.meta import parse_time

POLL_SECONDS: Final = 0.1


class LogUnavailable(Exception):
    """The log cannot be read any more."""


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
    """Pieces of the log; with `follow` until the container has ended."""
    left = options.limit_bytes
    entries = [entry for file in _files(path) for entry in _entries(file.read_bytes(), options)]
    if options.tail is not None:
        entries = _last_lines(entries, options.tail)
    for text, _ in entries:
        piece = text if left is None else text[:left]
        if piece:
            yield piece
        if left is not None:
            left -= len(piece)
            if left <= 0:
                return
    if options.follow:
        async for piece in _follow(path, options, is_running):
            yield piece


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


async def _follow(path: Path, options: LogOptions, is_running: Callable[[], bool]) -> AsyncIterator[bytes]:
    inode, offset = _position(path)
    while True:
        ended = not is_running()
        current, size = _position(path)
        if current != inode:
            inode, offset = current, 0
        if size > offset:
            with path.open("rb") as file:
                file.seek(offset)
                data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            offset += len(whole)
            for text, _ in _entries(whole, options):
                yield text
        elif ended:
            return
        await asyncio.sleep(POLL_SECONDS)


def _position(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except FileNotFoundError:
        return 0, 0
    return status.st_ino, status.st_size
