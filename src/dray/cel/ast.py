"""Expressions as trees.

The parser builds nodes, macros rewrite them, the checker writes `type`, `overloads` and resolved names into them;
afterwards they are read only. `id` is unique within one expression: the cost model names steps by it. `offset` is
where complaints about the node point. A comprehension is what macros such as `all` and `map` expand to.
"""

from typing import Any, TypeAlias

from dray.cel.types import CelType

Value: TypeAlias = Any
"""A run-time value; see `dray.cel.values`."""


class Expr:
    """A node. `overloads` are the overload ids that the checker considers possible, in order of declaration."""

    __slots__ = ("id", "offset", "overloads", "type")

    type: CelType

    def __init__(self, id: int, offset: int) -> None:
        self.id = id
        self.offset = offset
        self.overloads: tuple[str, ...] = ()


class Missing(Expr):
    """What the parser could not read; only ever seen beside a complaint."""

    __slots__ = ()


class Literal(Expr):
    """A constant: null, bool, int, uint, double, string or bytes."""

    __slots__ = ("value",)

    def __init__(self, id: int, offset: int, value: Value) -> None:
        super().__init__(id, offset)
        self.value = value


class Ident(Expr):
    """A name. The checker replaces `name` by the declared one and sets `constant` for type names and enums."""

    __slots__ = ("constant", "name")

    def __init__(self, id: int, offset: int, name: str) -> None:
        super().__init__(id, offset)
        self.name = name
        self.constant: Value | None = None


class Select(Expr):
    """`operand.field`, or `has(operand.field)` where `test_only`.

    Where the checker finds that the whole is a qualified name, it sets `resolved` to that identifier.
    """

    __slots__ = ("field", "operand", "resolved", "test_only")

    def __init__(self, id: int, offset: int, operand: Expr, field: str, *, test_only: bool = False) -> None:
        super().__init__(id, offset)
        self.operand = operand
        self.field = field
        self.test_only = test_only
        self.resolved: Ident | None = None


class Call(Expr):
    """`function(args)` or, with a target, `target.function(args)`. Operators are functions such as `_+_`."""

    __slots__ = ("args", "function", "target")

    def __init__(
        self, id: int, offset: int, function: str, args: list[Expr], target: Expr | None = None
    ) -> None:
        super().__init__(id, offset)
        self.function = function
        self.args = args
        self.target = target


class CreateList(Expr):
    """`[a, ?b]`; `optional_indices` are those written with a question mark."""

    __slots__ = ("elements", "optional_indices")

    def __init__(
        self, id: int, offset: int, elements: list[Expr], optional_indices: frozenset[int] = frozenset()
    ):
        super().__init__(id, offset)
        self.elements = elements
        self.optional_indices = optional_indices


class Entry:
    """One `key: value` of a map literal, or `field: value` of a message; `offset` is that of the colon."""

    __slots__ = ("id", "key", "offset", "optional", "value")

    def __init__(self, id: int, offset: int, key: Expr | str, value: Expr, *, optional: bool = False) -> None:
        self.id = id
        self.offset = offset
        self.key = key
        self.value = value
        self.optional = optional

    @property
    def key_expr(self) -> Expr:
        assert isinstance(self.key, Expr)
        return self.key


class CreateMap(Expr):
    """`{key: value}`."""

    __slots__ = ("entries",)

    def __init__(self, id: int, offset: int, entries: list[Entry]) -> None:
        super().__init__(id, offset)
        self.entries = entries


class CreateMessage(Expr):
    """`Name{field: value}`; the checker replaces `name` by the full one."""

    __slots__ = ("entries", "name")

    def __init__(self, id: int, offset: int, name: str, entries: list[Entry]) -> None:
        super().__init__(id, offset)
        self.name = name
        self.entries = entries


class Comprehension(Expr):
    """A fold: for each item of `range` that `condition` lets through, `accu` becomes `step`; then `result`.

    With `iter_var2`, the first variable is the index or key and the second the element or value.
    """

    __slots__ = (
        "accu_init",
        "accu_var",
        "condition",
        "iter_range",
        "iter_var",
        "iter_var2",
        "result",
        "step",
    )

    def __init__(
        self,
        id: int,
        offset: int,
        *,
        iter_range: Expr,
        iter_var: str,
        iter_var2: str = "",
        accu_var: str,
        accu_init: Expr,
        condition: Expr,
        step: Expr,
        result: Expr,
    ) -> None:
        super().__init__(id, offset)
        self.iter_range = iter_range
        self.iter_var = iter_var
        self.iter_var2 = iter_var2
        self.accu_var = accu_var
        self.accu_init = accu_init
        self.condition = condition
        self.step = step
        self.result = result

    @property
    def is_bind(self) -> bool:
        """Whether this only names a value, as `cel.bind` does: nothing to iterate over."""
        return (
            isinstance(self.iter_range, CreateList)
            and not self.iter_range.elements
            and isinstance(self.condition, Literal)
            and self.condition.value is False
        )


ACCUMULATOR = "@result"
"""The accumulator of macros; no source text can spell it."""

UNUSED = "#unused"
"""The iteration variable of comprehensions that do not iterate."""


def children(expr: Expr) -> list[Expr]:
    """The direct sub-expressions, in the order in which cel-go walks them."""
    match expr:
        case Select():
            return [expr.operand]
        case Call():
            return [expr.target, *expr.args] if expr.target is not None else expr.args
        case CreateList():
            return expr.elements
        case CreateMap():
            return [child for entry in expr.entries for child in (entry.key_expr, entry.value)]
        case CreateMessage():
            return [entry.value for entry in expr.entries]
        case Comprehension():
            return [expr.iter_range, expr.accu_init, expr.condition, expr.step, expr.result]
        case _:
            return []


def qualified_name(expr: Expr) -> str | None:
    """`a.b.c` where the expression is nothing but names and dots."""
    if isinstance(expr, Ident):
        return expr.name
    if isinstance(expr, Select) and not expr.test_only:
        prefix = qualified_name(expr.operand)
        return None if prefix is None else f"{prefix}.{expr.field}"
    return None
