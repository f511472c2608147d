"""Records who changed what in writes that are not server-side apply: create, update, the other patches.

Decides which fields pass to the writer and which owners lose them. A write that changes nothing leaves every entry,
times included; an object without owners stays without, unless it is being created.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from dray.api.meta import Object, format_time
from dray.api.schema.model import zero_struct
from dray.apiserver.ownership import entries
from dray.apiserver.ownership.comparison import Comparison
from dray.apiserver.ownership.elements import BadElement
from dray.apiserver.ownership.entries import Holding, Holdings, Owner
from dray.apiserver.ownership.fieldset import EMPTY, LEAF, FieldSet, difference, in_order, of_members, union
from dray.apiserver.ownership.versions import Converter, Versions, schema_of

_META = "f:metadata"
UNOWNED: FieldSet = of_members(
    [
        ("f:apiVersion",),
        ("f:kind",),
        (_META,),
        *(
            (_META, f"f:{name}")
            for name in (
                "name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation",
                "managedFields", "resourceVersion",
            )
        ),
    ]
)  # fmt: skip
"""What the server itself keeps; nobody owns it."""


def record_update(
    old: Mapping[str, Any] | None,
    new: Object,
    *,
    manager: str,
    api_version: str,
    subresource: str = "",
    now: dt.datetime,
    reset_fields: FieldSet = EMPTY,
    convert: Converter | None = None,
    later: frozenset[str] = frozenset(),
) -> Object:
    """`new` with the managedFields that follow from changing `old` into it; both in `api_version`.

    `old` is None on create. `new` may carry managedFields of its own, which then count instead of the old ones, unless
    they are unreadable or the write goes through a subresource; `[]` and `[{}]` forget all owners.
    """
    is_create = old is None or not old["metadata"].get("uid")
    before = zero_struct(schema_of(api_version, new["kind"], later)) if old is None else old
    kept, holdings = _starting_point(before, new, subresource)
    if not holdings and not is_create:
        return with_entries(new, [])
    versions = Versions(
        before, new, api_version, new["kind"], reset=reset_fields, convert=convert, later=later
    )
    key = entries.owner(manager, entries.UPDATE, api_version, subresource)
    try:
        after = take_over(holdings, versions, key, api_version, format_time(now))
    except BadElement:
        return with_entries(new, [])
    if after is holdings and kept is not None:
        return with_entries(new, kept)
    return with_entries(new, entries.write(entries.capped(after)))


def _starting_point(
    old: Mapping[str, Any], new: Mapping[str, Any], subresource: str
) -> tuple[list[Object] | None, Holdings]:
    """The entries that count, as a list where they may be kept as they stand, and read."""
    live = old["metadata"].get("managedFields")
    asked = None if subresource else new["metadata"].get("managedFields")
    if entries.is_reset(asked):
        return None, {}
    if asked is not None and asked is not live and asked != live:
        holdings = entries.read_or_none(asked)
        if holdings:
            return None, holdings
    return live, entries.read_or_none(live)


def take_over(holdings: Holdings, versions: Versions, key: Owner, api_version: str, time: str) -> Holdings:
    """`holdings` after the owner `key` made the change; the same dict when nothing that is owned changed."""
    mine = versions.comparison(api_version)
    if mine is None or mine.is_same:
        return holdings
    after = dropped(holdings, versions)
    taken = difference(mine.changed, UNOWNED)
    if taken:
        previous = after.get(key)
        fields = union(previous.fields, taken) if previous else taken
        after[key] = Holding(in_order(fields), api_version, time)
    return after


def dropped(holdings: Holdings, versions: Versions, keep: Owner | None = None) -> Holdings:
    """Every owner without the fields that changed or went, `keep` apart; owners left with nothing are gone."""
    after: Holdings = {}
    for key, holding in holdings.items():
        left = holding.fields if key == keep else _lessened(holding, versions.comparison(holding.api_version))
        if left is holding.fields:
            after[key] = holding
        elif left:
            after[key] = Holding(left, holding.api_version, holding.time)
    return after


def _lessened(holding: Holding, found: Comparison | None) -> FieldSet:
    if found is None:
        return EMPTY if holding.fields is not EMPTY else LEAF
    return difference(difference(holding.fields, found.changed), found.removed)


def with_entries(obj: Object, managed: list[Object]) -> Object:
    """`obj` with these managedFields, in the place where upstream writes them; none when empty."""
    metadata = dict(obj["metadata"])
    if managed:
        metadata["managedFields"] = managed
    else:
        metadata.pop("managedFields", None)
    return {**obj, "metadata": metadata}


def keep_times_when_unchanged(old: Mapping[str, Any], new: Object) -> Object:
    """`new` with the old entries' times, when the two differ in nothing but resourceVersion and those times.

    For the end of a write: preparing it may have undone the change that the times stand for.
    """
    ours, theirs = old["metadata"].get("managedFields"), new["metadata"].get("managedFields")
    if not ours or not theirs or ours is theirs or not _same_but_times(ours, theirs):
        return new
    if _bare(old) != _bare(new):
        return new
    return with_entries(new, ours)


def _same_but_times(ours: list[Object], theirs: list[Object]) -> bool:
    return len(ours) == len(theirs) and all(
        {**left, "time": None} == {**right, "time": None} for left, right in zip(ours, theirs, strict=True)
    )


def _bare(obj: Mapping[str, Any]) -> dict[str, Any]:
    volatile = ("managedFields", "resourceVersion")
    metadata = {key: value for key, value in obj["metadata"].items() if key not in volatile}
    return {**obj, "metadata": metadata}
