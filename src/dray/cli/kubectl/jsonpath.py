"""kubectl's JSONPath templates, carried out: `{.items[*].metadata.name}`, `{range ...}{end}`, filters, unions, slices.

`jsonpath_syntax.py` tells what a template means. Here it meets data, and what it finds is told as Go would print it.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from dray.api.schema.go_text import show, show_typed, type_name
from dray.cli.kubectl.jsonpath_syntax import (
    Action,
    Field,
    Filter,
    Literal,
    Part,
    Recursive,
    Slice,
    Step,
    Text,
    Union,
    Wildcard,
    Word,
    parse,
)
from dray.cli.kubectl.jsonpath_text import JsonPathError
from dray.kits import go_json

_RELAXED: Final = re.compile(r"\{\.?([^{}]+)\}|\.?([^{}]+)")
_NOTHING: Final = object()
"""What the body of a range without elements is tried with."""

Values = list[Any]


class NotApplicable(ValueError):
    """A template and data that do not go together; `values` is how far it came."""

    def __init__(self, text: str, values: Values) -> None:
        super().__init__(text)
        self.values = values


class Template:
    """Raises JsonPathError for what cannot be understood. May be used for many objects."""

    def __init__(self, text: str, *, allow_missing: bool = True) -> None:
        self._parts = parse(text)
        self._allow_missing = allow_missing

    def results(self, data: Any) -> list[Values]:
        """What each part of the template finds, texts included. Raises NotApplicable."""
        return _Run(self._parts, self._allow_missing).block(0, data)

    def render(self, data: Any) -> str:
        """As one text. Raises NotApplicable."""
        return "".join(" ".join(map(_printed, values)) for values in self.results(data))

    def render_json(self, data: Any) -> str:
        """Each part as a JSON list. Raises NotApplicable."""
        return "".join(f"{go_json.indented_text(values, 4)}\n" for values in self.results(data))


def relaxed(path: str) -> str:
    """`x.y`, `.x.y`, `{x.y}` and `{.x.y}` are one where only a path can be meant. Raises JsonPathError."""
    if not path:
        return path
    match = _RELAXED.fullmatch(path)
    if match is None:
        raise JsonPathError(
            "unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or '{.name1.name2}'"
        )
    return f"{{.{match[1] or match[2]}}}"


def _printed(value: Any) -> str:
    if isinstance(value, dict | list):
        return go_json.sorted_text(value)
    return "null" if value is None else show(value)


class _Span(NamedTuple):
    values: Values
    is_range: bool
    is_end: bool


class _Run:
    """One walk through a template, which may go through its ranges many times."""

    def __init__(self, parts: list[Part], allow_missing: bool) -> None:
        self._parts = parts
        self._allow_missing = allow_missing
        self._depth = 0
        self._last_end = -1
        """The `end` that was met last; where a range has none, what follows it is told once more for all."""

    def block(self, start: int, data: Any) -> list[Values]:
        found: list[Values] = []
        at = start
        while at < len(self._parts):
            values, is_range, is_end = self._part(self._parts[at], data)
            if is_end:
                self._last_end = at
                break
            if is_range:
                self._depth += 1
                found += [each for value in values for each in self.block(at + 1, value)]
                if not values:
                    self.block(at + 1, _NOTHING)
                self._depth -= 1
                at = max(at, self._last_end)
            else:
                found.append(values)
            at += 1
        return found

    def _part(self, part: Part, data: Any) -> _Span:
        if isinstance(part, Text):
            return _Span([part.value], False, False)
        values = self._action(part, [data])
        words = {step.name for step in part if isinstance(step, Word)}
        return _Span(values, "range" in words, "end" in words)

    def _action(self, action: Action, values: Values) -> Values:
        for step in action:
            values = self._step(step, values)
        return values

    def _step(self, step: Step, values: Values) -> Values:
        match step:
            case Text():
                return [step.value]
            case Literal():
                return [step.value] * len(values)
            case Field():
                return self._field(step.name, values)
            case Wildcard():
                return [each for value in values for each in _members(value)]
            case Recursive():
                return [each for value in values for each in _below(value)]
            case Slice():
                return _sliced(step, values)
            case Union():
                return self._union(step, values)
            case Filter():
                return [each for value in values for each in self._filtered(step, value, values)]
            case Word():
                return self._word(step.name, values)

    def _word(self, name: str, values: Values) -> Values:
        if name == "range":
            return values
        if name != "end":
            raise NotApplicable(f"unrecognized identifier {name}", values)
        if not self._depth:
            raise NotApplicable("not in range, nothing to end", [])
        return []

    def _field(self, name: str, values: Values) -> Values:
        found = [value[name] for value in values if isinstance(value, dict) and name in value]
        if values and not found and not self._allow_missing:
            raise NotApplicable(f"{name} is not found", [])
        return found

    def _union(self, union: Union, values: Values) -> Values:
        try:
            return [each for part in union.parts for each in self._action(part, values)]
        except NotApplicable as error:
            raise NotApplicable(str(error), values) from error

    def _filtered(self, step: Filter, value: Any, values: Values) -> Iterator[Any]:
        if not isinstance(value, list):
            shown = "<invalid reflect.Value>" if value is _NOTHING else show(value)
            raise NotApplicable(f"{shown} is not array or slice and cannot be filtered", values)
        for element in value:
            if self._passes(step, element, values):
                yield element

    def _passes(self, step: Filter, element: Any, values: Values) -> bool:
        if not step.operator:
            try:
                return bool(self._action(step.left, [element]))
            except NotApplicable as error:  # what was found before it counts
                return bool(error.values)
        sides = []
        for action in (step.left, step.right):
            try:
                found = self._action(action, [element])
            except NotApplicable as error:
                raise NotApplicable(str(error), values) from error
            if not found:
                return False
            if len(found) > 1:
                raise NotApplicable("can only compare one element at a time", values)
            sides += found
        return _compared(step.operator, *sides)


def _members(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, str):  # of a string Go has the bytes
        return list(value.encode(errors="surrogateescape"))
    return value if isinstance(value, list) else []


def _below(value: Any) -> Iterator[Any]:
    """A value and all below it that contain something."""
    if members := _members(value):
        yield value
        for member in members:
            yield from _below(member)


def _sliced(wanted: Slice, values: Values) -> Values:
    found: Values = []
    for value in values:
        if value is None:
            continue
        if not isinstance(value, list):
            raise NotApplicable(f"{type_name(value)} is not array or slice", values)
        start, end = _bounds(wanted, len(value))
        if start == end:  # nothing of this one is nothing of them all
            return found
        if fault := _out_of_bounds(start, end, len(value)) or (
            "step must be > 0" if wanted.step is not None and wanted.step <= 0 else ""
        ):
            raise NotApplicable(fault, values)
        found += value[start : end : wanted.step]
    return found


def _bounds(wanted: Slice, length: int) -> tuple[int, int]:
    start = wanted.start or 0
    start += length if start < 0 else 0
    if wanted.end is None:
        return start, length
    is_from_end = wanted.end < 0 or (wanted.end == 0 and wanted.is_index)
    return start, wanted.end + (length if is_from_end else 0)


def _out_of_bounds(start: int, end: int, length: int) -> str:
    """What is wrong with a slice; "" for one that can be taken."""
    for index, is_inside in ((start, 0 <= start < length), (end - 1, 0 <= end <= length)):
        if not is_inside:
            return f"array index out of bounds: index {index}, length {length}"
    return f"starting index {start} is greater than ending index {end}" if start > end else ""


def _compared(operator: str, left: Any, right: Any) -> bool:
    if operator not in ("==", "!=", "<", "<=", ">", ">="):
        raise NotApplicable(f"unrecognized filter operator {operator}", [])
    kinds = [type_name(side) for side in (left, right)]
    is_ordered = operator not in ("==", "!=")
    if not all(kind in ("bool", "int64", "float64", "string") for kind in kinds):
        raise NotApplicable("invalid type for comparison", [])
    if kinds[0] != kinds[1]:
        raise NotApplicable("incompatible types for comparison", [])
    if is_ordered and kinds[0] == "bool":
        raise NotApplicable("invalid type for comparison", [])
    match operator:
        case "==" | "!=":
            return bool((left == right) == (operator == "=="))
        case "<":
            return bool(left < right)
        case "<=":
            return bool(left <= right)
        case ">":
            return bool(left > right)
    return bool(left >= right)


def explained(template: str, data: Any, error: NotApplicable) -> str:
    """The whole of what `kubectl get` says of it."""
    return (
        f"error executing jsonpath {show_typed(template)}: Error executing template: {error}. "
        "Printing more information for debugging the template:\n"
        f"\ttemplate was:\n\t\t{template}\n"
        f"\tobject given to jsonpath engine was:\n\t\t{show_typed(data)}\n\n\n"
    )
