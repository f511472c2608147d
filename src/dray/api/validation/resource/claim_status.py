"""What may be written to a ResourceClaim's status: allocation, reservations, device data."""

import dataclasses
import ipaddress

from dray.api import names
from dray.api.fields import (
    FieldError,
    Path,
    forbidden,
    invalid,
    not_supported,
    required,
    too_long,
)
from dray.api.meta import Object
from dray.api.validation.addresses import parse_address
from dray.api.validation.conditions import validate_conditions
from dray.api.validation.lists import each, each_unique, items_of
from dray.api.validation.meta import IMMUTABLE
from dray.api.validation.node_selector import validate_node_selector
from dray.api.validation.resource.binding import validate_binding_conditions
from dray.api.validation.resource.claim import (
    RequestNames,
    validate_claim_configuration,
    validate_request_reference,
    validate_toleration,
)
from dray.api.validation.resource.internal import FORMS
from dray.api.validation.resource.later import validate_skipped_operations
from dray.api.validation.resource.naming import check_name, validate_driver, validate_pool, validate_uid
from dray.api.validation.resource.opaque import validate_raw_object
from dray.api.validation.sameness import same

RESERVED_FOR_MAX = 256
RESULTS_MAX = 32
ALLOCATION_CONFIG_MAX = 64
DEVICE_CONDITIONS_MAX = 8
DEVICE_DATA_MAX_BYTES = 10 * 1024
IPS_MAX = 16
INTERFACE_NAME_MAX = 256
HARDWARE_ADDRESS_MAX = 128
STATUS = Path("status")

_SOURCES = ("FromClaim", "FromClass")
_BAD_CIDR = "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)"


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceId:
    """One allocated device, or one share of it."""

    driver: str
    pool: str
    device: str
    share: str = ""

    @classmethod
    def of(cls, part: Object) -> "DeviceId":
        """From an allocation result or an entry of status.devices."""
        keys = ("driver", "pool", "device", "shareID")
        return cls(*(part.get(key) or "" for key in keys))


def allocated_devices(status: Object | None) -> set[DeviceId]:
    allocation = (status or {}).get("allocation") or {}
    results = items_of((allocation.get("devices") or {}).get("results"))
    return {DeviceId.of(result) for result in results}


def validate_claim_status(new: Object, old: Object, *, is_137: bool = False) -> list[FieldError]:
    """`new` and `old` are whole claims; only their status is looked at, beside the requests of the spec.

    `is_137`: rules that came with 1.37 without a gate hold too.
    """
    status, before = new.get("status") or {}, old.get("status") or {}
    references = RequestNames.of((new.get("spec") or {}).get("devices") or {})
    errors = each_unique(
        items_of(status.get("reservedFor")),
        STATUS.child("reservedFor"),
        _validate_consumer,
        key=lambda consumer: consumer.get("uid") or "",
        most=RESERVED_FOR_MAX,
    )
    allocated = allocated_devices(status)
    errors += _validate_all_device_data(status, allocated)
    errors += _validate_reservations(new, status, before)
    allocation, was = status.get("allocation"), before.get("allocation")
    at = STATUS.child("allocation")
    if was is not None and allocation is not None:
        if not same(allocation, was):
            errors.append(invalid(at, FORMS.show("AllocationResult", allocation), IMMUTABLE))
    elif allocation is not None:
        errors += _validate_allocation(allocation, at, references, is_137=is_137)
    return errors


def _validate_consumer(consumer: Object, path: Path) -> list[FieldError]:
    return [required(path.child(field)) for field in ("resource", "name", "uid") if not consumer.get(field)]


def _validate_reservations(claim: Object, status: Object, before: Object) -> list[FieldError]:
    consumers = items_of(status.get("reservedFor"))
    at = STATUS.child("reservedFor")
    if not consumers:
        return []
    if status.get("allocation") is None:
        return [forbidden(at, "may not be specified when `allocated` is not set")]
    earlier = items_of(before.get("reservedFor"))
    if claim["metadata"].get("deletionTimestamp") and any(
        not any(same(new, known) for known in earlier) for new in consumers
    ):
        text = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"
        return [forbidden(at, text)]
    return []


