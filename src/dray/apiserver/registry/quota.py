"""ResourceQuota and LimitRange: how much of anything a namespace, or one object in it, may have."""

import datetime as dt
import uuid

from dray.api.fields import FieldError, Path
from dray.api.limits import fill_in
from dray.api.meta import Object
from dray.api.resources import LIMIT_RANGES, RESOURCE_QUOTAS
from dray.api.validation.core.limit_range import validate_limit_range
from dray.api.validation.core.quota import (
    quota_warnings,
    validate_quota,
    validate_quota_amounts,
    validate_quota_update,
)
from dray.api.validation.lists import items_of
from dray.apiserver.registry.columns import AGE, CREATED_AT, NAME, find
from dray.apiserver.registry.kind import Column, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.templates import checks, checks_update
from dray.apiserver.registry.writes import clear_status, keep_spec, keep_status


def _validate_status(context: WriteContext, obj: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("hard", "used"):
        errors += validate_quota_amounts(find(obj, "status", field, default={}), Path("status").child(field))
    return errors


def _warnings(context: WriteContext, obj: Object) -> list[str]:
    return quota_warnings(obj) if context.old is None else []


def _usage(quota: Object, *, limits: bool) -> str:
    hard, used = find(quota, "status", "hard", default={}), find(quota, "status", "used", default={})
    return ", ".join(
        f"{name}: {used.get(name, '0')}/{hard[name]}"
        for name in sorted(hard)
        if name.startswith("limits.") is limits
    )


def _requests(quota: Object, now: dt.datetime) -> str:
    return _usage(quota, limits=False)


def _limits(quota: Object, now: dt.datetime) -> str:
    return _usage(quota, limits=True)


def _default_limits(obj: Object, version: str) -> None:
    for item in items_of(find(obj, "spec", "limits")):
        fill_in(item)


def _name_limits(context: WriteContext, obj: Object) -> None:
    """Who names them not leaves that to the server."""
    if not obj["metadata"].get("name"):
        obj["metadata"]["name"] = str(uuid.uuid4())


RESOURCE_QUOTA = Kind(
    RESOURCE_QUOTAS,
    singular="resourcequota",
    short_names=("quota",),
    columns=(
        NAME,
        Column("Request", _requests, description="What is used of what may be."),
        Column("Limit", _limits, description="Limits given out, of those that may be."),
        AGE,
    ),
    prepare_create=clear_status,
    prepare_update=keep_status,
    validate_create=checks(validate_quota),
    validate_update=checks_update(validate_quota_update),
    warnings=_warnings,
    status=StatusStrategy(keep_spec, _validate_status),
    returns_deleted=True,
)

LIMIT_RANGE = Kind(
    LIMIT_RANGES,
    singular="limitrange",
    short_names=("limits",),
    columns=(NAME, CREATED_AT),
    default=_default_limits,
    prepare_create=_name_limits,
    metadata_checks=("whole",),
    validate_create=checks(validate_limit_range),
    validate_update=checks(validate_limit_range),
    create_on_update=True,
)
