"""The Common Expression Language as Kubernetes speaks it: our own engine.

`compile_selector` is for the selectors of devices, `compile_derivation` for attributes derived from them,
`compile_expression` for expressions over any other variables.
"""

from dray.cel.derivation import Derivation, compile_derivation
from dray.cel.device import DeviceInput
from dray.cel.device_expression import COST_LIMIT
from dray.cel.environment import NEW, STORED, Environment
from dray.cel.errors import CelCompileError, CelError, CelRuntimeError, Issue
from dray.cel.expression import Expression, Vocabulary, compile_expression
from dray.cel.selector import Selector, compile_selector

__all__ = [
    "COST_LIMIT",
    "NEW",
    "STORED",
    "CelCompileError",
    "CelError",
    "CelRuntimeError",
    "Derivation",
    "DeviceInput",
    "Environment",
    "Expression",
    "Issue",
    "Selector",
    "Vocabulary",
    "compile_derivation",
    "compile_expression",
    "compile_selector",
]
