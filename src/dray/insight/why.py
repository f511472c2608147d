"""Why a pod is pending, why a claim has no devices, why it has these: one typed answer for each.

The cause comes first, as one sentence; then what it rests on, per node (those that are alike put together) and per
request; then what would help, tried on the allocator (`remedies`). What could not be read is said, not guessed.
"""

import dataclasses
from collections.abc import Sequence

from dray.allocation import Allocated, Unsatisfiable
from dray.api.meta import Object, ObjectKey, key_of, name_of
from dray.api.pods import claims_of
from dray.api.resources import NAMESPACES, NODES
from dray.insight.answer import Answer, Help
from dray.insight.choice import explain_choices
from dray.insight.claim_state import Blocker, PodClaims, no_devices_at_all, read_claims, scheduling_gates_of
from dray.insight.evidence import Examiner, NodeEvidence, RequestEvidence, grouped
from dray.insight.exclusions import Exclusion, Places
from dray.insight.gates import gates_of
from dray.insight.neighbours import Neighbourhood
from dray.insight.node_fit import NodeFit, extended_claim, extended_classes
from dray.insight.quotas import asked_of
from dray.insight.remedies import Doctor
from dray.insight.running import Progress, progress_of
from dray.insight.snapshot import Snapshot
from dray.insight.volumes import STORAGE, Volumes, volume_claims_of
from dray.insight.wording import charge_text
from dray.insight.world import Broken, Outcome, World
from dray.insight.written import left_out_of

_EXTENDED = "DRAExtendedResource"
GROUPS_TRIED = 4
"""Groups of nodes for which remedies are looked for; one node stands for its group."""


def why_pod(snapshot: Snapshot, pod: Object) -> Answer:
    """`pod`: one of the snapshot's."""
    subject = f"pod {key_of(pod)}"
    claims = read_claims(snapshot, pod)
    progress = progress_of(snapshot, pod, claims.allocated)
    if progress is not None:
        return _placed(snapshot, pod, subject, claims, progress)
    unknown = _unknown(snapshot, pod)
    gate = scheduling_gates_of(pod)
    blockers = [*((gate,) if gate else ()), *claims.blockers, *Volumes(snapshot, pod).blockers()]
    if blockers:
        more = f" (and {len(blockers) - 1} more)" if len(blockers) > 1 else ""
        facts = _facts(snapshot, pod)
        return Answer(
            subject, "pending", f"{blockers[0].cause}{more}.", tuple(blockers), facts=facts, unknown=unknown
        )
    return _unplaced(snapshot, pod, subject, claims, unknown)


def _placed(snapshot: Snapshot, pod: Object, subject: str, claims: PodClaims, progress: Progress) -> Answer:
    world = World(snapshot)
    # Who ends does not ask why these devices.
    asked = claims.allocated if progress.state not in ("terminating", "finished") else ()
    choices = tuple(choice for claim in asked for choice in explain_choices(world, claim))
    blockers = (Blocker(progress.cause, progress.advice),) if progress.advice else ()
    if progress.state == "scheduled":
        blockers = (*blockers, *Volumes(snapshot, pod).blockers())
    return Answer(
        subject, progress.state, f"{progress.cause}.", blockers, choices=choices, facts=progress.facts,
        unknown=_unknown(snapshot),
    )  # fmt: skip


