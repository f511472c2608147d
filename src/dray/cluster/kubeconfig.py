"""Entries of a kubeconfig file: merged in, taken out, never switching what the user has chosen."""

import base64
import contextlib
import copy
import fcntl
import os
import pathlib
import stat
from collections.abc import Iterator
from typing import Any

import yaml

from dray.client.config import ConfigError, read_kubeconfig
from dray.cluster.certificates import KeyPair
from dray.cluster.layout import ClusterError


def context_name(cluster: str) -> str:
    return f"dray-{cluster}"


def kubeconfig_for(cluster: str, server: str, ca_pem: bytes, user: KeyPair) -> dict[str, Any]:
    """A whole kubeconfig with one cluster, user and context, all of one name."""
    name = context_name(cluster)
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [
            {"name": name, "cluster": {"server": server, "certificate-authority-data": _b64(ca_pem)}}
        ],
        "users": [
            {
                "name": name,
                "user": {
                    "client-certificate-data": _b64(user.certificate),
                    "client-key-data": _b64(user.key),
                },
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }


def write_kubeconfig(path: pathlib.Path, config: dict[str, Any]) -> None:
    """Replace the file as a whole, or not at all; a symbolic link stays one, and permissions stay. Raises ClusterError."""
    target = pathlib.Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            if target.exists():
                os.fchmod(descriptor, stat.S_IMODE(target.stat().st_mode))
            yaml.safe_dump(config, file, sort_keys=False, allow_unicode=True)
        temporary.rename(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise _refused(path, error) from error


def merge_kubeconfig(path: pathlib.Path, added: dict[str, Any], *, switch: bool) -> None:
    """Put the entries of `added` into the file at `path`, keeping everything else.

    The current context is set only when `switch` asks for it, or when the file had no contexts to choose from. A file
    that has it all already is not written. Raises ConfigError when the present file is no kubeconfig, and ClusterError
    when it cannot be written: it is then left as it is.
    """
    with _locked(path):
        present = read_kubeconfig(path) if path.exists() else {}
        config = copy.deepcopy(present)
        has_contexts = bool(config.get("contexts"))
        config.setdefault("apiVersion", "v1")
        config.setdefault("kind", "Config")
        for section in ("clusters", "users", "contexts"):
            entries = _entries(config, section, path)
            if all(entry in entries for entry in added[section]):
                continue
            names = {entry["name"] for entry in added[section]}
            config[section] = [entry for entry in entries if entry.get("name") not in names] + added[section]
        if switch or not (has_contexts or config.get("current-context")):
            config["current-context"] = added["current-context"]
        if config != present:
            write_kubeconfig(path, config)


def remove_from_kubeconfig(path: pathlib.Path, cluster: str) -> bool:
    """Take a cluster's entries out again; False when there were none."""
    if not path.exists():
        return False
    name = context_name(cluster)
    with _locked(path):
        config = read_kubeconfig(path)
        found = False
        for section in ("clusters", "users", "contexts"):
            entries = _entries(config, section, path)
            kept = [entry for entry in entries if entry.get("name") != name]
            if len(kept) < len(entries):
                config[section] = kept
                found = True
        if config.get("current-context") == name:
            config["current-context"] = ""
        if found:
            write_kubeconfig(path, config)
    return found


def _entries(config: dict[str, Any], section: str, path: pathlib.Path) -> list[dict[str, Any]]:
    entries = config.get(section) or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigError(f"{path}: {section} is not a list of entries; the file was left as it is")
    return entries


@contextlib.contextmanager
def _locked(path: pathlib.Path) -> Iterator[None]:
    """One writer at a time among dray's own commands. Raises ClusterError where no file can be made."""
    target = pathlib.Path(os.path.realpath(path))
    lock = target.with_name(f".{target.name}.dray-lock")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _lock_file(lock)
    except OSError as error:
        raise _refused(path, error) from error
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def _lock_file(lock: pathlib.Path) -> int:
    """The descriptor of the locked file. Who had it before removes it, so what was waited for may be no file any more."""
    while True:
        descriptor = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), lock.stat()):
                return descriptor
        os.close(descriptor)


def _refused(path: pathlib.Path, error: OSError) -> ClusterError:
    return ClusterError(
        f"cannot write the kubeconfig {path}: {error.strerror or error}; choose another with --kubeconfig"
    )


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
