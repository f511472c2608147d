"""Functions of texts as source: parts, patterns and formats that are constant are read once, now."""

from dray.cel.ast import Call, CreateList
from dray.cel.codegen import runtime
from dray.cel.codegen.code import Code, NotGenerated
from dray.cel.codegen.emitter import Emitter
from dray.cel.errors import EvalFailure
from dray.cel.library.formatting import read_clauses
from dray.cel.library.regex import InvalidPattern, text_test_of


def text_test(emitter: Emitter, expr: Call) -> Code | None:
    """startsWith, endsWith, contains."""
    assert expr.target is not None
    text, part = emitter.emit(expr.target), emitter.emit(expr.args[0])
    if part.known is not str or text.known not in (None, str):
        return None
    value = text.source if text.known is str else emitter.body.temporary()
    test = {
        "startsWith": f"{value}.startswith({part.source})",
        "endsWith": f"{value}.endswith({part.source})",
        "contains": f"{part.source} in {value}",
    }[expr.function]
    return Code(_if_text(emitter, text, value, test), bool)


def _if_text(emitter: Emitter, text: Code, value: str, test: str) -> str:
    if text.known is str:
        return f"({test})"
    is_text = f"({value} := {text.source}).__class__ is {emitter.name(str)}"
    return f"({test} if {is_text} else {emitter.name(runtime.undecided)}())"


def pattern_test(emitter: Emitter, expr: Call) -> Code | None:
    """matches, with a constant pattern."""
    operands = expr.args if expr.target is None else [expr.target, *expr.args]
    text, pattern = (emitter.emit(operand) for operand in operands)
    if not pattern.is_constant or not isinstance(pattern.constant, str) or text.known not in (None, str):
        return None
    try:
        test = text_test_of(pattern.constant)
    except InvalidPattern as error:
        raise NotGenerated from error
    value = text.source if text.known is str else emitter.body.temporary()
    return Code(_if_text(emitter, text, value, f"{emitter.name(test)}({value})"), bool)


def formatted(emitter: Emitter, expr: Call) -> Code | None:
    """format, with a constant text of plain `%s` and `%d` for strings and integers."""
    assert expr.target is not None
    text, arguments = emitter.emit(expr.target), expr.args[0]
    if (
        not isinstance(text.constant, str)
        or not isinstance(arguments, CreateList)
        or arguments.optional_indices
    ):
        return None
    values = [emitter.emit(element) for element in arguments.elements]
    parts: list[str] = []
    try:
        for part in read_clauses(text.constant, len(values)):
            if isinstance(part, str):
                parts += [emitter.name(part)] if part else []
            elif values[part.argument].known is str and part.verb == "s":
                parts.append(values[part.argument].source)
            elif values[part.argument].known is int and part.verb in "sd":
                parts.append(f"{emitter.name(str)}({values[part.argument].source})")
            else:
                return None
    except EvalFailure as error:
        raise NotGenerated from error
    return Code(f"({' + '.join(parts)})", str) if parts else emitter.constant("")
