"""Source text to tokens, for text that is well formed.

One regular expression does all of it, since compiling an expression should take tens of microseconds. Text with a
character that fits no token makes `tokenize` return None; `dray.cel.syntax.recovery` then finds out what to say.
"""

import re
from typing import NamedTuple

ESCAPE = r"\\(?:[abfnrtv\"'\\?`]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2})"
"""One complete escape sequence inside a string."""

_STRINGS = (
    rf'"""(?:{ESCAPE}|[^\\])*?"""',
    rf"'''(?:{ESCAPE}|[^\\])*?'''",
    rf'"(?:{ESCAPE}|[^\\"\n\r])*"',
    rf"'(?:{ESCAPE}|[^\\'\n\r])*'",
)
_RAW_STRINGS = (r'[rR]"""(?:.|\n)*?"""', r"[rR]'''(?:.|\n)*?'''", r'[rR]"[^"\n\r]*"', r"[rR]'[^'\n\r]*'")
_ANY_STRING = "|".join((*_STRINGS, *_RAW_STRINGS))

# Longest match first, as the grammar of CEL asks for.
_TOKEN = re.compile(
    rf"""
      (?P<SKIP>[\t\ \r\n\f]+|//[^\n]*)
    | (?P<BYTES>[bB](?:{_ANY_STRING}))
    | (?P<STRING>{_ANY_STRING})
    | (?P<NUM_FLOAT>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|\.[0-9]+(?:[eE][+-]?[0-9]+)?)
    | (?P<NUM_UINT>(?:0x[0-9a-fA-F]+|[0-9]+)[uU])
    | (?P<NUM_INT>0x[0-9a-fA-F]+|[0-9]+)
    | (?P<IDENTIFIER>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<ESC_IDENTIFIER>`[A-Za-z0-9_.\-/\ ]+`)
    | (?P<OPERATOR>==|!=|<=|>=|&&|\|\||[<>\[\]{{}}().,\-!?:+*/%])
    """,
    re.VERBOSE,
)

KEYWORDS = frozenset(("in", "true", "false", "null"))
END = "<EOF>"


class Token(NamedTuple):
    """`kind` is the text itself for operators and keywords, else the name of the token rule."""

    kind: str
    text: str
    offset: int


def scan(text: str, offset: int) -> tuple[Token | None, int]:
    """The token at `offset` and where the next begins; None for white space and comments.

    Raises ValueError where no token begins.
    """
    found = _TOKEN.match(text, offset)
    if found is None:
        raise ValueError(offset)
    kind = found.lastgroup
    assert kind is not None
    if kind == "SKIP":
        return None, found.end()
    word = found.group()
    if kind == "OPERATOR" or (kind == "IDENTIFIER" and word in KEYWORDS):
        kind = word
    return Token(kind, word, offset), found.end()


def tokenize(text: str) -> list[Token] | None:
    """All tokens and an `<EOF>`, or None where some character belongs to no token."""
    tokens: list[Token] = []
    append = tokens.append
    end = 0
    for found in _TOKEN.finditer(text):
        start = found.start()
        if start != end:
            return None
        end = found.end()
        kind = found.lastgroup
        if kind == "SKIP":
            continue
        word = found.group()
        if kind == "OPERATOR" or (kind == "IDENTIFIER" and word in KEYWORDS):
            kind = word
        append(Token(kind, word, start))  # type: ignore[arg-type]  # every branch of the pattern is named
    if end != len(text):
        return None
    append(Token(END, END, end))
    return tokens
