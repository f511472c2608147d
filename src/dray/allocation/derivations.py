"""Expressions by which requests derive an attribute, and what they made of devices so far.

Refuses to know: slices. Source: KEP-6080, Kubernetes 1.37.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from dray.allocation.expressions import Failure
from dray.cel import CelCompileError, CelRuntimeError, DeviceInput, Environment, compile_derivation
from dray.cel import Derivation as Compiled

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
