"""Who finds a data directory in use is told how to stop what uses it."""

import pathlib

import pytest

from dray.cluster.layout import AlreadyRunning, ClusterSpec, Layout, default_root


@pytest.fixture
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path


def told(layout: Layout, name: str) -> str:
    layout.create()
    lock = layout.lock(name)
    try:
        with pytest.raises(AlreadyRunning) as refused:
            layout.lock(name)
    finally:
        lock.release()
    return str(refused.value).partition("stop it with: ")[2]


def test_a_cluster_is_stopped_by_its_name_or_by_its_place(home: pathlib.Path) -> None:
    here, elsewhere = Layout(default_root("lab")), Layout(home / "elsewhere")
    for layout in (here, elsewhere):
        layout.create()
        layout.write_spec(ClusterSpec("lab"))
    assert told(here, "lab") == "dray down --name lab"
    assert told(elsewhere, "lab") == f"dray down --data-dir {elsewhere.root}"


def test_an_api_server_alone_is_ended_as_the_process_it_is(home: pathlib.Path) -> None:
    assert told(Layout(home / "data"), "apiserver").startswith("kill ")
