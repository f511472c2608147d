"""Tokens to a tree, for expressions without faults.

This is the quick way through: a hand-written descent without any error handling. Whatever is unusual - a fault, a
misused macro, a reserved word, very deep nesting - makes `parse` return None, and `dray.cel.syntax.recovery` reads
the text again, slowly, the way cel-go's generated parser does.
"""

from dray.cel.ast import Entry, Expr
from dray.cel.syntax.builder import Builder, MacroMisuse, Macros
from dray.cel.syntax.lexer import END, Token, tokenize
from dray.cel.syntax.literal import bytes_value, double_value, int_value, string_value, uint_value

RESERVED = frozenset(
    (
        "as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop",
        "package", "namespace", "null", "return", "true", "var", "void", "while",
    )
)  # fmt: skip
"""Words that are no variable or function names, though they may be field names."""

_PRECEDENCE = {
    "<": 1, "<=": 1, ">": 1, ">=": 1, "==": 1, "!=": 1, "in": 1,
    "+": 2, "-": 2,
    "*": 3, "/": 3, "%": 3,
}  # fmt: skip
OPERATORS = {op: f"_{op}_" for op in _PRECEDENCE} | {"in": "@in"}
"""Binary operators and the functions they call."""

_LINKS = frozenset((*_PRECEDENCE, ".", "["))

_MAX_NESTING = 60
_MAX_CHAIN = 120
_MAX_LINKS = 180
"""Operators and selections in all, so that no tree is deeper than the slow parser admits."""


class _Unusual(Exception):
    """Leave it to the slow parser."""


def parse(text: str, macros: Macros) -> Expr | None:
    """The tree of `text`, or None where the slow parser must look at it."""
    tokens = tokenize(text)
    if tokens is None or (len(tokens) > _MAX_LINKS and _links(tokens) > _MAX_LINKS):
        return None
    try:
        parser = _Parser(tokens, Builder(macros))
        expr = parser.expr()
        parser.expect(END)
    except (_Unusual, MacroMisuse, ValueError):
        return None
    return expr


def _links(tokens: list[Token]) -> int:
    return sum(token.kind in _LINKS for token in tokens)


