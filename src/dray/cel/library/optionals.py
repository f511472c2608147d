"""Values that may be absent: `optional.of`, `orValue` and their siblings, version 2 of cel-go's library."""

from typing import Any

from dray.cel.declarations import Function, Overload, member, overload
from dray.cel.errors import EvalFailure
from dray.cel.library.operators import OPTIONAL_FUNCTIONS
from dray.cel.types import BOOL, list_of, optional_of, param
from dray.cel.values.display import show
from dray.cel.values.optional import ABSENT, Optional
from dray.cel.values.time import MIN_UNIX, SECOND, Duration, Timestamp


def _of_non_zero(value: Any) -> Optional:
    return ABSENT if _is_zero(value) else Optional(value)


def _is_zero(value: Any) -> bool:
    if value is None:
        return True
    if isinstance(value, bool | int | float | str | bytes | list | dict):
        return not value
    if isinstance(value, Duration):
        return value.nanos == 0
    return isinstance(value, Timestamp) and value.nanos == MIN_UNIX * SECOND


def _value(optional: Optional) -> Any:
    return optional.value


def _has_value(optional: Optional) -> bool:
    return optional.present


def _first(items: list[Any]) -> Optional:
    return Optional(items[0]) if items else ABSENT


def _last(items: list[Any]) -> Optional:
    return Optional(items[-1]) if items else ABSENT


def _unwrap(items: list[Any]) -> list[Any]:
    for item in items:
        if not isinstance(item, Optional):
            raise EvalFailure(f"value {show(item)} is not optional")
    return [item.value for item in items if item.present]


_V = param("V")
_OPTIONAL, _LIST, _LIST_OF_OPTIONALS = optional_of(_V), list_of(_V), list_of(optional_of(_V))

FUNCTIONS = (
    Function("optional.of", overload("optional_of", (_V,), _OPTIONAL, Optional)),
    Function("optional.ofNonZeroValue", overload("optional_ofNonZeroValue", (_V,), _OPTIONAL, _of_non_zero)),
    Function("optional.none", overload("optional_none", (), _OPTIONAL, lambda: ABSENT)),
    Function("value", member("optional_value", (_OPTIONAL,), _V, _value)),
    Function("hasValue", member("optional_hasValue", (_OPTIONAL,), BOOL, _has_value)),
    Function("or", Overload("optional_or_optional", (_OPTIONAL, _OPTIONAL), _OPTIONAL, member=True)),
    Function("orValue", Overload("optional_orValue_value", (_OPTIONAL, _V), _V, member=True)),
    *OPTIONAL_FUNCTIONS,
    Function("last", member("list_last", (_LIST,), _OPTIONAL, _last)),
    Function("first", member("list_first", (_LIST,), _OPTIONAL, _first)),
    Function("optional.unwrap", overload("optional_unwrap", (_LIST_OF_OPTIONALS,), _LIST, _unwrap)),
    Function("unwrapOpt", member("optional_unwrapOpt", (_LIST_OF_OPTIONALS,), _LIST, _unwrap)),
)
