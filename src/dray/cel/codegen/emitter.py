"""A checked tree as Python source that is right whenever it does not raise.

Where the checker knows the types of operands, the source is the plain Python operator; where it does not, the class is
tested first and anything unexpected left to functions that are exact, or to the interpreter. What has no counterpart
here raises `NotGenerated`: the expression is then interpreted.
"""

from collections.abc import Mapping
from typing import Any, Final

from dray.cel.ast import (
    Call,
    Comprehension,
    CreateList,
    CreateMap,
    Expr,
    Ident,
    Literal,
    Select,
)
from dray.cel.codegen import runtime
from dray.cel.codegen.calls import CALLS
from dray.cel.codegen.code import Body, Code, NotGenerated, is_domain_map, known_class
from dray.cel.codegen.loops import comprehension
from dray.cel.declarations import Declarations
from dray.cel.errors import EvalAborted, EvalFailure
from dray.cel.interpret.plan import function_binding
from dray.cel.types import CelType, Kind
from dray.cel.values.container import DomainMap

_MAX_DEPTH: Final = 60


class Emitter:
    """Writes the functions for one expression: the main one, and one for each loop."""

    __slots__ = ("_declarations", "_depth", "_fields", "body", "functions")

    def __init__(self, body: Body, declarations: Declarations, fields: Mapping[str, str]) -> None:
        """`fields`: how the input's own fields are read, by `variable.field`."""
        self.body = body
        """The function that is being written."""
        self._declarations = declarations
        self._fields = fields
        self._depth = 0
        self.functions: list[str] = []

    def emit(self, expr: Expr) -> Code:
        """Raises NotGenerated."""
        emit = _EMITS.get(type(expr))
        self._depth += 1
        if emit is None or self._depth > _MAX_DEPTH:
            raise NotGenerated
        code: Code = emit(self, expr)
        self._depth -= 1
        return code

    def constant(self, value: Any) -> Code:
        return self.body.constants.code(value)

    def name(self, value: Any) -> str:
        """What generated code calls this very object."""
        return self.body.constants.name(value)

    def condition(self, expr: Expr) -> str:
        """Source that is True or False, or raises."""
        code = self.emit(expr)
        if code.known is bool:
            return code.source
        return f"{self.name(runtime.is_true)}({code.source})"

    def typed(self, source: str, declared: CelType) -> Code:
        """Source of a value of a type."""
        return Code(source, known_class(declared))

    def literal(self, expr: Literal) -> Code:
        return self.constant(expr.value)

    def ident(self, expr: Ident) -> Code:
        if expr.constant is not None:
            return self.constant(expr.constant)
        variable = self.body.variables.get(expr.name)
        if variable is None:
            raise NotGenerated
        return variable

    def select(self, expr: Select) -> Code:
        if expr.resolved is not None:
            return self.ident(expr.resolved)
        field = self._input_field(expr)
        if field is not None:
            return Code("True", bool) if expr.test_only else field
        operand = self.emit(expr.operand)
        key = self.name(expr.field)
        if expr.operand.type.is_optional:
            raise NotGenerated
        if expr.test_only:
            if expr.operand.type.kind is Kind.MAP and not is_domain_map(operand):
                return Code(f"({key} in {operand.source})", bool)
            return Code(f"{self.name(runtime.has_key)}({operand.source}, {key})", bool)
        return self.typed(f"{operand.source}[{key}]", expr.type)

    def _input_field(self, expr: Select) -> Code | None:
        """A field of the input itself, such as `device.driver`."""
        if not isinstance(expr.operand, Ident) or expr.operand.name in self.body.variables:
            return None
        source = self._fields.get(f"{expr.operand.name}.{expr.field}")
        if source is None:
            return None
        known = DomainMap if expr.type.kind is Kind.MAP else known_class(expr.type)
        return Code(source, known)

    def call(self, expr: Call) -> Code:
        emit = CALLS.get(expr.function)
        if emit is not None:
            code: Code | None = emit(self, expr)
            if code is not None:
                return code
        return self._function(expr)

    def _function(self, expr: Call) -> Code:
        """Any other function: called, or evaluated now where all arguments are constant."""
        args = self._operands(expr)
        function = self._declarations.functions.get(expr.function)
        if function is None or expr.function in ("or", "orValue", "_[_]", "_?._", "_[?_]"):
            raise NotGenerated
        overload = expr.overloads[0] if len(expr.overloads) == 1 else ""
        apply = function_binding(function, overload)
        if all(arg.is_constant for arg in args):
            try:
                return self.constant(apply(*(arg.constant for arg in args)))
            except (EvalFailure, EvalAborted):
                return Code(f"{self.name(runtime.undecided)}()")
        return self.typed(f"{self.name(apply)}({', '.join(arg.source for arg in args)})", expr.type)

    def _operands(self, expr: Call) -> list[Code]:
        operands = expr.args if expr.target is None else [expr.target, *expr.args]
        return [self.emit(operand) for operand in operands]

    def create_list(self, expr: CreateList) -> Code:
        if expr.optional_indices:
            raise NotGenerated
        elements = [self.emit(element) for element in expr.elements]
        if all(element.is_constant for element in elements):
            return self.constant([element.constant for element in elements])
        return Code(f"[{', '.join(element.source for element in elements)}]", list)

    def create_map(self, expr: CreateMap) -> Code:
        entries = []
        for entry in expr.entries:
            key, value = self.emit(entry.key_expr), self.emit(entry.value)
            if entry.optional or key.known is not str:
                raise NotGenerated
            entries.append((key, value))
        if all(key.is_constant and value.is_constant for key, value in entries):
            return self.constant({key.constant: value.constant for key, value in entries})
        return Code(f"{{{', '.join(f'{key.source}: {value.source}' for key, value in entries)}}}", dict)


_EMITS: Final[Mapping[type, Any]] = {
    Literal: Emitter.literal,
    Ident: Emitter.ident,
    Select: Emitter.select,
    Call: Emitter.call,
    CreateList: Emitter.create_list,
    CreateMap: Emitter.create_map,
    Comprehension: comprehension,
}
