"""Timestamps and durations with nanoseconds, as Go's time package reads and prints them.

A timestamp keeps the UTC offset it was written with, for printing only: two timestamps are equal where the instants
are. Calendar questions are asked in UTC or in a named zone.
"""

import datetime as dt
import re
import zoneinfo
from decimal import Decimal

from dray.cel.errors import EvalFailure
from dray.cel.values.number import MAX_INT, MIN_INT, checked_int, plain

SECOND = 10**9
MIN_UNIX = -62135596800
MAX_UNIX = 253402300799

_UNITS = {
    "ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6,
    "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND,
}  # fmt: skip
_DURATION = re.compile(r"([-+]?)((?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+)")
_TERM = re.compile(r"([0-9]*\.?[0-9]*)([a-zµμ]+)")
_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:[.,]([0-9]+))?"
    r"(?:Z|([+-])([0-9]{2}):([0-9]{2}))"
)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Duration:
    """A span of `nanos` nanoseconds, within 64 bits."""

    __slots__ = ("nanos",)

    def __init__(self, nanos: int) -> None:
        self.nanos = nanos

    def __eq__(self, other: object) -> bool:
        return self.nanos == other.nanos if isinstance(other, Duration) else NotImplemented

    def __lt__(self, other: "Duration") -> bool:
        return self.nanos < other.nanos

    def __hash__(self) -> int:
        return hash((Duration, self.nanos))

    def __str__(self) -> str:
        """Seconds, as `string(duration)` gives them: `5400s`, `1.5s`."""
        return plain(self.seconds) + "s"

    def __repr__(self) -> str:
        return f"Duration({self.nanos})"

    @property
    def seconds(self) -> float:
        """As Go computes it: whole seconds plus the fraction, each a float."""
        whole, rest = divmod(abs(self.nanos), SECOND)
        value = float(whole) + rest / 1e9
        return -value if self.nanos < 0 else value

    def whole(self, unit: int) -> int:
        """How many units of `unit` nanoseconds fit, towards zero, by way of a float as in Go."""
        whole, rest = divmod(abs(self.nanos), unit)
        value = int(float(whole) + rest / float(unit))
        return -value if self.nanos < 0 else value


class Timestamp:
    """`nanos` since 1970 in UTC, printed at `offset` seconds east of it."""

    __slots__ = ("nanos", "offset")

    def __init__(self, nanos: int, offset: int = 0) -> None:
        self.nanos = nanos
        self.offset = offset

    def __eq__(self, other: object) -> bool:
        return self.nanos == other.nanos if isinstance(other, Timestamp) else NotImplemented

    def __lt__(self, other: "Timestamp") -> bool:
        return self.nanos < other.nanos

    def __hash__(self) -> int:
        return hash((Timestamp, self.nanos))

    def __str__(self) -> str:
        """RFC 3339 with as many fractional digits as needed."""
        local = self._civil(self.offset)
        fraction = f".{self.nanos % SECOND:09d}".rstrip("0").rstrip(".")
        zone = "Z" if not self.offset else _zone_text(self.offset)
        return f"{local.year:04d}-{local:%m-%dT%H:%M:%S}{fraction}{zone}"

    def __repr__(self) -> str:
        return f"Timestamp({self})"

    @property
    def unix(self) -> int:
        """Whole seconds since 1970, rounded down."""
        return self.nanos // SECOND

    def _civil(self, offset: int) -> dt.datetime:
        try:
            return _EPOCH + dt.timedelta(seconds=self.unix + offset)
        except OverflowError as error:
            raise EvalFailure("timestamp overflow") from error

    def at(self, zone: str = "UTC") -> dt.datetime:
        """Calendar fields in a zone: a name of the tz database or `+02:00`. Raises EvalFailure for any other."""
        hours, colon, minutes = zone.partition(":")
        if colon:
            return self._civil(_fixed_offset(hours, minutes, negative=zone.startswith("-")) * 60)
        if zone in ("", "UTC"):
            return self._civil(0)
        if ".." in zone or zone.startswith(("/", "\\")):
            raise EvalFailure("time: invalid location name")
        try:
            return self._civil(0).astimezone(zoneinfo.ZoneInfo(zone))
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise EvalFailure(f"unknown time zone {zone}") from error

    def plus(self, duration: Duration) -> "Timestamp":
        """Raises EvalFailure past the years 1 to 9999."""
        nanos = self.nanos + duration.nanos
        if not MIN_UNIX <= nanos // SECOND <= MAX_UNIX:
            raise EvalFailure("timestamp overflow")
        return Timestamp(nanos, self.offset)

    def minus(self, other: "Timestamp") -> Duration:
        """Raises EvalFailure where the span exceeds 64 bits of nanoseconds."""
        return Duration(checked_int(self.nanos - other.nanos))


def _fixed_offset(hours: str, minutes: str, *, negative: bool) -> int:
    """Minutes east of UTC."""
    for part in (hours, minutes):
        if not re.fullmatch(r"[+-]?[0-9]{1,9}", part):
            raise EvalFailure(f'strconv.Atoi: parsing "{part}": invalid syntax')
    return int(hours) * 60 + (-int(minutes) if negative else int(minutes))


def _zone_text(offset: int) -> str:
    minutes = abs(offset) // 60
    return f"{'-' if offset < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"


def parse_duration(text: str) -> Duration | None:
    """A Go duration such as `1h30m` or `-1.5s`; None for anything else or out of range."""
    if text in ("0", "+0", "-0"):
        return Duration(0)
    found = _DURATION.fullmatch(text) if len(text) <= 1024 else None
    if found is None:
        return None
    nanos = sum(int(Decimal(number) * _UNITS[unit]) for number, unit in _TERM.findall(found[2]))
    nanos = -nanos if found[1] == "-" else nanos
    return Duration(nanos) if MIN_INT <= nanos <= MAX_INT else None


def parse_timestamp(text: str) -> Timestamp | None:
    """An RFC 3339 timestamp of the years 0 to 9999, with the leniency of Go; None for anything else."""
    found = _RFC3339.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(field) for field in found.groups()[:6])
    nanos = int((found[7] or "0")[:9].ljust(9, "0"))
    offset = 0
    if found[8]:
        if int(found[9]) > 24 or int(found[10]) > 60:
            return None
        offset = (int(found[9]) * 60 + int(found[10])) * 60
        offset = -offset if found[8] == "-" else offset
    try:
        days = dt.date(year or 4, month, day).toordinal() - _EPOCH.toordinal()
        dt.time(hour, minute, second)
    except ValueError:
        return None
    if not year:
        days -= dt.date(4, 1, 1).toordinal() + 365  # year 0 is a leap year too, four years before year 4
    seconds = days * 86400 + hour * 3600 + minute * 60 + second - offset
    return Timestamp(seconds * SECOND + nanos, offset)
