"""Where a container mounts the pod's volumes, or gets them as raw devices."""

from collections.abc import Collection, Mapping

from dray.api.fields import FieldError, Path, forbidden, invalid, not_found, not_supported, required
from dray.api.meta import Object
from dray.api.validation.lists import items_of

_RECURSIONS = ("Disabled", "Enabled", "IfPossible")
_PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")


def validate_volume_mounts(container: Object, volumes: Mapping[str, Object], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    mounted: set[str] = set()
    devices = _places(items_of(container.get("volumeDevices")), "devicePath")
    taken = frozenset(devices.values())
    for index, mount in enumerate(items_of(container.get("volumeMounts"))):
        at = path.index(index)
        errors += _check_volume(mount, volumes, at)
        place = mount.get("mountPath") or ""
        if not place:
            errors.append(required(at.child("mountPath")))
        if place in mounted:
            errors.append(invalid(at.child("mountPath"), place, "must be unique"))
        mounted.add(place)
        errors += _check_apart(mount, "mountPath", devices, taken, "volumeDevices", at)
        errors += _validate_sub_paths(mount, path, at)
        errors += _validate_propagation(mount, container, path.child("mountPropagation"))
        errors += _validate_recursion(mount, path.child("recursiveReadOnly"))
    return errors


def validate_volume_devices(container: Object, volumes: Mapping[str, Object], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    names: set[str] = set()
    places: set[str] = set()
    mounts = _places(items_of(container.get("volumeMounts")), "mountPath")
    taken = frozenset(mounts.values())
    for index, device in enumerate(items_of(container.get("volumeDevices"))):
        at = path.index(index)
        errors += _check_block(device, volumes, at, names)
        errors += _check_device_path(device.get("devicePath") or "", at.child("devicePath"), places)
        errors += _check_apart(device, "devicePath", mounts, taken, "volumeMounts", at)
    return errors


def _check_block(
    device: Object, volumes: Mapping[str, Object], path: Path, taken: set[str]
) -> list[FieldError]:
    """The volume of a raw device is a claim's; its name is added to `taken`."""
    name, at = device.get("name") or "", path.child("name")
    errors = [] if name else [required(at)]
    if name in taken:
        errors.append(invalid(at, name, "must be unique"))
    if name:
        taken.add(name)
    source = volumes.get(name)
    if source is None:
        errors.append(not_found(at, name))
    elif source.get("persistentVolumeClaim") is None and source.get("ephemeral") is None:
        text = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
        errors.append(invalid(at, name, text))
    return errors


def _check_device_path(place: str, path: Path, taken: set[str]) -> list[FieldError]:
    """One that is in order is added to `taken`."""
    errors = [] if place else [required(path)]
    if place in taken:
        errors.append(invalid(path, place, "must be unique"))
    if ".." in place.split("/"):
        errors.append(invalid(path, place, "can not contain backsteps ('..')"))
    else:
        taken.add(place)
    return errors


def _places(uses: list[Object], field: str) -> Mapping[str, str]:
    """By name of the volume, of which the last use counts."""
    return {use.get("name") or "": use.get(field) or "" for use in uses}


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


def _check_apart(
    use: Object, field: str, others: Mapping[str, str], taken: Collection[str], shown: str, path: Path
) -> list[FieldError]:
    """A volume is mounted or a raw device, not both, and each has a place of its own; `others`: see `_places`; `taken` are those places."""
    errors: list[FieldError] = []
    name, place = use.get("name") or "", use.get(field) or ""
    if name in others:
        errors.append(invalid(path.child("name"), name, f"must not already exist in {shown}"))
    if place in taken:
        errors.append(invalid(path.child(field), place, f"must not already exist as a path in {shown}"))
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
