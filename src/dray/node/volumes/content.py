"""The files of volumes that are made from API objects: configMap, secret, downwardAPI, projected. Pure.

Decides names, bytes and modes; errors are worded as the kubelet's, since they end in events.
"""

import base64
import binascii
import dataclasses
import posixpath
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dray.api.meta import Object
from dray.node.fieldrefs import FieldError, field_value, resource_value

DEFAULT_MODE = 0o644


class VolumeFailure(Exception):
    """A volume cannot be set up now; the text is for an event."""


@dataclasses.dataclass(frozen=True, slots=True)
class File:
    data: bytes
    mode: int = DEFAULT_MODE


Files = dict[str, File]
"""Path below the volume -> file."""


@dataclasses.dataclass(frozen=True, slots=True)
class Sources:
    """Where content comes from. Lookups give None for an object that does not exist."""

    pod: Mapping[str, Any]
    config_map: Callable[[str], Object | None]
    secret: Callable[[str], Object | None]
    token: Callable[[str, int], str]
    """(audience, lifetime in seconds) -> the pod's service account token."""
    host_ips: tuple[str, ...]
    pod_ips: tuple[str, ...]
    allocatable: Mapping[str, str]


def volume_files(volume: Mapping[str, Any], sources: Sources) -> Files:
    """The files of one volume of these kinds. Raises VolumeFailure."""
    if (source := volume.get("configMap")) is not None:
        return _config_map(source, source.get("name") or "", sources, _mode(source))
    if (source := volume.get("secret")) is not None:
        return _secret(source, source.get("secretName") or "", sources, _mode(source))
    if (source := volume.get("downwardAPI")) is not None:
        return _downward(source, sources, _mode(source))
    projected = volume["projected"]
    files: Files = {}
    for part in projected.get("sources") or ():
        files.update(_projection(part, sources, _mode(projected)))
    return files


def is_made_from_objects(volume: Mapping[str, Any]) -> bool:
    return any(volume.get(kind) is not None for kind in ("configMap", "secret", "downwardAPI", "projected"))


def objects_of(volume: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """("ConfigMap" or "Secret", name) of every object the volume is made from."""
    parts = [volume, *((volume.get("projected") or {}).get("sources") or ())]
    for part in parts:
        if (source := part.get("configMap")) is not None:
            yield "ConfigMap", source.get("name") or ""
        if (source := part.get("secret")) is not None:
            yield "Secret", source.get("secretName") or source.get("name") or ""


def tokens_of(volume: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """(audience, lifetime in seconds) of every service account token in the volume."""
    for part in (volume.get("projected") or {}).get("sources") or ():
        if (source := part.get("serviceAccountToken")) is not None:
            yield source.get("audience") or "", int(source.get("expirationSeconds") or 3600)


def _mode(source: Mapping[str, Any]) -> int:
    mode = source.get("defaultMode")
    return DEFAULT_MODE if mode is None else int(mode)


def _item_mode(item: Mapping[str, Any], default: int) -> int:
    mode = item.get("mode")
    return default if mode is None else int(mode)


def _projection(part: Mapping[str, Any], sources: Sources, mode: int) -> Files:
    if (source := part.get("configMap")) is not None:
        return _config_map(source, source.get("name") or "", sources, mode)
    if (source := part.get("secret")) is not None:
        return _secret(source, source.get("name") or "", sources, mode)
    if (source := part.get("downwardAPI")) is not None:
        return _downward(source, sources, mode)
    if (source := part.get("serviceAccountToken")) is not None:
        token = sources.token(source.get("audience") or "", int(source.get("expirationSeconds") or 3600))
        return {_checked(source["path"]): File(token.encode(), mode)}
    kinds = ", ".join(sorted(part)) or "nothing"
    raise VolumeFailure(f"projected volume source {kinds} is not supported by this node")


def _config_map(source: Mapping[str, Any], name: str, sources: Sources, mode: int) -> Files:
    found = sources.config_map(name)
    if found is None:
        if source.get("optional"):
            return {}
        raise VolumeFailure(f'configmap "{name}" not found')
    payload = {key: value.encode() for key, value in (found.get("data") or {}).items()}
    payload.update({key: _decode(value) for key, value in (found.get("binaryData") or {}).items()})
    return _selected(source, payload, mode, "configmap references non-existent config key")


def _secret(source: Mapping[str, Any], name: str, sources: Sources, mode: int) -> Files:
    found = sources.secret(name)
    if found is None:
        if source.get("optional"):
            return {}
        raise VolumeFailure(f'secret "{name}" not found')
    payload = {key: _decode(value) for key, value in (found.get("data") or {}).items()}
    return _selected(source, payload, mode, "references non-existent secret key")


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except binascii.Error as error:
        raise VolumeFailure(f"data is not base64: {error}") from error


def _selected(source: Mapping[str, Any], payload: Mapping[str, bytes], mode: int, lack: str) -> Files:
    """All keys as files, or the chosen ones at their paths. `lack`: what an absent key is called."""
    items = source.get("items")
    if not items:
        return {key: File(data, mode) for key, data in payload.items()}
    files: Files = {}
    for item in items:
        if item["key"] not in payload:
            if source.get("optional"):
                continue
            raise VolumeFailure(f"{lack}: {item['key']}")
        files[_checked(item["path"])] = File(payload[item["key"]], _item_mode(item, mode))
    return files


def _downward(source: Mapping[str, Any], sources: Sources, mode: int) -> Files:
    files: Files = {}
    for item in source.get("items") or ():
        try:
            if (field := item.get("fieldRef")) is not None:
                text = field_value(sources.pod, field["fieldPath"], sources.host_ips, sources.pod_ips)
            else:
                text = resource_value(sources.pod, item["resourceFieldRef"], sources.allocatable)
        except FieldError as error:
            raise VolumeFailure(str(error)) from error
        files[_checked(item["path"])] = File(text.encode(), _item_mode(item, mode))
    return files


def _checked(path: str) -> str:
    """Never out of the volume, whatever a server let through."""
    normal = posixpath.normpath(path)
    if normal.startswith(("/", "..")) or normal == ".":
        raise VolumeFailure(f"invalid path {path!r} in a volume")
    return normal
