"""What devices say in one attribute, indexed by value: the ground on which constraints are decided.

The value of a device is a set of typed elements: a scalar is a set of one; a list, where lists are understood, the set
of its items. Two devices "match" where their sets meet, and are "distinct" where they do not. An attribute is looked
up by its full name first, and by its bare name where its domain is the driver of the device.

Refuses to know: which claims constrain what. Source: KEP-4381, KEP-5491.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from dray.api.meta import Object

Element: TypeAlias = tuple[str, object]
"""Type and value: `("int", 1)`; versions compare as texts."""

_SCALARS = ("int", "bool", "string", "version")
_LISTS = {"ints": "int", "bools": "bool", "strings": "string", "versions": "version"}


class AttributeIndex:
    """Sets of devices (as bits) by the elements they have in one attribute."""

    __slots__ = ("elements", "groups", "opaque", "present")

    def __init__(self) -> None:
        self.present = 0
        """Devices that have the attribute at all."""
        self.opaque = 0
        """Those whose value is of a type not understood: equal to nothing, not even to themselves."""
        self.groups: dict[Element, int] = {}
        self.elements: dict[int, frozenset[Element]] = {}
        """By position."""

    def add(self, position: int, elements: frozenset[Element] | None) -> None:
        """`None`: the value is opaque."""
        bit = 1 << position
        self.present |= bit
        if elements is None:
            self.opaque |= bit
            elements = frozenset([("opaque", position)])
        self.elements[position] = elements
        for element in elements:
            self.groups[element] = self.groups.get(element, 0) | bit

    def having_any(self, elements: Iterable[Element]) -> int:
        """Devices whose value shares an element with `elements`."""
        found = 0
        for element in elements:
            found |= self.groups.get(element, 0)
        return found


def elements_among(parts: Iterable[tuple[AttributeIndex, int]]) -> Collection[Element]:
    """All elements that devices have, each set of devices with the index that counts for it."""
    return dict.fromkeys(
        element for index, devices in parts for element, members in index.groups.items() if members & devices
    )


def variety_of(parts: Iterable[tuple[AttributeIndex, int]]) -> int:
    """At most so many of some devices are distinct: as many as they have elements, and those whose list is empty."""
    found: set[Element] = set()
    empty = 0
    for index, devices in parts:
        left = devices
        for element, members in index.groups.items():
            if members & devices:
                found.add(element)
                left &= ~members
        empty += left.bit_count()
    return len(found) + empty


def joined(parts: Sequence[tuple[AttributeIndex, int]]) -> AttributeIndex:
    """One index over several slices, each shifted to its offset."""
    whole = AttributeIndex()
    for index, offset in parts:
        for bit, elements in index.elements.items():
            position = bit + offset
            opaque = index.opaque >> bit & 1
            whole.add(position, None if opaque else elements)
    return whole


def lookup_names(attribute: str, driver: str) -> tuple[str, ...]:
    """Under which names a device of `driver` may have `attribute`, first come first served."""
    domain, _, bare = attribute.partition("/")
    return (attribute, bare) if bare and domain == driver else (attribute,)


def value_under(names: Sequence[str], attributes: Object | None) -> Object | None:
    """What a device says under the first of the names that it has."""
    if not attributes:
        return None
    for name in names:
        value: Object | None = attributes.get(name)
        if value is not None:
            return value
    return None


def read_elements(value: Mapping[str, Any], *, lists: bool) -> frozenset[Element] | None:
    """The set of elements that an attribute value stands for; None where its type is not understood."""
    for kind in _SCALARS:
        if (scalar := value.get(kind)) is not None:
            return frozenset([(kind, scalar)])
    if lists:
        for field, kind in _LISTS.items():
            if (items := value.get(field)) is not None:
                return frozenset((kind, item) for item in items)
    return None
