"""A checked tree to steps, with the short cuts of upstream's planner, because they show in the cost.

Lists and maps of constants and conversions of constants are evaluated now, and `x in [constants]` becomes a set look-up;
all of these are free when the expression runs. A conversion or pattern that fails does so now too: `PlanError`.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

from dray.cel.ast import (
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
from dray.cel.declarations import Declarations, Function, Overload
from dray.cel.errors import EvalAborted, EvalFailure, no_such_overload
from dray.cel.interpret.attribute import (
    Attribute,
    ComputedQualifier,
    ConditionalAttribute,
    Path,
    PresenceTest,
    Qualifier,
    StepAttribute,
    VariableAttribute,
    is_key,
)
from dray.cel.interpret.fold import FoldStep
from dray.cel.interpret.step import Constant, Step
from dray.cel.interpret.steps import (
    CallStep,
    ListStep,
    LogicStep,
    MapStep,
    MembershipStep,
    MessageStep,
    OrStep,
    differs,
    equals,
    member_set,
)
from dray.cel.library import conversions, messages, patches
from dray.cel.library.regex import InvalidPattern, compile_pattern
from dray.cel.values.container import encode_key
from dray.cel.values.kind import accepts, go_type_name, type_name
from dray.cel.values.patch import is_of_patches

_PATTERNS = ("matches", "find", "findAll")


class PlanError(Exception):
    """The expression can never run; `str()` is upstream's text."""


def plan(root: Expr, declarations: Declarations) -> Step:
    """Raises PlanError."""
    return _Planner(declarations).plan(root)


class _Planner:
    __slots__ = ("_declarations",)

    def __init__(self, declarations: Declarations) -> None:
        self._declarations = declarations

    def plan(self, expr: Expr) -> Step:
        match expr:
            case Literal():
                return Constant(expr.id, expr.value)
            case Ident():
                return self._ident(expr)
            case Select():
                return self._select(expr)
            case Call():
                return self._call(expr)
            case CreateList():
                return self._list(expr)
            case CreateMap():
                return self._map(expr)
            case CreateMessage():
                return self._message(expr)
            case Comprehension():
                return self._comprehension(expr)
        raise PlanError(f"unsupported expr: {expr!r}")

    def _ident(self, expr: Ident) -> Step:
        if expr.constant is not None:
            return Constant(expr.id, expr.constant)
        return Path(VariableAttribute(expr.id, expr.name))

    def _select(self, expr: Select) -> Step:
        if expr.resolved is not None:
            return self._ident(expr.resolved)
        path = self._path(self.plan(expr.operand))
        if not expr.test_only:
            path.attribute.qualify(Qualifier(expr.id, expr.field, optional=False))
            return path
        test = Path(path.attribute)
        test.presence = expr.id
        test.attribute.qualify(PresenceTest(expr.id, expr.field, optional=False))
        return test

    def _path(self, step: Step) -> Path:
        """A step as the origin of a path, or the path that it already is."""
        return step if isinstance(step, Path) else Path(StepAttribute(step.id, step))

    def _call(self, expr: Call) -> Step:
        args = [] if expr.target is None else [self.plan(expr.target)]
        args += [self.plan(arg) for arg in expr.args]
        match expr.function:
            case "_&&_":
                return LogicStep(expr.id, args, decisive=False)
            case "_||_":
                return LogicStep(expr.id, args, decisive=True)
            case "_?_:_":
                return self._conditional(expr, args)
            case "_==_":
                return CallStep(expr.id, expr.function, "equals", args, equals)
            case "_!=_":
                return CallStep(expr.id, expr.function, "not_equals", args, differs)
            case "_[_]":
                return self._index(expr, args, optional=False)
            case "_?._" | "_[?_]":
                return self._index(expr, args, optional=True)
            case "or" | "orValue" if len(args) == 2 and expr.target is not None:
                return OrStep(expr.id, args[0], args[1], unwrap=expr.function == "orValue")
        return self._function(expr, args)

    def _conditional(self, expr: Call, args: list[Step]) -> Step:
        if_true, if_false = (self._attribute(arg) for arg in args[1:])
        return Path(ConditionalAttribute(expr.id, args[0], if_true, if_false))

    def _attribute(self, step: Step) -> Attribute:
        return step.attribute if isinstance(step, Path) else StepAttribute(step.id, step)

    def _index(self, expr: Call, args: list[Step], *, optional: bool) -> Step:
        path = self._path(args[0])
        key = args[1]
        if isinstance(key, Constant):
            if not is_key(key.value):
                raise PlanError(f"invalid qualifier type: {go_type_name(key.value)}")
            path.attribute.qualify(Qualifier(expr.id, key.value, optional=optional))
        elif isinstance(key, Path):
            path.attribute.qualify(ComputedQualifier(expr.id, key.attribute, optional=optional, drops=False))
        else:
            attribute = StepAttribute(expr.id, key)
            path.attribute.qualify(ComputedQualifier(expr.id, attribute, optional=optional, drops=True))
        return path

    def _function(self, expr: Call, args: list[Step]) -> Step:
        function = self._declarations.functions[expr.function]
        overload = expr.overloads[0] if len(expr.overloads) == 1 else ""
        apply = function_binding(function, overload)
        eager = len(args) > 2 or (function.operator is None and (not overload or not args))
        eager = eager or overload == "string_format"  # bound there as if it had any number of arguments
        if overload == "in_list" and isinstance(args[1], Constant):
            step = self._membership(expr, args)
            if step is not None:
                return step
        if expr.function in conversions.NAMES and len(args) == 1 and isinstance(args[0], Constant):
            return self._convert(expr, args[0].value, apply)
        if expr.function in _PATTERNS and len(args) >= 2 and isinstance(args[1], Constant):
            apply, eager = self._with_pattern(expr.function, args[1].value, apply), True
        strict = expr.function != "@not_strictly_false"
        return CallStep(expr.id, expr.function, overload, args, apply, eager=eager, strict=strict)

    def _membership(self, expr: Call, args: list[Step]) -> Step | None:
        assert isinstance(args[1], Constant)
        if not args[1].value:
            return Constant(expr.id, False)
        members = member_set(args[1].value)
        return None if members is None else MembershipStep(expr.id, args[0], members)

    def _convert(self, expr: Call, value: Any, apply: Callable[..., Any]) -> Step:
        try:
            return Constant(expr.id, apply(value))
        except EvalFailure as failure:
            raise PlanError(failure.message) from failure

    def _with_pattern(self, function: str, pattern: Any, apply: Callable[..., Any]) -> Callable[..., Any]:
        """The call with a constant pattern: compiled now, and with simpler complaints about its text later."""
        if not isinstance(pattern, str):
            return apply
        try:
            compile_pattern(pattern)
        except InvalidPattern as error:
            raise PlanError(str(error)) from error

        def checked(text: Any, *rest: Any) -> Any:
            if type(text) is not str:
                raise no_such_overload()
            return apply(text, *rest)

        return checked

    def _list(self, expr: CreateList) -> Step:
        elements = [self.plan(element) for element in expr.elements]
        if not expr.optional_indices and all(isinstance(element, Constant) for element in elements):
            return Constant(expr.id, [element.value for element in elements if isinstance(element, Constant)])
        return ListStep(expr.id, elements, expr.optional_indices)

    def _map(self, expr: CreateMap) -> Step:
        keys = [self.plan(entry.key_expr) for entry in expr.entries]
        values = [self.plan(entry.value) for entry in expr.entries]
        optional = [entry.optional for entry in expr.entries]
        if any(optional):
            return MapStep(expr.id, keys, values, optional)
        constants = _constant_entries(keys, values)
        return MapStep(expr.id, keys, values, optional) if constants is None else Constant(expr.id, constants)

    def _message(self, expr: CreateMessage) -> Step:
        fields = [str(entry.key) for entry in expr.entries]
        values = [self.plan(entry.value) for entry in expr.entries]
        library = patches if is_of_patches(expr.name) else messages
        construct = functools.partial(library.construct, expr.name)
        return MessageStep(expr.id, construct, fields, values, [entry.optional for entry in expr.entries])

    def _comprehension(self, expr: Comprehension) -> Step:
        return FoldStep(
            expr.id,
            names=(expr.accu_var, expr.iter_var, expr.iter_var2),
            iter_range=self.plan(expr.iter_range),
            accu_init=self.plan(expr.accu_init),
            condition=self.plan(expr.condition),
            step=self.plan(expr.step),
            result=self.plan(expr.result),
        )


