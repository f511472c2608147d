"""The macros every environment has: has, all, exists, exists_one, map, filter, and cel.bind and optMap beside them.

A macro is a rewriting of the tree; the result has no trace of it but its offset. Misuse is reported at the offending
argument with cel-go's words.
"""

from collections.abc import Callable

from dray.cel.ast import ACCUMULATOR, UNUSED, Call, Comprehension, CreateList, Expr, Ident, Select
from dray.cel.syntax.builder import Builder, Expander, MacroKey, MacroMisuse

_RESERVED_ACCUMULATORS = (ACCUMULATOR, "__result__")


def iteration_variable(arg: Expr, complaint: str) -> str:
    """The name that `arg` is. Raises MacroMisuse with `complaint` where it is anything else."""
    if not isinstance(arg, Ident):
        raise MacroMisuse(arg.offset, complaint)
    if arg.name in _RESERVED_ACCUMULATORS:
        raise MacroMisuse(arg.offset, "iteration variable overwrites accumulator variable")
    return arg.name


def _has(build: Builder, offset: int, _: Expr | None, args: list[Expr]) -> Expr:
    (arg,) = args
    if not isinstance(arg, Select):
        raise MacroMisuse(arg.offset, "invalid argument to has() macro")
    return build.select(offset, arg.operand, arg.field, test_only=True)


def all_of(
    build: Builder, offset: int, target: Expr, predicate: Expr, iter_var: str, iter_var2: str = ""
) -> Comprehension:
    """Fold `predicate` with `&&`, stopping at the first false."""
    return build.fold(
        offset,
        target,
        iter_var,
        iter_var2=iter_var2,
        accu_init=build.literal(offset, True),
        condition=build.call(offset, "@not_strictly_false", build.accumulator(offset)),
        step=build.call(offset, "_&&_", build.accumulator(offset), predicate),
        result=build.accumulator(offset),
    )


def any_of(
    build: Builder, offset: int, target: Expr, predicate: Expr, iter_var: str, iter_var2: str = ""
) -> Comprehension:
    """Fold `predicate` with `||`, stopping at the first true."""
    negated = build.call(offset, "!_", build.accumulator(offset))
    return build.fold(
        offset,
        target,
        iter_var,
        iter_var2=iter_var2,
        accu_init=build.literal(offset, False),
        condition=build.call(offset, "@not_strictly_false", negated),
        step=build.call(offset, "_||_", build.accumulator(offset), predicate),
        result=build.accumulator(offset),
    )


def one_of(
    build: Builder, offset: int, target: Expr, predicate: Expr, iter_var: str, iter_var2: str = ""
) -> Comprehension:
    """Count the items that satisfy `predicate`, and compare with one."""
    increment = build.call(offset, "_+_", build.accumulator(offset), build.literal(offset, 1))
    return build.fold(
        offset,
        target,
        iter_var,
        iter_var2=iter_var2,
        accu_init=build.literal(offset, 0),
        condition=build.literal(offset, True),
        step=build.call(offset, "_?_:_", predicate, increment, build.accumulator(offset)),
        result=build.call(offset, "_==_", build.accumulator(offset), build.literal(offset, 1)),
    )


def collect(
    build: Builder,
    offset: int,
    target: Expr,
    element: Expr,
    predicate: Expr | None,
    iter_var: str,
    iter_var2: str = "",
) -> Comprehension:
    """A list of `element` for each item that satisfies `predicate`."""
    step: Expr = build.call(offset, "_+_", build.accumulator(offset), build.create_list(offset, [element]))
    if predicate is not None:
        step = build.call(offset, "_?_:_", predicate, step, build.accumulator(offset))
    return build.fold(
        offset,
        target,
        iter_var,
        iter_var2=iter_var2,
        accu_init=build.create_list(offset, []),
        condition=build.literal(offset, True),
        step=step,
        result=build.accumulator(offset),
    )


def _quantifier(fold: Callable[[Builder, int, Expr, Expr, str], Comprehension]) -> Expander:
    def expand(build: Builder, offset: int, target: Expr | None, args: list[Expr]) -> Expr:
        assert target is not None
        return fold(
            build, offset, target, args[1], iteration_variable(args[0], "argument must be a simple name")
        )

    return expand


def map_items(build: Builder, offset: int, target: Expr | None, args: list[Expr]) -> Comprehension:
    """`range.map(x, transform)` and `range.map(x, predicate, transform)`."""
    assert target is not None
    variable = iteration_variable(args[0], "argument is not an identifier")
    predicate = args[1] if len(args) == 3 else None
    return collect(build, offset, target, args[-1], predicate, variable)


def _filter(build: Builder, offset: int, target: Expr | None, args: list[Expr]) -> Expr:
    assert target is not None
    variable = iteration_variable(args[0], "argument is not an identifier")
    return collect(build, offset, target, args[0], args[1], variable)


def bind(build: Builder, offset: int, name: str, value: Expr, result: Expr) -> Comprehension:
    """`result` with `name` standing for `value`, which is evaluated at most once and only if needed."""
    return build.fold(
        offset,
        build.create_list(offset, []),
        UNUSED,
        accu_var=name,
        accu_init=value,
        condition=build.literal(offset, False),
        step=build.ident(offset, name),
        result=result,
    )


def _cel_bind(build: Builder, offset: int, target: Expr | None, args: list[Expr]) -> Expr | None:
    if not isinstance(target, Ident) or target.name != "cel":
        return None
    if not isinstance(args[0], Ident):
        raise MacroMisuse(args[0].offset, "cel.bind() variable names must be simple identifiers")
    return bind(build, offset, args[0].name, args[1], args[2])


def _opt_map(build: Builder, offset: int, target: Expr | None, args: list[Expr]) -> Expr:
    mapped = build.call(offset, "optional.of", _bound_value(build, offset, target, args, "optMap"))
    return _if_present(build, offset, target, mapped)


def _opt_flat_map(build: Builder, offset: int, target: Expr | None, args: list[Expr]) -> Expr:
    return _if_present(build, offset, target, _bound_value(build, offset, target, args, "optFlatMap"))


def _bound_value(build: Builder, offset: int, target: Expr | None, args: list[Expr], macro: str) -> Expr:
    assert target is not None
    if not isinstance(args[0], Ident):
        raise MacroMisuse(args[0].offset, f"{macro}() variable name must be a simple identifier")
    value = build.call(offset, "value", target=build.copy(target))
    return bind(build, offset, args[0].name, value, args[1])


def _if_present(build: Builder, offset: int, target: Expr | None, present: Expr) -> Call:
    has_value = build.call(offset, "hasValue", target=target)
    return build.call(offset, "_?_:_", has_value, present, build.call(offset, "optional.none"))


STANDARD: dict[MacroKey, Expander] = {
    ("has", 1, False): _has,
    ("all", 2, True): _quantifier(all_of),
    ("exists", 2, True): _quantifier(any_of),
    ("exists_one", 2, True): _quantifier(one_of),
    ("map", 2, True): map_items,
    ("map", 3, True): map_items,
    ("filter", 2, True): _filter,
}
BIND: dict[MacroKey, Expander] = {("bind", 3, True): _cel_bind}
OPTIONAL: dict[MacroKey, Expander] = {("optMap", 2, True): _opt_map, ("optFlatMap", 2, True): _opt_flat_map}

SORTABLE = (CreateList, Select, Ident, Comprehension, Call)
"""What `sortBy` can be called on."""
