"""What a call of a standard function costs, by overload: estimated from sizes, and counted from values.

Most operations cost one. Those that walk over text cost a tenth per character.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from dray.cel.cost.bounds import ONE, REGEX_FACTOR, STRING_FACTOR, Bounds
from dray.cel.cost.node import CallEstimate, Node
from dray.cel.values.network import CIDR, IP
from dray.cel.values.optional import Optional

_TEXT_COMPARISONS = frozenset(
    f"{order}_{text}"
    for order in ("less", "less_equals", "greater", "greater_equals")
    for text in ("string", "bytes")
) | {"equals", "not_equals"}


def standard_cost(overload: str, target: Node | None, args: Sequence[Node]) -> CallEstimate:
    """An estimate of a call without its arguments. For `&&` and `?:`, only the size counts."""
    if overload in _TEXT_COMPARISONS:
        return _comparison(args)
    estimate = _ESTIMATES.get(overload)
    return CallEstimate(ONE) if estimate is None else estimate(target, args)


def _comparison(args: Sequence[Node]) -> CallEstimate:
    shorter = min(args[0].computed().high, args[1].computed().high)
    return CallEstimate(Bounds(1 if shorter else 0, shorter).scaled(STRING_FACTOR))


def _format(target: Node | None, args: Sequence[Node]) -> CallEstimate:
    assert target is not None
    return CallEstimate(target.computed().scaled(STRING_FACTOR))


def _to_bytes(target: Node | None, args: Sequence[Node]) -> CallEstimate:
    size = args[0].computed()
    return CallEstimate(size.scaled(STRING_FACTOR), Bounds(size.low, _wrapped(size.high * 4)))


def _to_string(target: Node | None, args: Sequence[Node]) -> CallEstimate:
    size = args[0].computed()
    return CallEstimate(size.scaled(STRING_FACTOR), Bounds(size.low // 4, size.high))


def _quote(target: Node | None, args: Sequence[Node]) -> CallEstimate:
    size = args[0].computed()
    return CallEstimate(size.scaled(STRING_FACTOR), Bounds(size.low + 2, _wrapped(size.high * 2 + 2)))


def _wrapped(size: int) -> int:
    """Upstream does not saturate here: huge sizes wrap around 64 bits."""
    return size % 2**64


def _affix(target: Node | None, args: Sequence[Node]) -> CallEstimate:
    return CallEstimate(args[0].computed().scaled(STRING_FACTOR))


def _in_list(target: Node | None, args: Sequence[Node]) -> CallEstimate:
    return CallEstimate(args[1].computed().scaled(1))


def _matches(target: Node | None, args: Sequence[Node]) -> CallEstimate:
    assert target is not None
    text = target.computed().plus(ONE).scaled(STRING_FACTOR)
    return CallEstimate(text.times(args[0].computed().scaled(REGEX_FACTOR)))


def _contains(target: Node | None, args: Sequence[Node]) -> CallEstimate:
    assert target is not None
    text, part = target.computed().scaled(STRING_FACTOR), args[0].computed().scaled(STRING_FACTOR)
    return CallEstimate(text.times(part))


def _conditional(target: Node | None, args: Sequence[Node]) -> CallEstimate:
    return CallEstimate(ONE, args[1].computed().union(args[2].computed()))


def _add_list(target: Node | None, args: Sequence[Node]) -> CallEstimate:
    return CallEstimate(ONE, args[0].computed().plus(args[1].computed()))


def _add_text(target: Node | None, args: Sequence[Node]) -> CallEstimate:
    size = args[0].computed().plus(args[1].computed())
    return CallEstimate(size.scaled(STRING_FACTOR), size)


_ESTIMATES: dict[str, Callable[[Node | None, Sequence[Node]], CallEstimate]] = {
    "string_format": _format,
    "string_to_bytes": _to_bytes,
    "bytes_to_string": _to_string,
    "strings_quote": _quote,
    "starts_with_string": _affix,
    "ends_with_string": _affix,
    "in_list": _in_list,
    "matches_string": _matches,
    "contains_string": _contains,
    "conditional": _conditional,
    "add_list": _add_list,
    "add_string": _add_text,
    "add_bytes": _add_text,
}


def size_of(value: Any) -> int:
    """The size the cost model gives a value: characters, bytes, elements; 1 for anything else."""
    if isinstance(value, str | bytes | list | dict):
        return len(value)
    return value.size if type(value) in (IP, CIDR) else 1


def _size(value: Any) -> int:
    """As `size_of`, looking into optionals; only the standard functions do."""
    if type(value) is Optional and value.present:
        return _size(value.value)
    return size_of(value)


def text_cost(size: float, factor: float = STRING_FACTOR) -> int:
    """A traversal of `size` characters, rounded up."""
    return math.ceil(float(size) * factor)


def standard_actual(overload: str, args: Sequence[Any]) -> int:
    """What a call with these argument values costs; `args[0]` is the target of a member function."""
    if overload in _TEXT_COMPARISONS:
        return text_cost(min(_size(args[0]), _size(args[1])))
    if overload in ("add_string", "add_bytes"):
        return text_cost(_size(args[0]) + _size(args[1]))
    if overload in _ONE_TRAVERSAL:
        return text_cost(_size(args[0]))
    if overload == "in_list":
        return _size(args[1])
    if overload == "matches_string":
        return text_cost(1.0 + _size(args[0])) * text_cost(_size(args[1]), REGEX_FACTOR)
    if overload == "contains_string":
        return text_cost(_size(args[0])) * text_cost(_size(args[1]))
    return 1


_ONE_TRAVERSAL = frozenset(
    (
        "starts_with_string",
        "ends_with_string",
        "string_to_bytes",
        "bytes_to_string",
        "strings_quote",
        "string_format",
    )
)
