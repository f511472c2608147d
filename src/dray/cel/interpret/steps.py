"""Steps that compute: calls, logic, membership, literals of lists, maps and messages, optional values."""

from collections.abc import Callable, Sequence
from typing import Any

from dray.cel.cost.actual import call_cost, result_cost
from dray.cel.cost.bounds import LIST_COST, MAP_COST, MESSAGE_COST
from dray.cel.errors import EvalFailure, no_such_overload
from dray.cel.interpret.step import Frame, Step
from dray.cel.values.comparison import equal
from dray.cel.values.container import check_hashable, encode_key
from dray.cel.values.display import show
from dray.cel.values.limits import TooLarge
from dray.cel.values.number import MAX_INT, MAX_UINT, MIN_INT
from dray.cel.values.optional import Optional
from dray.cel.values.uint import Uint


class CallStep(Step):
    """Calls a function. `eager`: stop at the first argument that failed instead of evaluating the rest too.

    The cost is charged before the call where the arguments decide it, so that no call runs that cannot be paid for.
    """

    __slots__ = ("_apply", "_args", "_eager", "_function", "_overload", "_strict")

    def __init__(
        self,
        id: int,
        function: str,
        overload: str,
        args: Sequence[Step],
        apply: Callable[..., Any],
        *,
        eager: bool = False,
        strict: bool = True,
    ) -> None:
        super().__init__(id)
        self._function = function
        self._overload = overload
        self._args = args
        self._apply = apply
        self._eager = eager
        self._strict = strict

    @property
    def args(self) -> Sequence[Step]:
        return self._args

    def run(self, frame: Frame) -> Any:
        values: list[Any] = []
        failure: EvalFailure | None = None
        for arg in self._args:
            value = arg.run(frame)
            values.append(value)
            if failure is None and self._strict and isinstance(value, EvalFailure):
                failure = value
                if self._eager:
                    break
        tracker = frame.tracker
        seen = tracker.drop_arguments([arg.id for arg in self._args])
        cost = 0 if seen is None else call_cost(self._function, self._overload, seen)
        if cost:
            tracker.charge(cost)
        result: Any = self._call(values) if failure is None else failure
        if cost is None:
            tracker.charge(self._cost_of(result))
        tracker.push(result, self.id)
        return result

    def _call(self, values: list[Any]) -> Any:
        try:
            return self._apply(*values)
        except EvalFailure as failure:
            return failure

    def _cost_of(self, result: Any) -> int:
        if isinstance(result, TooLarge):
            return result.size
        return result_cost(self._function, result)


def equals(left: Any, right: Any) -> bool:
    return equal(left, right)


def differs(left: Any, right: Any) -> bool:
    """Unlike `==`, this takes values that cannot be compared for different."""
    try:
        return not equal(left, right)
    except EvalFailure:
        return True


class LogicStep(Step):
    """`&&` and `||`: ends at the first value `decisive`, whatever failed before; the first failure counts else."""

    __slots__ = ("_decisive", "_terms")

    def __init__(self, id: int, terms: Sequence[Step], *, decisive: bool) -> None:
        super().__init__(id)
        self._terms = terms
        self._decisive = decisive

    def run(self, frame: Frame) -> Any:
        result: Any = not self._decisive
        for term in self._terms:
            value = term.run(frame)
            if value is self._decisive:
                result = value
                break
            if value is not (not self._decisive) and not isinstance(result, EvalFailure):
                result = value if isinstance(value, EvalFailure) else no_such_overload()
        frame.tracker.drop(*(term.id for term in self._terms))
        frame.tracker.push(result, self.id)
        return result


class MembershipStep(Step):
    """`x in [constants]` by way of a set. Free, unlike any other search."""

    __slots__ = ("_arg", "_members")

    def __init__(self, id: int, arg: Step, members: frozenset[tuple[type, Any]]) -> None:
        super().__init__(id)
        self._arg = arg
        self._members = members

    def run(self, frame: Frame) -> Any:
        value = self._arg.run(frame)
        if not isinstance(value, EvalFailure):
            check_hashable(value)
            value = type(value) in _SET_TYPES and (type(value), value) in self._members
        frame.tracker.push(value, self.id)
        return value


_SET_TYPES = (bool, int, Uint, float, str)


def member_set(items: Sequence[Any]) -> frozenset[tuple[type, Any]] | None:
    """The elements by type, numbers also as the other types of numbers; None where they cannot be in a set."""
    members: set[tuple[type, Any]] = set()
    for item in items:
        if type(item) not in _SET_TYPES:
            return None
        members.add((type(item), item))
        if type(item) in (int, Uint):
            members.add((float, float(item)))
        whole = type(item) is not float or (item == item and abs(item) < 2.0**64 and item == int(item))
        if type(item) in (int, Uint, float) and whole:
            if MIN_INT <= item <= MAX_INT:
                members.add((int, int(item)))
            if 0 <= item <= MAX_UINT:
                members.add((Uint, int(item)))
    return frozenset(members)


