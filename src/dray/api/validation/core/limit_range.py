"""LimitRanges: known types and resources, and amounts that go together."""

from collections.abc import Mapping
from typing import Any, Final

from dray.api import names
from dray.api.fields import FieldError, Path, duplicate, forbidden, invalid, required
from dray.api.limits import CONTAINER, POD, STANDARD, VOLUME_CLAIM
from dray.api.meta import Object
from dray.api.quantity import Quantity, parse_quantity
from dray.api.validation.core.resource_names import validate_container_resource_name, validate_resource_name
from dray.api.validation.lists import items_of
from dray.api.validation.pod.resources import allows_overcommit

_LIMITS: Final = Path("spec.limits")
_FIELDS: Final = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")
_ONE: Final = Quantity.of(1)

_Amounts = Mapping[str, Mapping[str, Quantity]]
"""By field, then by resource."""


def validate_limit_range(obj: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, item in enumerate(items_of((obj.get("spec") or {}).get("limits"))):
        path, kind = _LIMITS.index(index), item.get("type") or ""
        errors += _validate_type(kind, path.child("type"))
        if kind in seen:
            errors.append(duplicate(path.child("type"), kind))
        seen.add(kind)
        errors += _validate_item(item, kind, path)
    return errors


def _validate_type(kind: str, path: Path) -> list[FieldError]:
    errors = [invalid(path, kind, text) for text in names.qualified_name(kind)]
    if not errors and "/" not in kind and kind not in STANDARD:
        errors.append(invalid(path, kind, "must be a standard limit type or fully qualified"))
    return errors


def _validate_item(item: Object, kind: str, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    amounts: dict[str, dict[str, Quantity]] = {field: {} for field in _FIELDS}
    check = validate_container_resource_name if kind in (POD, CONTAINER) else validate_resource_name
    for field in _FIELDS:
        given = item.get(field) or {}
        if kind == POD and field in ("default", "defaultRequest"):
            if given:
                errors.append(forbidden(path.child(field), "may not be specified when `type` is 'Pod'"))
            continue
        for name, text in given.items():
            errors += check(name, path.child(field).key(name))
            amounts[field][name] = parse_quantity(text)
        if field == "defaultRequest" and kind == VOLUME_CLAIM and not _bounds_storage(item):
            text = "either minimum or maximum storage value is required, but neither was provided"
            errors.append(required(path.child("limits"), text))
    every = dict.fromkeys(name for given in amounts.values() for name in given)
    return errors + [found for name in every for found in _validate_together(name, amounts, path)]


def _bounds_storage(item: Mapping[str, Any]) -> bool:
    return any("storage" in (item.get(field) or {}) for field in ("min", "max"))


def _validate_together(name: str, amounts: _Amounts, path: Path) -> list[FieldError]:
    least, most = amounts["min"].get(name), amounts["max"].get(name)
    limit, request = amounts["default"].get(name), amounts["defaultRequest"].get(name)
    errors: list[FieldError] = []

    def check(
        field: str, shown: Quantity | None, small: Quantity | None, large: Quantity | None, text: str
    ) -> None:
        if small is not None and large is not None and small > large:
            where = path.child(field).key(name)
            errors.append(invalid(where, str(shown), text.format(small, large)))

    check("min", least, least, most, "min value {} is greater than max value {}")
    check("defaultRequest", request, least, request, "min value {} is greater than default request value {}")
    check("defaultRequest", request, request, most, "default request value {} is greater than max value {}")
    check(
        "defaultRequest",
        request,
        request,
        limit,
        "default request value {} is greater than default limit value {}",
    )
    # Here Kubernetes shows the bound in place of what is out of it.
    check("default", least, least, limit, "min value {} is greater than default value {}")
    check("default", most, limit, most, "default value {} is greater than max value {}")
    errors += _validate_ratio(name, amounts, path.child("maxLimitRequestRatio").key(name))
    if limit is not None and request is not None and limit != request and not allows_overcommit(name):
        text = f"default value {limit} must equal to defaultRequest value {request} in {name}"
        errors.append(invalid(path.child("defaultRequest").key(name), str(request), text))
    return errors


def _validate_ratio(name: str, amounts: _Amounts, path: Path) -> list[FieldError]:
    ratio = amounts["maxLimitRequestRatio"].get(name)
    least, most = amounts["min"].get(name), amounts["max"].get(name)
    if ratio is None:
        return []
    errors = []
    if ratio < _ONE:
        errors.append(invalid(path, str(ratio), f"ratio {ratio} is less than 1"))
    if least and most is not None and ratio.nanos * least.nanos > most.nanos * 10**9:
        highest = most.nanos / least.nanos
        errors.append(invalid(path, str(ratio), f"ratio {ratio} is greater than max/min = {highest:.6f}"))
    return errors