def _unplaced(
    snapshot: Snapshot, pod: Object, subject: str, claims: PodClaims, unknown: tuple[str, ...]
) -> Answer:
    by_devices = extended_classes(snapshot.classes, pod)
    unserved = gates_of(snapshot).is_off(_EXTENDED) and by_devices
    by_devices = {} if unserved else by_devices
    special = extended_claim(pod, by_devices)
    wanted = [*claims.pending, *((special,) if special else ())]
    fit = NodeFit(snapshot, pod, claims.allocated, by_devices)
    trial = Trial(World(snapshot), wanted)
    places = Places(fit, Neighbourhood(snapshot, pod), Volumes(snapshot, pod))
    places.look(snapshot.nodes)
    trial.look(places.open)
    exclusions = places.exclusions(trial.count_fitting)
    cause = _cause(snapshot, pod, exclusions, trial)
    facts = (*_facts(snapshot, pod), *_left_out(snapshot, claims.pending))
    for resource, name in (unserved or {}).items():
        facts += (f"DeviceClass {name} would provide {resource}, but feature gate {_EXTENDED} is off",)
    fixes, way_out = trial.helps()
    return Answer(
        subject, "pending", cause, (), exclusions, tuple(trial.groups), tuple(trial.fitting), fixes, way_out,
        facts=facts, unknown=unknown,
    )  # fmt: skip


def why_claim(snapshot: Snapshot, claim: Object) -> Answer:
    """`claim`: one of the snapshot's."""
    subject = f"claim {key_of(claim)}"
    unknown = _unknown(snapshot)
    pods = snapshot.pods_by_claim.get(key_of(claim), ())
    users = (*(f"used by pod {key_of(pod)}" for pod in pods), *_left_out(snapshot, [claim]))
    if (claim.get("status") or {}).get("allocation"):
        choices = tuple(explain_choices(World(snapshot), claim))
        cause = _allocated_text(claim)
        return Answer(subject, "allocated", cause, choices=choices, facts=users, unknown=unknown)
    waiting = [pod for pod in pods if not pod["spec"].get("nodeName")]
    if waiting:
        answer = why_pod(snapshot, waiting[0])
        cause = f"pod {key_of(waiting[0])}, which uses it, is not scheduled: {answer.cause}"
        return dataclasses.replace(answer, subject=subject, cause=cause)
    pseudo: Object = {"kind": "Pod", "metadata": claim["metadata"], "spec": {}}
    claims = read_claims(
        snapshot,
        {**pseudo, "spec": {"resourceClaims": [{"name": "it", "resourceClaimName": name_of(claim)}]}},
    )
    if claims.blockers:
        return Answer(subject, "pending", f"{claims.blockers[0].cause}.", claims.blockers, unknown=unknown)
    trial = Trial(World(snapshot), [claim])
    trial.look(snapshot.nodes)
    unused = "no pod uses it, and devices are given out only when a pod that uses them is scheduled"
    if trial.fitting:
        cause = f"Nothing is wrong: {unused}. It would fit on {_nodes(trial.fitting)} now."
    else:
        cause = f"{unused[0].upper()}{unused[1:]}; and if one did: {_cause(snapshot, pseudo, (), trial)}"
    fixes, way_out = trial.helps()
    return Answer(
        subject, "unused", cause, (), (), tuple(trial.groups), tuple(trial.fitting), fixes, way_out,
        facts=users, unknown=unknown,
    )  # fmt: skip


def _allocated_text(claim: Object) -> str:
    status = claim["status"]
    results = (status["allocation"].get("devices") or {}).get("results") or ()
    devices = ", ".join(f"{r['driver']}/{r['pool']}/{r['device']}" for r in results[:4])
    if len(results) > 4:
        devices += f" and {len(results) - 4} more"
    pods = [entry["name"] for entry in status.get("reservedFor") or ()]
    users = f"reserved for {', '.join(pods[:4])}" if pods else "reserved for nobody"
    return f"It has {devices or 'no devices'}, {users}."


class Trial:
    """Claims asked for on nodes, and what came of it."""

    def __init__(self, world: World, claims: Sequence[Object]) -> None:
        self._world = world
        self.claims = claims
        self.examiner = Examiner(world)
        self.fitting: list[str] = []
        self.groups: list[NodeEvidence] = []
        self._nodes = {name_of(node): node for node in world.snapshot.nodes}

    def look(self, nodes: Sequence[Object]) -> None:
        found: list[NodeEvidence] = []
        for node in nodes:
            outcome = self._world.ask(self.claims, node) if self.claims else None
            if outcome is None or isinstance(outcome, Allocated):
                self.fitting.append(name_of(node))
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


