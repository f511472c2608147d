"""CSIDriver, CSINode, CSIStorageCapacity and VolumeAttachment: what storage drivers, nodes and clusters tell each other."""

from typing import Final

from dray.api import names
from dray.api.fields import FieldError, Path, duplicate, forbidden, invalid, not_supported, required, too_long
from dray.api.meta import Object
from dray.api.quantity import parse_quantity
from dray.api.validation.core.driver_name import validate_driver_name
from dray.api.validation.core.persistent_volume import validate_inline_volume
from dray.api.validation.label_selector import validate_label_selector
from dray.api.validation.lists import items_of, repeated
from dray.api.validation.meta import IMMUTABLE, immutable
from dray.api.validation.sameness import same

_SPEC: Final = Path("spec")
_GROUP_POLICIES: Final = ("ReadWriteOnceWithFSType", "File", "None")
_LIFECYCLES: Final = ("Persistent", "Ephemeral")
_MIN_TOKEN_SECONDS, _MAX_TOKEN_SECONDS = 600, 2**32
_MIN_UPDATE_SECONDS: Final = 10
_NODE_ID_MAX: Final = 256
_METADATA_BYTES_MAX: Final = 256 * 1024
_MESSAGE_MAX: Final = 1024
_ONE_SOURCE: Final = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
_UNUSED_TOKENS: Final = "serviceAccountTokenInSecrets is set but no tokenRequests are specified"
_NOT_NEGATIVE: Final = "must be greater than or equal to 0"


