"""Characters and quoted strings of JSONPath templates, as Go reads and shows them."""

import re
from typing import Final

_PLAIN: Final = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
}
_PIECE: Final = re.compile(
    r"""\\(?:(?P<plain>[abfnrtv\\'"])|x(?P<byte>[0-9a-fA-F]{2})|(?P<octal>[0-7]{3})
        |u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8})) | (?P<other>[^\\])""",
    re.VERBOSE | re.DOTALL,
)


class JsonPathError(ValueError):
    """A template that cannot be understood, in kubectl's words."""


def rune(char: str) -> str:
    """`U+002C ','`."""
    return f"U+{ord(char):04X}" + (f" '{char}'" if char.isprintable() else "")


def unquoted(text: str) -> str:
    """What stands between the quotes, its escapes followed; bytes that are no text are surrogates, as Python has it.

    Raises JsonPathError.
    """
    quote, inside = text[0], text[1:-1]
    if "\\" not in inside:
        return inside
    data = b""
    at = 0
    while at < len(inside):
        match = _PIECE.match(inside, at)
        piece = _meaning(match, quote) if match else None
        if match is None or piece is None:
            raise JsonPathError(f"unquote string {text} error invalid syntax")
        data += piece
        at = match.end()
    return data.decode(errors="surrogateescape")


def _meaning(match: re.Match[str], quote: str) -> bytes | None:
    """None where Go knows no such thing."""
    kind, text = str(match.lastgroup), str(match[str(match.lastgroup)])
    match kind:
        case "plain" if text in "'\"":
            return text.encode() if text == quote else None
        case "plain":
            return _PLAIN[text].encode()
        case "byte":
            return bytes([int(text, 16)])
        case "octal":
            return bytes([int(text, 8)]) if int(text, 8) < 0x100 else None
        case "short" | "long":
            code = int(text, 16)
            is_valid = code < 0xD800 or 0xE000 <= code < 0x110000
            return chr(code).encode() if is_valid else None
    return text.encode(errors="surrogateescape")
