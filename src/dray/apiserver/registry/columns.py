"""Cells that many kinds' tables share. A kind's own columns stand with the kind."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from dray.api.duration import age
from dray.api.meta import Object, parse_time
from dray.apiserver.registry.kind import Column

NONE = "<none>"
UNKNOWN = "<unknown>"

Cell = Callable[[Object, dt.datetime], Any]


def name_cell(obj: Object, now: dt.datetime) -> str:
    return str(obj["metadata"].get("name") or "")


def age_cell(obj: Object, now: dt.datetime) -> str:
    return age(obj["metadata"].get("creationTimestamp"), now)


NAME = Column("Name", name_cell, format="name", description="Name of the object, unique among its kind.")
NAME_WIDE = Column(
    "Name", name_cell, format="name", priority=1, description="Name of the object, unique among its kind."
)
AGE = Column("Age", age_cell, description="Time since the object was created.")
CREATED_AT = Column(
    "Created At",
    lambda obj, now: obj["metadata"].get("creationTimestamp"),
    type="date",
    description="When the object was created.",
)


def at(*path: str, default: Any = "") -> Cell:
    """The value at `path`, or `default` where it is absent or null."""

    def cell(obj: Object, now: dt.datetime) -> Any:
        return find(obj, *path, default=default)

    return cell


def find(obj: Mapping[str, Any], *path: str, default: Any = None) -> Any:
    """The value at `path`, or `default` where it or anything on the way is absent or null."""
    value: Any = obj
    for key in path:
        if not value:
            return default
        value = value.get(key)
    return default if value is None else value


def wide(column: str, cell: Cell, description: str, *, type: str = "string") -> Column:
    """A column that only `-o wide` shows."""
    return Column(column, cell, type=type, priority=1, description=description)


def containers_of(template: Mapping[str, Any] | None) -> list[Object]:
    """The containers of a pod template."""
    return list(((template or {}).get("spec") or {}).get("containers") or ())


def container_names(*template_path: str) -> Cell:
    return lambda obj, now: ",".join(
        container.get("name") or "" for container in containers_of(find(obj, *template_path))
    )


def container_images(*template_path: str) -> Cell:
    return lambda obj, now: ",".join(
        container.get("image") or "" for container in containers_of(find(obj, *template_path))
    )


def label_map(labels: Mapping[str, str] | None) -> str:
    """`k=v,k2=v2` in the order of the keys, or `<none>`."""
    if not labels:
        return NONE
    return ",".join(f"{key}={labels[key]}" for key in sorted(labels))


_OPERATORS = {"In": "in", "NotIn": "notin"}


def label_selector(selector: Mapping[str, Any] | None) -> str:
    """A label selector in the form that `kubectl -l` takes; `<none>` where it selects everything or nothing."""
    if not selector:
        return NONE
    parts = [(key, f"{key}={value}") for key, value in (selector.get("matchLabels") or {}).items()]
    for requirement in selector.get("matchExpressions") or ():
        parts.append((requirement.get("key") or "", _expression(requirement)))
    return ",".join(text for _, text in sorted(parts, key=lambda part: part[0])) or NONE


def _expression(requirement: Mapping[str, Any]) -> str:
    key, operator = requirement.get("key") or "", requirement.get("operator") or ""
    if operator == "Exists":
        return key
    if operator == "DoesNotExist":
        return f"!{key}"
    values = ",".join(sorted(requirement.get("values") or ()))
    return f"{key} {_OPERATORS.get(operator, operator)} ({values})"


def joined(values: Iterable[str], separator: str = ",") -> str:
    return separator.join(values)


def latest(times: Sequence[str]) -> str | None:
    """The latest of several timestamps."""
    return max(times, key=parse_time) if times else None
