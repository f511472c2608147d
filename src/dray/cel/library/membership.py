"""`includes` of the device environment: whether a list attribute has a value, or a scalar one is it."""

from typing import Any

from dray.cel.declarations import Function, member
from dray.cel.errors import EvalFailure
from dray.cel.types import BOOL, DYN
from dray.cel.values.comparison import same

_MAX_VALUES = 48


def _includes(values: Any, wanted: Any) -> bool:
    if not isinstance(values, list):
        return same(values, wanted)
    for value in values[:_MAX_VALUES]:
        if same(value, wanted):
            return True
    if len(values) > _MAX_VALUES:
        raise EvalFailure(f"'includes' function cannot be applied to lists longer than {_MAX_VALUES} values")
    return False


INCLUDES = Function("includes", member("dra_includes_dyn_dyn", (DYN, DYN), BOOL, _includes))
