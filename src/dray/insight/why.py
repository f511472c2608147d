"""Why a pod is pending, why a claim has no devices, why it has these: one typed answer for each.

The cause comes first, as one sentence; then what it rests on, per node (those that are alike put together) and per
request; then what would help, tried on the allocator (`remedies`). What could not be read is said, not guessed.
"""

import dataclasses
from collections.abc import Sequence

from dray.api.meta import Object, ObjectKey, key_of, name_of
from dray.api.pod_groups import group_name
from dray.api.pods import claims_of
from dray.api.resources import NAMESPACES, NODES, POD_GROUPS
from dray.insight.answer import Answer
from dray.insight.choice import explain_choices
from dray.insight.claim_state import (
    Blocker,
    PodClaims,
    no_devices_at_all,
    read_claims,
    reserved_for,
    scheduling_gates_of,
)
from dray.insight.exclusions import Exclusion, Places, crowded_out
from dray.insight.gangs import gang_of, group_blocker
from dray.insight.gates import gates_of
from dray.insight.neighbours import Neighbourhood
from dray.insight.node_fit import NodeFit, extended_claim, extended_classes
from dray.insight.node_room import NodeRoom
from dray.insight.node_share import NodeShare
from dray.insight.quotas import asked_of
from dray.insight.running import Progress, progress_of
from dray.insight.snapshot import Snapshot
from dray.insight.trial import Trial, group_cause
from dray.insight.volumes import STORAGE, Volumes, volume_claims_of
from dray.insight.whatif.gang import place_together
from dray.insight.world import World
from dray.insight.written import left_out_of

_EXTENDED = "DRAExtendedResource"


def why_pod(snapshot: Snapshot, pod: Object) -> Answer:
    """`pod`: one of the snapshot's."""
    subject = f"pod {key_of(pod)}"
    claims = read_claims(snapshot, pod)
    progress = progress_of(snapshot, pod, claims.allocated)
    if progress is not None:
        return _placed(snapshot, pod, subject, claims, progress)
    unknown = _unknown(snapshot, pod)
    first = [each for each in (scheduling_gates_of(pod), group_blocker(snapshot, pod)) if each is not None]
    blockers = [*first, *claims.blockers, *Volumes(snapshot, pod).blockers()]
    if blockers:
        more = f" (and {len(blockers) - 1} more)" if len(blockers) > 1 else ""
        facts = _facts(snapshot, pod)
        return Answer(
            subject, "pending", f"{blockers[0].cause}{more}.", tuple(blockers), facts=facts, unknown=unknown
        )
    return _with_gang(snapshot, pod, _unplaced(snapshot, pod, subject, claims, unknown))


def _with_gang(snapshot: Snapshot, pod: Object, answer: Answer) -> Answer:
    """The answer for a pod that waits for the others of its gang, or they for it."""
    gang = gang_of(snapshot, pod)
    if gang is None or not gang.is_held_together:
        return answer
    together = place_together(snapshot, gang)
    facts = (f"{gang.count_text()}; {together.found} more would find a place now", *answer.facts)
    if len(gang.placed) + together.found >= gang.needed:
        return dataclasses.replace(answer, facts=facts)
    own, others = together.reason_of(pod), together.others_text(pod)
    short = f"PodGroup {gang.name} places {gang.needed} pods at a time, and only {len(gang.placed) + together.found} find a place"
    if own is None:
        cause = f"The pod waits for its gang: {short}. Without a place: {others}."
    elif answer.fitting:
        cause = f"The pod waits for its gang: {short}; beside the others there is none for this pod: {own}."
    else:
        cause = f"{answer.cause} The pods of its gang wait with it: {short}."
    # Nodes that fit this pod alone are no way out for the gang.
    return dataclasses.replace(answer, cause=cause, facts=facts, fitting=())


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
    rooms, world = NodeRoom(snapshot.pods_by_node), World(snapshot)
    fit = NodeFit(snapshot, pod, claims.allocated, by_devices, rooms)
    share = NodeShare(world, rooms)
    held = [(claim, claim["status"]["allocation"]) for claim in claims.allocated]

    def crowd(node: Object, allocated: Sequence[tuple[Object, Object]]) -> str:
        return share.against(pod, node, share.taken(pod, [*held, *allocated]), frozenset())

    trial = Trial(world, wanted, crowd if share.is_counted else None)
    places = Places(fit, Neighbourhood(snapshot, pod), Volumes(snapshot, pod))
    places.look(snapshot.nodes)
    trial.look(places.open)
    exclusions = (*places.exclusions(trial.count_fitting), *crowded_out(trial.crowded))
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
    names = reserved_for(claim)
    users = f"reserved for {', '.join(names[:4])}" if names else "reserved for nobody"
    return f"It has {devices or 'no devices'}, {users}."


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
        how = "with its devices" if trial.crowded else "whatever devices it has"
        return f"No node can take the pod, {how}: {out}."
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
    if pod is None or not group_name(pod):
        irrelevant.add(POD_GROUPS.plural)
    if pod is None or "namespaceSelector" not in str(pod["spec"].get("affinity")):
        irrelevant.add(NAMESPACES.plural)
    return tuple(
        f"{plural}: {reason}" for plural, reason in snapshot.unknown.items() if plural not in irrelevant
    )