def function_binding(function: Function, overload_id: str) -> Callable[..., Any]:
    """What to call: the shared operator, the one overload that fits, or whichever fits when called."""
    if function.operator is not None:
        return function.operator
    if overload_id:
        return _guarded(function.name, function.by_id[overload_id])
    return _dispatching(function)


def _constant_entries(keys: Sequence[Step], values: Sequence[Step]) -> dict[Any, Any] | None:
    entries: dict[Any, Any] = {}
    for key, value in zip(keys, values, strict=True):
        if not isinstance(key, Constant) or not isinstance(value, Constant):
            return None
        try:
            entries[encode_key(key.value)] = value.value
        except (EvalFailure, EvalAborted):
            return None
    return entries


def _guarded(name: str, overload: Overload) -> Callable[..., Any]:
    """The overload's implementation, refusing arguments of other types."""
    implementation, params = overload.implementation, overload.params
    assert implementation is not None
    if not overload.guarded:
        return implementation

    def call(*args: Any) -> Any:
        for declared, value in zip(params, args, strict=True):
            if not accepts(declared, value):
                raise _refusal(name, args)
        return implementation(*args)

    return call


def _dispatching(function: Function) -> Callable[..., Any]:
    """Calls the first overload whose types the arguments have."""

    def call(*args: Any) -> Any:
        for overload in function.overloads:
            if len(overload.params) != len(args) or overload.implementation is None:
                continue
            if not overload.guarded or all(map(accepts, overload.params, args)):
                return overload.implementation(*args)
        raise _refusal(function.name, args)

    return call


def _refusal(name: str, args: Sequence[Any]) -> EvalFailure:
    return EvalFailure(f"no such overload: {name}({', '.join(map(type_name, args))})")
