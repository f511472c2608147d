"""Maps of CEL: a dict, with the three things a dict does not do.

- `true` is no number in CEL, but `True == 1` in Python: bool keys are stored as `BoolKey`s.
- The outer maps of `device.attributes` and `device.capacity` give an empty map for a domain that is not there
  (`DomainMap`), although `in`, `size()` and the macros see the real map.
- The variables of an admission policy are only evaluated when they are read (`LazyMap`).

Maps from JSON and from devices are plain dicts with string keys and need no conversion.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from dray.api.semver import Semver
from dray.cel.errors import EvalAborted, EvalFailure
from dray.cel.values.named_format import NamedFormat


class BoolKey:
    """Stands for a bool as the key of a map."""

    __slots__ = ("value",)

    def __init__(self, value: bool) -> None:
        self.value = value


TRUE_KEY: Final = BoolKey(True)
FALSE_KEY: Final = BoolKey(False)
MISSING: Final = object()
"""What a look-up gives where there is no such key; no value of CEL."""


class DeviceMap(dict[str, Any]):
    """A map of a device: has string keys only and may be asked for any."""

    __slots__ = ()


class DomainMap(DeviceMap):
    """Finds an empty map under every key that is missing."""

    __slots__ = ()

    def __missing__(self, key: object) -> DeviceMap:
        return _EMPTY


class GrowingList(list[Any]):
    """The accumulator of a comprehension: concatenation extends it in place."""

    __slots__ = ()


class GrowingMap(dict[Any, Any]):
    """The accumulator of a comprehension: insertion happens in place."""

    __slots__ = ()


class LazyMap(dict[str, Any]):
    """Values that are made when first asked for, and kept; so are failures."""

    __slots__ = ("_failures", "_make")

    def __init__(self, make: Callable[[str], Any]) -> None:
        """`make` gives the value of a name. Raises EvalFailure, or KeyError for a name that has none."""
        self._make = make
        self._failures: dict[str, EvalFailure] = {}

    def __missing__(self, name: str) -> Any:
        if name in self._failures:
            raise self._failures[name]
        try:
            value = self[name] = self._make(name)
        except EvalFailure as failure:
            self._failures[name] = failure
            raise
        return value


_EMPTY: Final = DeviceMap()


def encode_key(key: Any) -> Any:
    """A value as the key of a dict. Raises EvalFailure for lists and maps, EvalAborted for what upstream cannot hash."""
    if key is True:
        return TRUE_KEY
    if key is False:
        return FALSE_KEY
    if isinstance(key, list | dict):
        raise EvalFailure("unsupported key type")
    check_hashable(key)
    return key


_UNHASHABLE: Final = {bytes: "types.Bytes", Semver: "cel.Semver", NamedFormat: "cel.Format"}


def check_hashable(value: Any) -> None:
    """Raises EvalAborted for values of the few types that upstream cannot put into a set."""
    if type(value) in _UNHASHABLE:
        kind = _UNHASHABLE[type(value)]
        raise EvalAborted(f"internal error: runtime error: hash of unhashable type {kind}")


def keys_of(mapping: dict[Any, Any]) -> Iterable[Any]:
    """The keys as values, in order of insertion."""
    for key in mapping:
        yield key.value if type(key) is BoolKey else key


def find(mapping: dict[Any, Any], key: Any) -> Any:
    """The value under `key`, or MISSING; a DomainMap has every key."""
    if type(key) is not str:
        if not mapping or isinstance(key, list | dict):
            return mapping[""] if isinstance(mapping, DomainMap) else MISSING
        if not isinstance(mapping, DeviceMap):
            key = encode_key(key)
    try:
        return mapping[key]
    except KeyError:
        return MISSING


def contains(mapping: dict[Any, Any], key: Any) -> bool:
    """What `key in mapping` says; honest about a DomainMap too."""
    if type(key) is str:
        return key in mapping
    if not mapping or isinstance(key, list | dict) or isinstance(mapping, DeviceMap):
        return False
    return encode_key(key) in mapping
