"""Macros over two variables - index and element, or key and value: all, exists, transformList, transformMap, ..."""

from collections.abc import Callable
from typing import Any

from dray.cel.ast import Comprehension, Expr, Ident
from dray.cel.declarations import Function, overload
from dray.cel.errors import EvalFailure
from dray.cel.library.macros import all_of, any_of, collect, iteration_variable, one_of
from dray.cel.syntax.builder import Builder, Expander, MacroKey, MacroMisuse
from dray.cel.types import map_of, param
from dray.cel.values.container import GrowingMap, contains, encode_key, keys_of
from dray.cel.values.display import show

_INSERT = "cel.@mapInsert"


def _insert(mapping: dict[Any, Any], key: Any, value: Any) -> dict[Any, Any]:
    """The map with one more entry; in place where it is growing. Raises EvalFailure where the key is taken."""
    if contains(mapping, key):
        raise EvalFailure(f"insert failed: key {show(key)} already exists")
    if type(mapping) is not GrowingMap:
        mapping = dict(mapping)
    mapping[encode_key(key)] = value
    return mapping


def _insert_all(mapping: dict[Any, Any], entries: dict[Any, Any]) -> dict[Any, Any]:
    for key, value in zip(keys_of(entries), entries.values(), strict=True):
        mapping = _insert(mapping, key, value)
    return mapping


def _variables(args: list[Expr]) -> tuple[str, str]:
    first = _name(args[0])
    second = _name(args[1])
    if first == second:
        raise MacroMisuse(args[1].offset, f"duplicate variable name: {first}")
    for arg in args[:2]:
        iteration_variable(arg, "argument must be a simple name")
    return first, second


def _name(arg: Expr) -> str:
    """Names are checked for both arguments before anything else is."""
    if not isinstance(arg, Ident):
        raise MacroMisuse(arg.offset, "argument must be a simple name")
    return arg.name


def _quantifier(fold: Callable[[Builder, int, Expr, Expr, str, str], Comprehension]) -> Expander:
    def expand(build: Builder, offset: int, target: Expr | None, args: list[Expr]) -> Expr:
        assert target is not None
        return fold(build, offset, target, args[2], *_variables(args))

    return expand


def _transform_list(build: Builder, offset: int, target: Expr | None, args: list[Expr]) -> Expr:
    assert target is not None
    predicate = args[2] if len(args) == 4 else None
    return collect(build, offset, target, args[-1], predicate, *_variables(args))


def _transform_map(build: Builder, offset: int, target: Expr | None, args: list[Expr]) -> Expr:
    first, _ = _variables(args)
    return _fold_map(build, offset, target, args, [build.ident(offset, first), args[-1]])


def _transform_map_entry(build: Builder, offset: int, target: Expr | None, args: list[Expr]) -> Expr:
    _variables(args)
    return _fold_map(build, offset, target, args, [args[-1]])


def _fold_map(build: Builder, offset: int, target: Expr | None, args: list[Expr], entry: list[Expr]) -> Expr:
    assert target is not None
    first, second = _variables(args)
    step: Expr = build.call(offset, _INSERT, build.accumulator(offset), *entry)
    if len(args) == 4:
        step = build.call(offset, "_?_:_", args[2], step, build.accumulator(offset))
    return build.fold(
        offset,
        target,
        first,
        iter_var2=second,
        accu_init=build.create_map(offset, []),
        condition=build.literal(offset, True),
        step=step,
        result=build.accumulator(offset),
    )


_K, _V = param("K"), param("V")
_MAP = map_of(_K, _V)

FUNCTIONS = (
    Function(
        _INSERT,
        overload("@cel_mapInsert_map_key_value", (_MAP, _K, _V), _MAP, _insert),
        overload("@cel_mapInsert_map_map", (_MAP, _MAP), _MAP, _insert_all),
    ),
)
MACROS: dict[MacroKey, Expander] = {
    ("all", 3, True): _quantifier(all_of),
    ("exists", 3, True): _quantifier(any_of),
    ("existsOne", 3, True): _quantifier(one_of),
    ("exists_one", 3, True): _quantifier(one_of),
    ("transformList", 3, True): _transform_list,
    ("transformList", 4, True): _transform_list,
    ("transformMap", 3, True): _transform_map,
    ("transformMap", 4, True): _transform_map,
    ("transformMapEntry", 3, True): _transform_map_entry,
    ("transformMapEntry", 4, True): _transform_map_entry,
}