class ListStep(Step):
    """A list literal; `optional` are the indices written with a question mark."""

    __slots__ = ("_elements", "_optional")

    def __init__(self, id: int, elements: Sequence[Step], optional: frozenset[int]) -> None:
        super().__init__(id)
        self._elements = elements
        self._optional = optional

    def run(self, frame: Frame) -> Any:
        result = self._build(frame)
        frame.tracker.drop_arguments([element.id for element in self._elements])
        frame.tracker.charge(LIST_COST)
        frame.tracker.push(result, self.id)
        return result

    def _build(self, frame: Frame) -> Any:
        items: list[Any] = []
        for index, element in enumerate(self._elements):
            value = element.run(frame)
            if isinstance(value, EvalFailure):
                return value
            if index in self._optional:
                if not isinstance(value, Optional):
                    return EvalFailure(
                        f"cannot initialize optional list element from non-optional value {show(value)}"
                    )
                if not value.present:
                    continue
                value = value.value
            items.append(value)
        return items


class MapStep(Step):
    """A map literal; `optional` says of each entry whether it has a question mark."""

    __slots__ = ("_keys", "_optional", "_values")

    def __init__(
        self, id: int, keys: Sequence[Step], values: Sequence[Step], optional: Sequence[bool]
    ) -> None:
        super().__init__(id)
        self._keys = keys
        self._values = values
        self._optional = optional

    def run(self, frame: Frame) -> Any:
        result = self._build(frame)
        ids = [step.id for entry in zip(self._keys, self._values, strict=True) for step in entry]
        frame.tracker.drop_arguments(ids)
        frame.tracker.charge(MAP_COST)
        frame.tracker.push(result, self.id)
        return result

    def _build(self, frame: Frame) -> Any:
        entries: dict[Any, Any] = {}
        for key_step, value_step, optional in zip(self._keys, self._values, self._optional, strict=True):
            key = key_step.run(frame)
            if isinstance(key, EvalFailure):
                return key
            value = value_step.run(frame)
            if isinstance(value, EvalFailure):
                return value
            failure = _set_entry(entries, key, value, optional=optional)
            if failure is not None:
                return failure
        return entries


def _set_entry(entries: dict[Any, Any], key: Any, value: Any, *, optional: bool) -> EvalFailure | None:
    """Add an entry; one that is optional and absent removes what was there. Returns what is wrong with it."""
    try:
        encoded = encode_key(key)
    except EvalFailure as failure:
        return failure
    if optional:
        if not isinstance(value, Optional):
            return EvalFailure(
                f"cannot initialize optional entry '{show(key)}' from non-optional value {show(value)}"
            )
        if not value.present:
            entries.pop(encoded, None)
            return None
        value = value.value
    entries[encoded] = value
    return None


class MessageStep(Step):
    """`Name{field: value}`."""

    __slots__ = ("_construct", "_fields", "_optional", "_values")

    def __init__(
        self,
        id: int,
        construct: Callable[[dict[Any, Any]], Any],
        fields: Sequence[str],
        values: Sequence[Step],
        optional: Sequence[bool],
    ) -> None:
        super().__init__(id)
        self._construct = construct
        self._fields = fields
        self._values = values
        self._optional = optional

    def run(self, frame: Frame) -> Any:
        result = self._build(frame)
        frame.tracker.drop_arguments([value.id for value in self._values])
        frame.tracker.charge(MESSAGE_COST)
        frame.tracker.push(result, self.id)
        return result

    def _build(self, frame: Frame) -> Any:
        fields: dict[Any, Any] = {}
        for field, value_step, optional in zip(self._fields, self._values, self._optional, strict=True):
            value = value_step.run(frame)
            if isinstance(value, EvalFailure):
                return value
            failure = _set_entry(fields, field, value, optional=optional)
            if failure is not None:
                return failure
        try:
            return self._construct(fields)
        except EvalFailure as failure:
            return failure


class OrStep(Step):
    """`optional.or(other)` and `optional.orValue(other)`, which evaluate the other only if needed. Free."""

    __slots__ = ("_left", "_right", "_unwrap")

    def __init__(self, id: int, left: Step, right: Step, *, unwrap: bool) -> None:
        super().__init__(id)
        self._left = left
        self._right = right
        self._unwrap = unwrap

    def run(self, frame: Frame) -> Any:
        value = self._left.run(frame)
        if isinstance(value, Optional):
            if not value.present:
                value = self._right.run(frame)
            elif self._unwrap:
                value = value.value
        frame.tracker.push(value, self.id)
        return value
