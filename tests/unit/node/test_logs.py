"""Logs as clients ask for them, on files as the supervisor writes them."""

import asyncio
import dataclasses
import datetime as dt
from pathlib import Path

import pytest

from dray.node.pods.messages import termination_message
from dray.node.serving.logs import LogOptions, read_log
from dray.testing import virtual
from tests.unit.node.builders import container, exited

BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def record(text: str, second: int = 0, tag: str = "F") -> str:
    return f"2026-01-01T00:00:{second:02d}.123456789Z stdout {tag} {text}\n"


def read(path: Path, **options: object) -> str:
    async def collect() -> bytes:
        pieces = read_log(path, LogOptions(**options), lambda: False)  # type: ignore[arg-type]
        return b"".join([piece async for piece in pieces])

    return virtual.run(collect()).decode()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "0.log"
    path.write_text(record("one", 1) + record("two", 2) + record("three", 3))
    return path


def test_tail_since_limit_and_times(log: Path) -> None:
    assert read(log) == "one\ntwo\nthree\n"
    assert read(log, tail=2) == "two\nthree\n"
    assert read(log, tail=0) == ""
    assert read(log, since=BEGIN + dt.timedelta(seconds=3)) == "three\n"
    assert read(log, limit_bytes=5) == "one\nt"
    assert read(log, tail=1, timestamps=True) == "2026-01-01T00:00:03.123456789Z three\n"


def test_pieces_of_a_long_line_are_one_line(log: Path) -> None:
    log.write_text(record("first half, ", tag="P") + record("second half") + record("next"))
    assert read(log) == "first half, second half\nnext\n"
    assert read(log, tail=2) == "first half, second half\nnext\n"


def test_a_record_that_is_being_written_waits_for_its_end(log: Path) -> None:
    log.write_text(record("whole") + "2026-01-01T00:00:09Z stdo")
    assert read(log) == "whole\n"


def test_rotated_files_come_first(log: Path) -> None:
    log.rename(log.with_name("0.log.2026-01-01T000004.0Z"))
    log.write_text(record("four", 4))
    assert read(log) == "one\ntwo\nthree\nfour\n"


def test_following_loses_nothing_through_rotations_and_to_the_very_end(log: Path) -> None:
    alive = True
    seen = b""

    async def follow() -> None:
        nonlocal seen
        async for piece in read_log(log, LogOptions(follow=True, tail=1), lambda: alive):
            seen += piece

    async def story() -> None:
        nonlocal alive
        following = asyncio.create_task(follow())
        await asyncio.sleep(0.05)
        append(log, record("four", 4))
        rotate(log)
        append(log, record("five", 5))
        await asyncio.sleep(0.15)
        append(log, record("last", 6))
        alive = False
        await following

    virtual.run(story())
    assert seen == b"three\nfour\nfive\nlast\n"


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def rotate(path: Path) -> None:
    path.rename(path.with_name(f"{path.name}.2026-01-01T000004.0Z"))


def test_last_words_come_from_the_file_or_else_from_the_log(log: Path, tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.write_text("x" * 5000)
    failed = dataclasses.replace(exited(1), log_path=log, termination_log=words)
    assert termination_message(failed, container()) == "x" * 4096
    words.write_text("")
    fallback = container(terminationMessagePolicy="FallbackToLogsOnError")
    assert termination_message(failed, container()) == ""
    assert termination_message(failed, fallback) == "one\ntwo\nthree\n"
    assert termination_message(dataclasses.replace(failed, exit_code=0), fallback) == ""
