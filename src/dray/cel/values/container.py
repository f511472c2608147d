"""Maps of CEL: a dict, with the two things a dict does not do.

- `true` is no number in CEL, but `True == 1` in Python: bool keys are stored as `BoolKey`s.
- The outer maps of `device.attributes` and `device.capacity` give an empty map for a domain that is not there
  (`DomainMap`), although `in`, `size()` and the macros see the real map.

Maps from JSON and from devices are plain dicts with string keys and need no conversion.
"""

from collections.abc import Iterable
from typing import Any, Final

from dray.cel.errors import EvalFailure


class BoolKey:
    """Stands for a bool as the key of a map."""

    __slots__ = ("value",)

    def __init__(self, value: bool) -> None:
        self.value = value


TRUE_KEY: Final = BoolKey(True)
FALSE_KEY: Final = BoolKey(False)
MISSING: Final = object()
"""What a look-up gives where there is no such key; no value of CEL."""


class DomainMap(dict[str, dict[str, Any]]):
    """Finds an empty map under every key that is missing."""

    __slots__ = ()

    def __missing__(self, key: object) -> dict[str, Any]:
        return _EMPTY


class GrowingList(list[Any]):
    """The accumulator of a comprehension: concatenation extends it in place."""

    __slots__ = ()


class GrowingMap(dict[Any, Any]):
    """The accumulator of a comprehension: insertion happens in place."""

    __slots__ = ()


_EMPTY: Final[dict[str, Any]] = {}


def encode_key(key: Any) -> Any:
    """A value as the key of a dict. Raises EvalFailure for lists and maps."""
    if key is True:
        return TRUE_KEY
    if key is False:
        return FALSE_KEY
    if isinstance(key, list | dict):
        raise EvalFailure("unsupported key type")
    return key


def keys_of(mapping: dict[Any, Any]) -> Iterable[Any]:
    """The keys as values, in order of insertion."""
    for key in mapping:
        yield key.value if type(key) is BoolKey else key


def find(mapping: dict[Any, Any], key: Any) -> Any:
    """The value under `key`, or MISSING; a DomainMap has every key."""
    try:
        return mapping[encode_key(key)]
    except (KeyError, EvalFailure):
        return MISSING


def contains(mapping: dict[Any, Any], key: Any) -> bool:
    """What `key in mapping` says; honest about a DomainMap too."""
    try:
        return encode_key(key) in mapping
    except EvalFailure:
        return False
