"""Volumes on storage systems of their own, from Fibre Channel to vendors: what each must name."""

import re
from collections.abc import Mapping
from typing import Final

from dray.api import names
from dray.api.fields import FieldError, Path, invalid, not_supported, required
from dray.api.meta import Object
from dray.api.validation.lists import Check
from dray.api.validation.pod.mounts import validate_local_path

_QUALIFIED: Final = re.compile(r"iqn\.\d{4}-\d{2}\.([0-9A-Za-z\-.]+)(:[^,;*&$|\s]+)", re.ASCII)
_INITIATORS: Final = {
    "iqn": _QUALIFIED,
    "eui": re.compile(r"eui.[0-9A-Za-z]{16}"),
    "naa": re.compile(r"naa.[0-9A-Za-z]{32}"),
}
_TENANT_MAX: Final = 64
_REGISTRY: Final = "must be a host:port pair or multiple pairs separated by commas"
_HOST_PORT: Final = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*):[^:\[\]]*")
_CACHING: Final = ("None", "ReadOnly", "ReadWrite")
_DISK_KINDS: Final = ("Dedicated", "Managed", "Shared")
_BLOB: Final = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"
_MANAGED_DISK: Final = (
    "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
)


def _needs(*fields: str) -> Check:
    """The check of a source that only must have something in these fields."""

    def check(source: Object, path: Path) -> list[FieldError]:
        return [required(path.child(field)) for field in fields if not source.get(field)]

    return check


def _validate_git(source: Object, path: Path) -> list[FieldError]:
    errors = _needs("repository")(source, path)
    return errors + validate_local_path(source.get("directory") or "", path.child("directory"))


def _validate_disk(field: str, shown: str = "") -> Check:
    """A disk of a cloud, one partition of it at most. Kubernetes shows one of them under another name."""

    def check(source: Object, path: Path) -> list[FieldError]:
        at = Path(str(path).rpartition(".")[0]).child(shown) if shown else path
        errors = _needs(field)(source, at)
        partition = source.get("partition") or 0
        if 0 <= partition <= 255:
            return errors
        return [*errors, invalid(at.child("partition"), partition, "must be between 1 and 255, inclusive")]

    return check


def _validate_iscsi(source: Object, path: Path) -> list[FieldError]:
    errors = _needs("targetPortal")(source, path)
    name, at = source.get("iqn") or "", path.child("iqn")
    errors += _validate_initiator(name, at) if name else [required(at)]
    errors += _validate_unit(source.get("lun") or 0, path.child("lun"))
    if (source.get("chapAuthDiscovery") or source.get("chapAuthSession")) and source.get("secretRef") is None:
        errors.append(required(path.child("secretRef")))
    if (initiator := source.get("initiatorName")) is not None:
        # Kubernetes writes this path in lower case.
        errors += _validate_initiator(initiator, path.child("initiatorname"))
    return errors


def _validate_initiator(name: str, path: Path) -> list[FieldError]:
    pattern = _INITIATORS.get(name[:3])
    if pattern is None:
        return [invalid(path, name, "must be valid format starting with iqn, eui, or naa")]
    # The oldest of the three forms may stand anywhere in the name.
    found = pattern.search(name) if pattern is _QUALIFIED else pattern.match(name)
    return [] if found and found.end() == len(name) else [invalid(path, name, "must be valid format")]


def _validate_unit(unit: int, path: Path) -> list[FieldError]:
    return [] if 0 <= unit <= 255 else [invalid(path, unit, "must be between 0 and 255, inclusive")]


def _validate_cinder(source: Object, path: Path) -> list[FieldError]:
    return _needs("volumeID")(source, path) + _validate_secret_reference(source, path)


def _validate_secret_reference(source: Object, path: Path) -> list[FieldError]:
    reference = source.get("secretRef")
    if reference is None or reference.get("name"):
        return []
    return [required(path.child("secretRef", "name"))]


