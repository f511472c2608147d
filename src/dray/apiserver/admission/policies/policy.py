"""A ValidatingAdmissionPolicy, compiled, and its verdict on one write.

Pure: what is to be judged comes as values. Source: kubernetes
apiserver/pkg/admission/plugin/policy/validating/validator.go, 1.36.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dray.api.meta import Object
from dray.api.validation.lists import items_of
from dray.apiserver.admission.conditions import MatchFault
from dray.apiserver.admission.policies.evaluation import BUDGET, Activation, Meter, Outcome, OutOfBudget
from dray.apiserver.admission.policies.terms import Terms, text_of
from dray.cel.admission.compiler import (
    ANNOTATION,
    MESSAGE,
    RULE,
    Compiled,
    Compiler,
)
from dray.cel.values.kind import type_name

MAX_MESSAGE_BYTES: Final = 5 * 1024
MAX_ANNOTATION_BYTES: Final = 10 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """One of the policy's validations."""

    expression: Compiled
    message: str
    message_expression: Compiled | None
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Denial:
    """What a policy has against a write. `reason` "": it could not be evaluated."""

    message: str
    reason: str = ""
    index: int = 0
    """Which rule it was."""


@dataclasses.dataclass(slots=True)
class Verdict:
    denials: list[Denial] = dataclasses.field(default_factory=list)
    annotations: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    """For the audit log."""
    faults: list[Denial] = dataclasses.field(default_factory=list)
    """Annotations that could not be evaluated: they deny, whatever the binding's actions are."""


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    terms: Terms
    rules: Sequence[Rule]
    annotations: Sequence[tuple[str, Compiled]]

    @classmethod
    def compile(cls, obj: Object) -> "Policy":
        spec = obj.get("spec") or {}
        terms, compiler = Terms.compile(obj)
        return cls(
            terms,
            rules=[_rule(each, compiler) for each in items_of(spec.get("validations"))],
            annotations=[
                (text_of(each, "key"), compiler.compile(text_of(each, "valueExpression"), ANNOTATION))
                for each in items_of(spec.get("auditAnnotations"))
            ],
        )

    def judge(self, values: Mapping[str, Any], meter: Meter) -> Verdict:
        """`values`: what the expressions see. Raises Impatient."""
        activation = Activation(meter, values, self.terms.variables)
        try:
            if not self.terms.conditions.match(activation):
                return Verdict()
        except MatchFault as fault:
            return self._failed(str(fault))
        try:
            verdict = self._apply_rules(activation)
            self._annotate(activation, verdict)
        except OutOfBudget as error:
            return self._failed(str(error))
        return verdict

    def _failed(self, message: str) -> Verdict:
        return Verdict([Denial(message)] if self.terms.fails else [])

    def _apply_rules(self, activation: Activation) -> Verdict:
        outcomes, budget = activation.evaluate_all([rule.expression for rule in self.rules], BUDGET)
        verdict = Verdict()
        for index, (rule, outcome) in enumerate(zip(self.rules, outcomes, strict=True)):
            if outcome.fault:
                if self.terms.fails:
                    verdict.denials.append(Denial(outcome.fault, index=index))
            elif outcome.value is not True:
                denial, budget = self._deny(rule, index, activation, budget)
                verdict.denials += denial
        return verdict

    def _deny(self, rule: Rule, index: int, activation: Activation, budget: int) -> tuple[list[Denial], int]:
        """A message is only made for a rule that denies; upstream makes all of them, to the same effect."""
        message = ""
        if rule.message_expression is not None:
            try:
                (outcome,), budget = activation.evaluate_all([rule.message_expression], budget)
            except OutOfBudget as error:
                failed = Denial(f"failed messageExpression: {error}", index=index)
                return ([failed] if self.terms.fails else []), 0
            message = _usable(outcome)
        message = message or rule.message or f"failed expression: {rule.expression.text.strip()}"
        return [Denial(message, rule.reason, index)], budget

    def _annotate(self, activation: Activation, verdict: Verdict) -> None:
        outcomes, _ = activation.evaluate_all([compiled for _, compiled in self.annotations], BUDGET)
        for (key, compiled), outcome in zip(self.annotations, outcomes, strict=True):
            fault, value = outcome.fault, outcome.value
            if not fault and not (value is None or isinstance(value, str)):
                fault = (
                    f"valueExpression '{compiled.text}' resulted in unsupported return type: {type_name(value)}. "
                    "Return type must be either string or null."
                )
                verdict.faults.append(Denial(fault))
            elif fault and self.terms.fails:
                verdict.faults.append(Denial(fault))
            elif not fault and value and value.strip():
                verdict.annotations.append((key, _cut(value.strip())))


def _rule(validation: Object, compiler: Compiler) -> Rule:
    text = validation.get("messageExpression")
    return Rule(
        compiler.compile(text_of(validation, "expression"), RULE),
        text_of(validation, "message").strip(),
        compiler.compile(text, MESSAGE, has_authorizer=False) if text else None,
        validation.get("reason") or "Invalid",
    )


def _usable(outcome: Outcome) -> str:
    """The message an expression gives, or "" where it failed or gave none that fits into one line."""
    if outcome.fault or not isinstance(outcome.value, str):
        return ""
    message = outcome.value.strip()
    if len(message.encode()) > MAX_MESSAGE_BYTES or "\n" in message:
        return ""
    return message


def _cut(text: str) -> str:
    return text.encode()[:MAX_ANNOTATION_BYTES].decode("utf-8", "ignore")
