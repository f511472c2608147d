"""Short ways to ask CEL in tests."""

from typing import Any

import pytest

from dray.cel import CelCompileError, CelRuntimeError, DeviceInput, compile_expression, compile_selector
from dray.cel.types import DYN
from dray.cel.values.display import show

DRIVER = "gpu.example.com"
DEVICE: dict[str, Any] = {
    "attributes": {
        "model": {"string": "H100"},
        "index": {"int": 3},
        "healthy": {"bool": True},
        "driverVersion": {"version": "1.2.3"},
        "net.example.org/rack": {"string": "r1"},
    },
    "capacity": {"memory": {"value": "80Gi"}},
}


def value_of(text: str, **variables: Any) -> Any:
    return compile_expression(text, dict.fromkeys(variables, DYN)).evaluate(variables)


def shown(text: str) -> str:
    return show(value_of(text))


def failure_of(text: str, **variables: Any) -> str:
    with pytest.raises(CelRuntimeError) as caught:
        value_of(text, **variables)
    return str(caught.value)


def refusal_of(text: str) -> str:
    with pytest.raises(CelCompileError) as caught:
        compile_expression(text, {})
    return str(caught.value)


def matches(text: str, device: dict[str, Any] = DEVICE) -> bool:
    """The answer, the same from both back ends: the second evaluation uses generated code."""
    selector, prepared = compile_selector(text), DeviceInput.of(DRIVER, device)
    exact = selector.evaluate_with_cost(prepared)[0]
    assert [selector.matches(prepared) for _ in range(3)] == [exact] * 3
    return exact
