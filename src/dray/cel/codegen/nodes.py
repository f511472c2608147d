"""Each kind of expression as source: what it reads, calls, or is made of."""

from collections.abc import Mapping
from typing import Final

from dray.cel.ast import Call, Comprehension, CreateList, CreateMap, Expr, Ident, Literal, Select
from dray.cel.codegen import runtime
from dray.cel.codegen.calls import CALLS
from dray.cel.codegen.code import Code, NotGenerated, is_domain_map, known_class
from dray.cel.codegen.emitter import Emit, Emitter
from dray.cel.codegen.loops import comprehension
from dray.cel.errors import EvalAborted, EvalFailure
from dray.cel.interpret.plan import function_binding
from dray.cel.types import Kind
from dray.cel.values.container import DomainMap


def _literal(emitter: Emitter, expr: Literal) -> Code:
    return emitter.constant(expr.value)


def _ident(emitter: Emitter, expr: Ident) -> Code:
    if expr.constant is not None:
        return emitter.constant(expr.constant)
    variable = emitter.body.variables.get(expr.name)
    if variable is None:
        raise NotGenerated
    return variable


def _select(emitter: Emitter, expr: Select) -> Code:
    if expr.resolved is not None:
        return _ident(emitter, expr.resolved)
    field = _input_field(emitter, expr)
    if field is not None:
        return Code("True", bool) if expr.test_only else field
    operand = emitter.emit(expr.operand)
    key = emitter.name(expr.field)
    if expr.operand.type.is_optional:
        raise NotGenerated
    if expr.test_only:
        if expr.operand.type.kind is Kind.MAP and not is_domain_map(operand):
            return Code(f"({key} in {operand.source})", bool)
        return Code(f"{emitter.name(runtime.has_key)}({operand.source}, {key})", bool)
    return emitter.typed(f"{operand.source}[{key}]", expr.type)


def _input_field(emitter: Emitter, expr: Select) -> Code | None:
    """A field of the input itself, such as `device.driver`."""
    if not isinstance(expr.operand, Ident) or expr.operand.name in emitter.body.variables:
        return None
    source = emitter.fields.get(f"{expr.operand.name}.{expr.field}")
    if source is None:
        return None
    known = DomainMap if expr.type.kind is Kind.MAP else known_class(expr.type)
    return Code(source, known)


def _call(emitter: Emitter, expr: Call) -> Code:
    emit = CALLS.get(expr.function)
    if emit is not None:
        code: Code | None = emit(emitter, expr)
        if code is not None:
            return code
    return _function(emitter, expr)


def _function(emitter: Emitter, expr: Call) -> Code:
    """Any other function: called, or evaluated now where all arguments are constant."""
    args = _operands(emitter, expr)
    function = emitter.declarations.functions.get(expr.function)
    if function is None or expr.function in ("or", "orValue", "_[_]", "_?._", "_[?_]"):
        raise NotGenerated
    overload = expr.overloads[0] if len(expr.overloads) == 1 else ""
    apply = function_binding(function, overload)
    if all(arg.is_constant for arg in args):
        try:
            return emitter.constant(apply(*(arg.constant for arg in args)))
        except (EvalFailure, EvalAborted):
            return Code(f"{emitter.name(runtime.undecided)}()")
    return emitter.typed(f"{emitter.name(apply)}({', '.join(arg.source for arg in args)})", expr.type)


def _operands(emitter: Emitter, expr: Call) -> list[Code]:
    operands = expr.args if expr.target is None else [expr.target, *expr.args]
    return [emitter.emit(operand) for operand in operands]


def _create_list(emitter: Emitter, expr: CreateList) -> Code:
    if expr.optional_indices:
        raise NotGenerated
    elements = [emitter.emit(element) for element in expr.elements]
    if all(element.is_constant for element in elements):
        return emitter.constant([element.constant for element in elements])
    return Code(f"[{', '.join(element.source for element in elements)}]", list)


def _create_map(emitter: Emitter, expr: CreateMap) -> Code:
    entries = []
    for entry in expr.entries:
        key, value = emitter.emit(entry.key_expr), emitter.emit(entry.value)
        if entry.optional or key.known is not str:
            raise NotGenerated
        entries.append((key, value))
    if all(key.is_constant and value.is_constant for key, value in entries):
        return emitter.constant({key.constant: value.constant for key, value in entries})
    return Code(f"{{{', '.join(f'{key.source}: {value.source}' for key, value in entries)}}}", dict)


NODES: Final[Mapping[type[Expr], Emit]] = {
    Literal: _literal,
    Ident: _ident,
    Select: _select,
    Call: _call,
    CreateList: _create_list,
    CreateMap: _create_map,
    Comprehension: comprehension,
}
