"""Claims asked for on nodes: where they fit, why not elsewhere, what would help, and the reason as a part of a sentence."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from dray.allocation import Allocated, Unsatisfiable
from dray.api.meta import Object, name_of
from dray.insight.answer import Help
from dray.insight.evidence import Examiner, NodeEvidence, RequestEvidence, grouped
from dray.insight.remedies import Doctor
from dray.insight.wording import charge_text
from dray.insight.world import Broken, Outcome, World

Crowd: TypeAlias = Callable[[Object, Sequence[tuple[Object, Object]]], str]
"""(node, claims with their allocations) -> why not, or ""."""

GROUPS_TRIED = 4
"""Groups of nodes for which remedies are looked for; one node stands for its group."""


class Trial:
    """Claims asked for on nodes, and what came of it."""

    def __init__(self, world: World, claims: Sequence[Object], crowd: Crowd | None = None) -> None:
        """`crowd`: what is against a node although the devices fit, given what they are."""
        self._world = world
        self.claims = claims
        self._crowd = crowd
        self.examiner = Examiner(world)
        self.fitting: list[str] = []
        self.crowded: dict[str, list[str]] = {}
        """Nodes with devices for the claims, but no room for what these take of the node, by reason."""
        self.groups: list[NodeEvidence] = []
        self._nodes = {name_of(node): node for node in world.snapshot.nodes}

    def look(self, nodes: Sequence[Object]) -> None:
        found: list[NodeEvidence] = []
        for node in nodes:
            outcome = self._world.ask(self.claims, node) if self.claims else None
            if outcome is None or isinstance(outcome, Allocated):
                results = outcome.results if outcome is not None else ()
                text = self._crowd(node, list(zip(self.claims, results, strict=True))) if self._crowd else ""
                (self.crowded.setdefault(text, []) if text else self.fitting).append(name_of(node))
            else:
                found.append(self._evidence(outcome, node))
        self.groups = grouped(found)

    def _evidence(self, outcome: Outcome, node: Object) -> NodeEvidence:
        if isinstance(outcome, Unsatisfiable):
            return self.examiner.examine(outcome, self.claims)
        if isinstance(outcome, Broken) and outcome.refusal is not None:
            return self.examiner.examine(outcome.refusal, self.claims, outcome.text)
        return NodeEvidence((name_of(node),), (), (), "" if isinstance(outcome, Allocated) else outcome.text)

    def count_fitting(self, nodes: Sequence[Object]) -> int | None:
        if not self.claims:
            return None
        return sum(isinstance(self._world.ask(self.claims, node), Allocated) for node in nodes)

    def helps(self) -> tuple[tuple[Help, ...], Help | None]:
        """What suffices alone, over the groups nearest to a solution; else the way out on the nearest node."""
        if self.fitting:
            return (), None
        singles: dict[str, Help] = {}
        for group in self.groups[:GROUPS_TRIED]:
            node = group.nodes[0]
            for step in self._doctor(node).single_fixes(group):
                singles.setdefault(step.remedy.advice, Help(node, (step,), True))
        if singles or not self.groups:
            return tuple(singles.values()), None
        node = self.groups[0].nodes[0]
        steps = tuple(self._doctor(node).way_out())
        return (), Help(node, steps, bool(steps) and steps[-1].fits) if steps else None

    def _doctor(self, node: str) -> Doctor:
        return Doctor(self._world, self.examiner, self.claims, self._nodes[node])


def group_cause(group: NodeEvidence) -> str:
    """The reason of nodes that are alike, as a part of a sentence."""
    if group.error:
        return group.error
    short = [request for request in group.requests if request.missing]
    if not short:
        return group.obstacles[0].text if group.obstacles else "no combination of devices fits"
    request = min(short, key=lambda each: each.missing)
    return request_cause(request, group)


def request_cause(request: RequestEvidence, group: NodeEvidence) -> str:
    count = request.wanted or 1
    what = "all devices" if request.all_devices else f"{count} device{'s' if count != 1 else ''}"
    head = f"claim {request.claim}, request {request.request} wants {what} of class {request.class_name}"
    if not request.seen:
        pools = [obstacle.text for obstacle in group.obstacles if obstacle.pool]
        return f"{head}, and {'; '.join(pools) or 'no device is published there'}"
    charges = [charge_text(charge, request.class_name) for charge in request.charges[:3]]
    seen = request.seen * len(group.nodes)
    every = f" on {len(group.nodes)} nodes" if len(group.nodes) > 1 else ""
    if not charges:
        return f"{head}; there {'are' if seen != 1 else 'is'} {seen} that would do{every}"
    return f"{head}; of {seen} device{'s' if seen != 1 else ''}{every}, {', '.join(charges)}"
