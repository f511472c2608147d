"""What a call really costs, given the values of its arguments, and of its result where that decides.

Kubernetes' accounting by function comes first, that of the extensions by overload before it, the standard last.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from dray.api.quantity import Quantity
from dray.api.semver import Semver
from dray.cel.cost.bounds import AUTHORIZATION_CHECK, LIST_COST, REGEX_FACTOR, STRING_FACTOR
from dray.cel.cost.standard import size_of, standard_actual, text_cost
from dray.cel.values.container import keys_of
from dray.cel.values.named_format import NamedFormat
from dray.cel.values.network import CIDR, IP
from dray.cel.values.url import URL

Args: TypeAlias = Sequence[Any]

_COMPARED_AT_ONCE = (Quantity, Semver, URL, IP, CIDR, NamedFormat)


def _traversal(value: Any) -> int:
    """A walk over everything in a value."""
    if isinstance(value, str):
        return int(len(value.encode("utf-8", "replace")) * STRING_FACTOR)
    if isinstance(value, bytes):
        return int(len(value) * STRING_FACTOR)
    if isinstance(value, list):
        return sum(map(_traversal, value))
    if isinstance(value, dict):
        return sum(map(_traversal, keys_of(value))) + sum(map(_traversal, value.values()))
    return 1


def _one(overload: str, args: Args) -> int:
    return 1


def _check(overload: str, args: Args) -> int:
    return AUTHORIZATION_CHECK


def _walk(overload: str, args: Args) -> int:
    return _traversal(args[0])


def _text(overload: str, args: Args) -> int:
    return text_cost(size_of(args[0]))


def _text_twice(overload: str, args: Args) -> int:
    return text_cost(size_of(args[0]) * 2)


def _find(overload: str, args: Args) -> int:
    return text_cost(1.0 + size_of(args[0])) * text_cost(size_of(args[1]), REGEX_FACTOR)


def _ip(overload: str, args: Args) -> int:
    return 1 if overload == "cidr_ip" else _text(overload, args)


def _contains_ip(overload: str, args: Args) -> int:
    cost = text_cost(2 * size_of(args[0]))
    return cost + text_cost(size_of(args[1])) if overload == "cidr_contains_ip_string" else cost


def _contains_cidr(overload: str, args: Args) -> int:
    cost = text_cost(2 * size_of(args[0])) + text_cost(size_of(args[0])) + 1
    return cost + text_cost(size_of(args[1])) if overload == "cidr_contains_cidr_string" else cost


def _validate(overload: str, args: Args) -> int:
    if not isinstance(args[0], NamedFormat):
        return 1
    return text_cost(1.0 + size_of(args[1])) * text_cost(args[0].regex_size, REGEX_FACTOR)


def _equals(overload: str, args: Args) -> int:
    if type(args[0]) in _COMPARED_AT_ONCE:
        return 1
    return standard_actual("equals", args)


_BY_FUNCTION: dict[str, Callable[[str, Args], int]] = {
    **dict.fromkeys(("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"), _walk),
    **dict.fromkeys(
        (
            "url", "lowerAscii", "upperAscii", "substring", "trim", "cidr", "isIP", "isCIDR", "quantity", "isQuantity",
            "semver", "isSemver",
        ),
        _text,
    ),
    **dict.fromkeys(("replace", "split", "ip.isCanonical"), _text_twice),
    **dict.fromkeys(
        (
            "masked", "prefixLength", "family", "isUnspecified", "isLoopback", "isLinkLocalMulticast",
            "isLinkLocalUnicast", "isGlobalUnicast", "format.named", "sign", "asInteger", "isInteger",
            "asApproximateFloat", "isGreaterThan", "isLessThan", "compareTo", "add", "sub", "major", "minor", "patch",
            "getScheme", "getHostname", "getHost", "getPort", "getEscapedPath", "getQuery",
            "path", "group", "serviceAccount", "resource", "subresource", "namespace", "name", "fieldSelector",
            "labelSelector", "allowed", "reason", "error", "errored",
        ),
        _one,
    ),
    "check": _check,
    "find": _find,
    "findAll": _find,
    "ip": _ip,
    "containsIP": _contains_ip,
    "containsCIDR": _contains_cidr,
    "validate": _validate,
    "_==_": _equals,
}  # fmt: skip


def _set_operation(factor: int) -> Callable[[Args], int]:
    return lambda args: 1 + size_of(args[0]) * size_of(args[1]) * factor


def _new_list(size: int, factor: float = 1) -> int:
    return (_as_uint(float(size) * factor) + 1 + LIST_COST) % 2**64


def _as_uint(value: float) -> int:
    """What Go makes of a double as an unsigned number: negative ones wrap around, too large ones give 2**63."""
    return int(value) % 2**64 if -(2.0**63) <= value < 2.0**64 else 2**63


def _flatten(args: Args) -> int:
    return _new_list(size_of(args[0]), float(args[1]) if len(args) == 2 and type(args[1]) is int else 1.0)


def _compare_all(items: Any) -> int:
    """Every element with every other."""
    size = size_of(items)
    text = isinstance(items, list) and size and isinstance(items[0], str | bytes)
    return _new_list(size * size, 2.0 + STRING_FACTOR if text else 2.0)


_BY_OVERLOAD: dict[str, Callable[[Args], int]] = {
    "list_sets_contains_list": _set_operation(1),
    "list_sets_intersects_list": _set_operation(1),
    "list_sets_equivalent_list": _set_operation(2),
    "list_flatten": _flatten,
    "list_flatten_int": _flatten,
    "list_distinct": lambda args: _compare_all(args[0]),
}
_BY_RESULT = ("list_slice", "list_reverse", "lists_range")


def call_cost(function: str, overload: str, args: Args) -> int | None:
    """The cost of a call before it is made; None where it depends on the result."""
    if overload in _BY_RESULT or function == "join":
        return None
    counted = _BY_OVERLOAD.get(overload)
    if counted is not None:
        return counted(args)
    if overload.endswith("_sort"):
        return _compare_all(args[0])
    if overload.endswith("_sortByAssociatedKeys"):
        return _compare_all(args[1])
    by_function = _BY_FUNCTION.get(function)
    if by_function is not None:
        return by_function(overload, args)
    return standard_actual(overload, args)


def result_cost(function: str, result: Any) -> int:
    """The cost of a call that `call_cost` leaves open."""
    return text_cost(size_of(result) * 2) if function == "join" else _new_list(size_of(result))
