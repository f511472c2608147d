"""ResourceClaim: a request for devices, and which it got.

The spec never changes. The status is written by those who may: allocation and reservations need the permission
`resourceclaims/binding`, a driver's device data `resourceclaims/driver` (in `claim_authorization.py`).
"""

import datetime as dt

from dray.api.conversion.resource import claim_from_hub, claim_to_hub
from dray.api.fields import FieldError, Path, forbidden
from dray.api.meta import Object, namespace_of
from dray.api.resources import NAMESPACES, RESOURCE_CLAIMS
from dray.api.validation.lists import items_of
from dray.api.validation.resource.claim import (
    ADMIN_ACCESS_LABEL,
    ADMIN_ACCESS_REFUSAL,
    ClaimRules,
    asks_admin_access,
    validate_admin_access_label,
    validate_claim_spec,
    validate_claim_spec_update,
)
from dray.api.validation.resource.claim_status import DeviceId, allocated_devices, validate_claim_status
from dray.apiserver.registry.claim_authorization import validate_status_permissions
from dray.apiserver.registry.claim_defaults import default_claim_spec, default_claim_status
from dray.apiserver.registry.claim_gates import drop_disabled_claim_fields, drop_disabled_status_fields
from dray.apiserver.registry.columns import AGE, NAME
from dray.apiserver.registry.dra import DEPRECATED, VERSIONS, worded
from dray.apiserver.registry.expressions import derivation_check, expression_check
from dray.apiserver.registry.kind import Column, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.writes import clear_status, keep_all_but_status, keep_status, old_of


def claim_rules(context: WriteContext) -> ClaimRules:
    features = context.features
    return ClaimRules(
        expression_check(features),
        derivation_check(features),
        features.enabled("DRAConsumableCapacity"),
        is_137=features.reaches("1.37"),
    )


def claim_state(claim: Object, now: dt.datetime) -> str:
    """`pending`, `allocated,reserved`, `deleted,...`: what kubectl shows of a claim."""
    status = claim.get("status") or {}
    states = ["deleted"] if claim["metadata"].get("deletionTimestamp") else []
    if status.get("allocation") is not None:
        states.append("allocated")
        if status.get("reservedFor"):
            states.append("reserved")
    return ",".join(states) or "pending"


def _default(obj: Object, version: str) -> None:
    default_claim_spec(obj.get("spec"), version)
    default_claim_status(obj.get("status"))


def _prepare_create(context: WriteContext, obj: Object) -> None:
    clear_status(context, obj)
    drop_disabled_claim_fields(context.features, obj.get("spec") or {}, None)


def _prepare_update(context: WriteContext, obj: Object) -> None:
    keep_status(context, obj)
    old = old_of(context).get("spec") or {}
    drop_disabled_claim_fields(context.features, obj.get("spec") or {}, old)


def _prepare_status(context: WriteContext, obj: Object) -> None:
    keep_all_but_status(context, obj)
    old = old_of(context).get("status") or {}
    status = obj.get("status") or {}
    drop_disabled_status_fields(context.features, status, old_of(context))
    _drop_deallocated(status, old)


def _drop_deallocated(status: Object, old: Object) -> None:
    """Data of a device that was allocated and no longer is goes with the allocation."""
    gone = allocated_devices(old) - allocated_devices(status)
    if not gone or not status.get("devices"):
        return
    kept = [device for device in items_of(status["devices"]) if DeviceId.of(device) not in gone]
    if kept:
        status["devices"] = kept
    else:
        status.pop("devices")


def _authorize_create(context: WriteContext, obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    if not asks_admin_access(spec):
        return []
    return validate_admin_access_label(spec, context.find(NAMESPACES, namespace_of(obj)))


def _validate_create(context: WriteContext, obj: Object) -> list[FieldError]:
    found = validate_claim_spec(obj.get("spec") or {}, Path("spec"), claim_rules(context))
    return worded(context.features, found, obj)


def _validate_update(context: WriteContext, obj: Object) -> list[FieldError]:
    old = old_of(context)
    found = validate_claim_spec_update(obj.get("spec") or {}, old.get("spec") or {}, Path("spec"))
    return worded(context.features, found, obj)


def _validate_status(context: WriteContext, obj: Object) -> list[FieldError]:
    old = old_of(context)
    errors = _validate_admin_results(context, obj, old)
    if context.features.enabled("DRAResourceClaimGranularStatusAuthorization"):
        errors += validate_status_permissions(context, obj, old)
    found = validate_claim_status(obj, old, is_137=context.features.reaches("1.37"))
    return errors + worded(context.features, found, obj)


def _validate_admin_results(context: WriteContext, obj: Object, old: Object) -> list[FieldError]:
    """The first write that brings results with admin access needs the namespace's label."""
    if any(result.get("adminAccess") for result in _results(old)):
        return []
    for index, result in enumerate(_results(obj)):
        if result.get("adminAccess"):
            namespace = context.find(NAMESPACES, namespace_of(obj))
            labels = ((namespace or {}).get("metadata") or {}).get("labels") or {}
            if labels.get(ADMIN_ACCESS_LABEL) == "true":
                return []
            at = Path("status.allocation.devices.results").index(index).child("adminAccess")
            return [forbidden(at, ADMIN_ACCESS_REFUSAL)]
    return []


def _results(claim: Object) -> list[Object]:
    allocation = (claim.get("status") or {}).get("allocation") or {}
    return items_of((allocation.get("devices") or {}).get("results"))


RESOURCE_CLAIM = Kind(
    RESOURCE_CLAIMS,
    singular="resourceclaim",
    versions=VERSIONS,
    deprecated=DEPRECATED,
    returns_deleted=True,
    columns=(
        NAME,
        Column("State", claim_state, description="Whether devices are allocated and who holds them."),
        AGE,
    ),
    default=_default,
    to_hub=claim_to_hub,
    from_hub=claim_from_hub,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    authorize_create=_authorize_create,
    validate_create=_validate_create,
    validate_update=_validate_update,
    metadata_checks=("whole", "change"),
    status=StatusStrategy(_prepare_status, _validate_status),
)
