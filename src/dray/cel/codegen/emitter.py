"""A checked tree as Python source that is right whenever it does not raise.

Where the checker knows the types of operands, the source is the plain Python operator; where it does not, the class is
tested first and anything unexpected left to functions that are exact, or to the interpreter. What has no counterpart
here raises `NotGenerated`: the expression is then interpreted.
"""

from collections.abc import Callable, Mapping
from typing import Any

from dray.api.quantity import Quantity
from dray.api.semver import Semver
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
from dray.cel.codegen.code import Body, Code
from dray.cel.codegen.fold import Fold, recognize
from dray.cel.declarations import Declarations
from dray.cel.errors import EvalAborted, EvalFailure
from dray.cel.interpret.plan import function_binding
from dray.cel.library import operators
from dray.cel.library.formatting import read_clauses
from dray.cel.library.regex import InvalidPattern, text_test_of
from dray.cel.types import DYN, INT, CelType, Kind
from dray.cel.values.comparison import equal
from dray.cel.values.container import DomainMap
from dray.cel.values.number import MAX_INT, MIN_INT


class NotGenerated(Exception):
    """This expression is left to the interpreter."""


_CLASSES: dict[Kind, type] = {
    Kind.BOOL: bool,
    Kind.BYTES: bytes,
    Kind.DOUBLE: float,
    Kind.INT: int,
    Kind.STRING: str,
}
_STRUCTS: dict[str, type] = {"kubernetes.Quantity": Quantity, "kubernetes.Semver": Semver}
_ORDERINGS: dict[str, tuple[str, Callable[..., Any]]] = {
    "_<_": ("<", operators.less),
    "_<=_": ("<=", operators.less_equals),
    "_>_": (">", operators.greater),
    "_>=_": (">=", operators.greater_equals),
}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_ARITHMETIC: dict[str, tuple[str, Callable[..., Any]]] = {
    "_+_": ("+", operators.add),
    "_-_": ("-", operators.subtract),
    "_*_": ("*", operators.multiply),
}
_DIRECT = (int, str)
"""Classes whose values Python orders as CEL does."""

_KEYS = {"isGreaterThan": ">", "isLessThan": "<"}
_ATTRIBUTE = {Quantity: "nanos", Semver: "precedence"}
"""Where a value keeps what decides its order."""

_MAX_DEPTH = 60


def known_class(declared: CelType) -> type | None:
    """The class of all values of a type, if there is but one."""
    if declared.nullable:
        return None
    if declared.kind is Kind.STRUCT:
        return _STRUCTS.get(declared.name)
    return _CLASSES.get(declared.kind)


