"""Which way to go where the grammar branches, with as much look-ahead as it takes.

A decision fails only where no alternative can go on and none was complete before: `NoWay`, which says up to which
token the text made sense. The generated parser of cel-go decides by simulating all alternatives; for this grammar the
outcomes come down to the rules below.
"""

from collections.abc import Callable

from dray.cel.syntax.grammar import RULES, next_tokens
from dray.cel.syntax.lexer import Token
from dray.cel.syntax.skimmer import Skimmer
from dray.cel.syntax.tokens import TokenSource

_RELATIONS = frozenset(("<", "<=", ">=", ">", "==", "!=", "in"))
_FACTORS = frozenset(("*", "/", "%"))
_NUMBERS = frozenset(("NUM_INT", "NUM_FLOAT"))
_LITERALS = ("NUM_INT", "NUM_UINT", "NUM_FLOAT", "STRING", "BYTES", "true", "false", "null")


class NoWay(Exception):
    """No alternative fits from `first` on; `last` is the token at which the last of them failed."""

    def __init__(self, first: Token, last: Token) -> None:
        super().__init__(first.text)
        self.first = first
        self.last = last


def continues(decision: str, tokens: TokenSource, precedence: int) -> bool:
    """Whether a loop takes another turn. Raises NoWay."""
    kind = tokens.kind()
    match decision:
        case "relation":
            return kind in _RELATIONS and precedence <= 1
        case "calc":
            return (kind in _FACTORS and precedence <= 2) or (kind in "+-" and precedence <= 1)
        case "member":
            return kind in ".["
        case "list":
            return kind == "," and tokens.kind(2) in next_tokens(RULES["optExpr"])
        case "fields":
            return kind == "," and tokens.kind(2) in next_tokens(RULES["optField"])
        case "minus":
            return _another_minus(tokens)
    raise AssertionError(decision)


def _another_minus(tokens: TokenSource) -> bool:
    """Of several signs, all are operators, the last one too where a number follows."""
    member = next_tokens(RULES["member"])
    if tokens.kind() != "-":
        if tokens.kind() not in member:
            raise NoWay(tokens.look(), tokens.look())
        return False
    if tokens.kind(2) in _NUMBERS:
        _skim_signed_number(tokens)
    elif tokens.kind(2) not in member:
        raise NoWay(tokens.look(), tokens.look(2))
    return True


def choose(decision: str, tokens: TokenSource) -> int:
    """The index of the alternative to take. Raises NoWay."""
    return _CHOICES[decision](tokens)


def _operator(tokens: TokenSource) -> int:
    return 0 if tokens.kind() in _FACTORS else 1


def _unary(tokens: TokenSource) -> int:
    kind = tokens.kind()
    if kind == "!":
        return 1
    if kind != "-":
        if kind in next_tokens(RULES["member"]):
            return 0
        raise NoWay(tokens.look(), tokens.look())
    follower = tokens.kind(2)
    if follower in _NUMBERS:
        _skim_signed_number(tokens)
        return 0
    if follower in next_tokens(RULES["member"]):
        return 2
    raise NoWay(tokens.look(), tokens.look(2))


def _skim_signed_number(tokens: TokenSource) -> None:
    """`-5` can be read in two ways up to the end of what is selected from it; a fault before that fails both."""
    fault = Skimmer(tokens).fault_after_number(3)
    if fault is not None:
        raise NoWay(tokens.look(), fault)


def _selection(tokens: TokenSource) -> int:
    if tokens.kind() == "[":
        return 2
    follower = tokens.kind(2)
    if follower in ("?", "ESC_IDENTIFIER"):
        return 0
    if follower == "IDENTIFIER":
        return 1 if tokens.kind(3) == "(" else 0
    raise NoWay(tokens.look(), tokens.look(2))


def _primary(tokens: TokenSource) -> int:
    kind = tokens.kind()
    if kind in ("(", "[", "{"):
        return 2 + "([{".index(kind)
    if kind == "-" or kind in _LITERALS:
        return 6
    if kind == "IDENTIFIER":
        return _named(tokens, 2)
    if kind != ".":
        raise NoWay(tokens.look(), tokens.look())
    if tokens.kind(2) != "IDENTIFIER":
        raise NoWay(tokens.look(), tokens.look(2))
    return _named(tokens, 3)


def _named(tokens: TokenSource, place: int) -> int:
    """A name, a call or a message, `place` being that after the first name."""
    if tokens.kind(place) == "(":
        return 1
    while tokens.kind(place) == "." and tokens.kind(place + 1) == "IDENTIFIER":
        place += 2
    return 5 if tokens.kind(place) == "{" else 0


def _escape_ident(tokens: TokenSource) -> int:
    kind = tokens.kind()
    if kind not in ("IDENTIFIER", "ESC_IDENTIFIER"):
        raise NoWay(tokens.look(), tokens.look())
    return 0 if kind == "IDENTIFIER" else 1


def _literal(tokens: TokenSource) -> int:
    kind = tokens.kind()
    if kind == "-":
        follower = tokens.kind(2)
        if follower not in _NUMBERS:
            raise NoWay(tokens.look(), tokens.look(2))
        return 0 if follower == "NUM_INT" else 2
    if kind not in _LITERALS:
        raise NoWay(tokens.look(), tokens.look())
    return _LITERALS.index(kind)


_CHOICES: dict[str, Callable[[TokenSource], int]] = {
    "operator": _operator,
    "unary": _unary,
    "selection": _selection,
    "primary": _primary,
    "escapeIdent": _escape_ident,
    "literal": _literal,
}
