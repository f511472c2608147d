"""CEL's grammar as a graph, for telling what is wrong with a text that does not follow it.

The quick parser knows the grammar by heart but not where it stood when it failed. Complaints must name what could have
come instead, and cel-go's, which users know, come from a parser generator's recovery. So this graph has the nodes such
a generated parser has: a token to match, a rule to enter, an optional part, a loop with its way back, a choice. Left
recursion is unrolled into a loop whose turns start a new tree around the one so far (`Wrap`).
"""

import functools
from collections.abc import Callable
from typing import TypeAlias

from dray.cel.syntax.lexer import END

_LITERALS = (
    "==", "!=", "in", "<", "<=", ">=", ">", "&&", "||", "[", "]", "{", "}", "(", ")", ".", ",", "-", "!", "?", ":",
    "+", "*", "/", "%", "true", "false", "null",
)  # fmt: skip
_SYMBOLS = ("NUM_FLOAT", "NUM_INT", "NUM_UINT", "STRING", "BYTES", "IDENTIFIER", "ESC_IDENTIFIER")
_ORDER = {kind: index for index, kind in enumerate((END, *_LITERALS, *_SYMBOLS))}

EPSILON = ""
"""In a set of next tokens: the rule may end here."""


def describe(kinds: frozenset[str]) -> str:
    """A set of tokens as complaints list it: `{'[', IDENTIFIER}`, or one without braces."""
    names = [f"'{kind}'" if kind in _LITERALS else kind for kind in sorted(kinds, key=_ORDER.__getitem__)]
    return f"{{{', '.join(names)}}}" if len(names) != 1 else names[0]


def is_literal(kind: str) -> bool:
    return kind in _LITERALS


def first_of(kinds: frozenset[str]) -> str:
    return min(kinds, key=_ORDER.__getitem__)


class Node:
    """A place in a rule; `next` is the place after it, None at the end."""

    __slots__ = ("next",)

    def __init__(self, after: "Node | None") -> None:
        self.next = after


class TokenNode(Node):
    """Matches one of `kinds`. `label`: under what name the tree keeps it; with a `+`, as one of several."""

    __slots__ = ("kinds", "label")

    def __init__(self, after: Node | None, label: str, *kinds: str) -> None:
        super().__init__(after)
        self.label = label
        self.kinds = frozenset(kinds)


class RuleNode(Node):
    """Enters a rule; of a left-recursive one, only operators that bind at least as tightly as `precedence`."""

    __slots__ = ("label", "precedence", "rule")

    def __init__(self, after: Node | None, label: str, rule: str, precedence: int = 0) -> None:
        super().__init__(after)
        self.label = label
        self.rule = rule
        self.precedence = precedence


class WrapNode(Node):
    """A turn of left recursion: the tree so far becomes the `label` of a new one of kind `alternative`."""

    __slots__ = ("alternative", "label")

    def __init__(self, after: Node | None, alternative: str, label: str) -> None:
        super().__init__(after)
        self.alternative = alternative
        self.label = label


class NameNode(Node):
    """Says which alternative of its rule the tree is."""

    __slots__ = ("alternative",)

    def __init__(self, after: Node | None, alternative: str) -> None:
        super().__init__(after)
        self.alternative = alternative


class OptionalNode(Node):
    """`body` if what comes next begins it."""

    __slots__ = ("body",)

    body: Node | None


class LoopNode(Node):
    """`body` as often as the decision says; `least_once`: at least once. `back` is where a turn ends."""

    __slots__ = ("back", "body", "decision", "least_once")

    body: Node | None

    def __init__(self, after: Node | None, decision: str, *, least_once: bool) -> None:
        super().__init__(after)
        self.decision = decision
        self.least_once = least_once
        self.back = BackNode(self)


class BackNode(Node):
    """The end of a turn: again, or on."""

    __slots__ = ("loop",)

    def __init__(self, loop: LoopNode) -> None:
        super().__init__(loop.next)
        self.loop = loop


class ChoiceNode(Node):
    """One of `alternatives`, by the decision of that name."""

    __slots__ = ("alternatives", "decision")

    alternatives: tuple[Node, ...]

    def __init__(self, after: Node | None, decision: str) -> None:
        super().__init__(after)
        self.decision = decision


