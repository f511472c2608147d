"""What is wrong with literals although the types fit: durations, timestamps, patterns, mixed lists, format texts.

Only asked about expressions that passed the checker.
"""

from collections.abc import Callable, Iterator

from dray.cel.ast import Call, CreateList, CreateMap, Expr, Ident, Literal, children
from dray.cel.errors import EvalFailure
from dray.cel.library import conversions
from dray.cel.library.formatting import FAULTS, Clause, read_clauses
from dray.cel.library.regex import InvalidPattern, compile_pattern
from dray.cel.source import Complaint
from dray.cel.types import CelType, Kind
from dray.cel.values.kind import accepts

_FORMAT = "format"
_CONVERSIONS = {function.name: function for function in conversions.FUNCTIONS}

_CLAUSE_KINDS = {
    "s": (
        Kind.LIST, Kind.MAP, Kind.INT, Kind.UINT, Kind.DOUBLE, Kind.BOOL, Kind.STRING, Kind.TIMESTAMP, Kind.BYTES,
        Kind.DURATION, Kind.TYPE, Kind.NULL,
    ),
    "d": (Kind.INT, Kind.UINT),
    "f": (Kind.DOUBLE, Kind.STRING),
    "e": (Kind.DOUBLE, Kind.STRING),
    "b": (Kind.INT, Kind.UINT, Kind.BOOL),
    "x": (Kind.INT, Kind.UINT, Kind.STRING, Kind.BYTES),
    "o": (Kind.INT, Kind.UINT),
}  # fmt: skip


def validate_literals(root: Expr, *, formats: bool) -> list[Complaint]:
    """Complaints about literals; `formats`: the environment has the `format` function."""
    complaints: list[Complaint] = []
    for expr, in_format in _walk(root, False):
        if isinstance(expr, Call):
            complaints += _check_call(expr)
            if formats and expr.function == _FORMAT:
                complaints += _check_format(expr)
        elif isinstance(expr, CreateList) and not (formats and in_format):
            complaints += _check_list(expr)
        elif isinstance(expr, CreateMap) and not (formats and in_format):
            complaints += _check_map(expr)
    return complaints


def _walk(root: Expr, in_format: bool) -> Iterator[tuple[Expr, bool]]:
    """Every node that has parts, after its parts, and whether it is somewhere inside an argument of `format`."""
    left = [(root, in_format)]
    found: list[tuple[Expr, bool]] = []
    while left:
        expr, inside = left.pop()
        if isinstance(expr, (Literal, Ident)):
            continue
        found.append((expr, inside))
        inside = inside or (isinstance(expr, Call) and expr.function == _FORMAT)
        left += [(child, inside) for child in children(expr)]
    return reversed(found)


def _check_call(expr: Call) -> Iterator[Complaint]:
    check = _LITERAL_CHECKS.get(expr.function)
    if check is None or not expr.args:
        return
    literal = expr.args[0]
    if isinstance(literal, Literal) and not check(expr, literal):
        yield Complaint(literal.offset, f"invalid {expr.function} argument")


def _converts(expr: Call, literal: Literal) -> bool:
    for overload in _CONVERSIONS[expr.function].overloads:
        if accepts(overload.params[0], literal.value) and overload.implementation is not None:
            try:
                overload.implementation(literal.value)
            except EvalFailure:
                return False
            return True
    return False


def _is_pattern(_: Call, literal: Literal) -> bool:
    try:
        compile_pattern(literal.value)
    except InvalidPattern:
        return False
    return True


_LITERAL_CHECKS: dict[str, Callable[[Call, Literal], bool]] = {
    "duration": _converts,
    "timestamp": _converts,
    "matches": _is_pattern,
}


def _mismatch(expr: Expr, expected: CelType, found: CelType) -> Complaint:
    return Complaint(expr.offset, f"expected type '{expected.text}' but found '{found.text}'")


def _check_list(expr: CreateList) -> Iterator[Complaint]:
    expected: CelType | None = None
    for index, element in enumerate(expr.elements):
        found = _unwrapped(element.type) if index in expr.optional_indices else element.type
        if expected is None:
            expected = found
        elif expected != found:
            yield _mismatch(element, expected, found)
            return


def _check_map(expr: CreateMap) -> Iterator[Complaint]:
    if not expr.entries:
        return
    first = expr.entries[0]
    keys = first.key_expr.type
    values = _unwrapped(first.value.type) if first.optional else first.value.type
    for entry in expr.entries[1:]:
        if entry.key_expr.type != keys:
            yield _mismatch(entry.key_expr, keys, entry.key_expr.type)
        found = _unwrapped(entry.value.type) if entry.optional else entry.value.type
        if found != values:
            yield _mismatch(entry.value, values, found)


def _unwrapped(found: CelType) -> CelType:
    return found.params[0] if found.params else found


def _check_format(expr: Call) -> Iterator[Complaint]:
    """A literal format text against the types of a literal list of arguments."""
    text = expr.target
    if (
        not isinstance(text, Literal)
        or not isinstance(text.value, str)
        or "string_format" not in expr.overloads
    ):
        return
    if len(expr.args) != 1 or not isinstance(expr.args[0], CreateList):
        return
    elements = expr.args[0].elements
    used = 0
    try:
        for part in read_clauses(text.value, len(elements)):
            if isinstance(part, Clause):
                used += 1
                culprit = _unformattable(part.verb.lower(), elements[part.argument])
                if culprit is not None:
                    what = f"{FAULTS[part.verb.lower()]} {culprit.type.name}"
                    yield Complaint(culprit.offset, f"error during formatting: {what}")
                    return
    except EvalFailure as failure:
        yield Complaint(expr.offset, failure.message)
        return
    if len(elements) > used:
        supplied = f"expected {used}, got {len(elements)}"
        yield Complaint(expr.offset, f"too many arguments supplied to string.format ({supplied})")


def _unformattable(verb: str, expr: Expr) -> Expr | None:
    """The first part of an argument whose type the clause does not take."""
    if expr.type.kind is not Kind.DYN and expr.type.kind not in _CLAUSE_KINDS[verb]:
        return expr
    if verb != "s" or not isinstance(expr, CreateList | CreateMap):
        return None
    for child in children(expr):
        culprit = _unformattable(verb, child)
        if culprit is not None:
            return culprit
    return None
