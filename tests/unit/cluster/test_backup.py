"""A cluster's data in one file: whole or refused, and never in the way of what is there."""

import datetime as dt
import io
import json
import pathlib
import tarfile

import pytest

from dray.api.resources import CONFIG_MAPS
from dray.apiserver.access import MASTERS
from dray.apiserver.registry.kind import User
from dray.client.protocol import Selection
from dray.cluster.api_server import ApiServerRole, ApiServerSettings
from dray.cluster.backup import REVISIONS_LEFT_OUT, read_summary, restore_snapshot, save_snapshot
from dray.cluster.layout import AlreadyRunning, ClusterError, ClusterSpec, Layout

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
ADMIN = User("admin", (MASTERS,))


@pytest.fixture
def layout(tmp_path: pathlib.Path) -> Layout:
    layout = Layout(tmp_path / "dray")
    layout.create()
    layout.write_spec(ClusterSpec("dray", 0, 0))
    return layout


def role(layout: Layout) -> ApiServerRole:
    return ApiServerRole(layout, ApiServerSettings(cluster="dray"))


async def add(server: ApiServerRole, name: str) -> None:
    client = server.client(ADMIN, manager="test")
    await client.create(CONFIG_MAPS, {"metadata": {"name": name}, "data": {"a": name}}, "default")


async def names(server: ApiServerRole) -> list[str]:
    listed = await server.client(ADMIN, manager="test").list(CONFIG_MAPS, Selection(namespace="default"))
    return [obj["metadata"]["name"] for obj in listed.items]


async def saved(layout: Layout, *config_maps: str) -> pathlib.Path:
    file = layout.root.parent / "copy.tar.gz"
    async with role(layout) as server:
        for name in config_maps:
            await add(server, name)
        save_snapshot(layout, file, NOW)
    return file


async def test_copy_of_a_running_cluster_brings_back_what_it_had_then(layout: Layout) -> None:
    file = layout.root.parent / "copy.tar.gz"
    async with role(layout) as server:
        await add(server, "before")
        save_snapshot(layout, file, NOW)
        await add(server, "after")

    summary, aside = restore_snapshot(file, layout, replace=True)

    assert (summary.name, summary.taken) == ("dray", "2026-01-02T03:04:05Z")
    async with role(layout) as server:
        assert await names(server) == ["before"]
    assert aside is not None
    async with role(Layout(aside)) as server:
        assert await names(server) == ["after", "before"]


async def test_restored_cluster_goes_on_far_above_the_revisions_that_clients_have_seen(
    layout: Layout,
) -> None:
    file = await saved(layout, "a")
    summary, _ = restore_snapshot(file, layout, replace=True)
    async with role(layout) as server:
        await add(server, "b")
        created = await server.client(ADMIN, manager="test").get(CONFIG_MAPS, "b", "default")
    assert int(created["metadata"]["resourceVersion"]) > summary.revision + REVISIONS_LEFT_OUT


async def test_restored_cluster_keeps_its_authority_so_that_kubeconfigs_stay_valid(layout: Layout) -> None:
    file = await saved(layout)
    before = (layout.pki / "ca.crt").read_bytes()
    restore_snapshot(file, layout, replace=True)
    assert (layout.pki / "ca.crt").read_bytes() == before


async def test_file_is_for_its_owner_only(layout: Layout) -> None:
    file = await saved(layout)
    assert file.stat().st_mode & 0o077 == 0


async def test_data_that_are_there_are_not_touched_unasked(layout: Layout) -> None:
    file = await saved(layout)
    before = sorted(path.name for path in layout.root.iterdir())
    with pytest.raises(ClusterError, match="is not empty"):
        restore_snapshot(file, layout, replace=False)
    assert sorted(path.name for path in layout.root.iterdir()) == before


async def test_running_cluster_is_not_replaced(layout: Layout) -> None:
    file = await saved(layout)
    async with role(layout):
        with pytest.raises(AlreadyRunning):
            restore_snapshot(file, layout, replace=True)


def test_saving_what_is_not_there_says_so(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ClusterError, match="there is no cluster in"):
        save_snapshot(Layout(tmp_path / "none"), tmp_path / "file", NOW)


async def test_file_that_cannot_be_written_is_named(layout: Layout) -> None:
    async with role(layout):
        with pytest.raises(ClusterError, match=r"cannot write .*no-such-directory"):
            save_snapshot(layout, layout.root.parent / "no-such-directory" / "file", NOW)


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.3, 0.9])
async def test_cut_off_file_restores_nothing(layout: Layout, kept: float) -> None:
    file = await saved(layout, "a")
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * kept)])
    other = Layout(layout.root.parent / "other")
    with pytest.raises(ClusterError, match=r"damaged|cut off|no snapshot"):
        restore_snapshot(file, other, replace=False)
    assert not other.root.exists()
    assert not list(layout.root.parent.glob(".other*"))


def rewritten(file: pathlib.Path, changes: dict[str, bytes]) -> None:
    with tarfile.open(file) as archive:
        members = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    with tarfile.open(file, "w:gz") as archive:
        for name, content in (members | changes).items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


async def test_changed_content_restores_nothing(layout: Layout) -> None:
    file = await saved(layout)
    rewritten(file, {"cluster.json": b'{"name": "evil", "nodes": 9, "port": 1}'})
    with pytest.raises(ClusterError, match=r"cluster\.json is not what was saved"):
        restore_snapshot(file, layout, replace=True)
    assert layout.read_spec() == ClusterSpec("dray", 0, 0)


async def test_names_outside_the_directory_are_refused(layout: Layout) -> None:
    file = await saved(layout)
    with tarfile.open(file) as archive:
        manifest = json.load(archive.extractfile("snapshot.json"))  # type: ignore[arg-type]
    manifest["files"] = {"../evil": "0" * 64, **manifest["files"]}
    rewritten(file, {"snapshot.json": json.dumps(manifest).encode()})
    with pytest.raises(ClusterError, match=r"outside a cluster's data \(\.\./evil\)"):
        restore_snapshot(file, layout, replace=True)


def test_any_other_file_is_no_snapshot(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "file"
    file.write_text("hello")
    with pytest.raises(ClusterError, match="no snapshot of a cluster"):
        read_summary(file)
    with tarfile.open(file, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("x"), io.BytesIO(b""))
    with pytest.raises(ClusterError, match="no snapshot of a cluster"):
        read_summary(file)


def test_missing_file_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ClusterError, match="there is no file"):
        read_summary(tmp_path / "file")


async def test_links_in_a_file_are_not_followed(layout: Layout) -> None:
    file = await saved(layout, "a")
    with tarfile.open(file, "r:gz") as archive:
        members = [
            (member, reader.read())
            for member in archive
            if (reader := archive.extractfile(member)) is not None
        ]
    with tarfile.open(file, "w:gz") as archive:
        for member, content in members:
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("pki/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    target = Layout(layout.root.with_name("restored"))
    restore_snapshot(file, target, replace=False)
    assert not (target.pki / "link").exists()
