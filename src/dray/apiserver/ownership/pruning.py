"""Takes out of a merged object what its applier applied before and no longer does.

An item goes when the applier owned it last time and nobody owns it now. Removal is done in the version of the last
apply, in three steps: take out everything owned last time; put back what any owner still claims (which also brings
back the containers around it); put back what was never the applier's.
"""

from collections.abc import Mapping
from typing import Any

from dray.api.schema import Schema
from dray.apiserver.ownership import typed
from dray.apiserver.ownership.entries import Holding, Holdings
from dray.apiserver.ownership.fieldset import (
    EMPTY,
    LEAF,
    FieldSet,
    difference,
    intersection,
    is_member,
    node,
    union,
)
from dray.apiserver.ownership.merging import remove
from dray.apiserver.ownership.versions import Converter, schema_of


class Pruning:
    def __init__(self, api_version: str, kind: str, convert: Converter | None, later: frozenset[str]) -> None:
        self._api_version = api_version
        self._kind = kind
        self._convert = convert
        self._later = later

    def prune(self, merged: Mapping[str, Any], last: Holding, holdings: Holdings) -> Mapping[str, Any]:
        """`merged` (in the request's version) without the items that `last` held and no holding holds any more."""
        version = last.api_version
        base = self._at(merged, self._api_version, version)
        if not last.fields or base is None:
            return merged
        schema = schema_of(version, self._kind, self._later)
        owned_before = with_named(last.fields, schema)
        pruned = remove(base, owned_before, schema) or {}
        pruned = self._with_owned(base, pruned, version, holdings)
        lost = difference(_all_named(base, schema), _all_named(pruned, schema))
        pruned = remove(base, intersection(lost, owned_before), schema) or {}
        return self._at(pruned, version, self._api_version) or merged

    def _with_owned(
        self, base: Mapping[str, Any], pruned: Mapping[str, Any], version: str, holdings: Holdings
    ) -> Mapping[str, Any]:
        """`pruned` with everything that anyone owns, each looked at in the version of the owning entry."""
        owned: dict[str, FieldSet] = {}
        for holding in holdings.values():
            owned[holding.api_version] = union(owned.get(holding.api_version, EMPTY), holding.fields)
        for other in sorted(
            owned, key=lambda name: name != version
        ):  # converting may need what this brings back
            schema = schema_of(other, self._kind, self._later)
            whole, rest = self._at(base, version, other), self._at(pruned, version, other)
            if whole is None or rest is None:
                continue
            keep = union(_all_named(rest, schema), with_named(owned[other], schema))
            kept = remove(whole, difference(_all_named(whole, schema), keep), schema) or {}
            pruned = self._at(kept, other, version) or pruned
        return pruned

    def _at(self, obj: Mapping[str, Any], given: str, wanted: str) -> Mapping[str, Any] | None:
        if given == wanted:
            return obj
        return self._convert({"metadata": {}, **obj, "apiVersion": given}, wanted) if self._convert else None


def _all_named(value: Mapping[str, Any], schema: Schema) -> FieldSet:
    return with_named(typed.field_set(value, schema), schema)


def with_named(fields: FieldSet, schema: Schema | None) -> FieldSet:
    """The set with every struct field that leads to a member made a member too, except keys of maps."""
    out: dict[str, Any] = {}
    for step, sub in fields.items():
        if step == ".":
            continue
        inner = _inside(step, schema)
        children = with_named({key: value for key, value in sub.items() if key != "."}, inner)
        is_field = step.startswith("f:") and schema is not None and step[2:] in schema.fields
        out[step] = node(is_member(sub) or is_field, children) if children else LEAF
    return out


def _inside(step: str, schema: Schema | None) -> Schema | None:
    if schema is None:
        return None
    return schema.child(step[2:]) if step.startswith("f:") else schema.items
