"""What every expression over a device has: its language, its estimate, and two ways to be evaluated.

The quick way is generated code, from the second device on; whatever that cannot decide goes the exact way. Whoever
inherits says what the exact answer is, and whether code for it can be written.
"""

import functools
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from dray.cel.check.scope import Structs
from dray.cel.codegen.program import generate
from dray.cel.compilation import Compilation, Language
from dray.cel.declarations import Library, Version
from dray.cel.device import (
    DEVICE,
    DeviceInput,
    InvalidDevice,
    Record,
    device_fields,
    generated_slot,
    size_hint,
)
from dray.cel.environment import Environment, declare, libraries_of
from dray.cel.errors import CelRuntimeError
from dray.cel.library import macros, messages
from dray.cel.library.membership import INCLUDES
from dray.cel.types import type_of

Answer = TypeVar("Answer")

COST_LIMIT: Final = 1_000_000
"""What one evaluation may cost, and what the API server lets an expression be estimated at."""

_QUICK_COST = COST_LIMIT // 4
"""Expressions estimated at no more run without counting; the estimate is a bound but for small change."""

_BIND = Library("bindings", Version(1, 31), macros=macros.BIND)


class DeviceExpression(Generic[Answer]):
    """A compiled expression over `device`."""

    def __init__(self, compilation: Compilation, environment: Environment) -> None:
        self._compilation = compilation
        self.environment = environment
        self._quick: Callable[[DeviceInput], Answer] = self._generate

    @property
    def expression(self) -> str:
        return self._compilation.text

    @property
    def output_type(self) -> str:
        """The inferred type, as errors print it: `bool`, or the unknown type."""
        return self._compilation.output_type.description

    @property
    def estimated_cost(self) -> int:
        """The most an evaluation can cost, by upstream's estimate."""
        return self._compilation.estimate.high

    def _exact(self, device: DeviceInput) -> Answer:
        """Raises CelRuntimeError."""
        raise NotImplementedError

    def _generated(self) -> Callable[[DeviceInput], Answer] | None:
        """Code that is right whenever it does not raise."""
        raise NotImplementedError

    def _written(self, *, condition: bool) -> Callable[[Any], Any] | None:
        return generate(
            self._compilation,
            generated_slot(lists=self.environment.list_type_attributes),
            condition=condition,
        )

    def _generate(self, device: DeviceInput) -> Answer:
        """The first evaluation: exact, and code is generated for the next ones."""
        answer = self._exact(device)
        quick = self._generated() if self.estimated_cost <= _QUICK_COST else None
        self._quick = quick or self._exact
        return answer

    def _slowly(self, device: DeviceInput) -> Answer:
        """For a device that nobody asked about before, or about which generated code says nothing."""
        slot = generated_slot(lists=self.environment.list_type_attributes)
        if not hasattr(device, slot) and self._record(device).within_limits:
            try:
                return self._quick(device)
            except Exception:  # whatever it is, generated code is only believed when it answers
                pass
        return self._exact(device)

    def _record(self, device: DeviceInput) -> Record:
        try:
            return device.record(lists=self.environment.list_type_attributes)
        except InvalidDevice as error:
            raise CelRuntimeError(str(error)) from error


@functools.lru_cache(maxsize=32)
def language_of(environment: Environment) -> Language:
    """What an expression over a device may speak of."""
    libraries = [*libraries_of(environment.library_version), _BIND]
    if environment.list_type_attributes or not environment.new_expressions:
        libraries.append(Library("includes", Version(1, 36), (INCLUDES,)))
    declarations = declare(tuple(libraries), {"device": DEVICE, DEVICE.name: type_of(DEVICE)})
    structs = Structs({**messages.FIELDS, DEVICE.name: device_fields(environment)})
    return Language(declarations, structs, size_hint(environment))
