"""CDI files on disk: written whole, read strictly, resolved by priority."""

import json
import os
from pathlib import Path

import pytest

from dray.cdi.cache import CdiCache
from dray.cdi.errors import CdiError, UnresolvableDevices
from dray.cdi.files import read_spec, remove_spec, write_spec
from dray.cdi.spec import new_spec


@pytest.fixture
def directories(tmp_path: Path) -> tuple[Path, Path]:
    low, high = tmp_path / "etc", tmp_path / "run"
    low.mkdir()
    high.mkdir()
    return low, high


def put(
    directory: Path, name: str, value: str, *, kind: str = "v.com/gpu", file: str = "", common: str = ""
) -> Path:
    edits = {"env": [common]} if common else None
    spec = new_spec(kind, [{"name": name, "containerEdits": {"env": [value]}}], edits)
    return write_spec(directory, file or f"{name}.json", spec)


@pytest.mark.parametrize("extension", [".json", ".yaml"])
def test_a_written_spec_reads_back(tmp_path: Path, extension: str) -> None:
    spec = new_spec("v.com/gpu", [{"name": "0", "containerEdits": {"env": ["A=b"]}}])
    assert read_spec(write_spec(tmp_path, f"x{extension}", spec)) == spec


def test_writing_leaves_no_temporary_file_and_is_private(tmp_path: Path) -> None:
    path = put(tmp_path, "d", "A=b")
    assert [entry.name for entry in tmp_path.iterdir()] == ["d.json"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, "d", "A=old")

    def fail(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        put(tmp_path, "d", "A=new")
    assert "A=old" in path.read_text()
    assert [entry.name for entry in tmp_path.iterdir()] == ["d.json"]


def test_a_name_no_runtime_reads_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CdiError, match="no runtime would read it"):
        put(tmp_path, "d", "A=b", file="d.yml")


def test_removing_tells_whether_the_file_was_there(tmp_path: Path) -> None:
    put(tmp_path, "d", "A=b")
    assert remove_spec(tmp_path, "d.json")
    assert not remove_spec(tmp_path, "d.json")


def test_file_edits_come_once_before_their_first_device(directories: tuple[Path, Path]) -> None:
    low, high = directories
    put(low, "a", "A=1", common="COMMON=x", file="one.json")
    put(high, "b", "B=2")
    cache = CdiCache(directories)
    edits = cache.edits_for(["v.com/gpu=b", "v.com/gpu=a", "v.com/gpu=a"])
    assert edits == {"env": ["B=2", "COMMON=x", "A=1"]}


def test_the_higher_directory_wins(directories: tuple[Path, Path]) -> None:
    low, high = directories
    put(low, "a", "A=low")
    put(high, "a", "A=high")
    assert CdiCache(directories).edits_for(["v.com/gpu=a"]) == {"env": ["A=high"]}


def test_two_definitions_in_one_directory_make_a_device_unresolvable(directories: tuple[Path, Path]) -> None:
    low, _ = directories
    put(low, "a", "A=1", file="one.json")
    put(low, "a", "A=2", file="two.yaml")
    cache = CdiCache(directories)
    with pytest.raises(UnresolvableDevices):
        cache.edits_for(["v.com/gpu=a"])
    assert cache.errors() == {
        low / "one.json": [f"device v.com/gpu=a is also defined in {low / 'two.yaml'}"],
        low / "two.yaml": [f"device v.com/gpu=a is also defined in {low / 'one.json'}"],
    }


def test_a_higher_definition_settles_a_conflict_below(directories: tuple[Path, Path]) -> None:
    low, high = directories
    put(low, "a", "A=1", file="one.json")
    put(low, "a", "A=2", file="two.json")
    put(high, "a", "A=3")
    cache = CdiCache(directories)
    assert cache.edits_for(["v.com/gpu=a"]) == {"env": ["A=3"]}
    assert cache.errors() == {}


def test_broken_files_are_reported_and_the_others_work(directories: tuple[Path, Path]) -> None:
    low, high = directories
    (low / "broken.json").write_text("{")
    (low / "broken.yaml").write_text("a: [")
    (low / "unknown.json").write_text(json.dumps({"cdiVersion": "0.3.0", "extra": 1}))
    (low / "ignored.txt").write_text("{")
    put(high, "a", "A=1")
    cache = CdiCache(directories)
    assert cache.devices() == ["v.com/gpu=a"]
    assert sorted(path.name for path in cache.errors()) == ["broken.json", "broken.yaml", "unknown.json"]
    assert "not JSON" in cache.errors()[low / "broken.json"][0]
    assert "extra: unknown field" in cache.errors()[low / "unknown.json"][0]


def test_unresolvable_devices_are_all_named_and_nothing_is_applied(directories: tuple[Path, Path]) -> None:
    put(directories[0], "a", "A=1")
    with pytest.raises(UnresolvableDevices) as caught:
        CdiCache(directories).inject({}, ["v.com/gpu=x", "v.com/gpu=a", "v.com/gpu=y"])
    assert str(caught.value) == "unresolvable CDI devices v.com/gpu=x, v.com/gpu=y"
    assert caught.value.names == ("v.com/gpu=x", "v.com/gpu=y")


def test_changes_on_disk_are_seen(directories: tuple[Path, Path]) -> None:
    cache = CdiCache(directories)
    assert cache.devices() == []
    path = put(directories[1], "a", "A=1")
    assert cache.edits_for(["v.com/gpu=a"]) == {"env": ["A=1"]}
    put(directories[1], "a", "A=2")
    assert cache.edits_for(["v.com/gpu=a"]) == {"env": ["A=2"]}
    path.unlink()
    assert cache.devices() == []


def test_unchanged_files_are_not_read_again(
    directories: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(directories[0], "a", "A=1")
    cache = CdiCache(directories)
    cache.refresh()
    monkeypatch.setattr("dray.cdi.cache._read", lambda path: pytest.fail(f"{path} was read again"))
    cache.refresh()


def test_missing_directories_are_empty(tmp_path: Path) -> None:
    assert CdiCache([tmp_path / "nowhere"]).devices() == []


def test_subdirectories_are_not_searched(directories: tuple[Path, Path]) -> None:
    nested = directories[0] / "nested.json"
    nested.mkdir()
    put(nested, "a", "A=1")
    assert CdiCache(directories).devices() == []


def test_real_device_nodes_are_recognised(directories: tuple[Path, Path]) -> None:
    spec = new_spec(
        "v.com/gpu", [{"name": "null", "containerEdits": {"deviceNodes": [{"path": os.devnull}]}}]
    )
    write_spec(directories[0], "null.json", spec)
    injected = CdiCache(directories).inject({}, ["v.com/gpu=null"])
    assert injected["linux"]["devices"][0]["type"] == "c"
