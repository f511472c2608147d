"""Not asking again what was just answered: pods of one kind fail alike as long as nothing changes for the better.

When one device is freed, every pod that waits for devices is woken, as upstream does. The first takes it; the second
finds nothing; all others would walk the whole cluster to find the same nothing. They are told so at once.

A *question* is everything that decides whether a pod fits, other than the cluster. Pods that the answers for other
pods could be wrong for (they look at other pods, at ports, or at claims that have devices already) have none. An answer
holds until something happens that could lift the refusals; what the scheduler itself gives away only makes it truer.
Of the words, only the names of the claims belong to one pod: each pod hears of its own.
"""

import dataclasses
import re
from collections import OrderedDict

import orjson

from dray.api.meta import key_of
from dray.scheduler.cluster_view import ClusterView
from dray.scheduler.happenings import LIFTS, Kind
from dray.scheduler.plugins.dynamic_resources.plan import DevicePlan
from dray.scheduler.pod_view import PodView
from dray.scheduler.verdict import Unschedulable

ANSWERS_LIMIT = 256

Question = tuple[bytes, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class _Answer:
    failure: Unschedulable
    claims: tuple[str, ...]
    """Of the pod that was asked about, as the failure names them; those of an alike pod stand in the same order."""
    age: int

    def told_to(self, claims: tuple[str, ...]) -> Unschedulable:
        names = {old: new for old, new in zip(self.claims, claims, strict=True) if old != new}
        explanation = self.failure.explanation
        if names and explanation:
            known = "|".join(map(re.escape, names))
            explanation = re.sub(
                rf"\bclaim ({known})(?=,)", lambda found: f"claim {names[found[1]]}", explanation
            )
        return dataclasses.replace(self.failure, explanation=explanation)


class Futility:
    def __init__(self) -> None:
        self._answers: OrderedDict[Question, _Answer] = OrderedDict()
        self._age = 0
        self._lifted: dict[str, int] = {}
        """By plugin, the age of the last happening that may lift its refusals."""

    def happened(self, kind: Kind) -> None:
        """Something changed; answers that it may concern hold no longer."""
        self._age += 1
        if kind in (Kind.NODE_ADDED, Kind.NODE_REMOVED):
            # The answers tell how many nodes there are.
            self._answers.clear()
        for plugin in LIFTS[kind]:
            self._lifted[plugin] = self._age

    def forget(self) -> None:
        """What was given away meanwhile was taken back."""
        self._answers.clear()

    def question(self, pod: PodView, plan: DevicePlan | None, view: ClusterView) -> Question | None:
        spec = pod.spec
        others_matter = pod.required_affinity or pod.required_anti_affinity or pod.host_ports
        if others_matter or "topologySpreadConstraints" in spec or view.nodes.hostile():
            return None
        if pod.nominated_node or view.nominated or pod.priority > view.nodes.lowest_priority:
            return None
        if plan is not None and (plan.allocated or plan.delegable or plan.depends_on_containers):
            return None
        claims = [orjson.dumps(claim["spec"]) for claim in plan.pending] if plan is not None else []
        rest = (pod.priority, spec.get("preemptionPolicy"), sorted(pod.requests.items()))
        return (pod.static_signature, orjson.dumps(rest), *claims)

    def check(self, question: Question | None, plan: DevicePlan | None) -> None:
        """Raises Unschedulable when the answer is known."""
        answer = self._answers.get(question) if question is not None else None
        if answer is None:
            return
        if any(self._lifted.get(plugin, 0) > answer.age for plugin in answer.failure.plugins):
            assert question is not None
            del self._answers[question]
            return
        raise answer.told_to(_claims(plan))

    def learn(self, question: Question | None, plan: DevicePlan | None, failure: Unschedulable) -> None:
        if question is None or failure.nominated_node:
            return
        self._answers[question] = _Answer(failure, _claims(plan), self._age)
        if len(self._answers) > ANSWERS_LIMIT:
            self._answers.popitem(last=False)


def _claims(plan: DevicePlan | None) -> tuple[str, ...]:
    return tuple(str(key_of(claim)) for claim in plan.pending) if plan is not None else ()
