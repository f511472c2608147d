"""The loops of the usual macros, recognized by the shape they expand to."""

from collections.abc import Callable
from typing import Any, NamedTuple

from dray.cel.ast import Call, Comprehension, CreateList, Expr, Ident, Literal
from dray.cel.codegen.emitter import Emitter


class Fold(NamedTuple):
    """How a comprehension is written as a loop over `r`; `{target}` stands for its variables."""

    write: Callable[[Emitter], str]
    result: type


def recognize(expr: Comprehension) -> Fold | None:
    """None for a shape that no usual macro has."""
    init, step = expr.accu_init, expr.step
    if isinstance(init, CreateList) and not init.elements:
        return _collecting(expr)
    if not isinstance(init, Literal) or not isinstance(step, Call):
        return None
    if init.value is True and step.function == "_&&_":
        return _deciding(step.args[1], stop_at=False)
    if init.value is False and step.function == "_||_":
        return _deciding(step.args[1], stop_at=True)
    if type(init.value) is int and step.function == "_?_:_":
        return _counting(step.args[0])
    return None


def _deciding(predicate: Expr, *, stop_at: bool) -> Fold:
    """all and exists."""

    def write(emitter: Emitter) -> str:
        test = _braced(emitter.condition(predicate))
        test = test if stop_at else f"not {test}"
        return f"    for {{target}} in r:\n        if {test}:\n            return {stop_at}\n    return {not stop_at}\n"

    return Fold(write, bool)


def _counting(predicate: Expr) -> Fold:
    """exists_one."""

    def write(emitter: Emitter) -> str:
        test = _braced(emitter.condition(predicate))
        return f"    n = 0\n    for {{target}} in r:\n        if {test}:\n            n += 1\n    return n == 1\n"

    return Fold(write, bool)


def _collecting(expr: Comprehension) -> Fold | None:
    """map, filter and transformList."""
    step, predicate = expr.step, None
    if isinstance(step, Call) and step.function == "_?_:_":
        predicate, step = step.args[0], step.args[1]
    if not isinstance(step, Call) or step.function != "_+_" or len(step.args) != 2:
        return None
    accumulator, added = step.args
    if not isinstance(accumulator, Ident) or not isinstance(added, CreateList) or added.optional_indices:
        return None
    (element,) = added.elements

    def write(emitter: Emitter) -> str:
        lines = ["    found = []", "    for {target} in r:"]
        indent = "        "
        if predicate is not None:
            lines.append(f"{indent}if {_braced(emitter.condition(predicate))}:")
            indent += "    "
        value: Any = emitter.emit(element)
        lines.append(f"{indent}found.append({_braced(value.source)})")
        lines.append("    return found\n")
        return "\n".join(lines)

    return Fold(write, list)


def _braced(source: str) -> str:
    """Source with its braces doubled, to survive the filling in of the target."""
    return source.replace("{", "{{").replace("}", "}}")
