"""Derived attributes: what an expression makes of a device, in the form of a device's own attribute.

`compile_derivation` is pure and remembers what it compiled, refusals included. Source: KEP-6080, Kubernetes 1.37.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final

from dray.api.quantity import Quantity
from dray.api.semver import Semver
from dray.cel.compilation import compile_text
from dray.cel.device import DeviceInput
from dray.cel.device_expression import COST_LIMIT, DeviceExpression, language_of
from dray.cel.environment import STORED, Environment
from dray.cel.errors import CelCompileError, CelRuntimeError
from dray.cel.library.kubernetes import SEMVER
from dray.cel.types import ANY, BOOL, DYN, INT, STRING, CelType, Kind
from dray.cel.values.named import TypeValue
from dray.cel.values.network import CIDR, IP
from dray.cel.values.optional import Optional
from dray.cel.values.time import Duration, Timestamp
from dray.cel.values.uint import Uint
from dray.cel.values.url import URL

Attribute = Mapping[str, Any]
"""The JSON of a DeviceAttribute: `{"int": 1}`, `{"strings": ["a", "b"]}`."""

_ELEMENTS: Final = (BOOL, INT, STRING, ANY, DYN, SEMVER)


class Derivation(DeviceExpression[Attribute]):
    """A compiled expression of a derived attribute."""

    def attribute(self, device: DeviceInput) -> Attribute:
        """The value for a device; a list without elements is one of texts. Raises CelRuntimeError."""
        try:
            return self._quick(device)
        except Exception:  # whatever it is, generated code is only believed when it answers
            return self._slowly(device)

    def attribute_with_cost(self, device: DeviceInput, limit: int = COST_LIMIT) -> tuple[Attribute, int]:
        """The exact value and what it cost. Raises CelRuntimeError, which carries the cost too."""
        value, cost = self._compilation.run(self._record(device).variables, limit)
        try:
            return _attribute(value), cost
        except _NoAttribute as error:
            raise CelRuntimeError(str(error), cost) from None

    def _exact(self, device: DeviceInput) -> Attribute:
        return self.attribute_with_cost(device)[0]

    def _generated(self) -> Callable[[DeviceInput], Attribute] | None:
        evaluate = self._written(condition=False)
        if evaluate is None:
            return None
        return lambda device: _attribute(evaluate(device))


def compile_derivation(expression: str, environment: Environment = STORED) -> Derivation:
    """Raises CelCompileError; its text is the one Kubernetes shows, caret and all."""
    compiled = _compile(expression, environment)
    if isinstance(compiled, Derivation):
        return compiled
    raise CelCompileError(str(compiled), compiled.issues)


@functools.lru_cache(maxsize=1024)
def _compile(expression: str, environment: Environment) -> Derivation | CelCompileError:
    try:
        compilation = compile_text(expression, language_of(environment), _fault(environment))
    except CelCompileError as error:
        return error.with_traceback(None)
    return Derivation(compilation, environment)


@functools.lru_cache(maxsize=32)
def _fault(environment: Environment) -> Callable[[CelType], str | None]:
    # Expressions that are stored may always give lists, so that turning the gate off breaks none.
    lists = environment.list_type_attributes or not environment.new_expressions
    allowed = "a primitive scalar (string, integer, boolean, semver)"
    if lists:
        allowed += " or a list of these scalars"

    def fault(output: CelType) -> str | None:
        if _is_element(output) or (lists and output.kind is Kind.LIST and _is_element(output.params[0])):
            return None
        return f"must evaluate to {allowed}, not {output.description}"

    return fault


def _is_element(output: CelType) -> bool:
    return output in _ELEMENTS and not output.nullable


class _NoAttribute(Exception):
    """No attribute can have this value; `str()` is upstream's text."""


_KINDS: Final[Mapping[type, str]] = {bool: "bool", int: "int", str: "string", Semver: "version"}
_NAMES: Final[Mapping[type, str]] = {bool: "bool", int: "int", str: "string", Semver: "semver"}

_GO_TYPES: Final[Mapping[type, str]] = {
    bool: "bool",
    int: "int64",
    str: "string",
    Semver: "semver.Version",
    Uint: "uint64",
    float: "float64",
    bytes: "[]uint8",
    type(None): "structpb.NullValue",
    Timestamp: "time.Time",
    Duration: "time.Duration",
    TypeValue: "string",
    Quantity: "*resource.Quantity",
    URL: "*url.URL",
    IP: "netip.Addr",
    CIDR: "netip.Prefix",
}
"""What Go calls the native value of each type; of lists and maps that depends on how they were made."""


def _attribute(value: Any) -> Attribute:
    """Raises _NoAttribute."""
    if isinstance(value, Optional):
        # Upstream looks through an optional at its value, though not at a list in it.
        if not value.present or isinstance(value.value, list):
            shown = "[]ref.Val" if value.present else "<nil>"
            raise _NoAttribute(f"unsupported CEL return type: {shown}")
        return _attribute(value.value)
    if isinstance(value, TypeValue):
        value = value.name
    kind = _KINDS.get(type(value))
    if kind is not None:
        return {kind: str(value) if kind == "version" else value}
    if isinstance(value, list):
        return _list_attribute(value)
    raise _NoAttribute(f"unsupported CEL return type: {_go_type(value)}")


def _list_attribute(values: list[Any]) -> Attribute:
    if not values:
        return {"strings": []}
    wanted = type(values[0])
    kind = _KINDS.get(wanted)
    if kind is None:
        raise _NoAttribute(f"unsupported list element type: {_go_type(values[0])}")
    for index, value in enumerate(values):
        if type(value) is not wanted:
            text = f"expected list element at index {index} to be {_NAMES[wanted]}, got {_go_type(value)}"
            raise _NoAttribute(text)
    return {f"{kind}s": [str(value) for value in values] if kind == "version" else list(values)}


def _go_type(value: Any) -> str:
    found = _GO_TYPES.get(type(value))
    if found is not None:
        return found
    return "[]ref.Val" if isinstance(value, list) else "map[ref.Val]ref.Val"
