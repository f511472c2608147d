"""Equality and order as source: Python's operators where classes are known, exact functions where they are not."""

from collections.abc import Callable
from typing import Any, Final

from dray.api.quantity import Quantity
from dray.api.semver import Semver
from dray.cel.ast import Call, Literal
from dray.cel.codegen import runtime
from dray.cel.codegen.code import Code
from dray.cel.codegen.emitter import Emitter
from dray.cel.library import operators
from dray.cel.values.comparison import equal

ORDERINGS: Final[dict[str, tuple[str, Callable[..., Any]]]] = {
    "_<_": ("<", operators.less),
    "_<=_": ("<=", operators.less_equals),
    "_>_": (">", operators.greater),
    "_>=_": (">=", operators.greater_equals),
}
KEYS: Final = {"isGreaterThan": ">", "isLessThan": "<"}
_MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_SIMPLE: Final = (bool, int, str, bytes, Quantity, Semver)
"""Classes whose values Python holds equal as CEL does."""
_DIRECT: Final = (int, str)
"""Classes whose values Python orders as CEL does."""
_ATTRIBUTE: Final = {Quantity: "nanos", Semver: "precedence"}
"""Where a value keeps what decides its order."""


def equality(emitter: Emitter, expr: Call) -> Code:
    left, right = (emitter.emit(arg) for arg in expr.args)
    source = _equality(emitter, left, right)
    return Code(f"(not {source})" if expr.function == "_!=_" else source, bool)


def _equality(emitter: Emitter, left: Code, right: Code) -> str:
    exact = emitter.name(equal)
    if left.known is right.known and left.known in _SIMPLE:
        return _simple_equality(emitter, left, right)
    if left.known in _SIMPLE and right.known is None:
        return _tested(emitter, right, left, lambda value: f"{left.source} == {value}", exact, swapped=True)
    if right.known in _SIMPLE and left.known is None:
        return _tested(emitter, left, right, lambda value: f"{value} == {right.source}", exact)
    return f"{exact}({left.source}, {right.source})"


def _simple_equality(emitter: Emitter, left: Code, right: Code) -> str:
    key = _ATTRIBUTE.get(left.known) if left.known is not None else None
    if key is None:
        return f"({left.source} == {right.source})"
    return f"({_order_key(emitter, left, key)} == {_order_key(emitter, right, key)})"


def _order_key(emitter: Emitter, code: Code, key: str) -> str:
    if code.is_constant:
        return emitter.name(getattr(code.constant, key))
    return f"{code.source}.{key}"


def _tested(
    emitter: Emitter,
    unknown: Code,
    other: Code,
    plain: Callable[[str], str],
    exact: str,
    *,
    swapped: bool = False,
) -> str:
    """`plain` where the unknown value turns out to be of the other's class, `exact` where not."""
    value = emitter.body.temporary()
    assert other.known is not None
    expected = emitter.name(other.known)
    args = f"{other.source}, {value}" if swapped else f"{value}, {other.source}"
    return f"({plain(value)} if ({value} := {unknown.source}).__class__ is {expected} else {exact}({args}))"


def ordering(emitter: Emitter, expr: Call) -> Code:
    sign, exact = ORDERINGS[expr.function]
    compared = _compare_to(emitter, expr, sign)
    if compared is not None:
        return compared
    left, right = (emitter.emit(arg) for arg in expr.args)
    name = emitter.name(exact)
    if left.known is right.known and left.known in _DIRECT:
        return Code(f"({left.source} {sign} {right.source})", bool)
    if left.known is None and right.known in _DIRECT:
        return Code(_tested(emitter, left, right, lambda value: f"{value} {sign} {right.source}", name), bool)
    if right.known is None and left.known in _DIRECT:
        tested = _tested(
            emitter, right, left, lambda value: f"{left.source} {sign} {value}", name, swapped=True
        )
        return Code(tested, bool)
    return Code(f"{name}({left.source}, {right.source})", bool)


def _compare_to(emitter: Emitter, expr: Call, sign: str) -> Code | None:
    """`a.compareTo(b) >= 0` and its like, without the detour over a number."""
    left, right = expr.args
    if isinstance(left, Literal):
        left, right, sign = right, left, _MIRRORED[sign]
    is_call = isinstance(left, Call) and left.function == "compareTo" and left.target is not None
    if not is_call or not isinstance(right, Literal) or right.value != 0 or type(right.value) is not int:
        return None
    assert isinstance(left, Call)
    return _ordered_values(emitter, left, sign)


def comparison(emitter: Emitter, expr: Call) -> Code | None:
    """`a.isGreaterThan(b)` of quantities and versions."""
    return _ordered_values(emitter, expr, KEYS[expr.function])


def _ordered_values(emitter: Emitter, expr: Call, sign: str) -> Code | None:
    assert expr.target is not None
    left, right = emitter.emit(expr.target), emitter.emit(expr.args[0])
    if right.known not in _ATTRIBUTE or left.known not in (None, right.known):
        return None
    assert right.known is not None
    key = _ATTRIBUTE[right.known]
    right_source = _order_key(emitter, right, key)
    if left.known is not None:
        return Code(f"({_order_key(emitter, left, key)} {sign} {right_source})", bool)
    value = emitter.body.temporary()
    test = f"({value} := {left.source}).__class__ is {emitter.name(right.known)}"
    otherwise = f"{emitter.name(runtime.undecided)}()"
    return Code(f"({value}.{key} {sign} {right_source} if {test} else {otherwise})", bool)
