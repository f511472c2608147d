"""What a container's supervisor is told to do, from what the pod asked for.

Decides the environment's order, what CDI devices add, which user a container runs as and, where containers cannot
have their own view of files, how paths are rewritten. Pure but for the CDI directories and one look at the host's users.
"""

import dataclasses
import enum
import os
import pwd
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dray.cdi.cache import CdiCache
from dray.cdi.edits import OciSpec, apply_edits
from dray.cdi.errors import CdiError
from dray.cdi.hostdevice import stat_host_device
from dray.cdi.spec import Edits
from dray.node.runtime.images import program_of, resolve_own_program
from dray.node.runtime.protocol import ContainerConfig, Identity, Mount, RuntimeFailure
from dray.node.runtime.translation import PathTranslation

STANDARD_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SERVICE_ACCOUNT_MOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
Bind = tuple[str, str, bool]
LOG_LIMIT_BYTES: Final = 10 * 1024 * 1024
LOG_FILES: Final = 5


class Isolation(enum.StrEnum):
    """How a container sees files."""

    VIEW = "view"
    """Its own mount namespace: every mount and device at the path the pod names."""
    TRANSLATED = "translated"
    """The host's files as they are; paths in its environment and arguments are rewritten."""


@dataclasses.dataclass(frozen=True, slots=True)
class Launch:
    """One container start, as JSON for the supervisor."""

    spec: dict[str, Any]
    unsupported: tuple[str, ...]
    """What CDI devices asked for and this runtime does not do."""


def default_path() -> str:
    """PATH of a container that does not set one: the usual directories, then what else this machine's has.

    The machine stands for the image, and an image's programs may lie where this process finds its own.
    """
    extra = [*os.environ.get("PATH", "").split(os.pathsep), str(Path(sys.executable).parent)]
    return ":".join(dict.fromkeys([*STANDARD_PATH.split(":"), *(part for part in extra if part)]))


def prepare_launch(config: ContainerConfig, hostname: str, cdi: CdiCache, isolation: Isolation) -> Launch:
    """Raises RuntimeFailure when a device cannot be had, ImageFailure when nobody knows what to run."""
    edits = _edits(config, cdi)
    oci = _edited(_plain(config, hostname), edits)
    process = oci["process"]
    environment = dict(entry.split("=", 1) for entry in process["env"])
    arguments = resolve_own_program(_command(config))
    binds = [_bind(entry) for entry in oci.get("mounts") or ()]
    devices = _devices(oci, edits)
    if isolation is Isolation.TRANSLATED:
        translation = _translation(binds, devices)
        environment = translation.environment(environment)
        arguments = translation.arguments(arguments)
        if (account := translation.source_of(SERVICE_ACCOUNT_MOUNT)) is not None:
            environment["DRAY_SERVICE_ACCOUNT_DIR"] = str(account)
        binds, devices = [], []
    environment.setdefault("HOME", _home(config.identity))
    spec = _common(config, hostname)
    spec.update(
        view=isolation is Isolation.VIEW,
        arguments=arguments,
        environment=[f"{name}={value}" for name, value in environment.items()],
        binds=binds,
        devices=devices,
        identity=_identity(config.identity, (process.get("user") or {}).get("additionalGids") or ()),
    )
    return Launch(spec, _unsupported(oci))


def _common(config: ContainerConfig, hostname: str) -> dict[str, Any]:
    return {
        "hostname": hostname,
        "working_directory": config.working_directory or "/",
        "all_devices": config.privileged,
        "terminal": config.terminal,
        "stdin": config.stdin,
        "log_directory": str(config.log_path.parent),
        "log_name": config.log_path.name,
        "log_limit": LOG_LIMIT_BYTES,
        "log_files": LOG_FILES,
    }


def _command(config: ContainerConfig) -> list[str]:
    return program_of(config.image, config.command, config.arguments)


def _edits(config: ContainerConfig, cdi: CdiCache) -> Edits:
    if not config.cdi_devices:
        return {}
    try:
        return cdi.edits_for(config.cdi_devices)
    except CdiError as error:
        raise RuntimeFailure(f"CDI device injection failed: {error}") from error


def _edited(oci: OciSpec, edits: Edits) -> OciSpec:
    try:
        return apply_edits(oci, edits, stat_host_device)
    except CdiError as error:
        raise RuntimeFailure(f"CDI device injection failed: {error}") from error


def _plain(config: ContainerConfig, hostname: str) -> OciSpec:
    """The container without its devices, in the terms that CDI edits."""
    environment = {"PATH": default_path(), "HOSTNAME": hostname, **config.environment}
    mounts = [
        {"source": str(mount.source), "destination": mount.destination, "options": ["ro"] * mount.read_only}
        for mount in config.mounts
    ]
    if config.termination_log is not None:
        source, destination = config.termination_log
        mounts.append({"source": str(source), "destination": destination, "options": []})
    process = {
        "env": [f"{name}={value}" for name, value in environment.items()],
        "user": {"additionalGids": list(config.identity.groups)},
    }
    return {"process": process, "mounts": mounts}


def _bind(entry: Mapping[str, Any]) -> Bind:
    """(source, destination, read only); source "" asks for an empty directory in memory."""
    source = "" if entry.get("type") == "tmpfs" else entry["source"]
    return source, entry["destination"], "ro" in (entry.get("options") or ())


def _devices(oci: OciSpec, edits: Edits) -> list[list[Any]]:
    """[path on the host, path inside, type, major, minor, mode] of each device node."""
    origin = {node["path"]: node.get("hostPath") or node["path"] for node in edits.get("deviceNodes") or ()}
    return [
        [
            origin[device["path"]], device["path"], device["type"], device["major"], device["minor"],
            int(device.get("fileMode") or 0),
        ]
        for device in (oci.get("linux") or {}).get("devices") or ()
    ]  # fmt: skip


def _translation(binds: Sequence[Bind], devices: Sequence[Sequence[Any]]) -> PathTranslation:
    mounts = [Mount(Path(source), destination) for source, destination, _ in binds if source]
    return PathTranslation(
        [*mounts, *(Mount(Path(host), path) for host, path, *_ in devices if host != path)]
    )


def _unsupported(oci: OciSpec) -> tuple[str, ...]:
    linux = oci.get("linux") or {}
    asked = {
        "hooks": oci.get("hooks"),
        "netDevices": linux.get("netDevices"),
        "intelRdt": linux.get("intelRdt"),
    }
    return tuple(name for name, value in asked.items() if value)


def _identity(identity: Identity, groups: Sequence[int]) -> list[Any] | None:
    """[uid, gid, groups], or None to stay who this process is."""
    if identity.uid is None and identity.gid is None and not groups:
        return None
    gid = identity.gid if identity.gid is not None else 0
    return [identity.uid or 0, gid, list(dict.fromkeys([gid, *groups]))]


def _home(identity: Identity) -> str:
    """Of the user that really runs the program; a user namespace changes its number, not its files."""
    uid = os.geteuid()
    if uid == 0 and identity.uid:
        uid = identity.uid
    try:
        return pwd.getpwuid(uid).pw_dir
    except KeyError:
        return "/"
