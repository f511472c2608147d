"""`metadata.managedFields` as a value: who owns which fields, since when, under which API version.

Decides how entries are told apart, merged, capped and ordered. A manager that applies has one entry whatever the
version; one that updates has one for each version and subresource. Knows nothing of objects or of what changed.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dray.api.meta import Object, parse_time
from dray.apiserver.ownership.fieldset import EMPTY, FieldSet, union

APPLY = "Apply"
UPDATE = "Update"
MAX_UPDATERS = 10
ANCIENT_CHANGES = "ancient-changes"
"""Who owns the fields of the oldest updaters once there are too many."""


class BadEntry(ValueError):
    """The managedFields of a request cannot be understood."""


class Owner(NamedTuple):
    """What tells one entry from another."""

    manager: str
    operation: str
    api_version: str
    """"" for an applier."""
    subresource: str


@dataclasses.dataclass(frozen=True, slots=True)
class Holding:
    fields: FieldSet
    api_version: str
    time: str | None


Holdings = dict[Owner, Holding]


def owner(manager: str, operation: str, api_version: str, subresource: str) -> Owner:
    return Owner(manager, operation, "" if operation == APPLY else api_version, subresource)


def read(entries: Sequence[Mapping[str, Any]] | None) -> Holdings:
    """Raises BadEntry."""
    holdings: Holdings = {}
    for index, entry in enumerate(entries or ()):
        operation, api_version = entry.get("operation", ""), entry.get("apiVersion", "")
        if operation not in (APPLY, UPDATE):
            raise BadEntry("operation must be `Apply` or `Update`")
        if not api_version:
            raise BadEntry("apiVersion must not be empty")
        fields_type = entry.get("fieldsType", "")
        if fields_type != "FieldsV1":
            why = f'invalid fieldsType "{fields_type}"' if fields_type else "missing fieldsType"
            raise BadEntry(f"{why} in managed fields entry {index}")
        fields = entry.get("fieldsV1") or EMPTY
        _check(fields, index)
        key = owner(entry.get("manager", ""), operation, api_version, entry.get("subresource", ""))
        holdings[key] = Holding(fields, api_version, entry.get("time"))
    return holdings


def _check(fields: Any, index: int) -> None:
    if not isinstance(fields, dict):
        raise BadEntry(f"error decoding fieldsV1 of managed fields entry {index}: expected an object")
    for step, inner in fields.items():
        if step != "." and step[:2] not in ("f:", "k:", "v:", "i:"):
            raise BadEntry(f"error decoding fieldsV1 of managed fields entry {index}: bad key {step!r}")
        _check(inner, index)


def read_or_none(entries: Sequence[Mapping[str, Any]] | None) -> Holdings:
    """Nobody owns anything where the entries make no sense."""
    try:
        return read(entries)
    except BadEntry:
        return {}


def is_reset(entries: Any) -> bool:
    """Whether a request asks to forget all owners: `[]` or `[{}]`."""
    return isinstance(entries, list) and (not entries or (len(entries) == 1 and not any(entries[0].values())))


def write(holdings: Holdings) -> list[Object]:
    """The entries in upstream's order: appliers first, then by time, manager, version and subresource."""
    ordered = sorted(holdings.items(), key=lambda item: _rank(*item))
    return [_entry(key, holding) for key, holding in ordered]


def _rank(key: Owner, holding: Holding) -> tuple[Any, ...]:
    return (key.operation, _seconds(holding.time), key.manager, holding.api_version, key.subresource)


def _seconds(time: str | None) -> int:
    return int(parse_time(time).timestamp()) if time else 0


def _entry(key: Owner, holding: Holding) -> Object:
    entry: Object = {"manager": key.manager, "operation": key.operation, "apiVersion": holding.api_version}
    if holding.time:
        entry["time"] = holding.time
    entry |= {"fieldsType": "FieldsV1", "fieldsV1": holding.fields}
    if key.subresource:
        entry["subresource"] = key.subresource
    return entry


def capped(holdings: Holdings) -> Holdings:
    """At most ten updaters: the oldest of each version are merged into one that stands for ancient changes."""
    updaters = [key for key in holdings if key.operation == UPDATE]
    if len(updaters) <= MAX_UPDATERS:
        return holdings
    updaters.sort(key=lambda key: (_seconds(holdings[key].time), key))
    left = dict(holdings)
    count = len(updaters)
    first_of: dict[str, Owner] = {}
    for key in updaters:
        if count <= MAX_UPDATERS:
            break
        version = key.api_version
        if version not in first_of:
            first_of[version] = key
            continue
        bucket = Owner(ANCIENT_CHANGES, UPDATE, version, "")
        if bucket not in left:
            left[bucket] = left.pop(first_of[version])
        if key != bucket:
            merged = left.pop(key)
            left[bucket] = Holding(union(merged.fields, left[bucket].fields), version, merged.time)
            count -= 1
    return left


def manager_of(field_manager: str, user_agent: str) -> str:
    """The name a write is recorded under: as asked, else the product of the user agent, at most 128 bytes of it.

    A client that does not say what it is is `unknown`.
    """
    if field_manager:
        return field_manager
    product = "".join(filter(str.isprintable, user_agent.partition("/")[0]))
    sizes = itertools.accumulate(len(char.encode()) for char in product)
    return "".join(char for char, size in zip(product, sizes, strict=True) if size <= 128) or "unknown"
