"""Schedules in cron's notation and the time zones that they are read in, with the words of the parser Kubernetes has."""

import re
import zoneinfo
from collections.abc import Mapping
from typing import Final, NamedTuple

from dray.api.fields import quote
from dray.api.validation.core.go_numbers import duration_problem, whole_number

_NICKNAMES: Final = frozenset(
    {"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"}
)
_EVERY: Final = "@every "
_ZONES: Final = ("TZ=", "CRON_TZ=")
_ZONE_PART: Final = re.compile(r"[A-Za-z.\-_0-9+]{1,14}", re.ASCII)
_MONTHS: Final = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS: Final = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]


class _Bounds(NamedTuple):
    low: int
    high: int
    names: Mapping[str, int]


class _Wrong(ValueError):
    """The schedule cannot be read; the text says why."""


_FIELDS: Final = (
    _Bounds(0, 59, {}),
    _Bounds(0, 23, {}),
    _Bounds(1, 31, {}),
    _Bounds(1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    _Bounds(0, 6, {name: number for number, name in enumerate(_DAYS)}),
)
"""Minute, hour, day of the month, month, day of the week."""


def schedule_problem(schedule: str) -> str:
    """Why `schedule` cannot be read; "" if it can."""
    try:
        _read(schedule)
    except _Wrong as error:
        return str(error)
    return ""


def zone_problem(name: str) -> str:
    """Why `name` is no time zone; "" if it is one. A part of a zone's name is 14 characters at most."""
    for part in name.split("/"):
        if part in (".", "..") or part.startswith("-") or not _ZONE_PART.fullmatch(part):
            return f"unknown time zone {name}"
    return _unknown_zone(name)


def _unknown_zone(name: str) -> str:
    if name in ("", "UTC", "Local"):
        return ""
    if ".." in name or name[0] in "/\\":
        return "time: invalid location name"
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return f"unknown time zone {name}"
    return ""


def _read(schedule: str) -> None:
    if schedule.startswith(_ZONES):
        zone, space, rest = schedule.partition(" ")
        name = zone.partition("=")[2]
        if not space:
            start = schedule.index("=") + 1
            raise _Wrong(f"invalid schedule format: runtime error: slice bounds out of range [{start}:-1]")
        if problem := _unknown_zone(name):
            raise _Wrong(f"provided bad location {name}: {problem}")
        schedule = rest.strip()
    if schedule.startswith("@"):
        _read_nickname(schedule)
        return
    fields = schedule.split()
    if len(fields) != len(_FIELDS):
        raise _Wrong(f"expected exactly {len(_FIELDS)} fields, found {len(fields)}: [{' '.join(fields)}]")
    for text, bounds in zip(fields, _FIELDS, strict=True):
        for part in filter(None, text.split(",")):
            _read_range(part, bounds)


def _read_nickname(text: str) -> None:
    if text in _NICKNAMES:
        return
    if not text.startswith(_EVERY):
        raise _Wrong(f"unrecognized descriptor: {text}")
    if problem := duration_problem(text.removeprefix(_EVERY)):
        raise _Wrong(f"failed to parse duration {text}: {problem}")


def _read_range(text: str, bounds: _Bounds) -> None:
    """`*`, `n` or `n-m`, with `/step` or without."""
    parts = text.split("/")
    ends = parts[0].split("-")
    if ends[0] in ("*", "?"):
        start, end = bounds.low, bounds.high
    else:
        start = end = _number(ends[0], bounds.names)
        if len(ends) == 2:
            end = _number(ends[1], bounds.names)
        elif len(ends) > 2:
            raise _Wrong(f"too many hyphens: {text}")
    step = 1
    if len(parts) == 2:
        step = _number(parts[1], {})
        end = bounds.high if len(ends) == 1 else end
    elif len(parts) > 2:
        raise _Wrong(f"too many slashes: {text}")
    if start < bounds.low:
        raise _Wrong(f"beginning of range ({start}) below minimum ({bounds.low}): {text}")
    if end > bounds.high:
        raise _Wrong(f"end of range ({end}) above maximum ({bounds.high}): {text}")
    if start > end:
        raise _Wrong(f"beginning of range ({start}) beyond end of range ({end}): {text}")
    if step == 0:
        raise _Wrong(f"step of range should be a positive number: {text}")


def _number(text: str, names: Mapping[str, int]) -> int:
    known = names.get(text.lower())
    if known is not None:
        return known
    number = whole_number(text)
    if isinstance(number, str):
        raise _Wrong(f"failed to parse int from {text}: strconv.Atoi: parsing {quote(text)}: {number}")
    if number < 0:
        raise _Wrong(f"negative number ({number}) not allowed: {text}")
    return number
