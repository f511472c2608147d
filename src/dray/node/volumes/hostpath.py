"""hostPath volumes: the type check, and what `...OrCreate` makes."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from dray.node.volumes.content import VolumeFailure

_KINDS: Final[dict[str, tuple[Callable[[int], bool], str]]] = {
    "Directory": (stat.S_ISDIR, "directory"),
    "DirectoryOrCreate": (stat.S_ISDIR, "directory"),
    "File": (stat.S_ISREG, "file"),
    "FileOrCreate": (stat.S_ISREG, "file"),
    "Socket": (stat.S_ISSOCK, "socket file"),
    "CharDevice": (stat.S_ISCHR, "character device"),
    "BlockDevice": (stat.S_ISBLK, "block device"),
}


def prepare_host_path(path: Path, kind: str, shown: str) -> Path:
    """Check `path` against the volume's `type`, making it where asked; `shown` is the path as the pod names it.

    Raises VolumeFailure.
    """
    try:
        return _prepare(path, kind, shown)
    except OSError as error:
        raise VolumeFailure(f"hostPath {shown}: {(error.strerror or str(error)).lower()}") from error


def _prepare(path: Path, kind: str, shown: str) -> Path:
    exists = path.exists()
    # Without a type, as container runtimes do: a missing source of a bind mount is made.
    if kind in ("", "DirectoryOrCreate") and not exists:
        path.mkdir(mode=0o755, parents=True)
    elif kind == "FileOrCreate" and not exists:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    if not kind:
        return path
    test, name = _KINDS.get(kind, (lambda mode: False, kind))
    if not path.exists() or not test(path.stat().st_mode):
        raise VolumeFailure(f"hostPath type check failed: {shown} is not a {name}")
    return path
