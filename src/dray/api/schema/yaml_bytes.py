"""Says why bytes are no YAML at all: what is wrong with the first that are no UTF-8, or with a character."""

import re
from typing import Final

_CONTROL: Final = "control characters are not allowed"
_CHARACTERS: Final = re.compile("[\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*\ufeff?")
"""What a YAML text may consist of; only its beginning may be a mark of the order of bytes."""


def fault(data: bytes) -> str:
    """The reason, as libyaml gives it."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        if _CHARACTERS.fullmatch(data[: error.start].decode()) is None:
            return _CONTROL
        return _sequence_fault(data, error.start)
    return _CONTROL if _CHARACTERS.fullmatch(text) is None else ""


def _sequence_fault(data: bytes, at: int) -> str:
    leading = data[at]
    length = (
        2 if leading & 0xE0 == 0xC0 else 3 if leading & 0xF0 == 0xE0 else 4 if leading & 0xF8 == 0xF0 else 0
    )
    if not length:
        return "invalid leading UTF-8 octet"
    trailing = data[at + 1 : at + length]
    if len(trailing) < length - 1:
        return "incomplete UTF-8 octet sequence"
    if any(octet & 0xC0 != 0x80 for octet in trailing):
        return "invalid trailing UTF-8 octet"
    value = leading & (0xFF >> (length + 1))
    for octet in trailing:
        value = value << 6 | octet & 0x3F
    if value < (0x80, 0x800, 0x10000)[length - 2]:
        return "invalid length of a UTF-8 sequence"
    return "invalid Unicode character"
