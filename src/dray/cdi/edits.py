"""Container edits applied to an OCI runtime spec.

Decides in which order edits of several devices meet a container and what each does to it (CDI 1.1.0). Pure: the OCI
spec that goes in is not changed, and what a device node of the host is comes from a function that is passed in.
"""

import posixpath
import stat
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from dray.cdi.errors import CdiError
from dray.cdi.spec import Edits

OciSpec = dict[str, Any]
"""An OCI runtime spec; `process`, `mounts`, `hooks` and `linux` are read and written, all optional."""

_LISTS: Final = ("env", "deviceNodes", "netDevices", "hooks", "mounts", "additionalGids")


class DeviceStat(NamedTuple):
    """What the host has at a path: type is "b", "c", "p", or "" for anything that is no device."""

    type: str
    major: int
    minor: int
    mode: int
    """Permission bits and file type, as st_mode."""


StatDevice = Callable[[str], DeviceStat]
"""Raises OSError when there is nothing at the path."""


def merge(edits: Iterable[Mapping[str, Any]]) -> Edits:
    """All `edits` as one, in order; the last `intelRdt` wins."""
    merged: Edits = {}
    for one in edits:
        for key in _LISTS:
            if one.get(key):
                merged.setdefault(key, []).extend(one[key])
        if one.get("intelRdt") is not None:
            merged["intelRdt"] = dict(one["intelRdt"])
    return merged


def apply_edits(oci: Mapping[str, Any], edits: Mapping[str, Any], stat_device: StatDevice) -> OciSpec:
    """A copy of `oci` with `edits` made. Raises CdiError when a device node is not what the edits say it is."""
    spec = dict(oci)
    if edits.get("env"):
        spec["process"] = {**(spec.get("process") or {})}
        spec["process"]["env"] = apply_env(spec["process"].get("env") or (), edits["env"])
    for node in edits.get("deviceNodes") or ():
        _add_device(spec, node, stat_device)
    if edits.get("netDevices"):
        names = {device["hostInterfaceName"]: {"name": device["name"]} for device in edits["netDevices"]}
        spec["linux"] = {**(spec.get("linux") or {})}
        spec["linux"]["netDevices"] = {**(spec["linux"].get("netDevices") or {}), **names}
    if edits.get("mounts"):
        spec["mounts"] = _with_mounts(spec, edits["mounts"])
    for hook in edits.get("hooks") or ():
        hooks = {**(spec.get("hooks") or {})}
        entry = {key: value for key, value in hook.items() if key != "hookName" and value is not None}
        hooks[hook["hookName"]] = [*(hooks.get(hook["hookName"]) or ()), entry]
        spec["hooks"] = hooks
    if edits.get("intelRdt") is not None:
        spec["linux"] = {**(spec.get("linux") or {}), "intelRdt": dict(edits["intelRdt"])}
    if edits.get("additionalGids"):
        _add_groups(spec, edits["additionalGids"])
    return spec


def apply_env(environment: Iterable[str], additions: Iterable[str]) -> list[str]:
    """`environment` ("KEY=VALUE" strings) with `additions`: the same key is replaced in place, a new one appended."""
    result = list(environment)
    positions = {variable.partition("=")[0]: index for index, variable in enumerate(result)}
    for variable in additions:
        key = variable.partition("=")[0]
        if key in positions:
            result[positions[key]] = variable
        else:
            positions[key] = len(result)
            result.append(variable)
    return result


def _add_device(spec: OciSpec, node: Mapping[str, Any], stat_device: StatDevice) -> None:
    device = resolve_device(node, stat_device)
    user = (spec.get("process") or {}).get("user") or {}
    for key in ("uid", "gid"):
        if node.get(key) is not None:
            device[key] = node[key]
        elif user.get(key, 0) > 0:
            device[key] = user[key]
    linux = {**(spec.get("linux") or {})}
    others = [other for other in linux.get("devices") or () if other["path"] != device["path"]]
    linux["devices"] = [*others, device]
    if device["type"] in ("b", "c"):
        access = {"": "rwm", "none": ""}.get(node.get("permissions") or "", node.get("permissions") or "")
        rule = {"allow": True, "type": device["type"], "major": device["major"], "minor": device["minor"]}
        resources = {**(linux.get("resources") or {})}
        resources["devices"] = [*(resources.get("devices") or ()), {**rule, "access": access}]
        linux["resources"] = resources
    spec["linux"] = linux


def resolve_device(node: Mapping[str, Any], stat_device: StatDevice) -> dict[str, Any]:
    """The OCI device of a CDI device node, with what it leaves open taken from the host.

    Raises CdiError when the host has no such device and the node does not say enough without it.
    """
    device: dict[str, Any] = {
        "path": node["path"],
        "type": node.get("type") or "",
        "major": node.get("major") or 0,
        "minor": node.get("minor") or 0,
    }
    if node.get("fileMode") is not None:
        device["fileMode"] = node["fileMode"]
    host_path = node.get("hostPath") or node["path"]
    try:
        found = stat_device(host_path)
    except OSError as error:
        if device["type"] and (device["major"] or device["type"] == "p"):
            return device
        raise CdiError(f"cannot tell what device {host_path} is: {error.strerror or error}") from None
    if not found.type:
        raise CdiError(f"{host_path} is not a device node")
    if device["type"] and device["type"].replace("u", "c") != found.type:
        raise CdiError(f"{host_path} is a device of type {found.type!r}, not {device['type']!r}")
    device["type"] = device["type"] or found.type
    if not device["major"] and device["type"] != "p":
        device["major"], device["minor"] = found.major, found.minor
    device.setdefault("fileMode", stat.S_IMODE(found.mode))
    return device


def _with_mounts(spec: Mapping[str, Any], additions: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    mounts = list(spec.get("mounts") or ())
    for addition in additions:
        mount = {"destination": addition["containerPath"], "source": addition["hostPath"]}
        if addition.get("type"):
            mount["type"] = addition["type"]
        if addition.get("options"):
            mount["options"] = _idmapped(spec, addition["options"])
        mounts = [other for other in mounts if other["destination"] != mount["destination"]]
        mounts.append(mount)
    # A mount below another mount must come after it.
    return sorted(mounts, key=lambda mount: _depth(mount["destination"]))


def _depth(path: str) -> int:
    return len([part for part in posixpath.normpath(path).split("/") if part])


def _idmapped(spec: Mapping[str, Any], options: Iterable[str]) -> list[str]:
    """Inside a user namespace, bind mounts must be id-mapped for their owner to be seen."""
    result = list(options)
    namespaces = (spec.get("linux") or {}).get("namespaces") or ()
    if any(namespace["type"] == "user" for namespace in namespaces) and not {"idmap", "ridmap"} & set(result):
        if "rbind" in result:
            result.append("ridmap")
        elif "bind" in result:
            result.append("idmap")
    return result


def _add_groups(spec: OciSpec, gids: Iterable[int]) -> None:
    process = {**(spec.get("process") or {})}
    user = {**(process.get("user") or {})}
    present = list(user.get("additionalGids") or ())
    present += [gid for gid in dict.fromkeys(gids) if gid and gid not in present]
    user["additionalGids"] = present
    process["user"] = user
    spec["process"] = process
