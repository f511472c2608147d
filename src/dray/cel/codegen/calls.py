"""Calls as source, by function: each gives the Python that does the same, or None where it has nothing better than a call."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from dray.cel.ast import Call, Expr, Literal
from dray.cel.codegen import runtime
from dray.cel.codegen.code import Code, NotGenerated, is_domain_map
from dray.cel.codegen.comparisons import KEYS, ORDERINGS, comparison, equality, ordering
from dray.cel.codegen.emitter import Emitter
from dray.cel.codegen.texts import formatted, pattern_test, text_test
from dray.cel.library import operators
from dray.cel.types import Kind
from dray.cel.values.number import MAX_INT, MIN_INT

EmitCall: TypeAlias = "Callable[[Emitter, Call], Code | None]"

_ARITHMETIC: Final[dict[str, tuple[str, Callable[..., Any]]]] = {
    "_+_": ("+", operators.add),
    "_-_": ("-", operators.subtract),
    "_*_": ("*", operators.multiply),
}


def logic(emitter: Emitter, expr: Call) -> Code:
    word = "and" if expr.function == "_&&_" else "or"
    left, right = (emitter.condition(arg) for arg in expr.args)
    return Code(f"({left} {word} {right})", bool)


def negation(emitter: Emitter, expr: Call) -> Code:
    return Code(f"(not {emitter.condition(expr.args[0])})", bool)


def conditional(emitter: Emitter, expr: Call) -> Code:
    condition = emitter.condition(expr.args[0])
    if_true, if_false = emitter.emit(expr.args[1]), emitter.emit(expr.args[2])
    known = if_true.known if if_true.known is if_false.known else None
    return Code(f"({if_true.source} if {condition} else {if_false.source})", known)


def arithmetic(emitter: Emitter, expr: Call) -> Code:
    sign, exact = _ARITHMETIC[expr.function]
    left, right = (emitter.emit(arg) for arg in expr.args)
    if left.known is int and right.known is int:
        value = emitter.body.temporary()
        low, high = emitter.name(MIN_INT), emitter.name(MAX_INT)
        fits = f"{low} <= ({value} := {left.source} {sign} {right.source}) <= {high}"
        return Code(f"({value} if {fits} else {emitter.name(runtime.undecided)}())", int)
    return emitter.typed(f"{emitter.name(exact)}({left.source}, {right.source})", expr.type)


def membership(emitter: Emitter, expr: Call) -> Code:
    value, container = (emitter.emit(arg) for arg in expr.args)
    exact = emitter.name(operators.is_in)
    kind = expr.args[1].type.kind
    if container.is_constant and isinstance(container.constant, list):
        return _constant_membership(emitter, value, container.constant)
    if value.known is str and kind in (Kind.MAP, Kind.LIST):
        return Code(f"({value.source} in {container.source})", bool)
    return Code(f"{exact}({value.source}, {container.source})", bool)


def _constant_membership(emitter: Emitter, value: Code, items: list[Any]) -> Code:
    exact = f"{emitter.name(operators.is_in)}({{}}, {emitter.name(items)})"
    kinds = {type(item) for item in items}
    if len(kinds) != 1 or not kinds <= {str, int} or value.known not in (None, *kinds):
        return Code(exact.format(value.source), bool)
    members = emitter.name(frozenset(items))
    if value.known is not None:
        return Code(f"({value.source} in {members})", bool)
    found = emitter.body.temporary()
    expected = emitter.name(kinds.pop())
    test = f"({found} := {value.source}).__class__ is {expected}"
    return Code(f"({found} in {members} if {test} else {exact.format(found)})", bool)


def size(emitter: Emitter, expr: Call) -> Code:
    operand = emitter.emit(expr.args[0] if expr.target is None else expr.target)
    declared = (expr.args[0] if expr.target is None else expr.target).type.kind
    if declared in (Kind.STRING, Kind.LIST, Kind.MAP, Kind.BYTES):
        return Code(f"{emitter.name(len)}({operand.source})", int)
    return Code(f"{emitter.name(operators.size)}({operand.source})", int)


def dyn(emitter: Emitter, expr: Call) -> Code:
    return Code(emitter.emit(expr.args[0]).source)


def index(emitter: Emitter, expr: Call) -> Code:
    container, key = (emitter.emit(arg) for arg in expr.args)
    if expr.args[0].type.is_optional:
        raise NotGenerated
    if key.is_constant and type(key.constant) is str:
        return emitter.typed(f"{container.source}[{key.source}]", expr.type)
    return emitter.typed(f"{emitter.name(runtime.item)}({container.source}, {key.source})", expr.type)


def or_value(emitter: Emitter, expr: Call) -> Code:
    assert expr.target is not None
    present, value = _optional(emitter, expr.target)
    other = emitter.emit(expr.args[0])
    return Code(f"({value.source} if {present} else {other.source})")


def has_value(emitter: Emitter, expr: Call) -> Code:
    assert expr.target is not None
    return Code(f"({_optional(emitter, expr.target)[0]})", bool)


def _optional(emitter: Emitter, expr: Expr) -> tuple[str, Code]:
    """Whether `m.?k` or `m[?k]` is present, and its value if it is."""
    if not isinstance(expr, Call) or expr.function not in ("_?._", "_[?_]"):
        raise NotGenerated
    operand, key = expr.args
    if not isinstance(key, Literal) or type(key.value) is not str:
        raise NotGenerated
    present, container = "True", None
    if operand.type.is_optional:
        present, container = _optional(emitter, operand)
    elif operand.type.kind is Kind.MAP:
        container = emitter.emit(operand)
    if container is None:
        raise NotGenerated
    name = emitter.name(key.value)
    value = Code(f"{container.source}[{name}]")
    if is_domain_map(container):
        return present, value
    inner = operand.type.params[0] if operand.type.is_optional else operand.type
    if inner.kind is not Kind.MAP:
        raise NotGenerated
    here = f"{name} in {container.source}"
    return here if present == "True" else f"{present} and {here}", value


CALLS: Final[Mapping[str, EmitCall]] = {
    "_&&_": logic,
    "_||_": logic,
    "!_": negation,
    "_?_:_": conditional,
    "_==_": equality,
    "_!=_": equality,
    **dict.fromkeys(ORDERINGS, ordering),
    **dict.fromkeys(_ARITHMETIC, arithmetic),
    **dict.fromkeys(KEYS, comparison),
    "@in": membership,
    "size": size,
    "startsWith": text_test,
    "endsWith": text_test,
    "contains": text_test,
    "matches": pattern_test,
    "format": formatted,
    "dyn": dyn,
    "_[_]": index,
    "orValue": or_value,
    "hasValue": has_value,
}
