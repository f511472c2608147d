"""Takes the text of a conjunction apart at its `&&`, through any parentheses around parts of it."""

import functools
from collections.abc import Iterator, Sequence

from dray.cel.syntax.lexer import END, Token, tokenize

_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_WEAKER = ("||", "?")
"""Operators that bind less tightly than `&&`: the text around them is no conjunction."""


@functools.lru_cache(maxsize=256)
def terms(text: str) -> tuple[str, ...]:
    """The terms as written, in order; the whole text where it is no conjunction. `text` has no syntax errors."""
    tokens = tokenize(text)
    if tokens is None:
        return (text,)
    return tuple(_text(text, term) for term in _split(tokens[:-1] if tokens[-1].kind == END else tokens))


def _text(text: str, term: Sequence[Token]) -> str:
    last = term[-1]
    return text[term[0].offset : last.offset + len(last.text)]


def _split(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Iterative, since parentheses nest as deeply as an author likes."""
    waiting = [tokens]
    while waiting:
        part = waiting.pop()
        inner = _without_parentheses(part)
        pieces = [inner] if len(inner) < len(part) else _pieces(part)
        if len(pieces) == 1 and len(pieces[0]) == len(part):
            yield part
        else:
            waiting.extend(reversed(pieces))


def _without_parentheses(tokens: Sequence[Token]) -> Sequence[Token]:
    if len(tokens) < 3 or tokens[0].kind != "(" or _closing(tokens) != len(tokens) - 1:
        return tokens
    return tokens[1:-1]


def _closing(tokens: Sequence[Token]) -> int:
    """The index of the parenthesis that closes the first one."""
    depth = 0
    for index, token in enumerate(tokens):
        depth += (token.kind in _OPENING) - (token.kind in _CLOSING)
        if not depth:
            return index
    return -1


def _pieces(tokens: Sequence[Token]) -> list[Sequence[Token]]:
    pieces, start, depth = [], 0, 0
    for index, token in enumerate(tokens):
        depth += (token.kind in _OPENING) - (token.kind in _CLOSING)
        if depth:
            continue
        if token.kind in _WEAKER and tokens[index - 1].kind != ".":  # `m.?k` is no condition
            return [tokens]
        if token.kind == "&&":
            pieces.append(tokens[start:index])
            start = index + 1
    return [*pieces, tokens[start:]]
