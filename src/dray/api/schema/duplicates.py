"""Members that a JSON text gives more than once, for texts that have no schema of their own.

Nobody looks at the numbers, which may be of any length.
"""

import json
from collections.abc import Iterator
from typing import Any


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with its duplicate keys."""


def has_duplicates(text: bytes) -> bool:
    """Whether any member is given more than once in `text`, which must be JSON."""
    try:
        json.loads(text, object_pairs_hook=_unique, parse_int=str, parse_float=str)
    except _Duplicate:
        return True
    return False


class _Duplicate(Exception):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Duplicate
    return members


def duplicate_members(text: bytes) -> list[str]:
    """Their paths, such as `spec.items[0].name`, in the order of the text, which must be JSON."""
    return list(_found(json.loads(text, object_pairs_hook=_Pairs, parse_int=str, parse_float=str), ""))


def _found(tree: Any, path: str) -> Iterator[str]:
    if isinstance(tree, _Pairs):
        seen: set[str] = set()
        for name, item in tree:
            here = f"{path}.{name}" if path else name
            if name in seen:
                yield here
            seen.add(name)
            yield from _found(item, here)
    elif isinstance(tree, list):
        for index, item in enumerate(tree):
            yield from _found(item, f"{path}[{index}]")
