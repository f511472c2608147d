"""`kubectl get --sort-by`: rows and objects in the order of a field, quantities by what they amount to."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from dray.api.meta import Object
from dray.api.quantity import InvalidQuantity, Quantity, parse_quantity
from dray.api.schema.go_text import type_name
from dray.cli.kubectl.jsonpath import NotApplicable, Template, Values, relaxed
from dray.cli.kubectl.jsonpath_text import JsonPathError
from dray.cli.kubectl.session import Failure

T = TypeVar("T")
INSERTED: Final = 12
"""So many Go sorts by insertion, which is told here; of more, what is alike keeps its order."""


class NoOrder(Failure):
    """A path that is none, or that no item has."""


def sorted_by(
    items: Sequence[T], path: str, object_of: Callable[[T], Object], *, is_path: bool = True
) -> list[T]:
    """`is_path`: no template is meant. Raises NoOrder, and Failure for values that have no order."""
    try:
        shown = relaxed(path) if is_path else _template(path)
        template = Template(shown)
        found = [template.results(object_of(item)) for item in items]
    except (JsonPathError, NotApplicable) as error:
        raise NoOrder(f"error: {error}") from error
    keys = [results[0] if results else [] for results in found]
    if items and not any(keys):
        raise NoOrder(f'error: couldn\'t find any field with path "{shown}" in the list of objects')
    order = _order([_key(values) for values in keys], shown)
    return [items[at] for at in order]


def _template(path: str) -> str:
    try:
        return relaxed(path)
    except JsonPathError:
        return path


def _key(values: Values) -> Any:
    return values[0] if values else _ABSENT


_ABSENT: Final = object()


def _order(keys: list[Any], path: str) -> list[int]:
    def less(one: int, other: int) -> bool:
        return _is_less(keys[one], keys[other], path)

    order = list(range(len(keys)))
    if len(keys) > INSERTED:

        def compared(one: int, other: int) -> int:
            return -1 if less(one, other) else int(less(other, one))

        return sorted(order, key=functools.cmp_to_key(compared))
    for start in range(1, len(order)):
        at = start
        while at and less(order[at], order[at - 1]):
            order[at - 1 : at + 1] = order[at], order[at - 1]
            at -= 1
    return order


def _is_less(one: Any, other: Any, path: str) -> bool:
    """Raises Failure for what has no order."""
    if one is _ABSENT or other is _ABSENT:
        return one is _ABSENT
    if one is None or other is None:
        return one is None and other is not None
    if type_name(one) not in ("int64", "float64", "string"):
        raise _unsortable(path, f"unsortable type: {type_name(one)}")
    if type_name(one) != type_name(other):
        raise _unsortable(path, "unsortable interface: interface")
    if isinstance(one, str):
        amounts = _amounts(one, other)
        return amounts[0] < amounts[1] if amounts else one < other
    return bool(one < other)


def _unsortable(path: str, why: str) -> Failure:
    return Failure(f"error: Field {path} is an unsortable type: interface, err: {why}")


def _amounts(one: str, other: str) -> tuple[Quantity, Quantity] | None:
    """Where both are quantities."""
    try:
        return parse_quantity(one), parse_quantity(other)
    except InvalidQuantity:
        return None
