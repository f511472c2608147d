"""Reads any text, slowly: the tree of one that follows the grammar, the complaints about one that does not.

The visitor goes over whatever was recognized, because what is left of a broken text may have faults of other kinds -
reserved words, misused macros, numbers out of range - and users are told all of them at once.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dray.cel.ast import Entry, Expr
from dray.cel.source import BEFORE_TEXT, NOWHERE, Complaint
from dray.cel.syntax.builder import Builder, MacroMisuse, Macros
from dray.cel.syntax.lexer import Token
from dray.cel.syntax.literal import bytes_value, double_value, int_value, string_value, uint_value
from dray.cel.syntax.parser import OPERATORS, RESERVED
from dray.cel.syntax.recognizer import Abort, Recognizer
from dray.cel.syntax.tree import Tree

_MAX_DEPTH = 250


def read(text: str, macros: Macros) -> tuple[Expr | None, list[Complaint]]:
    """The tree and the complaints; the tree is only of use where there are none."""
    recognizer = Recognizer(text)
    visitor = _Visitor(Builder(macros), recognizer.complaints)
    expr: Expr | None = None
    try:
        tree = recognizer.recognize()
        expr = visitor.visit(tree)
    except Abort:
        pass
    return expr, recognizer.complaints


class _Visitor:
    """Builds from the recognized tree. Holes give `Missing` nodes."""

    __slots__ = ("_build", "_complaints", "_depth")

    def __init__(self, build: Builder, complaints: list[Complaint]) -> None:
        self._build = build
        self._complaints = complaints
        self._depth = 0

    def visit(self, tree: Tree | None) -> Expr:
        """The expression a tree stands for; trees that only pass one on are passed through."""
        while tree is not None:
            visit = _VISITS.get((tree.rule, tree.alternative))
            if visit is not None:
                expr: Expr | None = visit(self, tree)
                if expr is not None:
                    return expr
            tree = tree.tree("e")
        if not self._complaints:
            return self._complain(NOWHERE, "unknown parse element encountered: <<nil>>")
        return self._build.missing(BEFORE_TEXT)

    def _complain(self, offset: int, message: str) -> Expr:
        self._complaints.append(Complaint(offset, message))
        return self._build.missing(offset)

    @contextmanager
    def _deeper(self) -> Iterator[None]:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            self._complaints.append(Complaint(NOWHERE, "max recursion depth exceeded"))
            raise Abort
        yield
        self._depth -= 1

    def _call(self, offset: int, function: str, args: list[Expr], target: Expr | None = None) -> Expr:
        try:
            return self._build.call_or_macro(offset, function, args, target)
        except MacroMisuse as misuse:
            return self._complain(misuse.offset, misuse.message)

    def ternary(self, tree: Tree) -> Expr | None:
        op = tree.token("op")
        if op is None:
            return None
        with self._deeper():
            args = [self.visit(tree.tree(label)) for label in ("e", "e1", "e2")]
            return self._call(op.offset, "_?_:_", args)

    def logic(self, tree: Tree) -> Expr | None:
        ops = tree.tokens("ops")
        if not ops:
            return None
        function = "_||_" if tree.rule == "conditionalOr" else "_&&_"
        terms = [self.visit(tree.tree("e"))]
        rest = tree.trees("e1")
        for index, _ in enumerate(ops):
            if index >= len(rest):
                wanted = function.strip("_")
                return self._complain(tree.start.offset, f"unexpected character, wanted '{wanted}'")
            terms.append(self.visit(rest[index]))
        return self._build.balanced(function, terms, [op.offset for op in ops])

    def operation(self, tree: Tree) -> Expr | None:
        op = tree.token("op")
        with self._deeper():
            if op is None or op.text not in OPERATORS:
                return self._complain(tree.start.offset, "operator not found")
            args = [self.visit(tree.tree("left")), self.visit(tree.tree("right"))]
            return self._call(op.offset, OPERATORS[op.text], args)

    def signs(self, tree: Tree) -> Expr | None:
        ops = tree.tokens("ops")
        operand = tree.tree("e")
        if len(ops) % 2 == 0:
            return self.visit(operand)
        function = "!_" if tree.alternative == "not" else "-_"
        return self._call(ops[0].offset, function, [self.visit(operand)])

    def nothing(self, tree: Tree) -> Expr | None:
        """A unary expression of which not even the kind is known."""
        return self._build.literal(tree.start.offset, "<<error>>")

    def select(self, tree: Tree) -> Expr | None:
        with self._deeper():
            operand = self.visit(tree.tree("target"))
            name, op = tree.tree("id"), tree.token("op")
            if name is None or op is None:
                return self._build.missing(tree.start.offset)
            field = self._field(name, name.start.offset)
            if tree.token("optional") is not None:
                literal = self._build.literal(name.start.offset, field)
                return self._build.call(op.offset, "_?._", operand, literal)
            return self._build.select(op.offset, operand, field)

    def _field(self, tree: Tree, offset: int) -> str:
        """A field's name; the quoted form of it is not part of the language here."""
        token = tree.token("id")
        if tree.alternative == "simple" and token is not None:
            return token.text
        unsupported = "unsupported syntax: '`'" if tree.alternative == "escaped" else "unsupported ident kind"
        self._complain(offset, unsupported)
        return ""

    def member_call(self, tree: Tree) -> Expr | None:
        with self._deeper():
            target = self.visit(tree.tree("target"))
            name, opening = tree.token("id"), tree.token("open")
            if name is None:
                return self._build.missing(tree.start.offset)
            offset = NOWHERE if opening is None else opening.offset
            return self._call(offset, name.text, self._arguments(tree), target)

    def _arguments(self, tree: Tree) -> list[Expr]:
        args = tree.tree("args")
        return [] if args is None else [self.visit(arg) for arg in args.trees("e")]

    def index(self, tree: Tree) -> Expr | None:
        with self._deeper():
            target = self.visit(tree.tree("target"))
            op = tree.token("op")
            if op is None:
                return self._build.missing(tree.start.offset)
            function = "_[_]" if tree.token("optional") is None else "_[?_]"
            return self._call(op.offset, function, [target, self.visit(tree.tree("index"))])

    def ident(self, tree: Tree) -> Expr | None:
        name = tree.token("id")
        if name is None:
            return self._build.missing(tree.start.offset)
        if name.text in RESERVED:
            return self._complain(tree.start.offset, f"reserved identifier: {name.text}")
        return self._build.ident(name.offset, _dot(tree) + name.text)

    def global_call(self, tree: Tree) -> Expr | None:
        name, op = tree.token("id"), tree.token("op")
        if name is None:
            return self._build.missing(tree.start.offset)
        if name.text in RESERVED:
            return self._complain(tree.start.offset, f"reserved identifier: {name.text}")
        offset = NOWHERE if op is None else op.offset
        return self._call(offset, _dot(tree) + name.text, self._arguments(tree))

    def create_list(self, tree: Tree) -> Expr | None:
        op = tree.token("op")
        elements = tree.tree("elems")
        trees = [] if elements is None else elements.trees("elems")
        optional = frozenset(index for index, part in enumerate(trees) if part.token("optional") is not None)
        return self._build.create_list(
            tree.start.offset if op is None else op.offset, [self.visit(part) for part in trees], optional
        )

    def create_map(self, tree: Tree) -> Expr | None:
        op = tree.token("op")
        entries = tree.tree("entries")
        offset = tree.start.offset if op is None else op.offset
        return self._build.create_map(offset, [] if entries is None else self._map_entries(entries))

    def _map_entries(self, tree: Tree) -> list[Entry]:
        keys, values = tree.trees("keys"), tree.trees("values")
        entries = []
        for index, colon in enumerate(tree.tokens("cols")):
            if index >= len(keys) or index >= len(values):
                return []
            key, value = self.visit(keys[index]), self.visit(values[index])
            optional = keys[index].token("optional") is not None
            entries.append(self._build.entry(colon.offset, key, value, optional=optional))
        return entries

    def create_message(self, tree: Tree) -> Expr | None:
        name = _dot(tree) + ".".join(token.text for token in tree.tokens("ids"))
        op = tree.token("op")
        entries = tree.tree("entries")
        offset = tree.start.offset if op is None else op.offset
        return self._build.create_message(offset, name, [] if entries is None else self._fields(entries))

    def _fields(self, tree: Tree) -> list[Entry]:
        colons, values = tree.tokens("cols"), tree.trees("values")
        entries = []
        for index, part in enumerate(tree.trees("fields")):
            if index >= len(colons) or index >= len(values):
                return []
            name = part.tree("id")
            if name is None or name.alternative != "simple":
                self._field(name or Tree("escapeIdent", part.start), tree.start.offset)
                continue
            value = self.visit(values[index])
            optional = part.token("optional") is not None
            entries.append(
                self._build.entry(colons[index].offset, self._field(name, 0), value, optional=optional)
            )
        return entries

    def literal(self, tree: Tree) -> Expr | None:
        token = tree.token("tok")
        if token is None:
            return None
        offset = tree.start.offset
        try:
            return self._build.literal(
                offset, _LITERALS[tree.alternative](token, tree.token("sign") is not None)
            )
        except ValueError as error:
            return self._complain(offset, str(error))