def _validate_allocation(
    allocation: Object, path: Path, references: RequestNames, *, is_137: bool
) -> list[FieldError]:
    devices = allocation.get("devices") or {}
    at = path.child("devices")
    errors = each(
        items_of(devices.get("results")),
        at.child("results"),
        lambda result, item: _validate_result(result, item, references, is_137=is_137),
        most=RESULTS_MAX,
    )
    errors += each(
        items_of(devices.get("config")),
        at.child("config"),
        lambda config, item: _validate_allocation_config(config, item, references),
        most=ALLOCATION_CONFIG_MAX,
    )
    if (selector := allocation.get("nodeSelector")) is not None:
        errors += validate_node_selector(selector, path.child("nodeSelector"), strict_values=True)
    return errors


def _validate_result(
    result: Object, path: Path, references: RequestNames, *, is_137: bool
) -> list[FieldError]:
    errors = validate_request_reference(result.get("request") or "", path.child("request"), references)
    errors += _validate_device_id(result, path)
    errors += validate_binding_conditions(result, path)
    if is_137:
        errors += each(items_of(result.get("tolerations")), path.child("tolerations"), validate_toleration)
    return errors + validate_skipped_operations(
        result.get("skipNodeOperations"), path.child("skipNodeOperations")
    )


def _validate_device_id(part: Object, path: Path) -> list[FieldError]:
    errors = validate_driver(part.get("driver") or "", path.child("driver"))
    errors += validate_pool(part.get("pool") or "", path.child("pool"))
    errors += check_name(part.get("device") or "", path.child("device"), names.dns_label)
    if (share := part.get("shareID")) is not None:
        errors += validate_uid(share, path.child("shareID"))
    return errors


def _validate_allocation_config(config: Object, path: Path, references: RequestNames) -> list[FieldError]:
    source, at = config.get("source") or "", path.child("source")
    errors: list[FieldError] = []
    if not source:
        errors.append(required(at))
    elif source not in _SOURCES:
        errors.append(not_supported(at, source, _SOURCES))
    return errors + validate_claim_configuration(config, path, references, stored=False)


def _validate_all_device_data(status: Object, allocated: set[DeviceId]) -> list[FieldError]:
    return each_unique(
        items_of(status.get("devices")),
        STATUS.child("devices"),
        lambda device, at: _validate_device_data(device, at, allocated),
        key=DeviceId.of,
        shown=lambda device: FORMS.show("AllocatedDevice", device),
    )


def _validate_device_data(device: Object, path: Path, allocated: set[DeviceId]) -> list[FieldError]:
    errors = _validate_device_id(device, path)
    if DeviceId.of(device) not in allocated:
        shown = FORMS.show("AllocatedDevice", device)
        errors.append(invalid(path, shown, "must be an allocated device in the claim"))
    errors += validate_conditions(
        device.get("conditions"), path.child("conditions"), most=DEVICE_CONDITIONS_MAX
    )
    if (data := device.get("data")) is not None:
        errors += validate_raw_object(data, path.child("data"), limit=DEVICE_DATA_MAX_BYTES)
    if (network := device.get("networkData")) is not None:
        errors += _validate_network(network, path.child("networkData"))
    return errors


def _validate_network(network: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for field, limit in (("interfaceName", INTERFACE_NAME_MAX), ("hardwareAddress", HARDWARE_ADDRESS_MAX)):
        if names.byte_length(network.get(field) or "") > limit:
            errors.append(too_long(path.child(field), limit))
    return errors + each_unique(network.get("ips") or [], path.child("ips"), _validate_cidr, most=IPS_MAX)


def _validate_cidr(text: str, path: Path) -> list[FieldError]:
    """An interface address with its prefix, in canonical form; the host bits stay."""
    canonical = canonical_cidr(text)
    if canonical is None:
        return [invalid(path, text, _BAD_CIDR)]
    if canonical != text:
        return [invalid(path, text, f'must be in canonical form ("{canonical}")')]
    return []


def canonical_cidr(text: str) -> str | None:
    """The canonical form of `address/prefix`, host bits kept; None where it is no address."""
    address_text, slash, prefix_text = text.partition("/")
    if not slash or not prefix_text.isascii() or not prefix_text.isdigit():
        return None
    address = parse_address(address_text)
    prefix = int(prefix_text)
    if address is None or prefix > address.max_prefixlen:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    if mapped is not None:
        return f"{mapped}/{prefix - 96}" if prefix >= 96 else None
    return f"{address}/{prefix}"
