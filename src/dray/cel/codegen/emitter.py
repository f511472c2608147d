"""A checked tree as Python source that is right whenever it does not raise.

Where the checker knows the types of operands, the source is the plain Python operator; where it does not, the class is
tested first and anything unexpected left to functions that are exact, or to the interpreter. What has no counterpart
here raises `NotGenerated`: the expression is then interpreted.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from dray.cel.ast import Expr
from dray.cel.codegen import runtime
from dray.cel.codegen.code import Body, Code, NotGenerated, known_class
from dray.cel.declarations import Declarations
from dray.cel.types import CelType

Emit: TypeAlias = "Callable[[Emitter, Any], Code]"
"""Writes one kind of expression. Raises NotGenerated."""

_MAX_DEPTH: Final = 60


class Emitter:
    """Writes the functions for one expression: the main one, and one for each loop."""

    __slots__ = ("_depth", "_nodes", "body", "declarations", "fields", "functions")

    def __init__(
        self,
        body: Body,
        declarations: Declarations,
        fields: Mapping[str, str],
        nodes: Mapping[type[Expr], Emit],
    ) -> None:
        self.body = body
        """The function that is being written."""
        self.declarations = declarations
        self.fields = fields
        """How the input's own fields are read, by `variable.field`."""
        self._nodes = nodes
        self._depth = 0
        self.functions: list[str] = []

    def emit(self, expr: Expr) -> Code:
        """Raises NotGenerated."""
        emit = self._nodes.get(type(expr))
        self._depth += 1
        if emit is None or self._depth > _MAX_DEPTH:
            raise NotGenerated
        code = emit(self, expr)
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
