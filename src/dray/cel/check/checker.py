"""Infers the type of every part of an expression and complains where there is none.

A port of the rules of cel-go's checker: what is tried in which order decides both the texts of complaints and the
overload ids that the cost model sees. The tree is annotated in place; complaints are collected, never raised.
"""

from collections.abc import Mapping
from typing import Any

from dray.cel.ast import (
    Call,
    Comprehension,
    CreateList,
    CreateMap,
    CreateMessage,
    Entry,
    Expr,
    Ident,
    Literal,
    Select,
    qualified_name,
)
from dray.cel.check.scope import Scope, Structs
from dray.cel.check.unify import (
    Bindings,
    all_assignable,
    assignable,
    most_general,
    substitute,
)
from dray.cel.declarations import Declarations, Function, Overload
from dray.cel.library import conversions
from dray.cel.source import Complaint
from dray.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DYN,
    ERROR,
    INT,
    NULL,
    STRING,
    UINT,
    WELL_KNOWN,
    CelType,
    Kind,
    list_of,
    map_of,
    optional_of,
    param,
)
from dray.cel.values.named import TypeValue
from dray.cel.values.uint import Uint

_LITERAL_TYPES: dict[type, CelType] = {
    bool: BOOL,
    bytes: BYTES,
    float: DOUBLE,
    int: INT,
    type(None): NULL,
    str: STRING,
    Uint: UINT,
}


_RESOLUTIONS_MAX = 256
"""Remembered for each function, since untrusted text could ask for any number of types."""

_EVALUATED_EARLY = conversions.NAMES - {"dyn", "type"} | {"matches", "find", "findAll", "_[_]", "_[?_]"}
"""Calls that planning looks into where an argument is constant."""


