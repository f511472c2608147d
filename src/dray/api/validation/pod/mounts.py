"""Where a container mounts the pod's volumes, or gets them as raw devices."""

from collections.abc import Mapping

from dray.api.fields import FieldError, Path, forbidden, invalid, not_found, not_supported, required
from dray.api.meta import Object
from dray.api.validation.lists import items_of

_RECURSIONS = ("Disabled", "Enabled", "IfPossible")
_PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")


def validate_volume_mounts(container: Object, volumes: Mapping[str, Object], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    mounted: set[str] = set()
    devices = items_of(container.get("volumeDevices"))
    for index, mount in enumerate(items_of(container.get("volumeMounts"))):
        at = path.index(index)
        errors += _check_volume(mount, volumes, at)
        place = mount.get("mountPath") or ""
        if not place:
            errors.append(required(at.child("mountPath")))
        if place in mounted:
            errors.append(invalid(at.child("mountPath"), place, "must be unique"))
        mounted.add(place)
        errors += _check_devices(mount, devices, at)
        errors += _validate_sub_paths(mount, path, at)
        errors += _validate_propagation(mount, container, path.child("mountPropagation"))
        errors += _validate_recursion(mount, path.child("recursiveReadOnly"))
    return errors


def validate_volume_devices(container: Object, volumes: Mapping[str, Object], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    used: set[str] = set()
    places: set[str] = set()
    for index, device in enumerate(items_of(container.get("volumeDevices"))):
        at = path.index(index)
        if (name := device.get("name") or "") in used:
            errors.append(invalid(at.child("name"), name, "must be unique"))
        errors += _check_volume(device, volumes, at)
        used.add(name)
        source = volumes.get(name) or {}
        if source and not source.get("persistentVolumeClaim") and not source.get("ephemeral"):
            text = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            errors.append(invalid(at.child("name"), name, text))
        place = device.get("devicePath") or ""
        if not place:
            errors.append(required(at.child("devicePath")))
        elif place in places:
            errors.append(invalid(at.child("devicePath"), place, "must be unique"))
        elif ".." in place.split("/"):
            errors.append(invalid(at.child("devicePath"), place, "can not contain backsteps ('..')"))
        places.add(place)
    return errors


def validate_local_path(text: str, path: Path) -> list[FieldError]:
    """A path below some directory, which must not leave it."""
    errors: list[FieldError] = []
    if text.startswith("/"):
        errors.append(invalid(path, text, "must be a relative path"))
    return errors + validate_no_backsteps(text, path)


def validate_no_backsteps(text: str, path: Path) -> list[FieldError]:
    return [invalid(path, text, "must not contain '..'")] if ".." in text.split("/") else []


def _check_volume(use: Object, volumes: Mapping[str, Object], path: Path) -> list[FieldError]:
    name, at = use.get("name") or "", path.child("name")
    errors = [] if name else [required(at)]
    return errors if name in volumes else [*errors, not_found(at, name)]


def _check_devices(mount: Object, devices: list[Object], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    name, place = mount.get("name") or "", mount.get("mountPath") or ""
    if name in {device.get("name") for device in devices}:
        errors.append(invalid(path.child("name"), name, "must not already exist in volumeDevices"))
    if place in {device.get("devicePath") for device in devices}:
        text = "must not already exist as a path in volumeDevices"
        errors.append(invalid(path.child("mountPath"), place, text))
    return errors


def _validate_sub_paths(mount: Object, path: Path, at: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    sub_path, expression = mount.get("subPath") or "", mount.get("subPathExpr") or ""
    if sub_path:
        errors += validate_local_path(sub_path, path.child("subPath"))
    if expression:
        if sub_path:
            text = "subPathExpr and subPath are mutually exclusive"
            errors.append(invalid(at.child("subPathExpr"), expression, text))
        errors += validate_local_path(expression, path.child("subPathExpr"))
    return errors


def _validate_propagation(mount: Object, container: Object, path: Path) -> list[FieldError]:
    mode = mount.get("mountPropagation")
    if mode is None:
        return []
    if mode not in _PROPAGATIONS:
        return [not_supported(path, mode, _PROPAGATIONS)]
    if mode == "Bidirectional" and not (container.get("securityContext") or {}).get("privileged"):
        return [forbidden(path, "Bidirectional mount propagation is available only to privileged containers")]
    return []


def _validate_recursion(mount: Object, path: Path) -> list[FieldError]:
    mode = mount.get("recursiveReadOnly")
    if mode is None or mode == "Disabled":
        return []
    if mode not in _RECURSIONS:
        return [not_supported(path, mode, _RECURSIONS)]
    errors: list[FieldError] = []
    if not mount.get("readOnly"):
        errors.append(forbidden(path, "may only be specified when readOnly is true"))
    if mount.get("mountPropagation") not in (None, "None"):
        errors.append(forbidden(path, "may only be specified when mountPropagation is None or not specified"))
    return errors