def validate_driver(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    policy, tokens = spec.get("fsGroupPolicy"), items_of(spec.get("tokenRequests"))
    errors: list[FieldError] = []
    if policy is not None and policy not in _GROUP_POLICIES:
        errors.append(not_supported(_SPEC.child("fsGroupPolicy"), policy, _GROUP_POLICIES))
    errors += _validate_tokens(tokens, _SPEC.child("tokenRequests"))
    for mode in spec.get("volumeLifecycleModes") or ():
        if mode not in _LIFECYCLES:
            at = _SPEC.child("volumeLifecycleModes")
            errors.append(not_supported(at, mode or "", _LIFECYCLES, in_order=True))
    seconds = spec.get("nodeAllocatableUpdatePeriodSeconds")
    if seconds is not None and seconds < _MIN_UPDATE_SECONDS:
        text = f"must be greater than or equal to {_MIN_UPDATE_SECONDS} seconds"
        errors.append(invalid(_SPEC.child("nodeAllocatableUpdatePeriodSeconds"), seconds, text))
    in_secrets = spec.get("serviceAccountTokenInSecrets")
    if in_secrets is not None and not tokens:
        errors.append(invalid(_SPEC.child("serviceAccountTokenInSecrets"), in_secrets, _UNUSED_TOKENS))
    return errors


def validate_driver_update(new: Object, old: Object) -> list[FieldError]:
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    errors = validate_driver(new)
    # Kubernetes misspells one of the two.
    for field, shown in (
        ("attachRequired", "attachedRequired"),
        ("volumeLifecycleModes", "volumeLifecycleModes"),
    ):
        errors += immutable(spec.get(field), before.get(field), _SPEC.child(shown))
    return errors


def _validate_tokens(requests: list[Object], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, request in enumerate(requests):
        audience, at = request.get("audience") or "", path.index(index)
        if audience in seen:
            errors.append(duplicate(at.child("audience"), audience))
            continue
        seen.add(audience)
        seconds, where = request.get("expirationSeconds"), at.child("expirationSeconds")
        if seconds is not None and seconds < _MIN_TOKEN_SECONDS:
            errors.append(invalid(where, seconds, "may not specify a duration less than 10 minutes"))
        if seconds is not None and seconds > _MAX_TOKEN_SECONDS:
            errors.append(invalid(where, seconds, "may not specify a duration larger than 2^32 seconds"))
    return errors


def validate_node_drivers(obj: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, driver in enumerate(items_of((obj.get("spec") or {}).get("drivers"))):
        name, at = driver.get("name") or "", _SPEC.child("drivers").index(index)
        errors += validate_driver_name(name, at.child("name"))
        errors += _validate_node_id(driver.get("nodeID") or "", at.child("nodeID"))
        count = (driver.get("allocatable") or {}).get("count")
        if count is not None and count < 0:
            errors.append(invalid(at.child("allocatable", "count"), count, _NOT_NEGATIVE))
        if name in seen:
            errors.append(duplicate(at.child("name"), name))
        seen.add(name)
        errors += _validate_topology_keys([key or "" for key in driver.get("topologyKeys") or ()], at)
    return errors


def validate_node_drivers_update(new: Object, old: Object) -> list[FieldError]:
    """A driver that is there stays as it is, but for how many volumes it can attach."""
    errors = validate_node_drivers(new)
    drivers = items_of((new.get("spec") or {}).get("drivers"))
    for before in items_of((old.get("spec") or {}).get("drivers")):
        for driver in drivers:
            fixed = {**driver, "allocatable": None}
            if driver.get("name") == before.get("name") and not same(fixed, {**before, "allocatable": None}):
                errors.append(invalid(_SPEC.child("drivers"), fixed, IMMUTABLE))
    return errors


def _validate_node_id(identity: str, path: Path) -> list[FieldError]:
    if not identity:
        return [required(path)]
    if names.byte_length(identity) > _NODE_ID_MAX:
        return [invalid(path, identity, f"must be {_NODE_ID_MAX} characters or less")]
    return []


def _validate_topology_keys(keys: list[str], path: Path) -> list[FieldError]:
    """Told of at the driver, not at the key."""
    errors: list[FieldError] = []
    again = set(repeated(keys))
    for index, key in enumerate(keys):
        if not key:
            errors.append(required(path))
        if index in again:
            errors.append(duplicate(path, key))
        errors += [invalid(path, key, text) for text in names.qualified_name(key)]
    return errors


def validate_storage_capacity(obj: Object) -> list[FieldError]:
    errors = validate_label_selector(obj.get("nodeTopology"), Path("nodeTopology"))
    name = obj.get("storageClassName") or ""
    errors += [invalid(Path("storageClassName"), name, text) for text in names.dns_subdomain(name)]
    if obj.get("capacity") is not None and parse_quantity(obj["capacity"]).sign() < 0:
        errors.append(invalid(Path("capacity"), str(parse_quantity(obj["capacity"])), _NOT_NEGATIVE))
    return errors


def validate_storage_capacity_update(new: Object, old: Object) -> list[FieldError]:
    return [
        invalid(Path(field), new.get(field), IMMUTABLE)
        for field in ("nodeTopology", "storageClassName")
        if not same(new.get(field), old.get(field))
    ]


def validate_attachment(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    errors = validate_driver_name(spec.get("attacher") or "", _SPEC.child("attacher"))
    source, at = spec.get("source") or {}, _SPEC.child("source")
    volume, inline = source.get("persistentVolumeName"), source.get("inlineVolumeSpec")
    if volume is None and inline is None:
        errors.append(required(at, _ONE_SOURCE))
    elif volume is not None and inline is not None:
        errors.append(forbidden(at, _ONE_SOURCE))
    elif volume == "":
        text = "must specify non empty persistentVolumeName"
        errors.append(required(at.child("persistentVolumeName"), text))
    elif inline is not None:
        errors += validate_inline_volume(inline, at.child("inlineVolumeSpec"))
    node = spec.get("nodeName") or ""
    errors += [invalid(_SPEC.child("nodeName"), node, text) for text in names.dns_subdomain(node)]
    errors += validate_attachment_status(obj.get("status") or {})
    if volume is not None:
        where = at.child("persistentVolumeName")
        errors += [invalid(where, volume, text) for text in names.dns_subdomain(volume)]
    return errors


def validate_attachment_update(new: Object, old: Object) -> list[FieldError]:
    errors = validate_attachment(new)
    if same(new.get("spec"), old.get("spec")):
        return errors
    return [*errors, invalid(_SPEC, new.get("spec"), IMMUTABLE)]


def validate_attachment_status(status: Object) -> list[FieldError]:
    at, told = Path("status"), status.get("attachmentMetadata") or {}
    size = sum(names.byte_length(key) + names.byte_length(value) for key, value in told.items())
    errors = [too_long(at.child("attachmentMetadata"), _METADATA_BYTES_MAX)] * (size > _METADATA_BYTES_MAX)
    for field in ("attachError", "detachError"):
        failure = status.get(field) or {}
        if names.byte_length(failure.get("message") or "") > _MESSAGE_MAX:
            # The limit that Kubernetes names here is that of the metadata.
            errors.append(too_long(at.child(field, "message"), _METADATA_BYTES_MAX))
        code = failure.get("errorCode")
        if code is not None and code < 0:
            text = "must be between 0 and 2147483647, inclusive"
            errors.append(invalid(at.child(field, "errorCode"), code, text))
    return errors
