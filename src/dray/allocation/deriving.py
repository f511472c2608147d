"""Which values do requests derive from devices? Answered once per expression and device.

A request may name attributes that no driver publishes and say in CEL what they are of a device; its constraints look at
those before they look at what is published. Values are kept on the slice, per expression; a slice that replaces another
takes over those of the devices that did not change. A failure concerns only the device for which it happened.

Refuses to know: which constraint looks at what. Source: KEP-6080, Kubernetes 1.37.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from dray.allocation.attributes import AttributeIndex, read_elements
from dray.allocation.derivations import Derivation, Derived
from dray.allocation.expressions import Failure
from dray.allocation.model import Features
from dray.allocation.slices import Device, Slice
from dray.cel import DeviceInput

_DERIVATIONS_MAX = 512


class DerivedIndex:
    """The values of devices of one node, as far as they were asked for; `failed` are those that have none."""

    __slots__ = ("asked", "failed", "index")

    def __init__(self) -> None:
        self.asked = 0
        self.failed = 0
        self.index = AttributeIndex()


class Deriver:
    """Interns expressions and evaluates them."""

    def __init__(self, features: Features) -> None:
        self._lists = features.list_type_attributes
        self._derivations: dict[str, Derivation] = {}

    @property
    def is_crowded(self) -> bool:
        """So many expressions were seen that remembering all costs more than it saves."""
        return len(self._derivations) > _DERIVATIONS_MAX

    def forget(self) -> None:
        """Start over; what was handed out before stays usable, but is not found again."""
        self._derivations.clear()

    def derivation_of(self, text: str) -> Derivation:
        found = self._derivations.get(text)
        if found is None:
            found = self._derivations[text] = Derivation(text)
        return found

    def derive(self, entry: Slice, derivation: Derivation, devices: int) -> Derived:
        """What the expression makes of `devices` of a slice, and perhaps of others; O(1) where it was asked before."""
        derived = entry.derived.get(derivation)
        if derived is None:
            derived = entry.derived[derivation] = Derived()
        unknown = devices & ~derived.known
        while unknown:
            low = unknown & -unknown
            unknown ^= low
            bit = low.bit_length() - 1
            device = DeviceInput.of(entry.driver, entry.devices[bit].raw)
            derived.learn(bit, derivation.value(device))
        return derived

    def index(
        self,
        known: dict[Derivation, DerivedIndex],
        parts: Iterable[tuple[Slice, int]],
        derivation: Derivation,
        devices: int,
    ) -> DerivedIndex:
        """The values of `devices`, positions in slices at offsets; `known` is where those slices keep it."""
        found = known.get(derivation)
        if found is None:
            found = known[derivation] = DerivedIndex()
        unknown = devices & ~found.asked
        if not unknown:
            return found
        found.asked |= unknown
        for entry, offset in parts:
            here = unknown >> offset & entry.whole
            derived = self.derive(entry, derivation, here)
            found.failed |= (derived.failed & here) << offset
            here &= ~derived.failed
            while here:
                low = here & -here
                here ^= low
                bit = low.bit_length() - 1
                found.index.add(bit + offset, read_elements(derived.values[bit], lists=self._lists))
        return found

    def value_of(self, device: Device, derivation: Derivation) -> Mapping[str, Any] | Failure:
        """The value of one device, or why it has none."""
        bit = device.bit
        derived = self.derive(device.slice, derivation, 1 << bit)
        value = derived.values.get(bit)
        return derived.failures[bit] if value is None else value