_Maker: TypeAlias = Callable[[Node | None], Node]
"""Makes a node, given what comes after it."""


def _chain(makers: tuple[_Maker, ...], after: Node | None) -> Node | None:
    for make in reversed(makers):
        after = make(after)
    return after


def _token(label: str, *kinds: str) -> _Maker:
    return lambda after: TokenNode(after, label, *kinds)


def _rule(label: str, rule: str, precedence: int = 0) -> _Maker:
    return lambda after: RuleNode(after, label, rule, precedence)


def _wrap(alternative: str, label: str) -> _Maker:
    return lambda after: WrapNode(after, alternative, label)


def _named(alternative: str) -> _Maker:
    return lambda after: NameNode(after, alternative)


def _optional(*body: _Maker) -> _Maker:
    def make(after: Node | None) -> Node:
        node = OptionalNode(after)
        node.body = _chain(body, after)
        return node

    return make


def _loop(decision: str, *body: _Maker, least_once: bool = False) -> _Maker:
    def make(after: Node | None) -> Node:
        node = LoopNode(after, decision, least_once=least_once)
        node.body = _chain(body, node.back)
        return node

    return make


def _choice(decision: str, *alternatives: tuple[_Maker, ...]) -> _Maker:
    def make(after: Node | None) -> Node:
        node = ChoiceNode(after, decision)
        chained = [_chain(alternative, after) for alternative in alternatives]
        node.alternatives = tuple(start for start in chained if start is not None)
        return node

    return make


_LEADING_DOT = _optional(_token("dot", "."))
_TRAILING_COMMA = _optional(_token("comma", ","))
_QUESTION = _optional(_token("optional", "?"))
_ARGUMENTS = (_optional(_rule("args", "exprList")), _token("close", ")"))

RULES: dict[str, Node] = {}
"""The start of each rule."""

RECURSIVE = frozenset(("relation", "calc", "member"))

