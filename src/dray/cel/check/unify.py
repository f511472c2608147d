"""Whether one type can stand for another, and what that says of type variables.

A port of the rules of cel-go's checker, including its order of attempts, because the order shows in error texts.
Bindings map the names of type variables to types; a failed attempt must leave them unchanged, so attempts work on
copies. Types without variables - nearly all - take a shorter way that needs no bindings.
"""

from collections.abc import Sequence
from typing import TypeAlias

from dray.cel.types import DYN, CelType, Kind, list_of, map_of, type_of

Bindings: TypeAlias = dict[str, CelType]

_NULLABLE_KINDS = (Kind.OPAQUE, Kind.STRUCT, Kind.ANY, Kind.DURATION, Kind.TIMESTAMP)
_WILD = (Kind.DYN, Kind.ANY, Kind.ERROR)
_COMPOSITE = (Kind.OPAQUE, Kind.LIST, Kind.MAP)


def assignable(bindings: Bindings, left: CelType, right: CelType) -> Bindings | None:
    """The bindings under which `left` can stand for `right`; None where it cannot."""
    if not left.has_params and not right.has_params:
        return bindings if _fits(bindings, left, right) else None
    attempt = dict(bindings)
    return attempt if _fits(attempt, left, right) else None


def all_assignable(bindings: Bindings, left: Sequence[CelType], right: Sequence[CelType]) -> Bindings | None:
    """As `assignable`, for argument lists."""
    if len(left) != len(right):
        return None
    attempt = dict(bindings)
    return (
        attempt if all(_fits(attempt, one, other) for one, other in zip(left, right, strict=True)) else None
    )


def _fits(bindings: Bindings, left: CelType, right: CelType) -> bool:
    kind, other = left.kind, right.kind
    if other is Kind.PARAM:
        valid, bound = _substitutes(bindings, left, right)
        if valid or bound:
            return valid
    if kind is Kind.PARAM:
        return _substitutes(bindings, right, left)[0]
    if kind in _WILD or other in _WILD:
        return True
    if kind is Kind.NULL:
        return _takes_null(right)
    if other is Kind.NULL:
        return _takes_null(left)
    if kind is Kind.TYPE:
        return other is Kind.TYPE
    if kind is not other or left.name != right.name:
        return False
    if kind in _COMPOSITE:
        return len(left.params) == len(right.params) and all(
            _fits(bindings, one, another) for one, another in zip(left.params, right.params, strict=True)
        )
    return True


def _takes_null(declared: CelType) -> bool:
    return declared.kind in _NULLABLE_KINDS or declared.nullable or declared.kind is Kind.NULL


def _substitutes(bindings: Bindings, candidate: CelType, variable: CelType) -> tuple[bool, bool]:
    """Whether `candidate` can be bound to `variable`, and whether the variable had been bound before."""
    if candidate == variable:
        return True, True
    bound = bindings.get(variable.name)
    if bound is None:
        if _occurs(bindings, variable, candidate):
            return False, False
        bindings[variable.name] = candidate
        return True, False
    if candidate == bound:
        return True, True
    if not _fits(bindings, candidate, bound):
        return False, True
    general = most_general(candidate, bound)
    if not _occurs(bindings, variable, general):
        bindings[variable.name] = general
    return True, True


def most_general(left: CelType, right: CelType) -> CelType:
    """Of two types that unify, the one that says less."""
    return left if _says_less(left, right) else right


def _says_less(left: CelType, right: CelType) -> bool:
    if left.is_dyn or left.kind is Kind.PARAM:
        return True
    if right.is_dyn or right.kind is Kind.PARAM or left.kind is not right.kind:
        return False
    if left.kind is Kind.TYPE:
        return True
    if left.kind in _COMPOSITE:
        return (
            left.name == right.name
            and len(left.params) == len(right.params)
            and all(_says_less(one, other) for one, other in zip(left.params, right.params, strict=True))
        )
    return left == right


def _occurs(bindings: Bindings, variable: CelType, within: CelType) -> bool:
    """Whether binding `variable` to `within` would go in circles."""
    if variable == within:
        return True
    if within.kind is Kind.PARAM:
        bound = bindings.get(within.name)
        return bound is not None and _occurs(bindings, variable, bound)
    return within.has_params and any(_occurs(bindings, variable, param) for param in within.params)


def substitute(bindings: Bindings, declared: CelType, *, free_to_dyn: bool = False) -> CelType:
    """The type with variables replaced by what they are bound to, and free ones by dyn if asked."""
    if not declared.has_params:
        return declared
    if declared.kind is Kind.PARAM:
        bound = bindings.get(declared.name)
        if bound is not None:
            return substitute(bindings, bound, free_to_dyn=free_to_dyn)
        return DYN if free_to_dyn else declared
    params = [substitute(bindings, param, free_to_dyn=free_to_dyn) for param in declared.params]
    match declared.kind:
        case Kind.LIST:
            return list_of(params[0])
        case Kind.MAP:
            return map_of(params[0], params[1])
        case Kind.TYPE:
            return type_of(params[0])
        case _:
            return CelType(declared.kind, declared.name, params)