def _validate_flocker(source: Object, path: Path) -> list[FieldError]:
    name, uuid = source.get("datasetName") or "", source.get("datasetUUID") or ""
    errors: list[FieldError] = []
    if not name and not uuid:
        errors.append(required(path, "one of datasetName and datasetUUID is required"))
    if name and uuid:
        text = "datasetName and datasetUUID can not be specified simultaneously"
        errors.append(invalid(path, "resource", text))
    if "/" in name:
        errors.append(invalid(path.child("datasetName"), name, "must not contain '/'"))
    return errors


def _validate_fibre_channel(source: Object, path: Path) -> list[FieldError]:
    targets, wide = source.get("targetWWNs") or [], source.get("wwids") or []
    errors: list[FieldError] = []
    at = path.child("targetWWNs")
    if not targets and not wide:
        errors.append(required(at, "must specify either targetWWNs or wwids, but not both"))
    if targets and wide:
        text = "targetWWNs and wwids can not be specified simultaneously"
        errors.append(invalid(at, targets, text))
    if targets:
        unit = source.get("lun")
        if unit is None:
            errors.append(required(path.child("lun"), "lun is required if targetWWNs is specified"))
        else:
            errors += _validate_unit(unit, path.child("lun"))
    return errors


def _validate_quobyte(source: Object, path: Path) -> list[FieldError]:
    registry, at = source.get("registry") or "", path.child("registry")
    errors: list[FieldError] = []
    if not registry:
        errors.append(required(at, _REGISTRY))
    elif names.byte_length(source.get("tenant") or "") > _TENANT_MAX:
        text = f"must be a UUID and may not exceed a length of {_TENANT_MAX} characters"
        errors.append(required(path.child("tenant"), text))
    else:
        bad = [pair for pair in registry.split(",") if not _HOST_PORT.fullmatch(pair)]
        errors += [invalid(at, registry, _REGISTRY) for _ in bad]
    return errors + _needs("volume")(source, path)


def _validate_azure_disk(source: Object, path: Path) -> list[FieldError]:
    errors = _needs("diskName", "diskURI")(source, path)
    caching, kind, uri = source.get("cachingMode"), source.get("kind"), source.get("diskURI") or ""
    if caching is not None and caching not in _CACHING:
        errors.append(not_supported(path.child("cachingMode"), caching, _CACHING))
    if kind is not None and kind not in _DISK_KINDS:
        errors.append(not_supported(path.child("kind"), kind, _DISK_KINDS))
    if kind == "Managed" and not uri.startswith("/subscriptions/"):
        errors.append(not_supported(path.child("diskURI"), uri, (_MANAGED_DISK,), is_plain=True))
    if kind is not None and kind != "Managed" and not uri.startswith("https://"):
        errors.append(not_supported(path.child("diskURI"), uri, (_BLOB,), is_plain=True))
    return errors


def _validate_storage_os(source: Object, path: Path) -> list[FieldError]:
    name, at = source.get("volumeName") or "", path.child("volumeName")
    errors = [invalid(at, name, text) for text in names.dns_label(name)] if name else [required(at)]
    if space := source.get("volumeNamespace") or "":
        errors += [invalid(path.child("volumeNamespace"), space, text) for text in names.dns_label(space)]
    return errors + _validate_secret_reference(source, path)


STORAGE: Mapping[str, Check] = {
    "gitRepo": _validate_git,
    "gcePersistentDisk": _validate_disk("pdName", "persistentDisk"),
    "awsElasticBlockStore": _validate_disk("volumeID"),
    "iscsi": _validate_iscsi,
    "glusterfs": _needs("endpoints", "path"),
    "rbd": _needs("monitors", "image"),
    "cinder": _validate_cinder,
    "cephfs": _needs("monitors"),
    "flocker": _validate_flocker,
    "fc": _validate_fibre_channel,
    "flexVolume": _needs("driver"),
    "azureFile": _needs("secretName", "shareName"),
    "vsphereVolume": _needs("volumePath"),
    "photonPersistentDisk": _needs("pdID"),
    "portworxVolume": _needs("volumeID"),
    "azureDisk": _validate_azure_disk,
    "storageos": _validate_storage_os,
    "scaleIO": _needs("gateway", "system", "volumeName"),
    "quobyte": _validate_quobyte,
}
"""By the field of a volume that names the source."""
