"""Values as Go's %v prints them, for the errors that quote a value."""

from typing import Any

from dray.cel.values.container import keys_of
from dray.cel.values.number import shortest
from dray.cel.values.optional import Optional
from dray.cel.values.time import SECOND, Duration, Timestamp


def show(value: Any) -> str:
    match value:
        case None:
            return "0"  # upstream's null is an enum without a name
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case float():
            return shortest(value)
        case bytes():
            return f"[{' '.join(map(str, value))}]"
        case list():
            return f"[{', '.join(map(show, value))}]"
        case dict():
            entries = zip(keys_of(value), value.values(), strict=True)
            return f"{{{', '.join(f'{show(key)}: {show(item)}' for key, item in entries)}}}"
        case Optional():
            return f"optional({show(value.value)})" if value.present else "optional.none()"
        case Timestamp():
            return show_time(value)
        case Duration():
            return show_duration(value)
        case int():
            return int.__repr__(value)
        case _:
            return str(value)


def show_time(moment: Timestamp) -> str:
    """Go's time.Time.String in UTC: `2024-03-01 12:00:00 +0000 UTC`."""
    text = str(Timestamp(moment.nanos))
    return text.replace("T", " ").removesuffix("Z") + " +0000 UTC"


def show_duration(span: Duration) -> str:
    """Go's time.Duration.String: `24h0m0s`, `1.5s`, `10ms`."""
    nanos = abs(span.nanos)
    sign = "-" if span.nanos < 0 else ""
    if not nanos:
        return "0s"
    if nanos < SECOND:
        for unit, suffix in ((10**6, "ms"), (10**3, "µs"), (1, "ns")):
            if nanos >= unit:
                return f"{sign}{_decimal(nanos, unit)}{suffix}"
    minutes, rest = divmod(nanos, 60 * SECOND)
    hours, minutes_left = divmod(minutes, 60)
    text = f"{_decimal(rest, SECOND)}s"
    if minutes:
        text = f"{minutes_left}m{text}"
    return f"{sign}{hours}h{text}" if hours else sign + text


def _decimal(nanos: int, unit: int) -> str:
    whole, rest = divmod(nanos, unit)
    digits = len(str(unit)) - 1
    return f"{whole}.{rest:0{digits}d}".rstrip("0").rstrip(".") if rest else str(whole)
