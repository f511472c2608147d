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


def whole_number(text: str) -> int | str:
    """The number, or why there is none."""
    if not _WHOLE.fullmatch(text):
        return "invalid syntax"
    number = int(text)
    return number if -_LARGEST <= number < _LARGEST else "value out of range"


def duration_problem(text: str) -> str:
    """Why `text` is no duration such as `1h30m`; "" if it is one."""
    wrong = f"time: invalid duration {quote(text)}"
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return ""
    if not rest:
        return wrong
    total = 0
    while rest:
        found = _NUMBER.match(rest)
        number = found[0] if found else ""
        if number in ("", "."):
            return wrong
        rest = rest[len(number) :]
        unit = (_UNIT.match(rest) or [""])[0]
        if not unit:
            return f"time: missing unit in duration {quote(text)}"
        if unit not in _UNITS:
            return f"time: unknown unit {quote(unit)} in duration {quote(text)}"
        rest = rest[len(unit) :]
        whole, _, part = number.partition(".")
        total += int(whole or "0") * _UNITS[unit] + int(part or "0") * _UNITS[unit] // 10 ** len(part)
        if total > _LARGEST - (not text.startswith("-")):
            return wrong
    return ""
