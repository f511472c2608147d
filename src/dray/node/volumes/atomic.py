"""Directories whose files change all at once.

A reader sees either all old or all new files: they live in a directory with a timestamp for a name, `..data` is a
link to it that is replaced in one step, and every visible name is a link through `..data`. This layout is known to
programs that watch their configuration, so it is kept exactly.
"""

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dray.node.volumes.content import File

DATA: Final = "..data"
_NEW_DATA: Final = "..data_tmp"


def write_files(directory: Path, files: Mapping[str, File]) -> bool:
    """Make `directory` show exactly `files`; False when it already does. Raises OSError."""
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    current = directory / DATA
    if current.is_symlink() and _shows(current, files):
        return False
    old = os.readlink(current) if current.is_symlink() else None
    payload = (
        directory / f"..{time.strftime('%Y_%m_%d_%H_%M_%S', time.gmtime())}.{time.time_ns() % 10**10:010d}"
    )
    payload.mkdir(mode=0o755)
    for path, file in files.items():
        _write(payload / path, file)
    link = directory / _NEW_DATA
    link.unlink(missing_ok=True)
    link.symlink_to(payload.name)
    link.rename(current)
    _link_names(directory, files)
    if old is not None:
        shutil.rmtree(directory / old, ignore_errors=True)
    return True


def _write(path: Path, file: File) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, file.data)
        os.fchmod(descriptor, file.mode)
    finally:
        os.close(descriptor)


def _shows(current: Path, files: Mapping[str, File]) -> bool:
    present = {str(path.relative_to(current)) for path in current.rglob("*") if not path.is_dir()}
    if present != set(files):
        return False
    return all(
        (current / path).read_bytes() == file.data and (current / path).stat().st_mode & 0o7777 == file.mode
        for path, file in files.items()
    )


def _link_names(directory: Path, files: Mapping[str, File]) -> None:
    names = {path.split("/")[0] for path in files}
    for entry in directory.iterdir():
        if not entry.name.startswith("..") and entry.name not in names:
            entry.unlink()
    for name in names:
        link = directory / name
        if not link.is_symlink():
            link.symlink_to(Path(DATA) / name)
