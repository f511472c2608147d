"""ResourcePoolStatusRequest: how many devices of a driver's pools are taken; asked once, answered once."""

import datetime as dt
from collections.abc import Callable

from dray.api.duration import age
from dray.api.fields import FieldError
from dray.api.meta import Object
from dray.api.resources import RESOURCE_POOL_STATUS_REQUESTS
from dray.api.validation.resource.pool_status import (
    validate_pool_request_spec,
    validate_pool_request_status,
    validate_pool_request_update,
)
from dray.apiserver.registry.columns import NAME, NONE, at, find
from dray.apiserver.registry.kind import Column, Deprecation, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.writes import (
    drop_status,
    in_turn,
    keep_all_but_status,
    keep_status,
    old_of,
)

DEFAULT_LIMIT = 100
SUMMARIES_GATE = "DRAPartitionableDevicesType"


def _default(obj: Object, version: str) -> None:
    spec = obj.setdefault("spec", {})
    if spec.get("limit") is None:
        spec["limit"] = DEFAULT_LIMIT


def _drop_disabled(context: WriteContext, obj: Object) -> None:
    """The field stays where the stored question has it already."""
    spec, old = obj.get("spec") or {}, (context.old or {}).get("spec") or {}
    field = "defaultPartitionTypeAttribute"
    if not context.features.enabled(SUMMARIES_GATE) and old.get(field) is None:
        spec.pop(field, None)


def _validate_create(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_pool_request_spec(obj.get("spec") or {})


def _validate_update(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_pool_request_update(obj.get("spec") or {}, old_of(context).get("spec") or {})


def _validate_status(context: WriteContext, obj: Object) -> list[FieldError]:
    summaries = SUMMARIES_GATE in context.features.later()
    return validate_pool_request_status(obj.get("status"), old_of(context).get("status"), summaries=summaries)


def _condition(obj: Object, kind: str) -> Object | None:
    for condition in find(obj, "status", "conditions", default=()):
        if condition.get("type") == kind and condition.get("status") == "True":
            return dict(condition)
    return None


def _pools(obj: Object) -> list[Object]:
    return find(obj, "status", "pools", default=[])  # type: ignore[no-any-return]


def _answered(obj: Object) -> bool:
    return obj.get("status") is not None and _condition(obj, "Failed") is None


def _sum_of(field: str) -> Callable[[Object, dt.datetime], str]:
    def cell(obj: Object, now: dt.datetime) -> str:
        return str(sum(pool.get(field) or 0 for pool in _pools(obj))) if _answered(obj) else "-"

    return cell


def _errors(obj: Object, now: dt.datetime) -> str:
    return str(sum(1 for pool in _pools(obj) if pool.get("validationError"))) if _answered(obj) else "-"


def _status(obj: Object, now: dt.datetime) -> str:
    if obj.get("status") is None:
        return "Pending"
    if _condition(obj, "Failed"):
        return "Failed"
    if not _condition(obj, "Complete"):
        return "Pending"
    shown, total = len(_pools(obj)), find(obj, "status", "poolCount", default=0)
    return "Complete" if shown >= total else f"Complete ({shown}/{total} pools)"


def _completed(obj: Object, now: dt.datetime) -> str:
    condition = _condition(obj, "Complete")
    return age(condition.get("lastTransitionTime"), now) if condition else NONE


RESOURCE_POOL_STATUS_REQUEST = Kind(
    RESOURCE_POOL_STATUS_REQUESTS,
    singular="resourcepoolstatusrequest",
    versions=("v1alpha3",),
    brought_by={"v1alpha3": "1.36"},
    deprecated={"v1alpha3": Deprecation("1.39", "1.42")},
    returns_deleted=True,
    columns=(
        NAME,
        Column("Driver", at("spec", "driver"), description="The driver asked about."),
        Column("Total", _sum_of("totalDevices"), description="Devices in the pools."),
        Column("Available", _sum_of("availableDevices"), description="Devices that are free."),
        Column("Allocated", _sum_of("allocatedDevices"), description="Devices that claims hold."),
        Column("Unavailable", _sum_of("unavailableDevices"), description="Devices that cannot be used."),
        Column("Errors", _errors, description="Pools whose slices do not add up."),
        Column(
            "Pools",
            at("status", "poolCount", default=0),
            type="integer",
            description="Pools that match the request.",
        ),
        Column("Status", _status, description="Whether the question was answered."),
        Column("Completed", _completed, description="Time since the answer."),
    ),
    default=_default,
    prepare_create=in_turn(drop_status, _drop_disabled),
    prepare_update=in_turn(keep_status, _drop_disabled),
    validate_create=_validate_create,
    validate_update=_validate_update,
    status=StatusStrategy(keep_all_but_status, _validate_status),
    unconditional_update=False,
)
