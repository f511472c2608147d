"""Ages as kubectl prints them: one or two units, coarser the longer the time. Knows nothing of objects."""

import datetime as dt

from dray.api.meta import parse_time

UNKNOWN = "<unknown>"
INVALID = "<invalid>"

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 24 * 3600, 365 * 24 * 3600


def human_duration(seconds: float) -> str:
    """`90` -> `90s`, `200` -> `3m20s`, `90000` -> `25h`; `<invalid>` for more than a second in the future.

    The thresholds are kubectl's HumanDuration: seconds below 2 minutes, minutes and seconds below 10, minutes below
    3 hours, hours and minutes below 8, hours below 48, days and hours below 8 days, days below 2 years.
    """
    whole = int(seconds)
    if whole < -1:
        return INVALID
    if whole < 0:
        return "0s"
    if whole < 2 * _MINUTE:
        return f"{whole}s"
    if whole < 10 * _MINUTE:
        return _two_units(whole, _MINUTE, "m", 1, "s")
    if whole < 3 * _HOUR:
        return f"{whole // _MINUTE}m"
    if whole < 8 * _HOUR:
        return _two_units(whole, _HOUR, "h", _MINUTE, "m")
    if whole < 2 * _DAY:
        return f"{whole // _HOUR}h"
    if whole < 8 * _DAY:
        return _two_units(whole, _DAY, "d", _HOUR, "h")
    if whole < 2 * _YEAR:
        return f"{whole // _DAY}d"
    if whole < 8 * _YEAR:
        return _two_units(whole, _YEAR, "y", _DAY, "d")
    return f"{whole // _YEAR}y"


def _two_units(seconds: int, large: int, large_name: str, small: int, small_name: str) -> str:
    rest = seconds % large // small
    head = f"{seconds // large}{large_name}"
    return f"{head}{rest}{small_name}" if rest else head


def age(timestamp: str | None, now: dt.datetime) -> str:
    """How long ago an RFC 3339 `timestamp` was; `<unknown>` without one."""
    if not timestamp:
        return UNKNOWN
    return human_duration((now - parse_time(timestamp)).total_seconds())
