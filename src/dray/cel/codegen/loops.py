"""Comprehensions as source: a loop is a statement, and so becomes a function of its own."""

from dray.cel.ast import Comprehension
from dray.cel.codegen import runtime
from dray.cel.codegen.code import Body, Code, NotGenerated, known_class
from dray.cel.codegen.emitter import Emitter
from dray.cel.codegen.fold import Fold, recognize
from dray.cel.types import DYN, INT, CelType, Kind


def comprehension(emitter: Emitter, expr: Comprehension) -> Code:
    if expr.is_bind:
        return _bind(emitter, expr)
    fold = recognize(expr)
    if fold is None:
        raise NotGenerated
    iterated = _iterated(emitter, expr)
    function = f"f{len(emitter.functions)}"
    emitter.functions.append("")
    source = _loop(emitter, expr, fold, function)
    index = int(function[1:])
    emitter.functions[index] = source
    arguments = ", ".join((iterated, "d", *_outer_names(emitter)))
    return Code(f"{function}({arguments})", fold.result)


def _outer_names(emitter: Emitter) -> list[str]:
    return [code.source for code in emitter.body.variables.values() if not code.is_constant]


def _iterated(emitter: Emitter, expr: Comprehension) -> str:
    iterated = emitter.emit(expr.iter_range)
    declared = expr.iter_range.type
    if declared.kind is Kind.LIST:
        return f"{emitter.name(enumerate)}({iterated.source})" if expr.iter_var2 else iterated.source
    if declared.kind is Kind.MAP and declared.params[0].kind is Kind.STRING:
        return f"{iterated.source}.items()" if expr.iter_var2 else iterated.source
    helper = runtime.pairs if expr.iter_var2 else runtime.items
    return f"{emitter.name(helper)}({iterated.source})"


def _loop(emitter: Emitter, expr: Comprehension, fold: Fold, function: str) -> str:
    """A function of its own: loops are statements."""
    outer = emitter.body
    inherited = _outer_names(emitter)
    variables = dict(outer.variables)
    loop_names = []
    element_types = _element_types(expr)
    for name, declared in zip((expr.iter_var, expr.iter_var2), element_types, strict=True):
        if name:
            python_name = f"v{len(variables)}"
            variables[name] = Code(python_name, known_class(declared))
            loop_names.append(python_name)
    emitter.body = Body(function, outer.constants, variables)
    body = fold.write(emitter)
    emitter.body = outer
    parameters = ", ".join(("r", "d", *inherited))
    return f"def {function}({parameters}, CONSTANTS):\n{body.format(target=', '.join(loop_names))}"


def _bind(emitter: Emitter, expr: Comprehension) -> Code:
    value = emitter.emit(expr.accu_init)
    outer = emitter.body.variables
    name = f"v{len(outer)}"
    emitter.body.variables = {**outer, expr.accu_var: Code(name, value.known)}
    result = emitter.emit(expr.result)
    emitter.body.variables = outer
    missing = emitter.name(runtime.undecided)
    source = f"({result.source} if ({name} := {value.source}) is not {missing} else None)"
    return Code(source, result.known)


def _element_types(expr: Comprehension) -> tuple[CelType, CelType]:
    declared = expr.iter_range.type
    if declared.kind is Kind.LIST:
        return (INT, declared.params[0]) if expr.iter_var2 else (declared.params[0], DYN)
    if declared.kind is Kind.MAP:
        return declared.params[0], declared.params[1]
    return DYN, DYN
