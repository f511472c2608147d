"""The answer: who gets a place, who does not and why, who was evicted, by pod and by workload."""

import dataclasses
from collections.abc import Iterable, Sequence

from dray.api.meta import Object, key_of
from dray.insight.volumes import volume_claims_of
from dray.insight.whatif.evicting import has_place
from dray.insight.whatif.nodes import Shape
from dray.insight.whatif.placing import Pending, Placed, Placing, in_turn
from dray.insight.whatif.pods import template_names
from dray.insight.whatif.scenario import Evicted, Scenario, Workload, workload_of
from dray.insight.whatif.sizing import Need, needs_of


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    pod: str
    """namespace/name"""
    node: str


@dataclasses.dataclass(frozen=True, slots=True)
class Waiting:
    pod: str
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class WorkloadFit:
    """How a workload fares. pods = running + placed + pending."""

    workload: str
    pods: int
    running: int
    placed: int
    pending: int


@dataclasses.dataclass(frozen=True, slots=True)
class Forecast:
    fits: bool
    """Whether every pod that needs a place gets one."""
    placed: tuple[Place, ...]
    pending: tuple[Waiting, ...]
    evicted: tuple[Evicted, ...]
    workloads: tuple[WorkloadFit, ...]
    """Those that were asked about, and those with pods that need a place; the ones with pending pods first."""
    needs: tuple[Need, ...]
    """What more nodes would do, where that was asked."""
    notes: tuple[str, ...]


def forecast(scenario: Scenario, shapes: Sequence[Shape] = ()) -> Forecast:
    """Place every pod that needs it; `shapes`: find out what more nodes like these would do for the rest."""
    snapshot = scenario.snapshot
    placing = Placing(snapshot)
    outcomes = [placing.place(pod) for pod in in_turn(snapshot.pods)]
    placed = [each for each in outcomes if isinstance(each, Placed)]
    pending = [each for each in outcomes if isinstance(each, Pending)]
    notes = [*scenario.notes, *_kept(scenario), *_unchecked(each.pod for each in placed)]
    notes += [f"{plural} not known: {reason}" for plural, reason in snapshot.unknown.items()]
    return Forecast(
        not pending,
        tuple(Place(str(key_of(each.pod)), each.node) for each in placed),
        tuple(Waiting(str(key_of(each.pod)), each.reason) for each in pending),
        scenario.evicted,
        tuple(_by_workload(scenario, placed, pending)),
        tuple(needs_of(placing, [each.pod for each in pending], shapes)),
        tuple(notes),
    )


def _by_workload(
    scenario: Scenario, placed: Sequence[Placed], pending: Sequence[Pending]
) -> Iterable[WorkloadFit]:
    counts: dict[Workload, list[int]] = {workload: [0, 0, 0] for workload in scenario.focus}
    for column, pods in ((1, [each.pod for each in placed]), (2, [each.pod for each in pending])):
        for pod in pods:
            counts.setdefault(workload_of(pod), [0, 0, 0])[column] += 1
    for pod in scenario.snapshot.pods:
        if has_place(pod) and (known := counts.get(workload_of(pod))):
            known[0] += 1
    for workload, (running, found, left) in sorted(counts.items(), key=lambda item: not item[1][2]):
        yield WorkloadFit(str(workload), running + found + left, running, found, left)


def _kept(scenario: Scenario) -> Iterable[str]:
    """Claims are made from a template once, so its change does not reach pods that run."""
    for template in scenario.templates:
        running = sum(
            has_place(pod) and (key.namespace, name) == template
            for pod in scenario.snapshot.pods
            for key, name in template_names(pod).items()
        )
        if running:
            whose = (
                "1 pod that runs keeps its claim"
                if running == 1
                else f"{running} pods that run keep their claims"
            )
            yield f"{whose} made from template {template} before; a restart makes new ones (--restart)"


def _unchecked(pods: Iterable[Object]) -> Iterable[str]:
    """What the places that were found do not rest on."""
    workloads = dict.fromkeys(str(workload_of(pod)) for pod in pods if volume_claims_of(pod))
    if workloads:
        some = list(workloads)
        more = f" and {len(some) - 2} more" if len(some) > 2 else ""
        yield f"not looked at: persistent volumes, which {', '.join(some[:2])}{more} also need"
