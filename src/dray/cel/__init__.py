"""The Common Expression Language as Kubernetes speaks it: our own engine.

`compile_selector` is for the selectors of devices, `compile_expression` for expressions over any other variables.
"""

from dray.cel.device import DeviceInput
from dray.cel.environment import NEW, STORED, Environment
from dray.cel.errors import CelCompileError, CelError, CelRuntimeError, Issue
from dray.cel.expression import Expression, Vocabulary, compile_expression
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
    "Expression",
    "Issue",
    "Selector",
    "Vocabulary",
    "compile_expression",
    "compile_selector",
]
