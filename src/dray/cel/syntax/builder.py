"""Makes nodes: numbers them, expands macros, balances chains of `&&` and `||`.

Both parsers build through this, so that the same text always gives the same tree. A macro that matches but is
misused raises `MacroMisuse`; the parsers decide how to report it.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from dray.cel.ast import (
    ACCUMULATOR,
    Call,
    Comprehension,
    CreateList,
    CreateMap,
    CreateMessage,
    Entry,
    Expr,
    Ident,
    Literal,
    Missing,
    Select,
    Value,
)


class MacroMisuse(Exception):
    """A macro was called with arguments it cannot use; `offset` is the place of the offending one."""

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message


MacroKey: TypeAlias = tuple[str, int, bool]
"""Function name, number of arguments, whether it is called on a target."""

Expander: TypeAlias = "Callable[[Builder, int, Expr | None, list[Expr]], Expr | None]"
"""Given the offset of the call, its target and arguments: the expansion, or None to leave the call alone."""

Macros: TypeAlias = Mapping[MacroKey, Expander]


class Builder:
    """Node factory for one expression."""

    __slots__ = ("_next_id", "macros")

    def __init__(self, macros: Macros) -> None:
        self.macros = macros
        self._next_id = 0

    def next_id(self) -> int:
        self._next_id += 1
        return self._next_id

    def missing(self, offset: int) -> Missing:
        return Missing(self.next_id(), offset)

    def literal(self, offset: int, value: Value) -> Literal:
        return Literal(self.next_id(), offset, value)

    def ident(self, offset: int, name: str) -> Ident:
        return Ident(self.next_id(), offset, name)

    def accumulator(self, offset: int) -> Ident:
        return Ident(self.next_id(), offset, ACCUMULATOR)

    def select(self, offset: int, operand: Expr, field: str, *, test_only: bool = False) -> Select:
        return Select(self.next_id(), offset, operand, field, test_only=test_only)

    def create_list(
        self, offset: int, elements: list[Expr], optional_indices: frozenset[int] = frozenset()
    ) -> Expr:
        return CreateList(self.next_id(), offset, elements, optional_indices)

    def create_map(self, offset: int, entries: list[Entry]) -> Expr:
        return CreateMap(self.next_id(), offset, entries)

    def create_message(self, offset: int, name: str, entries: list[Entry]) -> Expr:
        return CreateMessage(self.next_id(), offset, name, entries)

    def entry(self, offset: int, key: Expr | str, value: Expr, *, optional: bool = False) -> Entry:
        return Entry(self.next_id(), offset, key, value, optional=optional)

    def call(self, offset: int, function: str, *args: Expr, target: Expr | None = None) -> Call:
        """A call that is never a macro."""
        return Call(self.next_id(), offset, function, list(args), target)

    def call_or_macro(self, offset: int, function: str, args: list[Expr], target: Expr | None = None) -> Expr:
        """A call as written, expanded where it names a macro. Raises MacroMisuse."""
        expand = self.macros.get((function, len(args), target is not None))
        if expand is not None:
            expansion = expand(self, offset, target, args)
            if expansion is not None:
                return expansion
        return Call(self.next_id(), offset, function, args, target)

    def fold(
        self,
        offset: int,
        iter_range: Expr,
        iter_var: str,
        *,
        accu_init: Expr,
        condition: Expr,
        step: Expr,
        result: Expr,
        accu_var: str = ACCUMULATOR,
        iter_var2: str = "",
    ) -> Comprehension:
        return Comprehension(
            self.next_id(),
            offset,
            iter_range=iter_range,
            iter_var=iter_var,
            iter_var2=iter_var2,
            accu_var=accu_var,
            accu_init=accu_init,
            condition=condition,
            step=step,
            result=result,
        )

    def balanced(self, function: str, terms: list[Expr], offsets: list[int]) -> Expr:
        """`a && b && c` as a tree of logarithmic depth; `offsets` are those of the operators between `terms`."""
        return terms[0] if len(terms) == 1 else self._balanced(function, terms, offsets, 0, len(offsets) - 1)

    def _balanced(self, function: str, terms: list[Expr], offsets: list[int], low: int, high: int) -> Expr:
        middle = (low + high + 1) // 2
        left = terms[middle] if middle == low else self._balanced(function, terms, offsets, low, middle - 1)
        right = (
            terms[middle + 1]
            if middle == high
            else self._balanced(function, terms, offsets, middle + 1, high)
        )
        return self.call(offsets[middle], function, left, right)

    def copy(self, expr: Expr) -> Expr:
        """The same expression with ids of its own."""
        new = self.next_id()
        match expr:
            case Literal():
                return Literal(new, expr.offset, expr.value)
            case Ident():
                return Ident(new, expr.offset, expr.name)
            case Select():
                operand = self.copy(expr.operand)
                return Select(new, expr.offset, operand, expr.field, test_only=expr.test_only)
            case Call():
                args = [self.copy(arg) for arg in expr.args]
                target = None if expr.target is None else self.copy(expr.target)
                return Call(new, expr.offset, expr.function, args, target)
            case CreateList():
                elements = [self.copy(element) for element in expr.elements]
                return CreateList(new, expr.offset, elements, expr.optional_indices)
            case CreateMap():
                return CreateMap(new, expr.offset, [self._copy_entry(entry) for entry in expr.entries])
            case CreateMessage():
                entries = [self._copy_entry(entry) for entry in expr.entries]
                return CreateMessage(new, expr.offset, expr.name, entries)
            case Comprehension():
                return self._copy_fold(new, expr)
            case _:
                return Missing(new, expr.offset)

    def _copy_entry(self, entry: Entry) -> Entry:
        key = self.copy(entry.key) if isinstance(entry.key, Expr) else entry.key
        return Entry(self.next_id(), entry.offset, key, self.copy(entry.value), optional=entry.optional)

    def _copy_fold(self, new: int, fold: Comprehension) -> Comprehension:
        return Comprehension(
            new,
            fold.offset,
            iter_range=self.copy(fold.iter_range),
            iter_var=fold.iter_var,
            iter_var2=fold.iter_var2,
            accu_var=fold.accu_var,
            accu_init=self.copy(fold.accu_init),
            condition=self.copy(fold.condition),
            step=self.copy(fold.step),
            result=self.copy(fold.result),
        )
