"""The queries of requests about containers, as kube-apiserver reads them before it asks the kubelet."""

from typing import Any, Final

from dray.api import errors, fields
from dray.api.fields import FieldError, Path
from dray.api.schema.scalars import BadScalar, read_time
from dray.apiserver.options import Query, first

STREAM_GATE: Final = "PodLogsQuerySplitStreams"
_FLAGS: Final = ("follow", "previous", "timestamps")
_NUMBERS: Final = ("tailLines", "limitBytes", "sinceSeconds")
_LOWEST: Final = {"tailLines": 0, "limitBytes": 1, "sinceSeconds": 1}
_STREAMS: Final = ("All", "Stderr", "Stdout")
_ZERO_TIME: Final = "0001-01-01T00:00:00Z"
_BITS: Final = 63


def is_set(query: Query, name: str) -> bool:
    """A flag of any value that does not say no; that of no value says yes."""
    return name in query and first(query, name).lower() not in ("0", "false")


def log_options(query: Query, pod: str, *, split: bool) -> list[tuple[str, str]]:
    """What the kubelet is asked for. `split`: whether one stream alone may be. Raises BadRequest, Invalid."""
    numbers = {name: _number(first(query, name)) for name in _NUMBERS if name in query}
    since = _time(first(query, "sinceTime")) if "sinceTime" in query else None
    if found := _findings(query, numbers, since, split=split):
        raise errors.invalid("", "PodLogOptions", pod, found)
    options = {name: "true" for name in _FLAGS if is_set(query, name)}
    options |= {name: str(number) for name, number in numbers.items()}
    if since is not None:
        options["sinceTime"] = since
    if first(query, "stream"):
        options["stream"] = first(query, "stream")
    return sorted(options.items())


def _findings(query: Query, numbers: dict[str, int], since: str | None, *, split: bool) -> list[FieldError]:
    found: list[FieldError] = []
    for name in ("tailLines", "limitBytes"):
        found += _too_low(name, numbers)
    if "sinceSeconds" in numbers and since is not None:
        detail = "at most one of `sinceTime` or `sinceSeconds` may be specified"
        found.append(fields.forbidden(Path("[]"), detail))
    else:
        found += _too_low("sinceSeconds", numbers)
    if "stream" in query:
        found += _stream(first(query, "stream"), numbers) if split else [_unasked()]
    return found


def _too_low(name: str, numbers: dict[str, int]) -> list[FieldError]:
    number, lowest = numbers.get(name), _LOWEST[name]
    if number is None or number >= lowest:
        return []
    detail = f"must be greater than {'or equal to ' if lowest == 0 else ''}0"
    return [fields.invalid(Path(name), number, detail)]


def _unasked() -> FieldError:
    return fields.forbidden(Path("stream"), "may not be specified")


def _stream(stream: str, numbers: dict[str, int]) -> list[FieldError]:
    if stream not in _STREAMS:
        return [fields.not_supported(Path("stream"), stream, _STREAMS)]
    if stream != "All" and "tailLines" in numbers:
        detail = "`tailLines` and specific `stream` are mutually exclusive for now"
        return [fields.forbidden(Path("[]"), detail)]
    return []


def forwarded_ports(query: Query) -> list[int]:
    """Raises BadRequest."""
    found = []
    for text in query.get("ports") or ():
        for part in text.split(","):
            number = int(part) if part.isascii() and part.isdigit() else None
            if number is None or number > 0xFFFF:
                why = "invalid syntax" if number is None else "value out of range"
                raise errors.BadRequest(
                    f"cannot convert to []int32: strconv.ParseUint: parsing {fields.quote(part)}: {why}"
                )
            found.append(number)
    return found


def _number(text: str) -> int:
    digits = text[1:] if text[:1] in ("+", "-") else text
    why = ""
    if not (digits.isascii() and digits.isdigit()):
        why = "invalid syntax"
    elif not -(2**_BITS) <= int(text) < 2**_BITS:
        why = "value out of range"
    if why:
        raise errors.BadRequest(f"strconv.ParseInt: parsing {fields.quote(text)}: {why}")
    return int(text)


def _time(text: str) -> str:
    if not text:
        return _ZERO_TIME
    try:
        moment: Any = read_time(text)
    except BadScalar as error:
        raise errors.BadRequest(str(error)) from None
    return str(moment or _ZERO_TIME)
