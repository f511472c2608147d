"""A user's kubeconfig is theirs: what dray does not own in it stays, whatever happens."""

import datetime as dt
import os
import pathlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import yaml

from dray.client.config import ConfigError, load_config, read_kubeconfig
from dray.cluster.certificates import Authority
from dray.cluster.kubeconfig import kubeconfig_for, merge_kubeconfig, remove_from_kubeconfig
from dray.cluster.layout import ClusterError

SERVER = "https://127.0.0.1:6443"
FOREIGN = """\
# mine
apiVersion: v1
kind: Config
preferences: {colors: true}
extensions:
- name: tool
  extension: {last-update: 2025-11-03T08:15:00Z, città: é}
current-context: work
clusters:
- {name: work, cluster: {server: 'https://work:443', insecure-skip-tls-verify: true}}
users:
- name: jane
  user:
    token: "0123"
- name: plugin
  user:
    exec: {apiVersion: client.authentication.k8s.io/v1, command: login, args: [--yes, "on"], env: null}
contexts:
- {name: work, context: {cluster: work, user: jane, namespace: team}}
- context: {cluster: work, user: jane}
  name: work-default
"""


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"), dt.datetime.now(dt.UTC))


@pytest.fixture
def added(authority: Authority) -> dict[str, Any]:
    return entries(authority, "dev")


def entries(authority: Authority, cluster: str, server: str = SERVER) -> dict[str, Any]:
    return kubeconfig_for(cluster, server, authority.pem, authority.client("admin", "admin"))


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "config"
    path.write_text(FOREIGN, encoding="utf-8")
    return path


def left(path: pathlib.Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir())


def foreign_part(path: pathlib.Path) -> dict[str, Any]:
    config = read_kubeconfig(path)
    for section in ("clusters", "users", "contexts"):
        config[section] = [entry for entry in config[section] if not entry["name"].startswith("dray-")]
    return config


def test_everything_of_others_stays(file: pathlib.Path, added: dict[str, Any]) -> None:
    before = read_kubeconfig(file)
    merge_kubeconfig(file, added, switch=False)

    assert foreign_part(file) == before
    assert load_config(str(file)).server == "https://work:443"
    assert load_config(str(file), context="dray-dev").server == SERVER
    assert left(file) == ["config"]


def test_text_that_looks_like_a_time_or_a_number_stays_text(
    file: pathlib.Path, added: dict[str, Any]
) -> None:
    merge_kubeconfig(file, added, switch=False)
    config = read_kubeconfig(file)
    assert config["extensions"][0]["extension"] == {"last-update": "2025-11-03T08:15:00Z", "città": "é"}
    assert config["users"][0]["user"]["token"] == "0123"
    assert config["users"][1]["user"]["exec"]["args"] == ["--yes", "on"]


def test_current_context_is_switched_only_when_asked(file: pathlib.Path, added: dict[str, Any]) -> None:
    merge_kubeconfig(file, added, switch=False)
    assert read_kubeconfig(file)["current-context"] == "work"
    merge_kubeconfig(file, added, switch=True)
    assert read_kubeconfig(file)["current-context"] == "dray-dev"


def test_who_has_contexts_but_chose_none_has_none_afterwards(
    file: pathlib.Path, added: dict[str, Any]
) -> None:
    file.write_text(FOREIGN.replace("current-context: work", 'current-context: ""'), encoding="utf-8")
    merge_kubeconfig(file, added, switch=False)
    assert read_kubeconfig(file)["current-context"] == ""


@pytest.mark.parametrize("content", [None, "", "\n", "# nothing yet\n", "---\n", "null\n", "{}\n"])
def test_file_without_contexts_becomes_one_that_opens_the_cluster(
    tmp_path: pathlib.Path, added: dict[str, Any], content: str | None
) -> None:
    path = tmp_path / "not-there" / "config"
    if content is not None:
        path.parent.mkdir()
        path.write_text(content)
    merge_kubeconfig(path, added, switch=False)
    assert load_config(str(path)).server == SERVER
    assert left(path) == ["config"]


@pytest.mark.parametrize("section", ["clusters", "users", "contexts"])
def test_empty_sections_are_filled(tmp_path: pathlib.Path, added: dict[str, Any], section: str) -> None:
    path = tmp_path / "config"
    path.write_text(f"{section}: null\n")
    merge_kubeconfig(path, added, switch=False)
    assert load_config(str(path)).server == SERVER


def test_new_file_is_for_its_owner_only_and_an_old_one_keeps_its_permissions(
    tmp_path: pathlib.Path, file: pathlib.Path, added: dict[str, Any]
) -> None:
    file.chmod(0o640)
    for path in (file, tmp_path / "new"):
        merge_kubeconfig(path, added, switch=False)
    assert file.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("exists", [True, False])
def test_symbolic_link_stays_one(file: pathlib.Path, added: dict[str, Any], exists: bool) -> None:
    if not exists:
        file.unlink()
    link = file.parent / "home" / "config"
    link.parent.mkdir()
    link.symlink_to("../config")
    merge_kubeconfig(link, added, switch=True)
    assert os.readlink(link) == "../config"
    assert load_config(str(file)).server == SERVER
    assert left(link) == ["config"]


