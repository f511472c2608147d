"""Replaying recorded CEL: each expression compiled, costed and evaluated here, the outcome beside the recorded one.

A recording is one JSON object a line (`.jsonl`, or `.jsonl.gz`), of one of three forms:

- *selectors*: `expression`, `device` (one of a slice's devices, with its `driver`), `features` (those it does not name are
  on), perhaps `costLimit`, and `expect` with the outcome of compiling, of the estimate and of the evaluation;
- `"mode": "dra"`: `expr` with `compile_error`, or `maxcost` and `cost` and `value` or `eval_error`, for one fixed device;
- `"mode": "std"`: `expr` over a few fixed variables with `compile_error`, `eval_error`, or `type` and `value` as text.

An outcome is a dict of facts; two outcomes agree when they say the same under each name that was recorded.
"""

import dataclasses
from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from dray.api.meta import Object
from dray.cel import (
    CelCompileError,
    CelRuntimeError,
    DeviceInput,
    Environment,
    compile_expression,
    compile_selector,
)
from dray.cel.device_expression import COST_LIMIT
from dray.cel.types import DYN, INT, MAP_STRING_DYN, STRING, CelType, list_of
from dray.cel.values.container import keys_of
from dray.cel.values.display import show
from dray.cel.values.kind import type_name
from dray.cel.values.named import TypeValue
from dray.cel.values.optional import Optional
from dray.testing.corpus_alloc import read_cases

Facts = dict[str, Any]

FIXED_DEVICE: Final[Object] = {
    "attributes": {
        "model": {"string": "H100"},
        "index": {"int": 3},
        "healthy": {"bool": True},
        "uuid": {"string": "GPU-0123456789"},
        "driverVersion": {"version": "1.2.3"},
    },
    "capacity": {"memory": {"value": "80Gi"}},
}
"""The device of the `dra` form."""

FIXED_VARIABLES: Final[dict[str, tuple[CelType, Any]]] = {
    "m": (MAP_STRING_DYN, {"a": 1}),
    "l": (list_of(INT), [1, 2, 3]),
    "i": (INT, 7),
    "x": (DYN, 5),
    "s": (STRING, "hello"),
}
"""The variables of the `std` form, with their types."""

_PREFIXES: Final = (("compilation failed: ", ""), ("program instantiation failed: ", "program: "))
"""What Kubernetes puts before the compiler's own words, and what stands there in the `std` form."""


@dataclasses.dataclass(frozen=True, slots=True)
class Disagreement:
    id: str
    expression: str
    recorded: Facts
    actual: Facts

    def __str__(self) -> str:
        lines = [f"{self.id}: {self.expression}"]
        for name in sorted(self.recorded):
            if self.recorded[name] != self.actual.get(name):
                lines.append(f"  {name}")
                lines.append(f"    recorded {self.recorded[name]!r}")
                lines.append(f"    actual   {self.actual.get(name)!r}")
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """How a replay went; `disagreements` holds one entry for each case that failed."""

    passed: int
    disagreements: tuple[Disagreement, ...]
    excused: tuple[str, ...] = ()
    """Cases that disagree, as was known."""


def replay(path: str | Path, *, known: Container[str] = ()) -> Report:
    """Run every case of a recording. `known`: ids of cases that may disagree."""
    passed = 0
    disagreements: list[Disagreement] = []
    excused: list[str] = []
    for number, case in enumerate(read_cases(path), 1):
        name, expression = case.get("id", f"line {number}"), str(case.get("expression", case.get("expr")))
        recorded, actual = recorded_facts(case), actual_facts(case)
        if all(actual.get(fact) == value for fact, value in recorded.items()):
            passed += 1
        elif name in known:
            excused.append(name)
        else:
            disagreements.append(Disagreement(name, expression, recorded, actual))
    return Report(passed, tuple(disagreements), tuple(excused))


def recorded_facts(case: Mapping[str, Any]) -> Facts:
    """What was recorded of a case, under this module's names."""
    if "mode" in case:
        return {name: value for name, value in case.items() if name not in ("expr", "mode")}
    return dict(_recorded_selector(case["expect"]))