def _cause(snapshot: Snapshot, pod: Object, exclusions: Sequence[Exclusion], trial: Trial) -> str:
    if not snapshot.nodes:
        return "There are no nodes." if snapshot.knows(NODES) else "The nodes could not be read."
    if trial.fitting:
        return _fitting_text(pod, trial.fitting)
    nothing = no_devices_at_all(snapshot, ()) if trial.claims else ""
    if nothing:
        return f"No node has devices: {nothing}."
    out = "; ".join(f"{_nodes(e.nodes)}: {e.reason}" for e in exclusions[:2])
    if len(exclusions) > 2:
        out += f"; {sum(len(e.nodes) for e in exclusions[2:])} more for other reasons"
    if not trial.groups:
        return f"No node can take the pod, whatever devices it has: {out}."
    text = group_cause(trial.groups[0])
    where = (
        "Nowhere" if len(trial.groups) == 1 else f"On {_nodes(trial.groups[0].nodes)}, the nearest to a fit,"
    )
    if trial.groups[0].error:
        first = f"The scheduler gives up on an error: {text}"
    else:
        first = f"{where} are there devices for it: {text}" if where == "Nowhere" else f"{where} {text}"
    return f"{first}. Besides, {out}." if out else f"{first}."


def _fitting_text(pod: Object, nodes: Sequence[str]) -> str:
    where = _nodes(nodes)
    scheduler = pod["spec"].get("schedulerName") or "default-scheduler"
    return f"Nothing stands in the way any more: it fits on {where}; {scheduler} has not got to it yet, or does not run."


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


def _nodes(names: Sequence[str]) -> str:
    if len(names) <= 3:
        return ("node " if len(names) == 1 else "nodes ") + ", ".join(names)
    return f"{len(names)} nodes ({names[0]}, {names[1]}, …)"


def _facts(snapshot: Snapshot, pod: Object) -> tuple[str, ...]:
    """What Kubernetes itself says."""
    found = []
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            found.append(f"the scheduler says: {condition.get('message') or condition.get('reason')}")
    events = [e for e in snapshot.events_of(pod) if e.get("type") == "Warning"]
    for event in events[-2:]:
        text = f"event {event.get('reason')}: {event.get('message')}"
        said = str(event.get("message"))
        # The event about a scheduling attempt begins as the condition does.
        if not any(said in fact or _told(fact, said) for fact in found):
            found.append(text)
    return tuple(found)


def _told(fact: str, text: str) -> bool:
    return text.startswith(fact.removeprefix("the scheduler says: "))


def _left_out(snapshot: Snapshot, claims: Sequence[Object]) -> list[str]:
    """Fields that a server left out of claims, of the templates they were made from and of the classes they name."""
    objects: list[tuple[str, str]] = []
    for claim in claims:
        objects.append(("ResourceClaim", str(key_of(claim))))
        templates = (
            entry.template
            for pod in snapshot.pods_by_claim.get(key_of(claim), ())
            for entry in claims_of(pod)
        )
        objects += [
            ("ResourceClaimTemplate", f"{key_of(claim).namespace}/{name}") for name in templates if name
        ]
        objects += [("DeviceClass", str(ObjectKey("", name))) for name in asked_of(claim)]
    return list(left_out_of(snapshot, objects))


def _unknown(snapshot: Snapshot, pod: Object | None = None) -> tuple[str, ...]:
    """What could not be read and might matter for the pod, or for a claim where there is none."""
    irrelevant: set[str] = set()
    if pod is None or not volume_claims_of(pod):
        irrelevant.update(resource.plural for resource in STORAGE)
    if pod is None or "namespaceSelector" not in str(pod["spec"].get("affinity")):
        irrelevant.add(NAMESPACES.plural)
    return tuple(
        f"{plural}: {reason}" for plural, reason in snapshot.unknown.items() if plural not in irrelevant
    )
