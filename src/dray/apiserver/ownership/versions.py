"""Looks at one pair of objects as each owner's API version sees it, comparing once for each version.

Paths in an entry are those of the entry's own version; where it differs from the request's, both objects are converted
first. An owner of a version that no longer exists loses its entry.
"""

from collections.abc import Callable, Mapping
from typing import Any

from dray.api.schema import Schema, schema_for
from dray.apiserver.ownership.comparison import SAME, Comparison, compare
from dray.apiserver.ownership.fieldset import EMPTY, FieldSet, without_subtrees

Converter = Callable[[Mapping[str, Any], str], Mapping[str, Any] | None]
"""(object of the request's version, API version wanted) -> the object in it, or None where that version is not served."""


class Versions:
    """`reset`: fields that a write through this endpoint cannot change, in whichever version; `later` as for `schema_for`."""

    def __init__(
        self,
        old: Mapping[str, Any],
        new: Mapping[str, Any],
        api_version: str,
        kind: str,
        *,
        reset: FieldSet = EMPTY,
        convert: Converter | None = None,
        later: frozenset[str] = frozenset(),
    ) -> None:
        self._old = old
        self._new = new
        self._kind = kind
        self._reset = reset
        self._convert = convert
        self._later = later
        self._api_version = api_version
        self._known: dict[str, Comparison | None] = {}

    def comparison(self, api_version: str) -> Comparison | None:
        """None where the version does not exist."""
        if api_version not in self._known:
            self._known[api_version] = self._compare(api_version)
        return self._known[api_version]

    def _compare(self, api_version: str) -> Comparison | None:
        schema = schema_for(api_version, self._kind, self._later)
        old, new = self.at(self._old, api_version), self.at(self._new, api_version)
        if schema is None or old is None or new is None:
            return None
        found = compare(old, new, schema)
        if found.is_same:
            return SAME
        return Comparison(
            without_subtrees(found.removed, self._reset), without_subtrees(found.changed, self._reset)
        )

    def at(self, obj: Mapping[str, Any], api_version: str) -> Mapping[str, Any] | None:
        if api_version == self._api_version:
            return obj
        return self._convert(obj, api_version) if self._convert else None


def schema_of(api_version: str, kind: str, later: frozenset[str]) -> Schema:
    """Raises LookupError: only kinds with a schema can be applied."""
    schema = schema_for(api_version, kind, later)
    if schema is None:
        raise LookupError(
            f"dray has no schema of {kind} in {api_version}; add its package to scripts/extract_schema.py"
        )
    return schema