def _recorded_selector(expect: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "compile_error", expect["compileError"]
    if "newEnvError" in expect:
        yield "new_environment_error", expect["newEnvError"]
    if not expect["compileOK"]:
        if "issues" in expect:
            yield "issues", [(issue["line"], issue["col"], issue["msg"]) for issue in expect["issues"]]
        return
    yield "type", expect["outputType"]
    yield "estimated_cost", int(expect["estimatedCost"])
    yield "too_costly", expect["tooCostly"]
    yield "match", expect["match"]
    yield "eval_error", expect["evalError"]
    if "actualCostVaries" not in expect and expect["actualCost"] is not None:
        yield "actual_cost", expect["actualCost"]


def actual_facts(case: Mapping[str, Any]) -> Facts:
    """What this engine makes of a case, under the same names."""
    match case.get("mode"):
        case "std":
            return _run_expression(case["expr"])
        case "dra":
            return _run_fixed(case["expr"])
        case _:
            return _run_selector(case)


def _run_selector(case: Mapping[str, Any]) -> Facts:
    expression, environment = case["expression"], environment_of(case)
    facts: Facts = {
        "compile_error": "",
        "new_environment_error": _compile_error(
            expression, dataclasses.replace(environment, new_expressions=True)
        ),
    }
    try:
        selector = compile_selector(expression, environment)
    except CelCompileError as error:
        return facts | {"compile_error": str(error), "issues": [tuple(issue) for issue in error.issues]}
    cost = selector.estimated_cost
    facts |= {"type": selector.output_type, "estimated_cost": cost, "too_costly": cost > COST_LIMIT}
    device = DeviceInput.of(case["device"]["driver"], case["device"])
    limit = case.get("costLimit", COST_LIMIT)
    try:
        answer, spent = selector.evaluate_with_cost(device, limit)
    except CelRuntimeError as error:
        return facts | {"match": None, "eval_error": str(error), "actual_cost": error.cost}
    return facts | {"match": answer, "eval_error": "", "actual_cost": spent}


def environment_of(case: Mapping[str, Any]) -> Environment:
    """The environment of a recorded selector; features that it does not name are on."""
    features = case.get("features") or {}
    return Environment(
        consumable_capacity=features.get("consumableCapacity", True),
        list_type_attributes=features.get("listTypeAttributes", True),
    )


def _compile_error(expression: str, environment: Environment) -> str:
    try:
        compile_selector(expression, environment)
    except CelCompileError as error:
        return str(error)
    return ""


def _run_fixed(expression: str) -> Facts:
    try:
        selector = compile_selector(expression)
    except CelCompileError as error:
        return {"compile_error": str(error)}
    device = DeviceInput.of("gpu.example.com", FIXED_DEVICE)
    facts: Facts = {"maxcost": selector.estimated_cost}
    try:
        answer, cost = selector.evaluate_with_cost(device)
    except CelRuntimeError as error:
        return facts | {"eval_error": str(error), "cost": error.cost}
    return facts | {"value": answer, "cost": cost}


def _run_expression(text: str) -> Facts:
    declared = {name: declaration for name, (declaration, _) in FIXED_VARIABLES.items()}
    try:
        expression = compile_expression(text, declared)
    except CelCompileError as error:
        return {"compile_error": _as_compiler(str(error))}
    try:
        value = expression.evaluate({name: value for name, (_, value) in FIXED_VARIABLES.items()})
    except CelRuntimeError as error:
        return {"eval_error": str(error)}
    return {"type": type_name(value), "value": _as_go(value)}


def _as_compiler(message: str) -> str:
    for ours, theirs in _PREFIXES:
        if message.startswith(ours):
            return theirs + message.removeprefix(ours)
    return message


def _as_go(value: Any) -> str:
    """The value as Go prints what it has beneath it."""
    match value:
        case list():
            return f"[{' '.join(map(_as_go, value))}]"
        case dict():
            entries = zip(keys_of(value), value.values(), strict=True)
            return f"map[{' '.join(f'{_as_go(key)}:{_as_go(item)}' for key, item in entries)}]"
        case Optional():
            return _as_go(value.value) if value.present else "<nil>"
        case TypeValue():
            return value.name
        case _:
            return show(value)
