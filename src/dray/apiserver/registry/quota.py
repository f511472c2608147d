"""ResourceQuota and LimitRange: how much of anything a namespace, or one object in it, may have."""

import datetime as dt

from dray.api import names
from dray.api.fields import FieldError, Path, invalid
from dray.api.meta import Object
from dray.api.quantity import parse_quantity
from dray.api.resources import LIMIT_RANGES, RESOURCE_QUOTAS
from dray.apiserver.registry.columns import AGE, CREATED_AT, NAME, find
from dray.apiserver.registry.kind import Column, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.writes import clear_status, keep_spec, keep_status

_STANDARD = {
    "cpu", "memory", "ephemeral-storage", "storage", "pods", "services", "replicationcontrollers", "resourcequotas",
    "secrets", "configmaps", "persistentvolumeclaims", "services.nodeports", "services.loadbalancers",
    "requests.cpu", "requests.memory", "requests.storage", "requests.ephemeral-storage", "limits.cpu",
    "limits.memory", "limits.ephemeral-storage",
}  # fmt: skip


def _validate(context: WriteContext, obj: Object) -> list[FieldError]:
    return _validate_amounts(find(obj, "spec", "hard", default={}), Path("spec.hard"))


def _validate_status(context: WriteContext, obj: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("hard", "used"):
        errors += _validate_amounts(find(obj, "status", field, default={}), Path("status").child(field))
    return errors


def _validate_amounts(amounts: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for name, amount in amounts.items():
        place = path.key(name)
        complaints = names.qualified_name(name)
        errors += [invalid(place, name, text) for text in complaints]
        if not complaints and "/" not in name and not _is_standard(name):
            errors.append(invalid(place, name, "must be a standard resource for quota"))
        if parse_quantity(amount).sign() < 0:
            errors.append(invalid(place, amount, "must be greater than or equal to 0"))
    return errors


def _is_standard(name: str) -> bool:
    """Plain names that a quota knows; those with a domain, such as a class's devices, have a slash."""
    return name in _STANDARD or name.startswith(("hugepages-", "requests.hugepages-", "limits.hugepages-"))


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
    validate_create=_validate,
    validate_update=_validate,
    status=StatusStrategy(keep_spec, _validate_status),
    returns_deleted=True,
)

LIMIT_RANGE = Kind(
    LIMIT_RANGES,
    singular="limitrange",
    short_names=("limits",),
    columns=(NAME, CREATED_AT),
    create_on_update=True,
)
