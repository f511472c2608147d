"""A copy of a cluster's data in one file: taken while the cluster runs or not, checked before it replaces anything.

The file is a gzipped tar with the database, the keys and `cluster.json`, and in front of them `snapshot.json`: what this
is, and the SHA-256 of each of the others. What nodes keep (containers, emptyDir volumes, prepared devices) is not in it:
after a restore the nodes start the pods that the database has, as after the loss of a machine.

It holds the cluster's private keys and all Secrets, so it is written for its owner's eyes only.
"""

import dataclasses
import datetime as dt
import gzip
import hashlib
import io
import json
import os
import pathlib
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from typing import Any

import dray
from dray.cluster.layout import AlreadyRunning, ClusterError, ClusterSpec, Layout
from dray.store.errors import StoreError
from dray.store.log import DATABASE, copy_database, last_revision, start_above

FORMAT = 1
MANIFEST = "snapshot.json"
REVISIONS_LEFT_OUT = 1_000_000
"""A restored cluster goes on so far above the copy's last revision: beyond what clients can have seen since."""


@dataclasses.dataclass(frozen=True, slots=True)
class Summary:
    """What a snapshot file says of itself."""

    name: str
    nodes: int
    taken: str
    revision: int
    dray: str


def save_snapshot(layout: Layout, target: pathlib.Path, now: dt.datetime) -> Summary:
    """Write the data of the cluster in `layout` to `target`, whole or not at all. Raises ClusterError."""
    spec = layout.read_spec()
    if spec is None:
        raise ClusterError(f"there is no cluster in {layout.root}; `dray status` lists those there are")
    try:
        with tempfile.TemporaryDirectory(prefix=".dray-snapshot-", dir=target.absolute().parent) as scratch:
            return _save(layout, spec, target, pathlib.Path(scratch), now)
    except StoreError as error:
        raise ClusterError(f"cannot copy the database: {error}") from error
    except OSError as error:
        raise ClusterError(f"cannot write {target}: {error.strerror or error}") from error


def _save(
    layout: Layout, spec: ClusterSpec, target: pathlib.Path, scratch: pathlib.Path, now: dt.datetime
) -> Summary:
    state = scratch / layout.state.name
    state.mkdir()
    copy_database(layout.state, state / DATABASE)
    summary = Summary(
        spec.name, spec.nodes, f"{now:%Y-%m-%dT%H:%M:%SZ}", last_revision(state), dray.__version__
    )
    files = {f"{state.name}/{DATABASE}": state / DATABASE, layout.spec_file.name: layout.spec_file}
    files |= {f"{layout.pki.name}/{path.name}": path for path in sorted(layout.pki.iterdir())}
    manifest = {
        "format": FORMAT,
        **dataclasses.asdict(summary),
        "files": {name: _digest(path) for name, path in files.items()},
    }
    unfinished = scratch / "file"
    with (
        os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as raw,
        tarfile.open(fileobj=raw, mode="w:gz", compresslevel=6) as archive,
    ):
        _add_bytes(archive, MANIFEST, json.dumps(manifest, indent=1).encode())
        for name, path in files.items():
            archive.add(path, name, recursive=False)
    _sync(unfinished)
    unfinished.rename(target)
    return summary


def read_summary(source: pathlib.Path) -> Summary:
    """What a snapshot file says of itself; the rest is not looked at. Raises ClusterError."""
    name, content = next(_members(source), ("", b""))
    return _summary(_read_manifest(source, name, content)[0])


def restore_snapshot(
    source: pathlib.Path, layout: Layout, *, replace: bool
) -> tuple[Summary, pathlib.Path | None]:
    """Make `layout` the cluster that `source` holds; returns also where the data went that were there before.

    Nothing is touched before the file was read whole and its database opened. Data that are there are moved aside, and
    only if `replace`. Raises ClusterError.
    """
    root = layout.root
    if (pid := layout.running_pid()) is not None:
        raise AlreadyRunning(layout, root.name, pid)
    occupied = root.exists() and any(root.iterdir())
    if occupied and not replace:
        raise ClusterError(
            f"{root} is not empty; --replace moves what is there aside, --data-dir chooses another place"
        )
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{root.name}-restore-", dir=root.parent) as scratch:
            fresh = pathlib.Path(scratch) / root.name
            summary = _unpack(source, Layout(fresh))
            aside = _move_aside(root) if occupied else None
            fresh.rename(root)
    except StoreError as error:
        raise ClusterError(f"{source} holds a database that cannot be used: {error}") from error
    except OSError as error:
        raise ClusterError(f"cannot restore into {root}: {error.strerror or error}") from error
    return summary, aside


def _unpack(source: pathlib.Path, layout: Layout) -> Summary:
    layout.root.mkdir(mode=0o700)
    manifest: dict[str, Any] = {}
    files: dict[str, str] = {}
    for name, content in _members(source):
        if not manifest:
            manifest, files = _read_manifest(source, name, content)
            continue
        if name not in files or hashlib.sha256(content).hexdigest() != files.pop(name):
            raise ClusterError(f"{source} is damaged: {name} is not what was saved; nothing was restored")
        path = layout.root / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as out:
            out.write(content)
    if not manifest or files:
        raise ClusterError(
            f"{source} is cut off: {', '.join(files) or MANIFEST} missing; nothing was restored"
        )
    start_above(layout.state, last_revision(layout.state) + REVISIONS_LEFT_OUT)
    return _summary(manifest)


def _summary(manifest: dict[str, Any]) -> Summary:
    return Summary(**{field.name: manifest[field.name] for field in dataclasses.fields(Summary)})


def _members(source: pathlib.Path) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(source, "r:gz") as archive:
            for member in archive:
                # Nothing else is ever saved; a link would lead out of the archive.
                reader = archive.extractfile(member) if member.isreg() else None
                if reader is not None:
                    yield member.name, reader.read()
    except FileNotFoundError as error:
        raise ClusterError(f"there is no file {source}") from error
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ClusterError(
            f"{source} is damaged, or no snapshot of a cluster ({error}); nothing was restored"
        ) from error


def _read_manifest(source: pathlib.Path, name: str, content: bytes) -> tuple[dict[str, Any], dict[str, str]]:
    try:
        manifest = json.loads(content) if name == MANIFEST else {}
        form, files = manifest["format"], dict(manifest["files"])
        missing = {field.name for field in dataclasses.fields(Summary)} - manifest.keys()
    except (ValueError, KeyError, TypeError) as error:
        raise ClusterError(
            f"{source} is no snapshot of a cluster's data; make one with dray snapshot save"
        ) from error
    if form != FORMAT or missing:
        raise ClusterError(
            f"{source} has format {form}, this version of dray reads {FORMAT}; restore it with its own"
        )
    unsafe = [
        path for path in files if path.startswith("/") or ".." in path.split("/") or path.count("/") > 1
    ]
    if unsafe:
        raise ClusterError(
            f"{source} names files outside a cluster's data ({unsafe[0]}); nothing was restored"
        )
    return manifest, files


def _move_aside(root: pathlib.Path) -> pathlib.Path:
    number = 1
    while (aside := root.with_name(f"{root.name}.before-restore-{number}")).exists():
        number += 1
    shutil.move(root, aside)
    return aside


def _add_bytes(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    member.mode = 0o600
    archive.addfile(member, io.BytesIO(content))


def _digest(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _sync(path: pathlib.Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
