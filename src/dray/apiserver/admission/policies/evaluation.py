"""Evaluating expressions on one write: what they see, what they may cost, and what their failures are called.

Every expression has a limit of its own, and all expressions of a policy together have a budget, variables included.
Source: kubernetes apiserver/pkg/admission/plugin/cel/activation.go and apis/cel/config.go, 1.36.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from dray.api.meta import Object
from dray.cel import COST_LIMIT, CelRuntimeError, Expression
from dray.cel.admission.compiler import Compiled
from dray.cel.errors import EvalFailure
from dray.cel.values.authorization import Ask, Authorizer, Question, ResourceCheck
from dray.cel.values.container import LazyMap
from dray.cel.values.time import parse_timestamp

BUDGET: Final = 10_000_000
"""What the rules of a policy with their messages may cost for one write."""
MATCH_BUDGET: Final = 2_500_000
"""What the match conditions of a policy or webhook may cost."""

OUT_OF_BUDGET: Final = (
    "validation failed due to running out of cost budget, no further validation rules will be run"
)


class OutOfBudget(Exception):
    """The budget is spent; `str()` says so."""


class Impatient(Exception):
    """This takes longer than the event loop can wait for."""


class Meter:
    """Counts what evaluations cost altogether, and with `patience` gives up once that was spent."""

    def __init__(self, patience: int | None = None) -> None:
        self._left = patience

    def run(self, expression: Expression, variables: Mapping[str, Any]) -> tuple[Any, int]:
        """The value and its cost. Raises CelRuntimeError, Impatient."""
        limit = COST_LIMIT if self._left is None else min(COST_LIMIT, max(self._left, 0))
        try:
            value, cost = expression.evaluate_with_cost(variables, limit)
        except CelRuntimeError as error:
            if error.cost > limit and limit < COST_LIMIT:
                raise Impatient from None
            self._spend(error.cost)
            raise
        self._spend(cost)
        return value, cost

    def _spend(self, cost: int) -> None:
        if self._left is not None:
            self._left -= cost


class Outcome(NamedTuple):
    """The value of an expression, or why it has none."""

    value: Any
    fault: str = ""


class Activation:
    """What the expressions of one write see; the variables of a policy are evaluated when one asks for them."""

    def __init__(self, meter: Meter, values: Mapping[str, Any], variables: Mapping[str, Compiled]) -> None:
        self._meter = meter
        self._variables = variables
        self._values = {**values, "variables": LazyMap(self._variable)}
        self._spent = 0

    def _variable(self, name: str) -> Any:
        compiled = self._variables[name]
        if compiled.expression is None:
            raise EvalFailure(f'composited variable "{name}" fails to compile: {compiled.fault}')
        try:
            value, cost = self._meter.run(compiled.expression, self._values)
        except CelRuntimeError as error:
            self._spent += error.cost
            raise EvalFailure(f'composited variable "{name}" fails to evaluate: {error}') from error
        self._spent += cost
        return value

    def evaluate_all(self, expressions: Sequence[Compiled], budget: int) -> tuple[list[Outcome], int]:
        """The outcomes, and what is left of the budget. Raises OutOfBudget, Impatient."""
        outcomes = []
        for compiled in expressions:
            outcome, cost = self._evaluate(compiled)
            budget -= cost
            if budget < 0:
                raise OutOfBudget(OUT_OF_BUDGET)
            outcomes.append(outcome)
        return outcomes, budget

    def _evaluate(self, compiled: Compiled) -> tuple[Outcome, int]:
        if compiled.expression is None:
            return Outcome(None, f"compilation error: {compiled.fault}"), 0
        self._spent = 0
        try:
            value, cost = self._meter.run(compiled.expression, self._values)
        except CelRuntimeError as error:
            fault = f"expression '{compiled.text}' resulted in error: {error}"
            return Outcome(None, fault), error.cost + self._spent
        return Outcome(value), cost + self._spent


def namespace_value(namespace: Object | None) -> Object | None:
    """The value of `namespaceObject`: without owners and managed fields, with times as times."""
    if namespace is None:
        return None
    meta = {
        key: value
        for key, value in namespace["metadata"].items()
        if key not in ("managedFields", "ownerReferences", "selfLink")
    }
    for field in ("creationTimestamp", "deletionTimestamp"):
        if meta.get(field):
            meta[field] = parse_timestamp(meta[field])
    return {"metadata": meta, "spec": namespace.get("spec") or {}, "status": _status(namespace)}


def _status(namespace: Object) -> Object:
    status = dict(namespace.get("status") or {})
    if status.get("conditions"):
        status["conditions"] = [
            {**each, "lastTransitionTime": parse_timestamp(each["lastTransitionTime"])}
            if each.get("lastTransitionTime")
            else each
            for each in status["conditions"]
        ]
    return status


def authorizer_values(
    ask: Ask, *, group: str, resource: str, subresource: str, namespace: str, name: str
) -> Object:
    """`authorizer`, and `authorizer.requestResource`, which begins with what is written."""
    question = Question(
        group=group, resource=resource, subresource=subresource, namespace=namespace, name=name
    )
    return {
        "authorizer": Authorizer(ask),
        "authorizer.requestResource": ResourceCheck(ask, question),
    }
