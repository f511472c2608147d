"""Entries of a kubeconfig file: merged in, taken out, never switching what the user has chosen."""

import base64
import contextlib
import fcntl
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import yaml

from dray.client.config import ConfigError, read_kubeconfig
from dray.cluster.certificates import KeyPair


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
    """Replace the file as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        yaml.safe_dump(config, file, sort_keys=False)
    temporary.rename(path)


def merge_kubeconfig(path: pathlib.Path, added: dict[str, Any], *, switch: bool) -> None:
    """Put the entries of `added` into the file at `path`, keeping everything else.

    The current context is set only when `switch` asks for it, or when the file had none at all.
    Raises ConfigError when the present file is no kubeconfig: it is then left as it is.
    """
    with _locked(path):
        config = read_kubeconfig(path) if path.exists() else {}
        config.setdefault("apiVersion", "v1")
        config.setdefault("kind", "Config")
        for section in ("clusters", "users", "contexts"):
            names = {entry["name"] for entry in added[section]}
            kept = [entry for entry in _entries(config, section, path) if entry.get("name") not in names]
            config[section] = kept + added[section]
        if switch or not config.get("current-context"):
            config["current-context"] = added["current-context"]
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
            config[section] = [entry for entry in entries if entry.get("name") != name]
            found = found or len(config[section]) < len(entries)
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
    """One writer at a time among dray's own commands."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f".{path.name}.dray-lock")
    with open(lock, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
