"""The file under the checkpoint: cheap to change, safe to cut off anywhere, honest about damage."""

import os
import stat
from pathlib import Path

import pytest

from dray.sdk.journal import Damaged, Journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def written(path: Path, *changes: dict[str, dict[str, int] | None]) -> Journal:
    journal = Journal(path)
    journal.read()
    for change in changes:
        journal.write(change)
    return journal


def test_what_is_written_is_read_by_others(path: Path) -> None:
    journal = written(path, {"a": {"n": 1}}, {"b": {"n": 2}, "a": None}, {"c": {"n": 3}})
    assert journal.read() == Journal(path).read() == {"b": {"n": 2}, "c": {"n": 3}}


def test_a_file_that_does_not_exist_is_an_empty_journal(path: Path) -> None:
    assert Journal(path).read() == {}
    assert not path.exists()


def test_a_change_only_adds_to_the_file(path: Path) -> None:
    journal = written(path, {"a": {"n": 1}})
    before, inode = path.read_bytes(), path.stat().st_ino
    journal.write({"b": {"n": 2}})
    assert path.read_bytes().startswith(before)
    assert path.stat().st_ino == inode


def test_two_processes_see_each_others_changes(path: Path) -> None:
    one, two = Journal(path), Journal(path)
    for round_number in range(100):
        for name, journal in (("one", one), ("two", two)):
            journal.read()
            journal.write({name: {"n": round_number}})
    assert one.read() == two.read() == {"one": {"n": 99}, "two": {"n": 99}}


def test_the_file_does_not_grow_for_ever(path: Path) -> None:
    journal = written(path)
    for number in range(1000):
        journal.read()
        journal.write({"a": {"n": number}})
    assert len(path.read_bytes().splitlines()) < 100
    assert Journal(path).read() == {"a": {"n": 999}}
    assert [entry.name for entry in path.parent.iterdir()] == ["journal"]


def test_only_its_owner_can_read_the_file(path: Path) -> None:
    written(path, {"a": {"n": 1}})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_write_that_was_cut_off_anywhere_never_happened(path: Path) -> None:
    written(path, {"a": {"n": 1}})
    before = path.read_bytes()
    written(path, {"b": {"n": 2}})
    after = path.read_bytes()
    for end in range(len(before), len(after)):
        path.write_bytes(after[:end])
        journal = Journal(path)
        assert journal.read() == {"a": {"n": 1}}
        journal.write({"c": {"n": 3}})
        assert Journal(path).read() == {"a": {"n": 1}, "c": {"n": 3}}


def test_every_flipped_byte_is_noticed(path: Path) -> None:
    written(path, {"a": {"n": 1}}, {"b": {"n": 2}})
    good = path.read_bytes()
    for position in range(len(good) - 1):
        path.write_bytes(good[:position] + bytes([good[position] ^ 4]) + good[position + 1 :])
        with pytest.raises(Damaged):
            Journal(path).read()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "ends within its first line"),
        (b'{"kind":"DriverCheckpoint"', "ends within its first line"),
        (b"hello\n", "does not begin with what it is"),
        (b'["kind"]\n', "does not begin with what it is"),
        (b'{"kind":"Other","apiVersion":"v9"}\n', "it is a Other of v9, not a DriverCheckpoint"),
    ],
)
def test_a_file_that_is_no_journal_is_damage(path: Path, content: bytes, why: str) -> None:
    path.write_bytes(content)
    with pytest.raises(Damaged, match=why):
        Journal(path).read()


def test_a_change_that_cannot_be_made_durable_is_taken_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = written(path, {"a": {"n": 1}})

    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr("dray.sdk.journal._sync_data", fail)
        with pytest.raises(OSError, match="Input/output"):
            journal.write({"b": {"n": 2}})
    assert journal.read() == Journal(path).read() == {"a": {"n": 1}}
    journal.write({"c": {"n": 3}})
    assert Journal(path).read() == {"a": {"n": 1}, "c": {"n": 3}}


def test_a_full_disk_leaves_the_old_file_when_it_is_written_anew(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        written(path, {"a": {"n": 1}})
    assert list(path.parent.iterdir()) == []
