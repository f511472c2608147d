"""What the cost estimate knows of a part of an expression: where its value comes from, its type, its size."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from dray.cel.ast import Expr, Literal
from dray.cel.cost.bounds import ANY_SIZE, Bounds
from dray.cel.types import CelType

Path: TypeAlias = tuple[str, ...]
"""From a variable through field names, `@items`, `@keys` and `@values`; () where the value is computed."""

SizeHint: TypeAlias = Callable[[Path], Bounds | None]
"""The size of what lies at a path of the input, where the environment bounds it."""


class Node(NamedTuple):
    """`size` is known from the expression itself; `hint` may know more from the path."""

    path: Path
    type: CelType
    expr: Expr | None
    size: Bounds | None
    hint: SizeHint

    def bounds(self) -> Bounds:
        """The size: computed, or bounded by the environment, or anything."""
        if self.size is not None:
            return self.size
        hinted = self.hint(self.path) if self.path else None
        return ANY_SIZE if hinted is None else hinted

    def computed(self) -> Bounds:
        """The computed size, or anything."""
        return ANY_SIZE if self.size is None else self.size

    def element(self) -> "Node | None":
        """An element of this list."""
        if not self.type.params:
            return None
        path = (*self.path, "@items") if self.path else ()
        return Node(path, self.type.params[0], None, None, self.hint)

    def int_literal(self, default: int) -> int:
        """The value where this is a literal int (negative ones count as 0), else `default`."""
        if isinstance(self.expr, Literal) and type(self.expr.value) is int:
            return max(0, int(self.expr.value))
        return default


class CallEstimate(NamedTuple):
    """The cost of a call without that of its arguments, and the size of its result where it has one."""

    cost: Bounds
    size: Bounds | None = None