class Emitter:
    """Writes the functions for one expression: the main one, and one for each loop."""

    __slots__ = ("_body", "_declarations", "_depth", "_fields", "functions")

    def __init__(self, body: Body, declarations: Declarations, fields: Mapping[str, str]) -> None:
        """`fields`: how the input's own fields are read, by `variable.field`."""
        self._body = body
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

    def _constant(self, value: Any) -> Code:
        return self._body.constants.code(value)

    def _name(self, value: Any) -> str:
        return self._body.constants.name(value)

    def condition(self, expr: Expr) -> str:
        """Source that is True or False, or raises."""
        code = self.emit(expr)
        if code.known is bool:
            return code.source
        return f"{self._name(runtime.is_true)}({code.source})"

    def _typed(self, source: str, declared: CelType) -> Code:
        return Code(source, known_class(declared))

    def literal(self, expr: Literal) -> Code:
        return self._constant(expr.value)

    def ident(self, expr: Ident) -> Code:
        if expr.constant is not None:
            return self._constant(expr.constant)
        variable = self._body.variables.get(expr.name)
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
        key = self._name(expr.field)
        if expr.operand.type.is_optional:
            raise NotGenerated
        if expr.test_only:
            if expr.operand.type.kind is Kind.MAP and not _is_domain_map(operand):
                return Code(f"({key} in {operand.source})", bool)
            return Code(f"{self._name(runtime.has_key)}({operand.source}, {key})", bool)
        return self._typed(f"{operand.source}[{key}]", expr.type)

    def _input_field(self, expr: Select) -> Code | None:
        """A field of the input itself, such as `device.driver`."""
        if not isinstance(expr.operand, Ident) or expr.operand.name in self._body.variables:
            return None
        source = self._fields.get(f"{expr.operand.name}.{expr.field}")
        if source is None:
            return None
        known = DomainMap if expr.type.kind is Kind.MAP else known_class(expr.type)
        return Code(source, known)

    def call(self, expr: Call) -> Code:
        emit = _CALLS.get(expr.function)
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
                return self._constant(apply(*(arg.constant for arg in args)))
            except (EvalFailure, EvalAborted):
                return Code(f"{self._name(runtime.undecided)}()")
        return self._typed(f"{self._name(apply)}({', '.join(arg.source for arg in args)})", expr.type)

    def _operands(self, expr: Call) -> list[Code]:
        operands = expr.args if expr.target is None else [expr.target, *expr.args]
        return [self.emit(operand) for operand in operands]

    def logic(self, expr: Call) -> Code:
        word = "and" if expr.function == "_&&_" else "or"
        left, right = (self.condition(arg) for arg in expr.args)
        return Code(f"({left} {word} {right})", bool)

    def negation(self, expr: Call) -> Code:
        return Code(f"(not {self.condition(expr.args[0])})", bool)

    def conditional(self, expr: Call) -> Code:
        condition = self.condition(expr.args[0])
        if_true, if_false = self.emit(expr.args[1]), self.emit(expr.args[2])
        known = if_true.known if if_true.known is if_false.known else None
        return Code(f"({if_true.source} if {condition} else {if_false.source})", known)

    def equality(self, expr: Call) -> Code:
        left, right = (self.emit(arg) for arg in expr.args)
        source = self._equality(left, right)
        return Code(f"(not {source})" if expr.function == "_!=_" else source, bool)

    def _equality(self, left: Code, right: Code) -> str:
        simple = (bool, int, str, bytes, Quantity, Semver)
        exact = self._name(equal)
        if left.known is right.known and left.known in simple:
            return self._simple_equality(left, right)
        if left.known in simple and right.known is None:
            return self._tested(right, left, lambda value: f"{left.source} == {value}", exact, swapped=True)
        if right.known in simple and left.known is None:
            return self._tested(left, right, lambda value: f"{value} == {right.source}", exact)
        return f"{exact}({left.source}, {right.source})"

    def _simple_equality(self, left: Code, right: Code) -> str:
        key = _ATTRIBUTE.get(left.known) if left.known is not None else None
        if key is None:
            return f"({left.source} == {right.source})"
        return f"({self._order_key(left, key)} == {self._order_key(right, key)})"

    def _order_key(self, code: Code, key: str) -> str:
        if code.is_constant:
            return self._name(getattr(code.constant, key))
        return f"{code.source}.{key}"

    def _tested(
        self, unknown: Code, other: Code, plain: Callable[[str], str], exact: str, *, swapped: bool = False
    ) -> str:
        """`plain` where the unknown value turns out to be of the other's class, `exact` where not."""
        value = self._body.temporary()
        assert other.known is not None
        expected = self._name(other.known)
        args = f"{other.source}, {value}" if swapped else f"{value}, {other.source}"
        return (
            f"({plain(value)} if ({value} := {unknown.source}).__class__ is {expected} else {exact}({args}))"
        )

    def ordering(self, expr: Call) -> Code:
        sign, exact = _ORDERINGS[expr.function]
        compared = self._compare_to(expr, sign)
        if compared is not None:
            return compared
        left, right = (self.emit(arg) for arg in expr.args)
        name = self._name(exact)
        if left.known is right.known and left.known in _DIRECT:
            return Code(f"({left.source} {sign} {right.source})", bool)
        if left.known is None and right.known in _DIRECT:
            return Code(self._tested(left, right, lambda value: f"{value} {sign} {right.source}", name), bool)
        if right.known is None and left.known in _DIRECT:
            tested = self._tested(
                right, left, lambda value: f"{left.source} {sign} {value}", name, swapped=True
            )
            return Code(tested, bool)
        return Code(f"{name}({left.source}, {right.source})", bool)

    def _compare_to(self, expr: Call, sign: str) -> Code | None:
        """`a.compareTo(b) >= 0` and its like, without the detour over a number."""
        left, right = expr.args
        if isinstance(left, Literal):
            left, right, sign = right, left, _MIRRORED[sign]
        is_call = isinstance(left, Call) and left.function == "compareTo" and left.target is not None
        if not is_call or not isinstance(right, Literal) or right.value != 0 or type(right.value) is not int:
            return None
        assert isinstance(left, Call)
        return self._ordered_values(left, sign)

    def comparison(self, expr: Call) -> Code | None:
        """`a.isGreaterThan(b)` of quantities and versions."""
        return self._ordered_values(expr, _KEYS[expr.function])

    def _ordered_values(self, expr: Call, sign: str) -> Code | None:
        assert expr.target is not None
        left, right = self.emit(expr.target), self.emit(expr.args[0])
        if right.known not in _ATTRIBUTE or left.known not in (None, right.known):
            return None
        assert right.known is not None
        key = _ATTRIBUTE[right.known]
        right_source = self._order_key(right, key)
        if left.known is not None:
            return Code(f"({self._order_key(left, key)} {sign} {right_source})", bool)
        value = self._body.temporary()
        test = f"({value} := {left.source}).__class__ is {self._name(right.known)}"
        otherwise = f"{self._name(runtime.undecided)}()"
        return Code(f"({value}.{key} {sign} {right_source} if {test} else {otherwise})", bool)

    def arithmetic(self, expr: Call) -> Code:
        sign, exact = _ARITHMETIC[expr.function]
        left, right = (self.emit(arg) for arg in expr.args)
        if left.known is int and right.known is int:
            value = self._body.temporary()
            low, high = self._name(MIN_INT), self._name(MAX_INT)
            fits = f"{low} <= ({value} := {left.source} {sign} {right.source}) <= {high}"
            return Code(f"({value} if {fits} else {self._name(runtime.undecided)}())", int)
        return self._typed(f"{self._name(exact)}({left.source}, {right.source})", expr.type)

    def membership(self, expr: Call) -> Code:
        value, container = (self.emit(arg) for arg in expr.args)
        exact = self._name(operators.is_in)
        kind = expr.args[1].type.kind
        if container.is_constant and isinstance(container.constant, list):
            return self._constant_membership(value, container.constant)
        if value.known is str and kind in (Kind.MAP, Kind.LIST):
            return Code(f"({value.source} in {container.source})", bool)
        return Code(f"{exact}({value.source}, {container.source})", bool)

    def _constant_membership(self, value: Code, items: list[Any]) -> Code:
        exact = f"{self._name(operators.is_in)}({{}}, {self._name(items)})"
        kinds = {type(item) for item in items}
        if len(kinds) != 1 or not kinds <= {str, int} or value.known not in (None, *kinds):
            return Code(exact.format(value.source), bool)
        members = self._name(frozenset(items))
        if value.known is not None:
            return Code(f"({value.source} in {members})", bool)
        found = self._body.temporary()
        expected = self._name(kinds.pop())
        test = f"({found} := {value.source}).__class__ is {expected}"
        return Code(f"({found} in {members} if {test} else {exact.format(found)})", bool)

    def size(self, expr: Call) -> Code:
        operand = self.emit(expr.args[0] if expr.target is None else expr.target)
        declared = (expr.args[0] if expr.target is None else expr.target).type.kind
        if declared in (Kind.STRING, Kind.LIST, Kind.MAP, Kind.BYTES):
            return Code(f"{self._name(len)}({operand.source})", int)
        return Code(f"{self._name(operators.size)}({operand.source})", int)

    def text_test(self, expr: Call) -> Code | None:
        """startsWith, endsWith, contains."""
        assert expr.target is not None
        text, part = self.emit(expr.target), self.emit(expr.args[0])
        if part.known is not str or text.known not in (None, str):
            return None
        value = text.source if text.known is str else self._body.temporary()
        test = {
            "startsWith": f"{value}.startswith({part.source})",
            "endsWith": f"{value}.endswith({part.source})",
            "contains": f"{part.source} in {value}",
        }[expr.function]
        return Code(self._if_text(text, value, test), bool)

    def _if_text(self, text: Code, value: str, test: str) -> str:
        if text.known is str:
            return f"({test})"
        is_text = f"({value} := {text.source}).__class__ is {self._name(str)}"
        return f"({test} if {is_text} else {self._name(runtime.undecided)}())"

    def pattern_test(self, expr: Call) -> Code | None:
        """matches, with a constant pattern."""
        operands = expr.args if expr.target is None else [expr.target, *expr.args]
        text, pattern = (self.emit(operand) for operand in operands)
        if not pattern.is_constant or not isinstance(pattern.constant, str) or text.known not in (None, str):
            return None
        try:
            test = text_test_of(pattern.constant)
        except InvalidPattern as error:
            raise NotGenerated from error
        value = text.source if text.known is str else self._body.temporary()
        return Code(self._if_text(text, value, f"{self._name(test)}({value})"), bool)

    def formatted(self, expr: Call) -> Code | None:
        """format, with a constant text of plain `%s` and `%d` for strings and integers."""
        assert expr.target is not None
        text, arguments = self.emit(expr.target), expr.args[0]
        if (
            not isinstance(text.constant, str)
            or not isinstance(arguments, CreateList)
            or arguments.optional_indices
        ):
            return None
        values = [self.emit(element) for element in arguments.elements]
        parts: list[str] = []
        try:
            for part in read_clauses(text.constant, len(values)):
                if isinstance(part, str):
                    parts += [self._name(part)] if part else []
                elif values[part.argument].known is str and part.verb == "s":
                    parts.append(values[part.argument].source)
                elif values[part.argument].known is int and part.verb in "sd":
                    parts.append(f"{self._name(str)}({values[part.argument].source})")
                else:
                    return None
        except EvalFailure as error:
            raise NotGenerated from error
        return Code(f"({' + '.join(parts)})", str) if parts else self._constant("")

    def dyn(self, expr: Call) -> Code:
        return Code(self.emit(expr.args[0]).source)

    def index(self, expr: Call) -> Code:
        container, key = (self.emit(arg) for arg in expr.args)
        if expr.args[0].type.is_optional:
            raise NotGenerated
        if key.is_constant and type(key.constant) is str:
            return self._typed(f"{container.source}[{key.source}]", expr.type)
        return self._typed(f"{self._name(runtime.item)}({container.source}, {key.source})", expr.type)

    def or_value(self, expr: Call) -> Code:
        assert expr.target is not None
        present, value = self._optional(expr.target)
        other = self.emit(expr.args[0])
        return Code(f"({value.source} if {present} else {other.source})")

    def has_value(self, expr: Call) -> Code:
        assert expr.target is not None
        return Code(f"({self._optional(expr.target)[0]})", bool)

    def _optional(self, expr: Expr) -> tuple[str, Code]:
        """Whether `m.?k` or `m[?k]` is present, and its value if it is."""
        if not isinstance(expr, Call) or expr.function not in ("_?._", "_[?_]"):
            raise NotGenerated
        operand, key = expr.args
        if not isinstance(key, Literal) or type(key.value) is not str:
            raise NotGenerated
        present, container = "True", None
        if operand.type.is_optional:
            present, container = self._optional(operand)
        elif operand.type.kind is Kind.MAP:
            container = self.emit(operand)
        if container is None:
            raise NotGenerated
        name = self._name(key.value)
        value = Code(f"{container.source}[{name}]")
        if _is_domain_map(container):
            return present, value
        inner = operand.type.params[0] if operand.type.is_optional else operand.type
        if inner.kind is not Kind.MAP:
            raise NotGenerated
        here = f"{name} in {container.source}"
        return here if present == "True" else f"{present} and {here}", value

    def create_list(self, expr: CreateList) -> Code:
        if expr.optional_indices:
            raise NotGenerated
        elements = [self.emit(element) for element in expr.elements]
        if all(element.is_constant for element in elements):
            return self._constant([element.constant for element in elements])
        return Code(f"[{', '.join(element.source for element in elements)}]", list)

    def create_map(self, expr: CreateMap) -> Code:
        entries = []
        for entry in expr.entries:
            key, value = self.emit(entry.key_expr), self.emit(entry.value)
            if entry.optional or key.known is not str:
                raise NotGenerated
            entries.append((key, value))
        if all(key.is_constant and value.is_constant for key, value in entries):
            return self._constant({key.constant: value.constant for key, value in entries})
        return Code(f"{{{', '.join(f'{key.source}: {value.source}' for key, value in entries)}}}", dict)

    def comprehension(self, expr: Comprehension) -> Code:
        if expr.is_bind:
            return self._bind(expr)
        fold = recognize(expr)
        if fold is None:
            raise NotGenerated
        iterated = self._iterated(expr)
        function = f"f{len(self.functions)}"
        self.functions.append("")
        source = self._loop(expr, fold, function)
        index = int(function[1:])
        self.functions[index] = source
        arguments = ", ".join((iterated, "d", *self._outer_names()))
        return Code(f"{function}({arguments})", fold.result)

    def _outer_names(self) -> list[str]:
        return [code.source for code in self._body.variables.values() if not code.is_constant]

    def _iterated(self, expr: Comprehension) -> str:
        iterated = self.emit(expr.iter_range)
        declared = expr.iter_range.type
        if declared.kind is Kind.LIST:
            return f"{self._name(enumerate)}({iterated.source})" if expr.iter_var2 else iterated.source
        if declared.kind is Kind.MAP and declared.params[0].kind is Kind.STRING:
            return f"{iterated.source}.items()" if expr.iter_var2 else iterated.source
        helper = runtime.pairs if expr.iter_var2 else runtime.items
        return f"{self._name(helper)}({iterated.source})"

    def _loop(self, expr: Comprehension, fold: Fold, function: str) -> str:
        """A function of its own: loops are statements."""
        outer = self._body
        inherited = self._outer_names()
        variables = dict(outer.variables)
        loop_names = []
        element_types = _element_types(expr)
        for name, declared in zip((expr.iter_var, expr.iter_var2), element_types, strict=True):
            if name:
                python_name = f"v{len(variables)}"
                variables[name] = Code(python_name, known_class(declared))
                loop_names.append(python_name)
        self._body = Body(function, outer.constants, variables)
        body = fold.write(self)
        self._body = outer
        parameters = ", ".join(("r", "d", *inherited))
        return f"def {function}({parameters}, CONSTANTS):\n{body.format(target=', '.join(loop_names))}"

    def _bind(self, expr: Comprehension) -> Code:
        value = self.emit(expr.accu_init)
        outer = self._body.variables
        name = f"v{len(outer)}"
        self._body.variables = {**outer, expr.accu_var: Code(name, value.known)}
        result = self.emit(expr.result)
        self._body.variables = outer
        missing = self._name(runtime.undecided)
        source = f"({result.source} if ({name} := {value.source}) is not {missing} else None)"
        return Code(source, result.known)


