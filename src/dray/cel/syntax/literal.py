"""The values that number, string and bytes tokens stand for.

Errors are cel-go's texts, as ValueError.
"""

import re

from dray.cel.values.uint import Uint

_MAX_INT = 2**63 - 1
_MAX_UINT = 2**64 - 1
_SIMPLE_ESCAPES = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "'": "'", '"': '"', "`": "`", "?": "?",
}  # fmt: skip
_ESCAPE = re.compile(r"\\(?:([xX])(..)|u(....)|U(........)|([0-3]..)|(.))", re.DOTALL)
_UNABLE = "unable to unescape string"


def int_value(text: str, *, negative: bool) -> int:
    value = int(text, 16) if text.startswith("0x") else _decimal(text)
    value = -value if negative else value
    if not -_MAX_INT - 1 <= value <= _MAX_INT:
        raise ValueError("invalid int literal")
    return value


def uint_value(text: str) -> Uint:
    digits = text[:-1]
    value = int(digits, 16) if digits.startswith("0x") else _decimal(digits)
    if value > _MAX_UINT:
        raise ValueError("invalid uint literal")
    return Uint(value)


def _decimal(digits: str) -> int:
    # Python refuses to read thousands of digits; 2^64 has 20, and one more than fits is as wrong as any.
    stripped = digits.lstrip("0")
    return int(stripped) if 0 < len(stripped) <= 20 else (_MAX_UINT + 2 if stripped else 0)


def double_value(text: str, *, negative: bool) -> float:
    value = float(text)
    if value == float("inf"):
        raise ValueError("invalid double literal")
    return -value if negative else value


def string_value(token: str) -> str:
    body, raw = _unquote(token)
    if raw or "\\" not in body:
        return body
    return _ESCAPE.sub(_code_point, body)


def bytes_value(token: str) -> bytes:
    """The token without its `b`; octal and hexadecimal escapes are bytes, other characters UTF-8."""
    body, raw = _unquote(token)
    if raw or "\\" not in body:
        return body.encode("utf-8", "surrogatepass")
    out = bytearray()
    end = 0
    for escape in _ESCAPE.finditer(body):
        out += body[end : escape.start()].encode("utf-8", "surrogatepass")
        out += _byte(escape)
        end = escape.end()
    return bytes(out + body[end:].encode("utf-8", "surrogatepass"))


def _unquote(token: str) -> tuple[str, bool]:
    token = token.replace("\r\n", "\n").replace("\r", "\n")
    raw = token[0] in "rR"
    if raw:
        token = token[1:]
    width = 3 if len(token) >= 6 and token[:3] in ('"""', "'''") else 1
    return token[width:-width], raw


def _code_point(escape: re.Match[str]) -> str:
    _, byte, short, long, octal, simple = escape.groups()
    if simple is not None:
        return _SIMPLE_ESCAPES[simple]
    code = int(octal, 8) if octal is not None else int(byte or short or long, 16)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise ValueError("invalid unicode code point")
    return chr(code)


def _byte(escape: re.Match[str]) -> bytes:
    _, byte, short, long, octal, simple = escape.groups()
    if short is not None or long is not None:
        raise ValueError(_UNABLE)
    if simple is not None:
        return _SIMPLE_ESCAPES[simple].encode()
    return bytes([int(octal, 8) if octal is not None else int(byte, 16)])
