"""Says what is wrong with a malformed JSON text, as Go's encoding/json does.

Used only for texts that some JSON parser already refused; a text this scanner finds no fault with (invalid UTF-8, for
instance) gets a general answer.
"""

import re

from dray.api.fields import quote

_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_LITERALS = {"t": "true", "f": "false", "n": "null"}
_END = "unexpected end of JSON input"
TOO_DEEP = "exceeded max depth"
"""The end of the text of an error about nesting."""
_WITHIN = (
    "in literal",
    "in numeric literal",
    "after decimal point",
    "in exponent",
    "in string escape",
    "in \\u hexadecimal",
)


class _Fault(Exception):
    def __init__(self, at: int, where: str) -> None:
        self.at = at
        self.where = where


def syntax_error(data: bytes, *, is_newer: bool = False) -> str:
    """Go's text for the first fault of `data`.

    Kubernetes reads bodies with a copy of encoding/json that stays as it is, and some other texts with the one it is
    built with: `is_newer` gives the words of that, in which a byte that is no UTF-8 is shown as such.
    """
    text = data.decode("utf-8", "surrogateescape")
    try:
        end = _space(text, _value(text, _space(text, 0)))
        if end < len(text):
            raise _Fault(end, "after top-level value")
    except _Fault as fault:
        return _told(text, fault.at, fault.where, is_newer)
    except RecursionError:
        return TOO_DEEP
    return "invalid JSON"


def _told(text: str, at: int, where: str, is_newer: bool) -> str:
    if at >= len(text):
        # Where a token could have ended no more, Go tells of a blank that it tried.
        return f"invalid character ' ' {where}" if where.startswith(_WITHIN) else _END
    byte = text[at].encode("utf-8", "surrogateescape")[0]  # Go looks at bytes
    if is_newer and "\udc80" <= text[at] <= "\udcff":
        return f"invalid character '\\x{byte:02x}' {where}"
    shown = {ord("'"): "\\'", ord('"'): '"'}.get(byte) or quote(chr(byte))[1:-1]
    return f"invalid character '{shown}' {where}"


def _fail(at: int, where: str) -> int:
    raise _Fault(at, where)


def _space(text: str, at: int) -> int:
    matched = _SPACE.match(text, at)
    return matched.end() if matched else at


def _value(text: str, at: int) -> int:
    char = text[at : at + 1]
    if char == "{":
        return _object(text, at)
    if char == "[":
        return _array(text, at)
    if char == '"':
        return _string(text, at)
    if char in _LITERALS and char:
        return _literal(text, at, _LITERALS[char])
    if char and char in "-0123456789":
        return _number(text, at)
    return _fail(at, "looking for beginning of value")


def _object(text: str, at: int) -> int:
    at = _space(text, at + 1)
    if text[at : at + 1] == "}":
        return at + 1
    while True:
        if text[at : at + 1] != '"':
            _fail(at, "looking for beginning of object key string")
        at = _space(text, _string(text, at))
        if text[at : at + 1] != ":":
            _fail(at, "after object key")
        at = _space(text, _value(text, _space(text, at + 1)))
        if text[at : at + 1] == "}":
            return at + 1
        if text[at : at + 1] != ",":
            _fail(at, "after object key:value pair")
        at = _space(text, at + 1)


def _array(text: str, at: int) -> int:
    at = _space(text, at + 1)
    if text[at : at + 1] == "]":
        return at + 1
    while True:
        at = _space(text, _value(text, at))
        if text[at : at + 1] == "]":
            return at + 1
        if text[at : at + 1] != ",":
            _fail(at, "after array element")
        at = _space(text, at + 1)


def _string(text: str, at: int) -> int:
    at += 1
    while True:
        matched = _PLAIN.match(text, at)
        at = matched.end() if matched else at
        char = text[at : at + 1]
        if char == '"':
            return at + 1
        if char != "\\":
            _fail(at, "in string literal")
        at = _escape(text, at + 1)


def _escape(text: str, at: int) -> int:
    char = text[at : at + 1]
    if char and char in '"\\/bfnrt':
        return at + 1
    if char != "u":
        _fail(at, "in string escape code")
    for index in range(at + 1, at + 5):
        if text[index : index + 1] not in tuple("0123456789abcdefABCDEF"):
            _fail(index, "in \\u hexadecimal character escape")
    return at + 5


def _literal(text: str, at: int, word: str) -> int:
    for index, expected in enumerate(word):
        if text[at + index : at + index + 1] != expected:
            _fail(at + index, f"in literal {word} (expecting '{expected}')")
    return at + len(word)


def _number(text: str, at: int) -> int:
    matched = _NUMBER.match(text, at)
    if matched is None:  # a lone minus sign
        return _fail(at + 1, "in numeric literal")
    end = matched.end()
    following = text[end : end + 1]
    if following == "." and "." not in matched.group():
        return _fail(end + 1, "after decimal point in numeric literal")
    if following and following in "eE":
        sign = text[end + 1 : end + 2]
        return _fail(end + (2 if sign and sign in "+-" else 1), "in exponent of numeric literal")
    return end