def test_same_entries_again_do_not_touch_the_file(file: pathlib.Path, added: dict[str, Any]) -> None:
    merge_kubeconfig(file, added, switch=False)
    file.write_text("# a comment of its owner\n" + file.read_text())
    before = file.stat().st_ino, file.read_bytes()
    merge_kubeconfig(file, added, switch=False)
    assert (file.stat().st_ino, file.read_bytes()) == before


def test_cluster_that_moved_is_replaced(
    file: pathlib.Path, authority: Authority, added: dict[str, Any]
) -> None:
    merge_kubeconfig(file, added, switch=False)
    merge_kubeconfig(file, entries(authority, "dev", "https://127.0.0.1:7777"), switch=False)
    assert load_config(str(file), context="dray-dev").server == "https://127.0.0.1:7777"
    assert [entry["name"] for entry in read_kubeconfig(file)["clusters"]] == ["work", "dray-dev"]


def test_removal_leaves_what_was_there_before(file: pathlib.Path, added: dict[str, Any]) -> None:
    before = read_kubeconfig(file)
    merge_kubeconfig(file, added, switch=False)
    assert remove_from_kubeconfig(file, "dev")
    assert read_kubeconfig(file) == before
    assert left(file) == ["config"]


def test_removal_takes_back_the_current_context_if_it_is_the_clusters(
    file: pathlib.Path, added: dict[str, Any]
) -> None:
    merge_kubeconfig(file, added, switch=True)
    remove_from_kubeconfig(file, "dev")
    assert read_kubeconfig(file)["current-context"] == ""


def test_removal_of_a_cluster_that_was_never_merged_touches_nothing(file: pathlib.Path) -> None:
    before = file.stat().st_ino, file.read_bytes()
    assert not remove_from_kubeconfig(file, "wor")
    assert not remove_from_kubeconfig(file.parent / "not-there", "dev")
    assert (file.stat().st_ino, file.read_bytes()) == before


BROKEN = {
    "no YAML": (b"clusters: [unclosed\n  : :", "is not valid YAML"),
    "two documents": (b"a: 1\n---\nb: 2\n", "is not valid YAML"),
    "bytes that are no text": (b"\xff\xfe\x00garbage", "is not valid YAML"),
    "a zero byte": (b"a: \x00", "is not valid YAML"),
    "a list": (b"- a\n- b\n", "is not a kubeconfig"),
    "a word": (b"hello", "is not a kubeconfig"),
    "a section that is a mapping": (b"contexts: {a: b}\n", "contexts is not a list of entries"),
    "entries that are words": (b"users: [jane]\n", "users is not a list of entries"),
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("action", ["merge", "remove"])
def test_file_that_is_no_kubeconfig_is_named_and_left_as_it_is(
    file: pathlib.Path, added: dict[str, Any], case: str, action: str
) -> None:
    content, text = BROKEN[case]
    file.write_bytes(content)
    act: Callable[[], object] = (
        (lambda: merge_kubeconfig(file, added, switch=True))
        if action == "merge"
        else (lambda: remove_from_kubeconfig(file, "dev"))
    )
    with pytest.raises(ConfigError, match=text) as caught:
        act()
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert file.read_bytes() == content
    assert left(file) == ["config"]


def test_directory_in_its_place_is_named(tmp_path: pathlib.Path, added: dict[str, Any]) -> None:
    (tmp_path / "here").mkdir()
    with pytest.raises(ConfigError, match=f"cannot read kubeconfig {tmp_path}/here: Is a directory"):
        merge_kubeconfig(tmp_path / "here", added, switch=False)


def test_place_that_cannot_be_is_named(file: pathlib.Path, added: dict[str, Any]) -> None:
    with pytest.raises(
        ClusterError, match=rf"cannot write the kubeconfig {file}/below/config: .*--kubeconfig"
    ):
        merge_kubeconfig(file / "below" / "config", added, switch=False)
    assert file.read_text(encoding="utf-8") == FOREIGN


def test_write_that_fails_half_way_leaves_the_file_as_it_was(
    file: pathlib.Path, added: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(data: object, stream: Any, **_: object) -> None:
        stream.write("apiVersion")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(yaml, "safe_dump", full)
    with pytest.raises(ClusterError, match="No space left on device"):
        merge_kubeconfig(file, added, switch=False)
    assert file.read_text(encoding="utf-8") == FOREIGN
    assert left(file) == ["config"]


def test_clusters_that_come_and_go_at_once_lose_nothing(file: pathlib.Path, authority: Authority) -> None:
    before = read_kubeconfig(file)
    clusters = {f"c{number}": entries(authority, f"c{number}") for number in range(12)}

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda one: merge_kubeconfig(file, one, switch=False), clusters.values()))
        assert len(read_kubeconfig(file)["contexts"]) == 2 + len(clusters)
        assert all(pool.map(lambda name: remove_from_kubeconfig(file, name), clusters))

    assert read_kubeconfig(file) == before
    assert left(file) == ["config"]
