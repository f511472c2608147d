"""Device selectors: compiled once, evaluated for many devices.

`compile_selector` is pure and remembers what it compiled, refusals included. A `Selector` answers two ways: `matches`
is quick and falls back to exact evaluation whenever anything is out of the ordinary; `evaluate_with_cost` is exact.
"""

import functools
from collections.abc import Callable
from typing import Any

from dray.cel.compilation import Compilation, compile_text
from dray.cel.device import DeviceInput
from dray.cel.device_expression import COST_LIMIT, DeviceExpression, language_of
from dray.cel.environment import STORED, Environment
from dray.cel.errors import CelCompileError, CelRuntimeError
from dray.cel.explanation import Explanation, Reading, explain
from dray.cel.explanation.reading import Readings
from dray.cel.types import ANY, BOOL, DYN, CelType
from dray.cel.values.kind import type_name
from dray.cel.values.optional import Optional


class Selector(DeviceExpression[bool]):
    """A compiled device selector."""

    def __init__(self, compilation: Compilation, environment: Environment) -> None:
        super().__init__(compilation, environment)
        self._by_driver: dict[str, bool | CelRuntimeError] | None = None
        """Exact answers, where the expression looks at nothing of a device but its driver."""
        if "device" not in compilation.text.replace("device.driver", ""):
            self._by_driver = {}

    def matches(self, device: DeviceInput) -> bool:
        """Whether the device is selected. Raises CelRuntimeError."""
        try:
            return self._quick(device)
        except Exception:  # whatever it is, generated code is only believed when it answers
            return self._slowly(device)

    def _generated(self) -> Callable[[DeviceInput], bool] | None:
        return self._written(condition=True)

    def _exact(self, device: DeviceInput) -> bool:
        """The exact answer. What goes beyond the cost limit takes seconds, so no driver is asked about twice."""
        if self._by_driver is None:
            return self.evaluate_with_cost(device)[0]
        driver = self._record(device).driver
        if driver not in self._by_driver:
            try:
                self._by_driver[driver] = self.evaluate_with_cost(device)[0]
            except CelRuntimeError as error:
                self._by_driver[driver] = error.with_traceback(None)
        known = self._by_driver[driver]
        if isinstance(known, CelRuntimeError):
            raise known
        return known

    def evaluate_with_cost(self, device: DeviceInput, limit: int = COST_LIMIT) -> tuple[bool, int]:
        """The exact answer and what it cost. Raises CelRuntimeError, which carries the cost too."""
        record = self._record(device)
        value, cost = self._compilation.run(record.variables, limit)
        if value is True or value is False:
            return value, cost
        why = f"CEL result of type {type_name(value)} could not be converted to bool: {_not_bool(value)}"
        raise CelRuntimeError(why, cost)

    def explain(self, device: DeviceInput) -> Explanation:
        """Which terms of the selector are false for the device, or failed, and the values they read.

        Empty for a device that matches. Raises CelRuntimeError where the device cannot be asked about at all.
        """
        record = self._record(device)
        environment = self.environment
        return explain(self.expression, record, COST_LIMIT, lambda term: _compile_term(term, environment))

    def readings(self, device: DeviceInput) -> tuple[Reading, ...]:
        """What the selector reads of the device, present or not. Raises CelRuntimeError as `explain` does."""
        return Readings(self._record(device)).all(self._compilation.root)


def compile_selector(expression: str, environment: Environment = STORED) -> Selector:
    """Raises CelCompileError; its text is the one Kubernetes shows, caret and all."""
    compiled = _compile(expression, environment)
    if isinstance(compiled, Selector):
        return compiled
    raise CelCompileError(str(compiled), compiled.issues)


_LONG = 1024
"""Characters: selectors beyond take up to half a megabyte each, so fewer of them are remembered."""


def _compile(expression: str, environment: Environment) -> Selector | CelCompileError:
    return (_compile_short if len(expression) <= _LONG else _compile_long)(expression, environment)


def _compile_anew(expression: str, environment: Environment) -> Selector | CelCompileError:
    try:
        compilation = compile_text(expression, language_of(environment), _selector_fault(environment))
    except CelCompileError as error:
        return error.with_traceback(None)
    return Selector(compilation, environment)


_compile_short = functools.lru_cache(maxsize=4096)(_compile_anew)
_compile_long = functools.lru_cache(maxsize=128)(_compile_anew)


@functools.lru_cache(maxsize=1024)
def _compile_term(text: str, environment: Environment) -> Compilation:
    """A part of a selector that compiles; whatever its type, it did as that part."""
    return compile_text(text, language_of(environment), lambda output: None)


@functools.lru_cache(maxsize=32)
def _selector_fault(environment: Environment) -> Any:
    allowed = (BOOL, ANY, DYN) if environment.list_type_attributes else (BOOL, ANY)

    def fault(output: CelType) -> str | None:
        if output in allowed and not output.nullable:
            return None
        return f"must evaluate to bool or the unknown type, not {output.description}"

    return fault


_REFUSALS: dict[str, str] = {
    "int": "unsupported type conversion from 'int' to bool",
    "uint": "unsupported type conversion from 'uint' to bool",
    "double": "type conversion error from Double to 'bool'",
    "string": "unsupported native conversion from string to 'bool'",
    "bytes": "type conversion error from Bytes to 'bool'",
    "list": "type conversion error from list to 'bool'",
    "map": "type conversion error from map to 'bool'",
    "null_type": "type conversion error from 'null_type' to 'bool'",
    "google.protobuf.Timestamp": "type conversion error from 'Timestamp' to 'bool'",
    "google.protobuf.Duration": "type conversion error from 'Duration' to 'bool'",
    "type": "type conversion not supported for 'type'",
    "kubernetes.Quantity": "type conversion error from 'Quantity' to 'bool'",
    "kubernetes.Semver": "type conversion error from 'Semver' to 'bool'",
    "kubernetes.URL": "type conversion error from 'URL' to 'bool'",
    "kubernetes.NamedFormat": "type conversion error from 'Format' to 'bool'",
    "net.IP": "type conversion error from 'IP' to 'bool'",
    "net.CIDR": "type conversion error from 'CIDR' to 'bool'",
}


def _not_bool(value: Any) -> str:
    """Why a value is no answer, in the words of its type's own conversion."""
    if isinstance(value, Optional):
        if not value.present:
            return "optional.none() dereference"
        return _not_bool(value.value)
    return _REFUSALS[type_name(value)]
