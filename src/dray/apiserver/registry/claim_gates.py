"""Fields of a claim that belong to features: silently left out where the feature is off.

A field stays when the stored object used the feature already, so that switching a gate off never changes what is kept.
Every function changes the new part in place and only reads the old one.
"""

from collections.abc import Callable, Iterator

from dray.api.features import FeatureGates
from dray.api.meta import Object
from dray.api.validation.lists import items_of

Uses = Callable[[Object], bool]
Drop = Callable[[Object], None]


def drop_disabled_claim_fields(features: FeatureGates, spec: Object, old: Object | None) -> None:
    """`spec` and `old` are claim specs of the hub version."""
    for gate, uses, drop in _SPEC_RULES:
        _apply(features, gate, uses, drop, spec, old)


def drop_disabled_status_fields(features: FeatureGates, status: Object, old_claim: Object) -> None:
    """`status` is of the hub version; a feature that the claim asks for is in use in its status too."""
    old = old_claim.get("status") or {}
    for gate, uses, drop in _STATUS_RULES:
        if gate != "DRAConsumableCapacity" or not _uses_capacity(old_claim.get("spec") or {}):
            _apply(features, gate, uses, drop, status, old)


def _apply(
    features: FeatureGates, gate: str, uses: Uses, drop: Drop, new: Object, old: Object | None
) -> None:
    if not features.enabled(gate) and not (old and uses(old)):
        drop(new)


def _requests(spec: Object) -> Iterator[Object]:
    yield from items_of((spec.get("devices") or {}).get("requests"))


def _selections(spec: Object) -> Iterator[Object]:
    """Every `exactly` and every subrequest."""
    for request in _requests(spec):
        if request.get("exactly"):
            yield request["exactly"]
        yield from items_of(request.get("firstAvailable"))


def _results(status: Object) -> Iterator[Object]:
    allocation = status.get("allocation") or {}
    yield from items_of((allocation.get("devices") or {}).get("results"))


def _shares(status: Object) -> Iterator[Object]:
    """What may be a share of a device: results, and what drivers tell of them."""
    yield from _results(status)
    yield from items_of(status.get("devices"))


def _constraints(spec: Object) -> Iterator[Object]:
    yield from items_of((spec.get("devices") or {}).get("constraints"))


def _any_field(parts: Callable[[Object], Iterator[Object]], *fields: str) -> Uses:
    return lambda whole: any(part.get(field) for part in parts(whole) for field in fields)


def _drop_fields(parts: Callable[[Object], Iterator[Object]], *fields: str) -> Drop:
    def drop(whole: Object) -> None:
        for part in parts(whole):
            for field in fields:
                part.pop(field, None)

    return drop


def _uses_capacity(spec: Object) -> bool:
    return any(part.get("capacity") for part in _selections(spec)) or any(
        part.get("distinctAttribute") for part in _constraints(spec)
    )


def _drop_capacity(spec: Object) -> None:
    _drop_fields(_selections, "capacity")(spec)
    _drop_fields(_constraints, "distinctAttribute")(spec)


def _uses_device_data(status: Object) -> bool:
    return bool(status.get("devices"))


def _drop_device_data(status: Object) -> None:
    status.pop("devices", None)


def _rule(gate: str, parts: Callable[[Object], Iterator[Object]], *fields: str) -> tuple[str, Uses, Drop]:
    return gate, _any_field(parts, *fields), _drop_fields(parts, *fields)


_SPEC_RULES: tuple[tuple[str, Uses, Drop], ...] = (
    _rule("DRAPrioritizedList", _requests, "firstAvailable"),
    _rule("DRAAdminAccess", _selections, "adminAccess"),
    _rule("DRADeviceTaints", _selections, "tolerations"),
    ("DRAConsumableCapacity", _uses_capacity, _drop_capacity),
    _rule("DRADerivedAttributes", _selections, "derivedAttributes"),
)
_STATUS_RULES: tuple[tuple[str, Uses, Drop], ...] = (
    _rule("DRAAdminAccess", _results, "adminAccess"),
    _rule("DRAConsumableCapacity", _shares, "shareID", "consumedCapacity"),
    _rule("DRADeviceBindingConditions", _results, "bindingConditions", "bindingFailureConditions"),
    _rule("DRAOptionalNodeOperations", _results, "skipNodeOperations"),
    ("DRAResourceClaimDeviceStatus", _uses_device_data, _drop_device_data),
)