class Checker:
    """The state of checking one expression."""

    __slots__ = (
        "_bindings",
        "_declarations",
        "_free",
        "_scope",
        "_structs",
        "_typed",
        "complaints",
        "may_fail_to_plan",
    )

    def __init__(self, declarations: Declarations, structs: Structs) -> None:
        self._declarations = declarations
        self._structs = structs
        self._scope = Scope(declarations.identifiers, structs)
        self._bindings: Bindings = {}
        self._free = 0
        self._typed: list[Expr] = []
        self.complaints: list[Complaint] = []
        self.may_fail_to_plan = False

    def settle(self) -> None:
        """Replace type variables by what was found out about them, or dyn."""
        bindings = self._bindings
        for expr in self._typed:
            expr.type = substitute(bindings, expr.type, free_to_dyn=True)

    def visit(self, expr: Expr) -> None:
        visit = _VISITORS.get(type(expr))
        if visit is None:
            self._set(expr, ERROR)
            return
        visit(self, expr)

    def _set(self, expr: Expr, found: CelType) -> None:
        expr.type = found
        if found.has_params:
            self._typed.append(expr)

    def _complain(self, offset: int, message: str) -> None:
        self.complaints.append(Complaint(offset, message))

    def _mismatch(self, expr: Expr, expected: CelType, found: CelType) -> None:
        self._complain(expr.offset, f"expected type '{expected.text}' but found '{found.text}'")

    def _undeclared(self, expr: Expr, name: str) -> None:
        self._complain(expr.offset, f"undeclared reference to '{name}' (in container '')")
        self._set(expr, ERROR)

    def _variable(self) -> CelType:
        self._free += 1
        return param(f"_var{self._free - 1}")

    def _assignable(self, left: CelType, right: CelType) -> bool:
        bindings = assignable(self._bindings, left, right)
        if bindings is None:
            return False
        self._bindings = bindings
        return True

    def _literal(self, expr: Literal) -> None:
        self._set(expr, _LITERAL_TYPES[type(expr.value)])

    def _ident(self, expr: Ident) -> None:
        found = self._scope.find(expr.name)
        if found is None:
            self._undeclared(expr, expr.name)
            return
        expr.name = expr.name.removeprefix(".")
        expr.constant = self._constant(expr.name, found)
        self._set(expr, found)

    def _constant(self, name: str, found: CelType) -> TypeValue | None:
        """A type name is a value known at compile time, unless a variable of that name hides it."""
        if found.kind is Kind.TYPE and found.params and not self._scope.is_local(name):
            return TypeValue(found.params[0].name)
        return None

    def _select(self, expr: Select) -> None:
        name = qualified_name(expr)
        if name is not None:
            found = self._scope.find(name)
            if found is not None:
                expr.resolved = Ident(expr.id, expr.offset, name.removeprefix("."))
                expr.resolved.constant = self._constant(name, found)
                expr.resolved.type = found
                self._set(expr, found)
                return
        result = self._select_field(expr, expr.operand, expr.field, optional=False)
        self._set(expr, BOOL if expr.test_only else substitute(self._bindings, result))

    def _select_field(self, expr: Expr, operand: Expr, field: str, *, optional: bool) -> CelType:
        self.visit(operand)
        operand_type = substitute(self._bindings, operand.type)
        was_optional = operand_type.is_optional
        target = operand_type.params[0] if was_optional else operand_type
        result = DYN
        match target.kind:
            case Kind.MAP:
                result = target.params[1]
            case Kind.STRUCT:
                result = self._field_type(expr.offset, target.name, field) or ERROR
            case Kind.PARAM:
                self._assignable(DYN, target)
            case Kind.DYN | Kind.ANY | Kind.ERROR:
                pass
            case _:
                self._complain(expr.offset, f"type '{target.text}' does not support field selection")
        return optional_of(result) if was_optional or optional else result

    def _field_type(self, offset: int, struct: str, field: str) -> CelType | None:
        if struct not in self._structs:
            self._complain(offset, f"unexpected failed resolution of '{struct}'")
            return None
        found = self._structs.field(struct, field)
        if found is None:
            self._complain(offset, f"undefined field '{field}'")
        return found

    def _call(self, expr: Call) -> None:
        if expr.function == "_?._":
            self._optional_select(expr)
            return
        for arg in expr.args:
            self.visit(arg)
        if expr.function in _EVALUATED_EARLY:
            self.may_fail_to_plan = True
        functions = self._declarations.functions
        if expr.target is None:
            function = functions.get(expr.function.removeprefix("."))
            if function is None:
                self._undeclared(expr, expr.function)
                return
            expr.function = function.name
            self._resolve(expr, function, None)
            return
        prefix = qualified_name(expr.target)
        if prefix is not None:
            function = functions.get(f"{prefix}.{expr.function}".removeprefix("."))
            if function is not None:
                expr.target, expr.function = None, function.name
                self._resolve(expr, function, None)
                return
        self.visit(expr.target)
        function = functions.get(expr.function)
        if function is None:
            self._undeclared(expr, expr.function)
            return
        self._resolve(expr, function, expr.target)

    def _optional_select(self, expr: Call) -> None:
        operand, field = expr.args
        assert isinstance(field, Literal)
        field.type = STRING
        result = self._select_field(expr, operand, field.value, optional=True)
        expr.overloads = ("select_optional_field",)
        self._set(expr, substitute(self._bindings, result))

    def _resolve(self, expr: Call, function: Function, target: Expr | None) -> None:
        args = [arg.type for arg in expr.args]
        if function.name in ("_&&_", "_||_"):
            self._logic(expr, function, args)
            return
        if target is not None:
            args.insert(0, target.type)
        # Types without variables are resolved alike wherever they stand; expressions mostly consist of such.
        known = not any(arg.has_params for arg in args)
        key = ("." if target is not None else "", *[arg.text for arg in args])
        if known and (resolution := function.resolutions.get(key)) is not None:
            result, expr.overloads, free = resolution
            self._free += free
            self._set(expr, result)
            return
        free = self._free
        given = self._choose(expr, function, args, is_member=target is not None)
        if given is None:
            self._no_overload(expr, function, args, is_member=target is not None)
            return
        if known and not given.has_params and len(function.resolutions) < _RESOLUTIONS_MAX:
            function.resolutions[key] = given, expr.overloads, self._free - free
        self._set(expr, given)

    def _choose(
        self, expr: Call, function: Function, args: list[CelType], *, is_member: bool
    ) -> CelType | None:
        """Note the overloads that take the arguments; what they give, or None where there are none."""
        result: CelType | None = None
        matching: list[str] = []
        for overload in function.overloads:
            if overload.member is not is_member:
                continue
            found = self._match(overload, args)
            if found is None:
                continue
            matching.append(overload.id)
            if result is None:
                result = found
            elif not result.is_dyn and found != result:
                result = DYN
        expr.overloads = tuple(matching)
        return result

    def _logic(self, expr: Call, function: Function, args: list[CelType]) -> None:
        failed = False
        for arg, found in zip(expr.args, args, strict=True):
            if not self._assignable(found, BOOL):
                self._mismatch(arg, BOOL, found)
                failed = True
        expr.overloads = (function.overloads[0].id,)
        self._set(expr, ERROR if failed else BOOL)

    def _match(self, overload: Overload, args: list[CelType]) -> CelType | None:
        """The result type where the arguments fit, with their bindings kept; else None."""
        params, result = overload.params, overload.result
        if len(params) != len(args):
            return None
        if overload.has_params:
            fresh = {name: self._variable() for name in overload.type_params}
            params = tuple(substitute(fresh, declared) for declared in params)
            result = substitute(fresh, result)
        bindings = all_assignable(self._bindings, args, params)
        if bindings is None:
            return None
        self._bindings = bindings
        return substitute(bindings, result)

    def _no_overload(self, expr: Call, function: Function, args: list[CelType], *, is_member: bool) -> None:
        texts = [substitute(self._bindings, arg, free_to_dyn=True).text for arg in args]
        receiver = f"{texts.pop(0)}." if is_member else ""
        signature = f"{receiver}({', '.join(texts)})"
        self._complain(
            expr.offset, f"found no matching overload for '{function.name}' applied to '{signature}'"
        )
        self._set(expr, ERROR)

    def _list(self, expr: CreateList) -> None:
        joined: CelType | None = None
        for index, element in enumerate(expr.elements):
            self.visit(element)
            found = element.type
            if index in expr.optional_indices:
                found = self._unwrapped(element, found)
            joined = self._join(joined, found)
        self._set(expr, list_of(joined or self._variable()))

    def _unwrapped(self, expr: Expr, found: CelType) -> CelType:
        """The type inside an optional, of an entry written with a question mark."""
        if found.is_optional:
            return found.params[0]
        if not found.is_dyn:
            self._mismatch(expr, optional_of(found), found)
        return found

    def _join(self, previous: CelType | None, current: CelType) -> CelType:
        """The common type of the elements so far. That literals must not be mixed is the validators' business."""
        if previous is None:
            return current
        return most_general(previous, current) if self._assignable(previous, current) else DYN

    def _map(self, expr: CreateMap) -> None:
        keys: CelType | None = None
        values: CelType | None = None
        for entry in expr.entries:
            key = entry.key_expr
            self.visit(key)
            keys = self._join(keys, key.type)
            self.visit(entry.value)
            found = entry.value.type
            if entry.optional:
                found = self._unwrapped(entry.value, found)
            values = self._join(values, found)
        if keys is None or values is None:
            keys, values = self._variable(), self._variable()
        self._set(expr, map_of(keys, values))

    def _message(self, expr: CreateMessage) -> None:
        found = self._scope.find(expr.name)
        if found is None:
            self._undeclared(expr, expr.name)
            return
        expr.name = expr.name.removeprefix(".")
        result = ERROR
        if found.kind is not Kind.TYPE:
            self._complain(expr.offset, f"'{found.text}' is not a type")
        elif found.params and (found.params[0].kind is Kind.STRUCT or _is_well_known(found.params[0])):
            result = found.params[0]
        else:
            shown = found.params[0].text if found.params else "type"
            self._complain(expr.offset, f"'{shown}' is not a message type")
        self._set(expr, result)
        for entry in expr.entries:
            self._message_field(expr.name, entry)

    def _message_field(self, message: str, entry: Entry) -> None:
        field = str(entry.key)
        self.visit(entry.value)
        declared = self._field_type(entry.offset, message, field) or ERROR
        found = entry.value.type
        if entry.optional:
            found = self._unwrapped(entry.value, found)
        if not self._assignable(declared, found):
            self._complain(
                entry.offset,
                f"expected type of field '{field}' is '{declared.text}' but provided type is '{found.text}'",
            )

    def _comprehension(self, expr: Comprehension) -> None:
        self.visit(expr.iter_range)
        self.visit(expr.accu_init)
        first, second = self._iteration_types(expr, substitute(self._bindings, expr.iter_range.type))
        accu_type = expr.accu_init.type
        self._scope.push(expr.accu_var, accu_type)
        self._scope.push(expr.iter_var, first)
        if expr.iter_var2:
            self._scope.push(expr.iter_var2, second)
        self.visit(expr.condition)
        self._expect(expr.condition, BOOL)
        self.visit(expr.step)
        self._expect(expr.step, accu_type)
        self._scope.pop(2 if expr.iter_var2 else 1)
        self.visit(expr.result)
        self._scope.pop(1)
        self._set(expr, substitute(self._bindings, expr.result.type))

    def _iteration_types(self, expr: Comprehension, iterated: CelType) -> tuple[CelType, CelType]:
        """The types of the two iteration variables; the second only counts where there is one."""
        match iterated.kind:
            case Kind.LIST:
                element = iterated.params[0]
                return (INT, element) if expr.iter_var2 else (element, element)
            case Kind.MAP:
                return iterated.params[0], iterated.params[1]
            case Kind.DYN | Kind.ERROR | Kind.PARAM:
                self._assignable(DYN, iterated)
                return DYN, DYN
        self._complain(
            expr.iter_range.offset,
            f"expression of type '{iterated.text}' cannot be range of a comprehension "
            "(must be list, map, or dynamic)",
        )
        return ERROR, ERROR

    def _expect(self, expr: Expr, expected: CelType) -> None:
        if not self._assignable(expected, expr.type):
            self._mismatch(expr, expected, expr.type)


def _is_well_known(declared: CelType) -> bool:
    return declared in WELL_KNOWN.values()


_VISITORS: Mapping[type, Any] = {
    Literal: Checker._literal,
    Ident: Checker._ident,
    Select: Checker._select,
    Call: Checker._call,
    CreateList: Checker._list,
    CreateMap: Checker._map,
    CreateMessage: Checker._message,
    Comprehension: Checker._comprehension,
}
