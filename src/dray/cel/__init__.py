"""The Common Expression Language as Kubernetes speaks it: our own engine.

    selector = compile_selector('device.attributes["gpu.example.com"].model == "H100"')
    selector.matches(DeviceInput.of("gpu.example.com", device))
"""

from dray.cel.device import DeviceInput
from dray.cel.environment import NEW, STORED, Environment
from dray.cel.errors import CelCompileError, CelError, CelRuntimeError, Issue
from dray.cel.selector import COST_LIMIT, Selector, compile_selector

__all__ = [
    "COST_LIMIT",
    "NEW",
    "STORED",
    "CelCompileError",
    "CelError",
    "CelRuntimeError",
    "DeviceInput",
    "Environment",
    "Issue",
    "Selector",
    "compile_selector",
]
