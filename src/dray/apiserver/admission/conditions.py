"""matchConditions: expressions that say which of the matching writes a policy or a webhook is really about.

Source: kubernetes apiserver/pkg/admission/plugin/webhook/matchconditions/matcher.go, 1.36.
"""

import dataclasses
from collections.abc import Sequence

from dray.api.meta import Object
from dray.apiserver.admission.policies.evaluation import MATCH_BUDGET, Activation, OutOfBudget
from dray.cel.admission.compiler import RULE, Compiled, Compiler


class MatchFault(Exception):
    """Whether the write is meant cannot be told; `str()` says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class MatchConditions:
    conditions: Sequence[Compiled]
    fails: bool
    """failurePolicy: what cannot be evaluated is a fault, not a mismatch."""

    @classmethod
    def compile(cls, conditions: Sequence[Object], compiler: Compiler, *, fails: bool) -> "MatchConditions":
        texts = [(each.get("expression") or "").strip() for each in conditions]
        return cls([compiler.compile(text, RULE) for text in texts], fails)

    def match(self, activation: Activation) -> bool:
        """One condition that is false decides, whatever became of the others. Raises MatchFault, Impatient."""
        if not self.conditions:
            return True
        try:
            outcomes, _ = activation.evaluate_all(self.conditions, MATCH_BUDGET)
        except OutOfBudget as error:
            return self._failed([str(error)])
        if any(outcome.value is False for outcome in outcomes):
            return False
        faults = list(dict.fromkeys(outcome.fault for outcome in outcomes if outcome.fault))
        return self._failed(faults) if faults else True

    def _failed(self, faults: Sequence[str]) -> bool:
        if not self.fails:
            return False
        raise MatchFault(faults[0] if len(faults) == 1 else f"[{', '.join(faults)}]")
