"""Compiles generated source into the function that evaluates an expression over a device.

The function takes a prepared `DeviceInput` and gives the value (of a selector True or False), or raises anything at all,
in which case it has said nothing. Source is made of generated names only, and runs without builtins.
"""

from collections.abc import Callable
from typing import Any

from dray.cel.codegen import runtime
from dray.cel.codegen.code import Body, Constants, NotGenerated
from dray.cel.codegen.emitter import Emitter
from dray.cel.codegen.nodes import NODES
from dray.cel.compilation import Compilation

_FIELDS = {
    "device.driver": "d.driver",
    "device.attributes": "d.attributes",
    "device.capacity": "d.capacity",
    "device.allowMultipleAllocations": "d.allowMultipleAllocations",
}


def generate(compilation: Compilation, slot: str, *, condition: bool) -> Callable[[Any], Any] | None:
    """The function, reading the device from attribute `slot` of its argument; None where it cannot be written.

    `condition`: it gives True or False.
    """
    try:
        source, constants = _write(compilation, slot, condition=condition)
        namespace: dict[str, Any] = {"__builtins__": {}}
        exec(compile(source, "<cel>", "exec"), namespace)
    except (NotGenerated, RecursionError, MemoryError, SyntaxError):
        return None
    for name, function in namespace.items():
        if name != "__builtins__":
            function.__kwdefaults__ = constants.values
    selected: Callable[[Any], Any] = namespace["selected"]
    return selected


def _write(compilation: Compilation, slot: str, *, condition: bool) -> tuple[str, Constants]:
    constants = Constants()
    body, declarations = Body("selected", constants, {}), compilation.language.declarations
    emitter = Emitter(body, declarations, _FIELDS, NODES)
    code = emitter.emit(compilation.root)
    result = code.source
    if condition and code.known is not bool:
        result = f"{constants.name(runtime.is_true)}({result})"
    main = f"def selected(i, CONSTANTS):\n    d = i.{slot}\n    return {result}\n"
    names = ", ".join(("*", *constants.values)) if constants.values else "/"
    source = "\n".join((*emitter.functions, main)).replace("CONSTANTS", names)
    return source, constants
