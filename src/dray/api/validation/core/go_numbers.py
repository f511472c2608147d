"""Numbers and durations in texts, as Go's library reads them, and its words for what it cannot read."""

import re
from typing import Final

from dray.api.fields import quote

_WHOLE: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]*(\.[0-9]*)?", re.ASCII)
_UNIT: Final = re.compile(r"[^0-9.]*")
_UNITS: Final = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
"""In nanoseconds."""
_LARGEST: Final = 2**63
_DIGITS_MAX: Final = 19
"""Of a number of 64 bits."""


def whole_number(text: str) -> int | str:
    """The number, or why there is none."""
    if not _WHOLE.fullmatch(text):
        return "invalid syntax"
    if len(text.lstrip("+-").lstrip("0")) > _DIGITS_MAX:
        return "value out of range"
    number = int(text[:1].strip("0123456789") + (text.lstrip("+-").lstrip("0") or "0"))
    return number if -_LARGEST <= number < _LARGEST else "value out of range"


def duration_problem(text: str) -> str:
    """Why `text` is no duration such as `1h30m`; "" if it is one."""
    wrong = f"time: invalid duration {quote(text)}"
    at = 1 if text[:1] in ("+", "-") else 0
    if text[at:] == "0":
        return ""
    if at == len(text):
        return wrong
    total = 0
    while at < len(text):
        found = _NUMBER.match(text, at)
        number = found[0] if found else ""
        if number in ("", "."):
            return wrong
        at += len(number)
        unit = (_UNIT.match(text, at) or [""])[0]
        if not unit:
            return f"time: missing unit in duration {quote(text)}"
        if unit not in _UNITS:
            return f"time: unknown unit {quote(unit)} in duration {quote(text)}"
        at += len(unit)
        whole, _, part = number.partition(".")
        whole, part = whole.lstrip("0"), part[:_DIGITS_MAX]  # beyond them nothing is left of a nanosecond
        if len(whole) > _DIGITS_MAX:
            return wrong
        total += int(whole or "0") * _UNITS[unit] + int(part or "0") * _UNITS[unit] // 10 ** len(part)
        if total > _LARGEST - (not text.startswith("-")):
            return wrong
    return ""
