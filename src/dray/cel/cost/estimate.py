"""The least and the most an expression can cost, found without evaluating it.

A port of cel-go's estimator with Kubernetes' settings (`has()` is free). The API server refuses an expression whose
most exceeds the limit; this engine also uses it to decide whether an evaluation needs its costs counted.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from dray.cel.ast import (
    ACCUMULATOR,
    Call,
    Comprehension,
    CreateList,
    CreateMap,
    CreateMessage,
    Expr,
    Ident,
    Literal,
    Select,
)
from dray.cel.cost.bounds import (
    ANY_SIZE,
    LIST_COST,
    MAP_COST,
    MAX,
    MESSAGE_COST,
    ONE,
    ZERO,
    Bounds,
    exactly,
)
from dray.cel.cost.calls import BY_FUNCTION, BY_OVERLOAD, is_scalar
from dray.cel.cost.node import CallEstimate, Node, Path, SizeHint
from dray.cel.cost.standard import standard_cost
from dray.cel.types import Kind


class Entries(NamedTuple):
    """Sizes of the keys (or indices) and values of a container."""

    kind: Kind
    key: Bounds
    value: Bounds

    def union(self, other: "Entries") -> "Entries":
        return Entries(self.kind, self.key.union(other.key), self.value.union(other.value))


class _Local(NamedTuple):
    """A variable of a macro."""

    path: Path
    size: Bounds | None
    entries: Entries | None


def estimate_cost(root: Expr, hint: SizeHint) -> Bounds:
    """The cost of a checked expression. `hint` bounds the sizes of what comes from the input."""
    return _Estimator(hint).cost(root)


class _Estimator:
    __slots__ = ("_entries", "_hint", "_locals", "_paths", "_sizes")

    def __init__(self, hint: SizeHint) -> None:
        self._hint = hint
        self._paths: dict[int, Path] = {}
        self._sizes: dict[int, Bounds] = {}
        self._entries: dict[int, Entries] = {}
        self._locals: dict[str, list[_Local]] = {}

    def cost(self, expr: Expr) -> Bounds:
        cost = _COSTS.get(type(expr))
        result: Bounds = ZERO if cost is None else cost(self, expr)
        return result

    def _literal(self, expr: Literal) -> Bounds:
        return ZERO

    def _ident(self, expr: Ident) -> Bounds:
        self._paths[expr.id] = self._path_of_name(expr.name)
        return ONE

    def _path_of_name(self, name: str) -> Path:
        local = self._local(name)
        return (name,) if local is None else local.path

    def _local(self, name: str) -> _Local | None:
        stack = self._locals.get(name)
        return stack[-1] if stack else None

    def _select(self, expr: Select) -> Bounds:
        if expr.resolved is not None:
            # The checker made it a plain identifier.
            return self._ident(expr.resolved)
        cost = self.cost(expr.operand)
        if expr.test_only:
            return cost
        if expr.operand.type.kind in (Kind.MAP, Kind.STRUCT, Kind.PARAM):
            cost = cost.plus(ONE)
        self._paths[expr.id] = (*self._path(expr.operand), expr.field)
        return cost

    def _call(self, expr: Call) -> Bounds:
        if expr.function == "dyn":
            return self._dyn(expr)
        costs: list[Bounds] = []
        args: list[Node] = []
        for arg in expr.args:
            costs.append(self.cost(arg))
            args.append(self._node(arg))
        if not expr.overloads:
            return ZERO
        total = ZERO
        target: Node | None = None
        if expr.target is not None:
            total = self.cost(expr.target)
            target = self._node(expr.target)
        low, high = MAX, 0
        size: Bounds | None = None
        for overload in expr.overloads:
            call = self._call_cost(expr, overload, target, args, costs)
            low, high = min(low, call.cost.low), max(high, call.cost.high)
            size = self._result_size(expr, overload, size, call.size)
        if size is not None:
            self._sizes[expr.id] = size
        return total.plus(Bounds(low, high))

    def _result_size(
        self, expr: Call, overload: str, size: Bounds | None, found: Bounds | None
    ) -> Bounds | None:
        if found is not None:
            size = found if size is None else size.union(found)
        if overload in ("index_list", "index_map"):
            entries = self._entries_of(expr.args[0])
            size = None if entries is None else entries.value
            step = "@items" if overload == "index_list" else "@values"
            self._paths[expr.id] = (*self._path(expr.args[0]), step)
        return self._size(expr) if size is None else size

    def _dyn(self, expr: Call) -> Bounds:
        cost = self.cost(expr.args[0]).plus(ONE)
        self._copy_sizes(expr, expr.args[0])
        return cost

    def _call_cost(
        self, expr: Call, overload: str, target: Node | None, args: list[Node], costs: list[Bounds]
    ) -> CallEstimate:
        estimator = BY_OVERLOAD.get(overload)
        found = None if estimator is None else estimator(overload, target, args)
        if found is None:
            estimator = BY_FUNCTION.get(expr.function)
            found = None if estimator is None else estimator(overload, target, args)
        if found is None:
            self._combine_entries(expr, overload)
            found = standard_cost(overload, target, args)
        if overload in ("logical_and", "logical_or"):
            # The right side may never be evaluated.
            return CallEstimate(Bounds(costs[0].low, costs[0].plus(costs[1]).high), found.size)
        if overload == "conditional":
            return CallEstimate(costs[0].plus(costs[1].union(costs[2])), found.size)
        cost = found.cost
        for arg in costs:
            cost = cost.plus(arg)
        return CallEstimate(cost, found.size)

    def _combine_entries(self, expr: Call, overload: str) -> None:
        """What is in a container that is one of two, or both."""
        if overload == "conditional":
            left, right = expr.args[1:]
        elif overload in ("add_list", "add_string", "add_bytes"):
            left, right = expr.args
        else:
            return
        one, other = self._entries_of(left), self._entries_of(right)
        if one is not None and other is not None:
            self._entries[expr.id] = one.union(other)

    def _list(self, expr: CreateList) -> Bounds:
        cost = exactly(LIST_COST)
        items = _NOTHING if expr.elements else ZERO
        for element in expr.elements:
            cost = cost.plus(self.cost(element))
            items = items.union(self._size_or_any(element))
        self._entries[expr.id] = Entries(Kind.LIST, ONE, items)
        return cost

    def _map(self, expr: CreateMap) -> Bounds:
        cost = exactly(MAP_COST)
        keys = values = _NOTHING if expr.entries else ZERO
        for entry in expr.entries:
            cost = cost.plus(self.cost(entry.key_expr)).plus(self.cost(entry.value))
            keys = keys.union(self._size_or_any(entry.key_expr))
            values = values.union(self._size_or_any(entry.value))
        self._entries[expr.id] = Entries(Kind.MAP, keys, values)
        return cost

    def _message(self, expr: CreateMessage) -> Bounds:
        cost = exactly(MESSAGE_COST)
        for entry in expr.entries:
            cost = cost.plus(self.cost(entry.value))
        return cost

    def _comprehension(self, expr: Comprehension) -> Bounds:
        if expr.is_bind:
            return self._bind(expr)
        cost = self.cost(expr.iter_range).plus(self.cost(expr.accu_init))
        self._push_value(expr.accu_var, expr.accu_init)
        self._push_iteration(expr)
        loop = self.cost(expr.condition)
        loop = self.cost(expr.step).plus(loop)
        self._pop(expr.iter_var)
        if expr.iter_var2:
            self._pop(expr.iter_var2)
        cost = cost.plus(self.cost(expr.result))
        self._pop(expr.accu_var)
        count = self._size_or_any(expr.iter_range)
        self._set_fold_size(expr, count)
        return cost.plus(count.times(loop))

    def _set_fold_size(self, expr: Comprehension, count: Bounds) -> None:
        if isinstance(expr.accu_init, Literal):
            self._set_size(expr, self._size(expr.accu_init))
        elif isinstance(expr.accu_init, CreateList | CreateMap):
            self._sizes[expr.id] = count
            entries = self._entries_of(expr.step)
            if entries is not None:
                self._entries[expr.id] = entries

    def _bind(self, expr: Comprehension) -> Bounds:
        cost = self.cost(expr.iter_range).plus(self.cost(expr.accu_init))
        self._push_value(expr.accu_var, expr.accu_init)
        cost = cost.plus(self.cost(expr.result))
        self._pop(expr.accu_var)
        self._copy_sizes(expr, expr.result)
        return cost

    def _push(self, name: str, local: _Local) -> None:
        self._locals.setdefault(name, []).append(local)

    def _pop(self, name: str) -> None:
        self._locals[name].pop()

    def _push_value(self, name: str, value: Expr) -> None:
        self._push(name, _Local(self._path(value), self._size(value), self._entries_of(value)))

    def _push_iteration(self, expr: Comprehension) -> None:
        entries = self._entries_of(expr.iter_range)
        path = self._path(expr.iter_range)
        kind = expr.iter_range.type.kind if entries is None else entries.kind
        key = None if entries is None else entries.key
        value = None if entries is None else entries.value
        is_list = kind is Kind.LIST
        if expr.iter_var2:
            self._push(expr.iter_var, _Local((*path, "@indices" if is_list else "@keys"), key, None))
            self._push(expr.iter_var2, _Local((*path, "@items" if is_list else "@values"), value, None))
        elif is_list:
            self._push(expr.iter_var, _Local((*path, "@items"), value, None))
        else:
            self._push(expr.iter_var, _Local((*path, "@keys"), key, None))

    def _path(self, expr: Expr) -> Path:
        if isinstance(expr, Ident):
            local = self._local(expr.name)
            if local is not None:
                return local.path
        return self._paths.get(expr.id, ())

    def _node(self, expr: Expr) -> Node:
        path = self._path(expr)
        if path and path[0] in (ACCUMULATOR, "__result__"):
            path = ()
        return Node(path, expr.type, expr, self._size(expr), self._hint)

    def _set_size(self, expr: Expr, size: Bounds | None) -> None:
        if size is not None:
            self._sizes[expr.id] = size

    def _copy_sizes(self, to: Expr, source: Expr) -> None:
        self._set_size(to, self._size(source))
        entries = self._entries_of(source)
        if entries is not None:
            self._entries[to.id] = entries

    def _size_or_any(self, expr: Expr) -> Bounds:
        size = self._size(expr)
        return ANY_SIZE if size is None else size

    def _size(self, expr: Expr) -> Bounds | None:
        known = self._sizes.get(expr.id)
        if known is not None:
            return known
        literal = _literal_size(expr)
        if literal is not None:
            return exactly(literal)
        path = self._path(expr)
        hinted = self._hint(path) if path else None
        if hinted is not None:
            self._sizes[expr.id] = hinted
            return hinted
        if is_scalar(expr.type):
            return ONE
        if isinstance(expr, Ident):
            local = self._local(expr.name)
            return None if local is None else local.size
        return None

    def _entries_of(self, expr: Expr) -> Entries | None:
        known = self._entries.get(expr.id)
        if known is None and isinstance(expr, Ident):
            local = self._local(expr.name)
            return None if local is None else local.entries
        return known


_NOTHING = Bounds(MAX, 0)
"""The union of no sizes at all."""


def _literal_size(expr: Expr) -> int | None:
    if isinstance(expr, Literal):
        return len(expr.value) if isinstance(expr.value, str | bytes) else 1
    if isinstance(expr, CreateList):
        return len(expr.elements)
    if isinstance(expr, CreateMap):
        return len(expr.entries)
    return None


_COSTS: Mapping[type, Any] = {
    Literal: _Estimator._literal,
    Ident: _Estimator._ident,
    Select: _Estimator._select,
    Call: _Estimator._call,
    CreateList: _Estimator._list,
    CreateMap: _Estimator._map,
    CreateMessage: _Estimator._message,
    Comprehension: _Estimator._comprehension,
}
