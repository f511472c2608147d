"""What a call costs at least and at most, by function: the Kubernetes libraries and the extensions.

Estimates are made before the standard ones; None leaves a call to them. Sizes in, costs out; the cost of arguments is
not included.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from dray.cel.ast import Literal
from dray.cel.cost.bounds import (
    AUTHORIZATION_CHECK,
    LIST_COST,
    MAX,
    ONE,
    REGEX_FACTOR,
    STRING_FACTOR,
    Bounds,
    exactly,
)
from dray.cel.cost.node import CallEstimate, Node
from dray.cel.types import CelType, Kind

Estimator: TypeAlias = Callable[[str, Node | None, Sequence[Node]], CallEstimate | None]
"""Given the overload, the target and the arguments."""

_ADDRESS = Bounds(4, 16)
_FORMAT_REGEX = 128 * REGEX_FACTOR
_MAX_FORMAT = 64
_MAX_INCLUDES = 48


def _constant(overload: str, target: Node | None, args: Sequence[Node]) -> CallEstimate | None:
    return CallEstimate(ONE)


def _authorization_check(overload: str, target: Node | None, args: Sequence[Node]) -> CallEstimate | None:
    return CallEstimate(exactly(AUTHORIZATION_CHECK))


def _list_traversal(overload: str, target: Node | None, args: Sequence[Node]) -> CallEstimate | None:
    """isSorted, sum, min, max, indexOf: one per element, and the text of elements that are text."""
    if target is None:
        return None
    element = target.element()
    if element is None:
        return CallEstimate(target.bounds().scaled(STRING_FACTOR))
    cost = ONE
    if element.type.kind in (Kind.STRING, Kind.BYTES):
        cost = cost.plus(element.bounds().scaled(STRING_FACTOR))
    return CallEstimate(target.bounds().times(cost))


def _parse(overload: str, target: Node | None, args: Sequence[Node]) -> CallEstimate | None:
    """One traversal of the first argument."""
    return CallEstimate(args[0].bounds().scaled(STRING_FACTOR)) if args else None


def _parse_url(overload: str, target: Node | None, args: Sequence[Node]) -> CallEstimate | None:
    if len(args) != 1:
        return None
    size = args[0].bounds()
    return CallEstimate(size.scaled(STRING_FACTOR), size)


def _rewrite(overload: str, target: Node | None, args: Sequence[Node]) -> CallEstimate | None:
    """lowerAscii, trim, substring: one traversal of the target, no more characters than before."""
    if target is None:
        return None
    size = target.bounds()
    return CallEstimate(size.scaled(STRING_FACTOR), size)


def _replace(overload: str, target: Node | None, args: Sequence[Node]) -> CallEstimate | None:
    if target is None or len(args) < 2:
        return None
    size, old, new = target.bounds(), args[0].bounds(), args[1].bounds()
    most, most_kept = _replacements(size.high, old.low, grows=new.high > old.low)
    least, least_kept = _replacements(size.low, old.high, grows=new.low < old.high)
    result = Bounds(least, most).times(new).plus(Bounds(least_kept, most_kept))
    return CallEstimate(size.scaled(2 * STRING_FACTOR), result)


def _replacements(size: int, old: int, *, grows: bool) -> tuple[int, int]:
    """How often something of length `old` is replaced in `size` characters, and how many characters stay."""
    if old == 0:
        return (size + 1 if size < MAX else size), size
    return (-(-size // old) if size < 2**53 else round(float(size) / float(old)), 0) if grows else (0, size)


def _split(overload: str, target: Node | None, args: Sequence[Node]) -> CallEstimate | None:
    if target is None:
        return None
    size = target.bounds()
    parts = size.high
    if len(args) > 1 and isinstance(args[1].expr, Literal):
        parts = args[1].expr.value % (MAX + 1)  # a negative limit wraps around, as in Go
    return CallEstimate(size.scaled(2 * STRING_FACTOR), Bounds(0, parts))


def _join(overload: str, target: Node | None, args: Sequence[Node]) -> CallEstimate | None:
    if target is None:
        return None
    count = target.bounds()
    element = target.element()
    size = Bounds(0, 0) if element is None else count.times(element.bounds())
    if args:
        gaps = Bounds(max(0, count.low - 1), max(0, count.high - 1))
        size = size.plus(args[0].bounds().times(gaps))
    return CallEstimate(size.scaled(STRING_FACTOR), size)


def _find(overload: str, target: Node | None, args: Sequence[Node]) -> CallEstimate | None:
    if target is None or not args:
        return None
    size = target.bounds()
    text = size.plus(ONE).scaled(STRING_FACTOR)
    pattern = args[0].bounds().scaled(REGEX_FACTOR)
    return CallEstimate(text.times(pattern), Bounds(0, size.high))


def _ip(overload: str, target: Node | None, args: Sequence[Node]) -> CallEstimate | None:
    return CallEstimate(ONE) if overload == "cidr_ip" else _parse(overload, target, args)


def _is_canonical(overload: str, target: Node | None, args: Sequence[Node]) -> CallEstimate | None:
    return CallEstimate(args[0].bounds().scaled(2 * STRING_FACTOR)) if args else None


def _contains_ip(overload: str, target: Node | None, args: Sequence[Node]) -> CallEstimate | None:
    if not args:
        return None
    cost = _ADDRESS.plus(_ADDRESS).scaled(STRING_FACTOR)
    if overload == "cidr_contains_ip_string":
        cost = cost.plus(args[0].bounds().scaled(STRING_FACTOR))
    return CallEstimate(cost)


def _contains_cidr(overload: str, target: Node | None, args: Sequence[Node]) -> CallEstimate | None:
    if not args:
        return None
    cost = _ADDRESS.plus(_ADDRESS).scaled(STRING_FACTOR).plus(_ADDRESS.scaled(STRING_FACTOR)).plus(ONE)
    if overload == "cidr_contains_cidr_string":
        cost = cost.plus(args[0].bounds().scaled(STRING_FACTOR))
    return CallEstimate(cost)


def _validate(overload: str, target: Node | None, args: Sequence[Node]) -> CallEstimate | None:
    if not args:
        return None
    return CallEstimate(args[0].bounds().scaled(STRING_FACTOR).scaled(_FORMAT_REGEX))


def _equals(overload: str, target: Node | None, args: Sequence[Node]) -> CallEstimate | None:
    """Kubernetes values compare in one step, but for formats and URLs."""
    left, right = args[0].type, args[1].type
    if left.name != right.name:
        return None
    return _EQUALITY[left.name](args[1]) if left.name in _EQUALITY else None


def _url_equality(right: Node) -> CallEstimate:
    high = 1 if right.size is None else right.size.high
    return CallEstimate(Bounds(1, high).scaled(STRING_FACTOR))


def _one_step(right: Node) -> CallEstimate:
    return CallEstimate(ONE)


_EQUALITY: dict[str, Callable[[Node], CallEstimate]] = {
    "net.IP": _one_step,
    "net.CIDR": _one_step,
    "kubernetes.Quantity": _one_step,
    "kubernetes.Semver": _one_step,
    "kubernetes.NamedFormat": lambda right: CallEstimate(Bounds(1, _MAX_FORMAT).scaled(STRING_FACTOR)),
    "kubernetes.URL": _url_equality,
}


def _includes(overload: str, target: Node | None, args: Sequence[Node]) -> CallEstimate | None:
    return None if target is None else CallEstimate(Bounds(0, _MAX_INCLUDES))


BY_FUNCTION: dict[str, Estimator] = {
    **dict.fromkeys(("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"), _list_traversal),
    **dict.fromkeys(("lowerAscii", "upperAscii", "substring", "trim"), _rewrite),
    **dict.fromkeys(("cidr", "isIP", "isCIDR", "quantity", "isQuantity", "semver", "isSemver"), _parse),
    **dict.fromkeys(
        (
            "masked", "prefixLength", "family", "isUnspecified", "isLoopback", "isLinkLocalMulticast",
            "isLinkLocalUnicast", "isGlobalUnicast", "format.named", "sign", "asInteger", "isInteger",
            "asApproximateFloat", "isGreaterThan", "isLessThan", "compareTo", "add", "sub", "major", "minor", "patch",
            "getScheme", "getHostname", "getHost", "getPort", "getEscapedPath", "getQuery",
            "path", "group", "serviceAccount", "resource", "subresource", "namespace", "name", "fieldSelector",
            "labelSelector", "allowed", "reason", "error", "errored",
        ),
        _constant,
    ),
    "check": _authorization_check,
    "url": _parse_url,
    "replace": _replace,
    "split": _split,
    "join": _join,
    "find": _find,
    "findAll": _find,
    "ip": _ip,
    "ip.isCanonical": _is_canonical,
    "containsIP": _contains_ip,
    "containsCIDR": _contains_cidr,
    "validate": _validate,
    "_==_": _equals,
    "includes": _includes,
}  # fmt: skip
"""Estimates of the Kubernetes libraries."""


def _new_list(factor: float, size: Bounds) -> CallEstimate:
    """A call that makes a list of `size`, touching each element `factor` times."""
    return CallEstimate(size.scaled(factor).plus(ONE).plus(exactly(LIST_COST)), size)


def _set_operation(factor: float) -> Estimator:
    def estimate(overload: str, target: Node | None, args: Sequence[Node]) -> CallEstimate | None:
        if len(args) != 2:
            return None
        return CallEstimate(args[0].bounds().times(args[1].bounds()).scaled(factor).plus(ONE))

    return estimate


def _slice(overload: str, target: Node | None, args: Sequence[Node]) -> CallEstimate | None:
    if target is None or len(args) != 2:
        return None
    start, end = args[0].int_literal(0), args[1].int_literal(target.bounds().high)
    return _new_list(1, exactly((end - start) % (MAX + 1)))


def _range(overload: str, target: Node | None, args: Sequence[Node]) -> CallEstimate | None:
    if target is not None or len(args) != 1:
        return None
    return _new_list(1, exactly(args[0].int_literal(MAX)))


def _reverse(overload: str, target: Node | None, args: Sequence[Node]) -> CallEstimate | None:
    return None if target is None or args else _new_list(1, target.bounds())


def _flatten(overload: str, target: Node | None, args: Sequence[Node]) -> CallEstimate | None:
    if target is None or len(args) > 1:
        return None
    return _new_list(float(args[0].int_literal(MAX)) if args else 1.0, target.bounds())


def _pairwise(factor: float, size: Bounds) -> CallEstimate:
    return _new_list(factor, size.times(size))


def _distinct(overload: str, target: Node | None, args: Sequence[Node]) -> CallEstimate | None:
    return None if target is None or args else _pairwise(2, target.bounds())


def _sort(factor: float) -> Estimator:
    def estimate(overload: str, target: Node | None, args: Sequence[Node]) -> CallEstimate | None:
        return None if target is None or args else _pairwise(factor, target.bounds())

    return estimate


def _sort_by(factor: float) -> Estimator:
    def estimate(overload: str, target: Node | None, args: Sequence[Node]) -> CallEstimate | None:
        return None if target is None or len(args) != 1 else _pairwise(factor, args[0].bounds())

    return estimate


def _sorts() -> dict[str, Estimator]:
    estimators: dict[str, Estimator] = {}
    plain = ("int", "uint", "double", "bool", "google.protobuf.Duration", "google.protobuf.Timestamp")
    for names, factor in ((plain, 2.0), (("string", "bytes"), 2.0 + STRING_FACTOR)):
        for name in names:
            estimators[f"list_{name}_sort"] = _sort(factor)
            estimators[f"list_{name}_sortByAssociatedKeys"] = _sort_by(factor)
    return estimators


BY_OVERLOAD: dict[str, Estimator] = {
    "list_sets_contains_list": _set_operation(1),
    "list_sets_intersects_list": _set_operation(1),
    "list_sets_equivalent_list": _set_operation(2),
    "list_slice": _slice,
    "list_flatten": _flatten,
    "list_flatten_int": _flatten,
    "lists_range": _range,
    "list_reverse": _reverse,
    "list_distinct": _distinct,
    **_sorts(),
}
"""Estimates of the sets and lists extensions, which come first."""


def is_scalar(declared: CelType) -> bool:
    """Whether values of this type have size 1; strings do not, nor anything unknown."""
    if declared.is_optional:
        return is_scalar(declared.params[0])
    return declared.kind in (Kind.BOOL, Kind.DOUBLE, Kind.DURATION, Kind.INT, Kind.TIMESTAMP, Kind.UINT)