_DEFINITIONS: dict[str, tuple[_Maker, ...]] = {
    "start": (_rule("e", "expr"), _token("end", END)),
    "expr": (
        _rule("e", "conditionalOr"),
        _optional(_token("op", "?"), _rule("e1", "conditionalOr"), _token("colon", ":"), _rule("e2", "expr")),
    ),
    "conditionalOr": (
        _rule("e", "conditionalAnd"),
        _loop("first", _token("ops+", "||"), _rule("e1+", "conditionalAnd")),
    ),
    "conditionalAnd": (
        _rule("e", "relation"),
        _loop("first", _token("ops+", "&&"), _rule("e1+", "relation")),
    ),
    "relation": (
        _rule("e", "calc"),
        _loop(
            "relation",
            _wrap("operation", "left"),
            _token("op", "<", "<=", ">=", ">", "==", "!=", "in"),
            _rule("right", "relation", 2),
        ),
    ),
    "calc": (
        _rule("e", "unary"),
        _loop(
            "calc",
            _choice(
                "operator",
                (_wrap("operation", "left"), _token("op", "*", "/", "%"), _rule("right", "calc", 3)),
                (_wrap("operation", "left"), _token("op", "+", "-"), _rule("right", "calc", 2)),
            ),
        ),
    ),
    "unary": (
        _choice(
            "unary",
            (_named("member"), _rule("e", "member")),
            (_named("not"), _loop("first", _token("ops+", "!"), least_once=True), _rule("e", "member")),
            (_named("negate"), _loop("minus", _token("ops+", "-"), least_once=True), _rule("e", "member")),
        ),
    ),
    "member": (
        _rule("e", "primary"),
        _loop(
            "member",
            _choice(
                "selection",
                (_wrap("select", "target"), _token("op", "."), _QUESTION, _rule("id", "escapeIdent")),
                (
                    _wrap("call", "target"),
                    _token("op", "."),
                    _token("id", "IDENTIFIER"),
                    _token("open", "("),
                    *_ARGUMENTS,
                ),
                (
                    _wrap("index", "target"),
                    _token("op", "["),
                    _QUESTION,
                    _rule("index", "expr"),
                    _token("close", "]"),
                ),
            ),
        ),
    ),
    "primary": (
        _choice(
            "primary",
            (_named("ident"), _LEADING_DOT, _token("id", "IDENTIFIER")),
            (_named("globalCall"), _LEADING_DOT, _token("id", "IDENTIFIER"), _token("op", "("), *_ARGUMENTS),
            (_named("nested"), _token("open", "("), _rule("e", "expr"), _token("close", ")")),
            (
                _named("list"),
                _token("op", "["),
                _optional(_rule("elems", "listInit")),
                _TRAILING_COMMA,
                _token("close", "]"),
            ),
            (
                _named("map"),
                _token("op", "{"),
                _optional(_rule("entries", "mapInitializerList")),
                _TRAILING_COMMA,
                _token("close", "}"),
            ),
            (
                _named("message"),
                _LEADING_DOT,
                _token("ids+", "IDENTIFIER"),
                _loop("first", _token("dots+", "."), _token("ids+", "IDENTIFIER")),
                _token("op", "{"),
                _optional(_rule("entries", "fieldInitializerList")),
                _TRAILING_COMMA,
                _token("close", "}"),
            ),
            (_named("literal"), _rule("e", "literal")),
        ),
    ),
    "exprList": (_rule("e+", "expr"), _loop("first", _token("comma", ","), _rule("e+", "expr"))),
    "listInit": (_rule("elems+", "optExpr"), _loop("list", _token("comma", ","), _rule("elems+", "optExpr"))),
    "fieldInitializerList": (
        _rule("fields+", "optField"),
        _token("cols+", ":"),
        _rule("values+", "expr"),
        _loop(
            "fields",
            _token("comma", ","),
            _rule("fields+", "optField"),
            _token("cols+", ":"),
            _rule("values+", "expr"),
        ),
    ),
    "optField": (_QUESTION, _rule("id", "escapeIdent")),
    "mapInitializerList": (
        _rule("keys+", "optExpr"),
        _token("cols+", ":"),
        _rule("values+", "expr"),
        _loop(
            "list",
            _token("comma", ","),
            _rule("keys+", "optExpr"),
            _token("cols+", ":"),
            _rule("values+", "expr"),
        ),
    ),
    "escapeIdent": (
        _choice(
            "escapeIdent",
            (_named("simple"), _token("id", "IDENTIFIER")),
            (_named("escaped"), _token("id", "ESC_IDENTIFIER")),
        ),
    ),
    "optExpr": (_QUESTION, _rule("e", "expr")),
    "literal": (
        _choice(
            "literal",
            (_named("int"), _optional(_token("sign", "-")), _token("tok", "NUM_INT")),
            (_named("uint"), _token("tok", "NUM_UINT")),
            (_named("double"), _optional(_token("sign", "-")), _token("tok", "NUM_FLOAT")),
            (_named("string"), _token("tok", "STRING")),
            (_named("bytes"), _token("tok", "BYTES")),
            (_named("true"), _token("tok", "true")),
            (_named("false"), _token("tok", "false")),
            (_named("null"), _token("tok", "null")),
        ),
    ),
}

for _name, _makers in _DEFINITIONS.items():
    _start = _chain(_makers, None)
    assert _start is not None
    RULES[_name] = _start


@functools.cache
def next_tokens(node: Node | None) -> frozenset[str]:
    """The tokens that can come at a place of a rule, and EPSILON where the rule can end first."""
    match node:
        case None:
            return frozenset((EPSILON,))
        case TokenNode():
            return node.kinds
        case RuleNode():
            return _then(next_tokens(RULES[node.rule]), node.next)
        case OptionalNode():
            return next_tokens(node.body) | next_tokens(node.next)
        case LoopNode():
            inside = next_tokens(node.body)
            return inside if node.least_once else inside | next_tokens(node.next)
        case BackNode():
            return next_tokens(node.loop.body) | next_tokens(node.next)
        case ChoiceNode():
            return frozenset().union(*map(next_tokens, node.alternatives))
        case _:
            return next_tokens(node.next)


def _then(tokens: frozenset[str], after: Node | None) -> frozenset[str]:
    return (tokens - {EPSILON}) | next_tokens(after) if EPSILON in tokens else tokens