class _Parser:
    __slots__ = ("_builder", "_index", "_kind", "_nesting", "_token", "_tokens")

    def __init__(self, tokens: list[Token], builder: Builder) -> None:
        self._tokens = tokens
        self._builder = builder
        self._index = 0
        self._token = tokens[0]
        self._kind = self._token.kind
        self._nesting = 0

    def _next(self) -> Token:
        """The current token, moving on to the one after it."""
        token = self._token
        self._index += 1
        self._token = self._tokens[self._index]
        self._kind = self._token.kind
        return token

    def expect(self, kind: str) -> Token:
        if self._kind != kind:
            raise _Unusual
        return self._token if kind == END else self._next()

    def _accept(self, kind: str) -> bool:
        if self._kind != kind:
            return False
        self._next()
        return True

    def expr(self) -> Expr:
        self._nesting += 1
        if self._nesting > _MAX_NESTING:
            raise _Unusual
        condition = self._or()
        if self._kind == "?":
            offset = self._next().offset
            if_true = self._or()
            self.expect(":")
            if_false = self.expr()
            condition = self._builder.call_or_macro(offset, "_?_:_", [condition, if_true, if_false])
        self._nesting -= 1
        return condition

    def _or(self) -> Expr:
        first = self._and()
        if self._kind != "||":
            return first
        terms, offsets = [first], []
        while self._kind == "||":
            offsets.append(self._next().offset)
            terms.append(self._and())
        return self._builder.balanced("_||_", terms, offsets)

    def _and(self) -> Expr:
        first = self._binary(1)
        if self._kind != "&&":
            return first
        terms, offsets = [first], []
        while self._kind == "&&":
            offsets.append(self._next().offset)
            terms.append(self._binary(1))
        return self._builder.balanced("_&&_", terms, offsets)

    def _binary(self, lowest: int) -> Expr:
        left = self._unary()
        length = 0
        while (precedence := _PRECEDENCE.get(self._kind, 0)) >= lowest:
            length += 1
            if length > _MAX_CHAIN:
                raise _Unusual
            operator = self._next()
            right = self._binary(precedence + 1)
            left = self._builder.call_or_macro(operator.offset, OPERATORS[operator.kind], [left, right])
        return left

    def _unary(self) -> Expr:
        kind = self._kind
        if kind != "!" and kind != "-":
            return self._member()
        first = self._token
        count = 0
        while self._kind == kind:
            sign = self._next()
            count += 1
        if kind == "-" and count == 1 and self._kind in ("NUM_INT", "NUM_FLOAT"):
            return self._member(sign)  # -5 is a number; of --5 both signs are operators
        operand = self._member()
        if count % 2 == 0:
            return operand
        return self._builder.call_or_macro(first.offset, f"{kind}_", [operand])

    def _member(self, sign: Token | None = None) -> Expr:
        operand = self._primary() if sign is None else self._number(sign)
        length = 0
        while self._kind == "." or self._kind == "[":
            length += 1
            if length > _MAX_CHAIN:
                raise _Unusual
            operand = self._selection(operand) if self._kind == "." else self._index_of(operand)
        return operand

    def _selection(self, operand: Expr) -> Expr:
        dot = self._next()
        if self._accept("?"):
            name = self.expect("IDENTIFIER")
            field = self._builder.literal(name.offset, name.text)
            return self._builder.call(dot.offset, "_?._", operand, field)
        name = self.expect("IDENTIFIER")
        if self._kind != "(":
            return self._builder.select(dot.offset, operand, name.text)
        offset = self._next().offset
        return self._builder.call_or_macro(offset, name.text, self._arguments(), operand)

    def _index_of(self, operand: Expr) -> Expr:
        offset = self._next().offset
        function = "_[?_]" if self._accept("?") else "_[_]"
        index = self.expr()
        self.expect("]")
        return self._builder.call_or_macro(offset, function, [operand, index])

    def _arguments(self) -> list[Expr]:
        if self._accept(")"):
            return []
        args = [self.expr()]
        while self._accept(","):
            args.append(self.expr())
        self.expect(")")
        return args

    def _primary(self) -> Expr:
        kind = self._kind
        if kind == "IDENTIFIER" or kind == ".":
            return self._name()
        if kind == "(":
            self._next()
            nested = self.expr()
            self.expect(")")
            return nested
        if kind == "[":
            return self._list()
        if kind == "{":
            return self._map()
        return self._constant()

    def _constant(self) -> Expr:
        kind, text, offset = self._next() if self._kind != END else self._token
        literal = self._builder.literal
        match kind:
            case "STRING":
                return literal(offset, string_value(text))
            case "NUM_INT":
                return literal(offset, int_value(text, negative=False))
            case "NUM_FLOAT":
                return literal(offset, double_value(text, negative=False))
            case "NUM_UINT":
                return literal(offset, uint_value(text))
            case "BYTES":
                return literal(offset, bytes_value(text[1:]))
            case "true" | "false":
                return literal(offset, kind == "true")
            case "null":
                return literal(offset, None)
        raise _Unusual

    def _number(self, sign: Token) -> Expr:
        number = self._next()
        value: int | float
        if number.kind == "NUM_INT":
            value = int_value(number.text, negative=True)
        else:
            value = double_value(number.text, negative=True)
        return self._builder.literal(sign.offset, value)

    def _name(self) -> Expr:
        dot = "." if self._accept(".") else ""
        name = self.expect("IDENTIFIER")
        if name.text in RESERVED:
            raise _Unusual
        if self._kind == "(":
            offset = self._next().offset
            return self._builder.call_or_macro(offset, dot + name.text, self._arguments())
        if self._kind == "{" or (self._kind == "." and self._is_message_name()):
            return self._message(dot + name.text)
        return self._builder.ident(name.offset, dot + name.text)

    def _is_message_name(self) -> bool:
        """Whether `.a.b.c {` follows."""
        tokens, index = self._tokens, self._index
        while tokens[index].kind == "." and tokens[index + 1].kind == "IDENTIFIER":
            index += 2
        return tokens[index].kind == "{"

    def _message(self, name: str) -> Expr:
        while self._accept("."):
            name += "." + self.expect("IDENTIFIER").text
        offset = self.expect("{").offset
        entries: list[Entry] = []
        while self._kind != "}":
            optional = self._accept("?")
            field = self.expect("IDENTIFIER").text
            colon = self.expect(":").offset
            entries.append(self._builder.entry(colon, field, self.expr(), optional=optional))
            if not self._accept(","):
                break
        self.expect("}")
        return self._builder.create_message(offset, name, entries)

    def _list(self) -> Expr:
        offset = self._next().offset
        elements: list[Expr] = []
        optional: list[int] = []
        while self._kind != "]":
            if self._accept("?"):
                optional.append(len(elements))
            elements.append(self.expr())
            if not self._accept(","):
                break
        self.expect("]")
        return self._builder.create_list(offset, elements, frozenset(optional))

    def _map(self) -> Expr:
        offset = self._next().offset
        entries: list[Entry] = []
        while self._kind != "}":
            optional = self._accept("?")
            key = self.expr()
            colon = self.expect(":").offset
            entries.append(self._builder.entry(colon, key, self.expr(), optional=optional))
            if not self._accept(","):
                break
        self.expect("}")
        return self._builder.create_map(offset, entries)
