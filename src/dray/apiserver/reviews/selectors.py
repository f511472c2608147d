"""Selectors of what a question about access asks for: a reader of some objects may be let in where a reader of all is not.

No authorizer here looks at them; what they say is checked, and what could not be read is told.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from dray.api import names
from dray.api.fields import FieldError, Path, forbidden, invalid, required
from dray.api.selectors import parse_field_selector, parse_label_selector

_FIELDS: Final = ("fieldSelector", "labelSelector")
_AT: Final = Path("spec").child("resourceAttributes")
_WITH_VALUES: Final = ("In", "NotIn")
_WITHOUT: Final = ("Exists", "DoesNotExist")


def selector_errors(resource: Mapping[str, Any]) -> list[FieldError]:
    return [
        error
        for field in _FIELDS
        if resource.get(field) is not None
        for error in _errors(resource[field], _AT.child(field), is_label=field == "labelSelector")
    ]


def unread(resource: Mapping[str, Any]) -> str:
    """What of the selectors no authorizer could have used, "" for nothing."""
    texts = (_unread(resource.get(field) or {}, field) for field in _FIELDS)
    return ", ".join(filter(None, texts))


def _errors(selector: Mapping[str, Any], path: Path, *, is_label: bool) -> Iterator[FieldError]:
    raw, requirements = selector.get("rawSelector") or "", selector.get("requirements") or ()
    if raw and requirements:
        yield invalid(path.child("rawSelector"), raw, "may not specified at the same time as requirements")
    if not raw and not requirements:
        text = f"when {path} is specified, requirements or rawSelector is required"
        yield required(path.child("requirements"), text)
    for index, requirement in enumerate(requirements):
        at, key = path.child("requirements").index(index), requirement.get("key") or ""
        if not is_label and not key:
            yield required(at.child("key"), "must be specified")
        yield from _value_errors(requirement, at.child("values"))
        if is_label:
            for text in names.qualified_name(key):
                yield invalid(at.child("key"), key, text)
            for position, value in enumerate(requirement.get("values") or ()):
                for text in names.label_value(value):
                    yield invalid(at.child("values").index(position), value, text)


def _value_errors(requirement: Mapping[str, Any], path: Path) -> Iterator[FieldError]:
    """Operators that are not known are let be."""
    operator, values = requirement.get("operator") or "", requirement.get("values")
    if operator in _WITH_VALUES and not values:
        yield required(path, "must be specified when `operator` is 'In' or 'NotIn'")
    if operator in _WITHOUT and values:
        yield forbidden(path, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")


def _unread(selector: Mapping[str, Any], field: str) -> str:
    if raw := selector.get("rawSelector"):
        parse = parse_label_selector if field == "labelSelector" else parse_field_selector
        try:
            parse(raw)
        except ValueError:
            return f"{_AT}.{field} ignored due to parse error"
        return ""
    requirements: Sequence[Mapping[str, Any]] = selector.get("requirements") or ()
    read = [one for one in requirements if _is_readable(one, is_label=field == "labelSelector")]
    if len(read) == len(requirements):
        return ""
    return f"{_AT}.{field} {'partially ' if read else ''}ignored due to parse error"


def _is_readable(requirement: Mapping[str, Any], *, is_label: bool) -> bool:
    """Fields are compared with one value, labels with any of some."""
    operator, values = requirement.get("operator") or "", requirement.get("values") or ()
    if is_label:
        return operator in _WITH_VALUES + _WITHOUT
    return operator in _WITH_VALUES and len(values) == 1
