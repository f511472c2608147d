"""The audit log's file is set aside when it is full, and what was set aside is kept for as long as was said."""

import datetime as dt
import errno
import os
import pathlib

import pytest

from dray.apiserver.audit.log import MEGABYTE, STDOUT, AuditLog, Rotation

HALF = b"x" * (MEGABYTE // 2 - 1) + b"\n"


class Hands:
    """A clock that goes by a second each time it is looked at."""

    def __init__(self) -> None:
        self.moment = dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC)

    def now(self) -> dt.datetime:
        self.moment += dt.timedelta(seconds=1)
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()


def written(path: pathlib.Path, halves: int, clock: Hands | None = None, **rotation: int) -> list[str]:
    log = AuditLog(path, clock or Hands(), Rotation(**rotation))
    for _ in range(halves):
        log.write(HALF)
    log.close()
    return sorted(each.name for each in path.parent.iterdir())


def test_a_full_file_is_set_aside_under_its_time(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "audit.log"
    assert written(path, 3, max_megabytes=1) == ["audit-2026-11-30T12-00-02.000.log", "audit.log"]
    assert path.stat().st_size == len(HALF)
    assert path.stat().st_mode & 0o077 == 0


def test_a_file_that_was_there_counts(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "audit.log"
    path.write_bytes(HALF * 2)
    assert len(written(path, 1, max_megabytes=1)) == 2


def test_without_a_size_it_grows(tmp_path: pathlib.Path) -> None:
    assert written(tmp_path / "audit.log", 9, max_megabytes=0) == ["audit.log"]


def test_the_newest_of_what_was_set_aside_are_kept(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "audit.log"
    other = tmp_path / "audit-2026-11-30T12-00-00.000.txt"
    other.write_text("of somebody else")
    names = written(path, 9, max_megabytes=1, max_files=2)
    assert len(names) == 4
    assert other.exists()


def test_any_number_is_kept_where_none_is_said(tmp_path: pathlib.Path) -> None:
    assert len(written(tmp_path / "audit.log", 9, max_megabytes=1, max_files=0, max_days=0)) == 5


def test_what_was_set_aside_too_long_ago_goes(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "audit.log"
    clock = Hands()
    written(path, 3, clock, max_megabytes=1)
    clock.moment += dt.timedelta(days=8)
    assert len(written(path, 0, clock, max_megabytes=1, max_days=7)) == 1


def test_two_files_are_never_set_aside_under_one_name(tmp_path: pathlib.Path) -> None:
    class Still(Hands):
        def now(self) -> dt.datetime:
            return self.moment

    assert len(written(tmp_path / "audit.log", 7, Still(), max_megabytes=1)) == 4


def test_a_line_that_was_cut_short_does_not_run_into_the_next(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.log"
    log = AuditLog(path, Hands())
    write = os.write
    left = [3]

    def full(descriptor: int, data: memoryview) -> int:
        if not left:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data[: left.pop()])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        log.write(b'{"a":1}\n')
    log.write(b'{"b":2}\n')
    log.close()
    assert path.read_bytes() == b'{"a\n{"b":2}\n'


def test_a_file_that_cannot_be_set_aside_goes_on(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*paths: object) -> None:
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "rename", refuse)
    path = tmp_path / "audit.log"
    assert written(path, 5, max_megabytes=1) == ["audit.log"]
    assert path.stat().st_size == 5 * len(HALF)


def test_a_directory_that_is_not_there_is_made_for_its_owner_alone(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "logs" / "audit.log"
    assert written(path, 1) == ["audit.log"]
    assert path.parent.stat().st_mode & 0o077 == 0


def test_a_dash_is_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    log = AuditLog(STDOUT, Hands())
    log.write(b"line\n")
    log.close()
    assert capfd.readouterr().out == "line\n"
