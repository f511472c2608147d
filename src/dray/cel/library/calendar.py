"""Fields of timestamps and durations: getFullYear() and its siblings."""

import datetime as dt
from collections.abc import Callable

from dray.cel.declarations import Function, Overload, member
from dray.cel.types import DURATION, INT, STRING, TIMESTAMP
from dray.cel.values.time import SECOND, Duration, Timestamp


def _field(id: str, read: Callable[[dt.datetime], int], zoned_id: str = "") -> list[Overload]:
    """A field of a timestamp in UTC, and in a zone given by name or offset."""

    def in_zone(timestamp: Timestamp, zone: str = "UTC") -> int:
        return read(timestamp.at(zone))

    return [
        member(id, (TIMESTAMP,), INT, in_zone),
        member(zoned_id or f"{id}_with_tz", (TIMESTAMP, STRING), INT, in_zone),
    ]


def _milliseconds(timestamp: Timestamp, zone: str = "UTC") -> int:
    timestamp.at(zone)  # the zone does not matter, but must exist
    return timestamp.nanos % SECOND // 10**6


def _span(unit: int) -> Callable[[Duration], int]:
    return lambda duration: duration.whole(unit)


def _whole_millis(duration: Duration) -> int:
    """Exact, unlike the larger units, which Go computes by way of a float."""
    millis = abs(duration.nanos) // 10**6
    return -millis if duration.nanos < 0 else millis


FUNCTIONS = (
    Function("getFullYear", *_field("timestamp_to_year", lambda t: t.year)),
    Function("getMonth", *_field("timestamp_to_month", lambda t: t.month - 1)),
    Function(
        "getDayOfYear",
        *_field("timestamp_to_day_of_year", lambda t: t.timetuple().tm_yday - 1),
    ),
    Function("getDayOfMonth", *_field("timestamp_to_day_of_month", lambda t: t.day - 1)),
    Function("getDate", *_field("timestamp_to_day_of_month_1_based", lambda t: t.day)),
    Function("getDayOfWeek", *_field("timestamp_to_day_of_week", lambda t: t.isoweekday() % 7)),
    Function(
        "getHours",
        *_field("timestamp_to_hours", lambda t: t.hour),
        member("duration_to_hours", (DURATION,), INT, _span(3600 * SECOND)),
    ),
    Function(
        "getMinutes",
        *_field("timestamp_to_minutes", lambda t: t.minute),
        member("duration_to_minutes", (DURATION,), INT, _span(60 * SECOND)),
    ),
    Function(
        "getSeconds",
        *_field("timestamp_to_seconds", lambda t: t.second, "timestamp_to_seconds_tz"),
        member("duration_to_seconds", (DURATION,), INT, _span(SECOND)),
    ),
    Function(
        "getMilliseconds",
        member("timestamp_to_milliseconds", (TIMESTAMP,), INT, _milliseconds),
        member("timestamp_to_milliseconds_with_tz", (TIMESTAMP, STRING), INT, _milliseconds),
        member("duration_to_milliseconds", (DURATION,), INT, _whole_millis),
    ),
)