def _element_types(expr: Comprehension) -> tuple[CelType, CelType]:
    declared = expr.iter_range.type
    if declared.kind is Kind.LIST:
        return (INT, declared.params[0]) if expr.iter_var2 else (declared.params[0], DYN)
    if declared.kind is Kind.MAP:
        return declared.params[0], declared.params[1]
    return DYN, DYN


def _is_domain_map(code: Code) -> bool:
    return code.known is DomainMap


_EMITS: Mapping[type, Any] = {
    Literal: Emitter.literal,
    Ident: Emitter.ident,
    Select: Emitter.select,
    Call: Emitter.call,
    CreateList: Emitter.create_list,
    CreateMap: Emitter.create_map,
    Comprehension: Emitter.comprehension,
}
_CALLS: Mapping[str, Any] = {
    "_&&_": Emitter.logic,
    "_||_": Emitter.logic,
    "!_": Emitter.negation,
    "_?_:_": Emitter.conditional,
    "_==_": Emitter.equality,
    "_!=_": Emitter.equality,
    **dict.fromkeys(_ORDERINGS, Emitter.ordering),
    **dict.fromkeys(_ARITHMETIC, Emitter.arithmetic),
    **dict.fromkeys(_KEYS, Emitter.comparison),
    "@in": Emitter.membership,
    "size": Emitter.size,
    "startsWith": Emitter.text_test,
    "endsWith": Emitter.text_test,
    "contains": Emitter.text_test,
    "matches": Emitter.pattern_test,
    "format": Emitter.formatted,
    "dyn": Emitter.dyn,
    "_[_]": Emitter.index,
    "orValue": Emitter.or_value,
    "hasValue": Emitter.has_value,
}
