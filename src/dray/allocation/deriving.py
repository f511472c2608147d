"""Which values do requests derive from devices? Answered once per expression and device.

A request may name attributes that no driver publishes and say in CEL what they are of a device; its constraints look at
those before they look at what is published. Values are kept on the slice, per expression; a slice that replaces another
takes over those of the devices that did not change. A failure concerns only the device for which it happened.

Refuses to know: which constraint looks at what. Source: KEP-6080, Kubernetes 1.37.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from dray.allocation.attributes import AttributeIndex, read_elements
from dray.allocation.matching import Failure
from dray.allocation.model import Features
from dray.allocation.slices import Device, Slice
from dray.cel import CelCompileError, CelRuntimeError, DeviceInput, Environment, compile_derivation
from dray.cel import Derivation as Compiled

_DERIVATIONS_MAX = 512

# The scheduler understands lists here whatever the gates say; what constraints make of them is another question.
_ENVIRONMENT = Environment(list_type_attributes=True)


class Derivation:
    """One expression, compiled when first asked. Interned: equal texts are the same object."""

    __slots__ = ("_compiled", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._compiled: Compiled | Failure | None = None

    def value(self, device: DeviceInput) -> Mapping[str, Any] | Failure:
        """The attribute of the device, in the form in which slices publish one."""
        if self._compiled is None:
            self._compiled = self._compile()
        if isinstance(self._compiled, Failure):
            return self._compiled
        try:
            return self._compiled.attribute(device)
        except CelRuntimeError as error:
            return Failure(str(error), compiling=False)

    def _compile(self) -> Compiled | Failure:
        try:
            return compile_derivation(self.text, _ENVIRONMENT)
        except CelCompileError as error:
            return Failure(str(error), compiling=True)


class Derived:
    """What one expression makes of the devices of one slice, as far as it was asked."""

    __slots__ = ("failed", "failures", "known", "values")

    def __init__(self) -> None:
        self.known = 0
        self.failed = 0
        self.failures: dict[int, Failure] = {}
        """By bit; such a device is known, but has no value."""
        self.values: dict[int, Mapping[str, Any]] = {}

    def learn(self, bit: int, value: Mapping[str, Any] | Failure) -> None:
        self.known |= 1 << bit
        if isinstance(value, Failure):
            self.failed |= 1 << bit
            self.failures[bit] = value
        else:
            self.values[bit] = value

    def moved(self, bits: Iterable[tuple[int, int]]) -> "Derived":
        """The same about devices in other places: pairs of the old and the new bit."""
        copy = Derived()
        for source, target in bits:
            if self.known >> source & 1:
                value = self.values.get(source)
                copy.learn(target, self.failures[source] if value is None else value)
        return copy


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