def _dot(tree: Tree) -> str:
    return "." if tree.token("dot") is not None else ""


_LITERALS: dict[str, Callable[[Token, bool], Any]] = {
    "int": lambda token, negative: int_value(token.text, negative=negative),
    "uint": lambda token, _: uint_value(token.text),
    "double": lambda token, negative: double_value(token.text, negative=negative),
    "string": lambda token, _: string_value(token.text),
    "bytes": lambda token, _: bytes_value(token.text[1:]),
    "true": lambda token, _: True,
    "false": lambda token, _: False,
    "null": lambda token, _: None,
}

_VISITS: dict[tuple[str, str], Callable[[_Visitor, Tree], Expr | None]] = {
    ("expr", ""): _Visitor.ternary,
    ("conditionalOr", ""): _Visitor.logic,
    ("conditionalAnd", ""): _Visitor.logic,
    ("relation", "operation"): _Visitor.operation,
    ("calc", "operation"): _Visitor.operation,
    ("unary", ""): _Visitor.nothing,
    ("unary", "not"): _Visitor.signs,
    ("unary", "negate"): _Visitor.signs,
    ("member", "select"): _Visitor.select,
    ("member", "call"): _Visitor.member_call,
    ("member", "index"): _Visitor.index,
    ("primary", "ident"): _Visitor.ident,
    ("primary", "globalCall"): _Visitor.global_call,
    ("primary", "list"): _Visitor.create_list,
    ("primary", "map"): _Visitor.create_map,
    ("primary", "message"): _Visitor.create_message,
    **{("literal", alternative): _Visitor.literal for alternative in _LITERALS},
}
