"""Findings in the words of 1.37, where rules declared with the types of resource.k8s.io are in force.

Such a rule takes the place of a written one about the same field and of the same type, and tells its findings after
those that stay. What is refused is the same; the words are not. Source: the tags in kubernetes api/resource/v1/types.go.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from dray.api.fields import ErrorType, FieldError, Path
from dray.api.meta import Object
from dray.api.schema.model import Schema
from dray.api.schema.registry import type_schema
from dray.api.validation.meta import IMMUTABLE
from dray.api.validation.resource.formats import (
    declared_attribute,
    declared_driver,
    declared_extended_resource,
    declared_pool,
    declared_uuid,
)

Format: TypeAlias = Callable[[str, Path], list[FieldError]]

_CLAIM: Final = r"spec(\.spec)?\.devices"
_RESULT: Final = r"status\.allocation\.devices\.results\[\d+\]"
_OPAQUE: Final = r"config\[\d+\]\.opaque"

_FORMATS: Final[Sequence[tuple[re.Pattern[str], Format]]] = (
    (re.compile(rf"({_CLAIM}|spec|status\.allocation\.devices)\.{_OPAQUE}\.driver"), declared_driver),
    (re.compile(rf"{_RESULT}\.driver"), declared_driver),
    (re.compile(rf"{_RESULT}\.pool"), declared_pool),
    (re.compile(rf"{_RESULT}\.shareID"), declared_uuid),
    (re.compile(rf"{_CLAIM}\.constraints\[\d+\]\.matchAttribute"), declared_attribute),
    (re.compile(r"spec\.extendedResourceName"), declared_extended_resource),
)
_ELEMENTS: Final[Sequence[tuple[re.Pattern[str], str]]] = (
    (re.compile(rf"{_CLAIM}\.requests\[\d+\]"), "DeviceRequest"),
    (re.compile(rf"{_CLAIM}\.requests\[\d+\]\.firstAvailable\[\d+\]"), "DeviceSubRequest"),
    (re.compile(r"spec\.sharedCounters\[\d+\]"), "CounterSet"),
    (re.compile(r"spec\.devices\[\d+\]\.consumesCounters\[\d+\]"), "DeviceCounterConsumption"),
    (re.compile(r"status\.reservedFor\[\d+\]"), "ResourceClaimConsumerReference"),
    (re.compile(r"status\.devices\[\d+\]"), "AllocatedDeviceStatus"),
)
"""Lists without duplicates, each with the type of its elements: the whole element is shown."""
_ATTRIBUTE: Final = re.compile(r"spec\.devices\[\d+\]\.attributes\[.*\]")
_MAPPING: Final = re.compile(r"spec\.devices\[\d+\]\.nodeAllocatableResources\[.*\]\.mapping")
_ONE_VALUE: Final = "exactly one value must be specified"
_KINDS: Final = ("int", "bool", "string", "version", "ints", "bools", "strings", "versions")


def in_declared_words(found: Sequence[FieldError], obj: Object) -> list[FieldError]:
    """`found`: what the written rules have against `obj`, an object of the hub version."""
    kept: list[FieldError] = []
    declared: list[FieldError] = []
    formatted: set[str] = set()
    for error in found:
        if (check := _format_of(error)) is not None:
            if error.field not in formatted:
                formatted.add(error.field)
                declared += check(_value_at(obj, error.field), Path(error.field))
        elif (other := _reworded(error, obj)) is not None:
            declared.append(other)
        else:
            kept.append(error)
    return kept + declared


def _format_of(error: FieldError) -> Format | None:
    if error.type not in (ErrorType.INVALID, ErrorType.TOO_LONG):
        return None
    return next((check for pattern, check in _FORMATS if pattern.fullmatch(error.field)), None)


def _reworded(error: FieldError, obj: Object) -> FieldError | None:
    """The finding of the declared rule in place of one; None where there is no such rule."""
    if error.type is ErrorType.DUPLICATE:
        name = next((name for pattern, name in _ELEMENTS if pattern.fullmatch(error.field)), None)
        if name is None:
            return None
        element = _in_order(_value_at(obj, error.field), type_schema("resource/v1", name))
        return FieldError(error.type, error.field, element)
    if error.type is not ErrorType.INVALID:
        return None
    if error.detail == IMMUTABLE and error.field == "spec":
        return FieldError(error.type, error.field, None, IMMUTABLE)
    if error.detail == IMMUTABLE and error.field == "status.allocation":
        return FieldError(error.type, error.field, None, "field cannot be modified once set")
    if error.detail == _ONE_VALUE and _ATTRIBUTE.fullmatch(error.field):
        return _one_kind(error)
    return error if _MAPPING.fullmatch(error.field) else None


def _one_kind(error: FieldError) -> FieldError:
    """Of an attribute with no value, or with several: these are named."""
    known = ", ".join(f"`{kind}`" for kind in _KINDS)
    if error.bad_value == "":
        return FieldError(error.type, error.field, "", f"must specify one of: {known}")
    values = list(error.bad_value.values())
    given = ", ".join(kind for kind, value in zip(_KINDS, values, strict=True) if value is not None)
    return FieldError(error.type, error.field, f"{{{given}}}", f"must specify exactly one of: {known}")


def _value_at(obj: Object, field: str) -> Any:
    """What is at a path of names and indexes."""
    value: Any = obj
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", field):
        value = value[int(index)] if index else (value or {}).get(name)
    return value


def _in_order(value: Any, schema: Schema) -> Any:
    """A JSON value with its fields as Go writes them."""
    if schema.items is not None:
        return [_in_order(item, schema.items) for item in value or ()]
    if schema.shape != "struct" or not isinstance(value, dict):
        return value
    return {
        name: _in_order(value[name], field.schema) for name, field in schema.fields.items() if name in value
    }
