"""`dray why`: the cause in one sentence, then the evidence, then what would help."""

from collections.abc import Iterator, Sequence
from typing import Any

import click

from dray.allocation import DeviceID
from dray.api.meta import ObjectKey
from dray.api.resources import (
    DEVICE_CLASSES,
    DEVICE_TAINT_RULES,
    EVENTS,
    NAMESPACES,
    NODES,
    POD_GROUPS,
    PODS,
    RESOURCE_CLAIM_TEMPLATES,
    RESOURCE_CLAIMS,
    RESOURCE_QUOTAS,
    RESOURCE_SLICES,
)
from dray.cli.insight.options import Source, questions
from dray.cli.insight.output import age, heading, sentence, show_data, wrapped
from dray.insight.absent import why_no_claim, why_no_pod
from dray.insight.answer import Answer, Help
from dray.insight.evidence import TAKEN, Charge, NodeEvidence, RequestEvidence
from dray.insight.snapshot import Snapshot
from dray.insight.volumes import STORAGE
from dray.insight.why import why_claim, why_pod
from dray.insight.wording import charge_text

NEEDED = (
    NODES, PODS, POD_GROUPS, RESOURCE_CLAIMS, RESOURCE_CLAIM_TEMPLATES, DEVICE_CLASSES, RESOURCE_SLICES, DEVICE_TAINT_RULES,
    EVENTS, RESOURCE_QUOTAS, NAMESPACES, *STORAGE,
)  # fmt: skip
_KINDS = {
    "pod": PODS, "pods": PODS, "po": PODS,
    "claim": RESOURCE_CLAIMS, "claims": RESOURCE_CLAIMS, "resourceclaim": RESOURCE_CLAIMS,
    "resourceclaims": RESOURCE_CLAIMS,
}  # fmt: skip
_GROUPS_SHOWN = 6
_HOLDERS_SHOWN = 6


@click.command(
    epilog="Examples:  dray why pod/trainer  |  dray why claim gpus -n ml  |  kubectl dra why pod/trainer -o json  |  "
    "dray why pod/trainer --snapshot cluster.json.gz"
)
@click.argument("what", nargs=-1, required=True)
@questions
def command(source: Source, what: tuple[str, ...]) -> None:
    """Say why a pod is pending or a claim has no devices; for allocated claims, why these devices and not others.

    WHAT is pod/NAME or claim/NAME; of a pod that could not even be created, too. Every remedy that is named was tried on
    the allocator. Reads only: needs `list` on nodes, pods, events, resourcequotas and resource.k8s.io, for pods with
    volumes, affinity across namespaces or a PodGroup also on these, and `get` on /metrics for feature gates. What you may not read is
    named as unknown where it matters.
    """
    resource, name = _named(what)
    namespace = source.default_namespace()
    snapshot = source.snapshot(NEEDED, namespace=namespace)
    obj = snapshot.find(resource, name, namespace)
    key = ObjectKey(namespace, name)
    if obj is None:
        absent = why_no_pod(snapshot, key) if resource is PODS else why_no_claim(snapshot, key)
        if absent is None:
            raise click.ClickException(_not_found(snapshot, resource.plural, name, namespace))
        answer = absent
    else:
        answer = why_pod(snapshot, obj) if resource is PODS else why_claim(snapshot, obj)
    if source.output == "text":
        click.echo("\n".join(lines_of(answer, snapshot)))
    else:
        show_data(source.output, answer, list(_rows(answer)))


def _named(what: Sequence[str]) -> tuple[Any, str]:
    kind, slash, name = what[0].partition("/")
    words = [kind, name] if slash else list(what)
    if len(words) != 2 or (slash and len(what) > 1) or words[0].lower() not in _KINDS:
        raise click.UsageError(f"say pod/NAME or claim/NAME, not {' '.join(what)!r}")
    return _KINDS[words[0].lower()], words[1]


def _not_found(snapshot: Snapshot, plural: str, name: str, namespace: str) -> str:
    if reason := snapshot.unknown.get(plural):
        return f"{plural} cannot be read: {reason}"
    elsewhere = [o for o in snapshot.objects.get(plural, ()) if o["metadata"]["name"] == name]
    if elsewhere:
        other = elsewhere[0]["metadata"].get("namespace")
        return f"{plural} {name!r} is not in namespace {namespace} but in {other}: add -n {other}"
    alike = [
        o["metadata"]["name"]
        for o in snapshot.objects.get(plural, ())
        if o["metadata"]["name"].startswith(name) and o["metadata"].get("namespace") == namespace
    ]
    hint = f"; there is {', '.join(alike[:3])}" if alike else ""
    return f"{plural} {name!r} not found in namespace {namespace}{hint}"


def lines_of(answer: Answer, snapshot: Snapshot) -> Iterator[str]:
    """The answer for people."""
    yield heading(f"{answer.subject} is {answer.state}")
    yield from wrapped(sentence(answer.cause))
    yield from _blockers(answer)
    yield from _exclusions(answer)
    for group in answer.devices[:_GROUPS_SHOWN]:
        yield ""
        yield from _group(group, snapshot)
    if len(answer.devices) > _GROUPS_SHOWN:
        rest = sum(len(group.nodes) for group in answer.devices[_GROUPS_SHOWN:])
        yield f"… and {rest} more nodes, further from a fit (all: -o json)"
    yield from _remedies(answer)
    yield from _choices(answer)
    for title, facts in (("What Kubernetes says", answer.facts), ("Not known", answer.unknown)):
        if facts:
            yield ""
            yield heading(title)
            for fact in facts:
                yield from wrapped(fact, indent=2, mark="- ")


def _blockers(answer: Answer) -> Iterator[str]:
    if not answer.blockers:
        return
    yield ""
    yield heading("What to do")
    for blocker in answer.blockers:
        if len(answer.blockers) > 1 or not answer.cause.startswith(blocker.cause):
            yield from wrapped(blocker.cause, indent=2, mark="- ")
            yield from wrapped(blocker.advice, indent=4, mark="-> ")
        else:
            yield from wrapped(blocker.advice, indent=2, mark="- ")


def _exclusions(answer: Answer) -> Iterator[str]:
    if not answer.exclusions:
        return
    yield ""
    yield heading("Nodes ruled out whatever devices they have")
    for exclusion in answer.exclusions[:_GROUPS_SHOWN]:
        fit = {None: "", 0: "; devices would not fit there either"}.get(
            exclusion.devices_fit,
            f"; devices would fit on {_of(exclusion.devices_fit or 0, len(exclusion.nodes))}",
        )
        details = f" ({names(exclusion.details)})" if exclusion.details else ""
        yield from wrapped(f"{names(exclusion.nodes)}: {exclusion.reason}{details}{fit}", indent=2, mark="- ")
        if exclusion.advice and exclusion.opens:
            yield from wrapped(exclusion.advice, indent=4, mark="-> ")
    if len(answer.exclusions) > _GROUPS_SHOWN:
        rest = sum(len(each.nodes) for each in answer.exclusions[_GROUPS_SHOWN:])
        yield f"  … and {rest} more nodes for other reasons (all: -o json)"


def _of(part: int, whole: int) -> str:
    if part == whole:
        return "it" if whole == 1 else "them all"
    return f"{part} of them"


def _group(group: NodeEvidence, snapshot: Snapshot) -> Iterator[str]:
    yield heading(_group_title(group))
    if group.error:
        yield from wrapped(group.error, indent=2, mark="error: ", hang=4)
    for obstacle in group.obstacles:
        yield from wrapped(obstacle.text, indent=2, mark="- ")
    for request in group.requests:
        yield from _request(request, group, snapshot)


def _group_title(group: NodeEvidence) -> str:
    count = len(group.nodes)
    return f"Node {group.nodes[0]}" if count == 1 else f"{count} nodes alike: {names(group.nodes)}"


def names(texts: Sequence[str], shown: int = 3) -> str:
    more = len(texts) - shown
    return ", ".join(texts[:shown]) + (f", … ({more} more)" if more > 0 else "")


def _request(request: RequestEvidence, group: NodeEvidence, snapshot: Snapshot) -> Iterator[str]:
    if not request.seen:
        yield f"  claim {request.claim}, request {request.request}: no device is published for this node"
        return
    wanted = "all" if request.all_devices else str(request.wanted)
    verdict = "enough" if not request.missing else f"{request.missing} missing"
    each = " on each" if len(group.nodes) > 1 else ""
    yield from wrapped(
        f"claim {request.claim}, request {request.request} (class {request.class_name}): wants {wanted}, "
        f"{request.left} of {request.seen} devices left{each}: {verdict}",
        indent=2,
        hang=4,
    )
    for charge in request.charges:
        if charge.rule == TAKEN:
            yield from _taken(charge, snapshot)
        else:
            yield from wrapped(charge_text(charge, request.class_name), indent=4, mark="- ")


def _taken(charge: Charge, snapshot: Snapshot) -> Iterator[str]:
    yield f"    - {charge.count} taken:"
    for holder in charge.holders[:_HOLDERS_SHOWN]:
        since = f", since {age(holder.since, snapshot.now)}" if holder.since else ""
        users = holder.users() or "reserved for no pod"
        yield from wrapped(f"claim {holder.claim}, {users}{since}", indent=8)
    if len(charge.holders) > _HOLDERS_SHOWN:
        yield f"        and {len(charge.holders) - _HOLDERS_SHOWN} more claims (all: -o json)"


def _remedies(answer: Answer) -> Iterator[str]:
    if answer.fixes:
        yield ""
        yield heading("Any one of these makes it fit (each was tried)")
        for help_ in answer.fixes[:8]:
            yield from wrapped(f"{_advice(help_)} [node {help_.node}]", indent=2, mark="- ")
    if answer.way_out:
        yield ""
        verdict = "makes it fit" if answer.way_out.fits else "still does not make it fit"
        yield heading(
            f"No single change is enough. On node {answer.way_out.node}, all of this {verdict} (tried)"
        )
        for number, step in enumerate(answer.way_out.steps, 1):
            yield from wrapped(step.remedy.advice, indent=2, mark=f"{number}. ")
            if step.then:
                yield from wrapped(f"then in the way: {step.then}", indent=5)


def _advice(help_: Help) -> str:
    return "; ".join(step.remedy.advice for step in help_.steps)


def _choices(answer: Answer) -> Iterator[str]:
    for choice in answer.choices:
        yield ""
        yield from map(
            heading, wrapped(f"claim {choice.claim}, request {choice.request}: {_devices(choice.devices)}")
        )
        yield from wrapped(f"why: {choice.reason}", indent=2, hang=4)
        if choice.without:
            yield from wrapped(choice.without, indent=2, hang=4)
        if choice.trouble:
            yield from wrapped(f"trouble: {choice.trouble}", indent=2, hang=4)
        if choice.others:
            yield "  why not another (each was tried in place of one of these):"
        for other in choice.others:
            yield from wrapped(f"{_devices(other.devices)}: {other.reason}", indent=4, mark="- ")


def _devices(devices: Sequence[DeviceID]) -> str:
    """`driver/pool/gpu-0, gpu-1`: what they share once."""
    first = devices[0]
    same = [device.device for device in devices if (device.driver, device.pool) == (first.driver, first.pool)]
    shown = f"{first.driver}/{first.pool}/{names(same, 8)}"
    rest = len(devices) - len(same)
    return f"{shown} and {rest} of other pools" if rest else shown


def _rows(answer: Answer) -> Iterator[dict[str, Any]]:
    """CSV: one line for each reason."""
    base = {"subject": answer.subject, "state": answer.state}
    for blocker in answer.blockers:
        yield {
            **base,
            "nodes": "",
            "claim": "",
            "request": "",
            "rule": "before scheduling",
            "devices": "",
            "reason": blocker.cause,
        }
    for exclusion in answer.exclusions:
        yield {
            **base,
            "nodes": list(exclusion.nodes),
            "claim": "",
            "request": "",
            "rule": "node",
            "devices": "",
            "reason": exclusion.reason,
        }
    for group in answer.devices:
        for request in group.requests:
            for charge in request.charges:
                yield {
                    **base, "nodes": list(group.nodes), "claim": request.claim, "request": request.request,
                    "rule": charge.rule, "devices": charge.count, "reason": charge_text(charge, request.class_name),
                }  # fmt: skip
        for obstacle in group.obstacles:
            yield {
                **base,
                "nodes": list(group.nodes),
                "claim": obstacle.claim,
                "request": "",
                "rule": obstacle.rule,
                "devices": "",
                "reason": obstacle.text,
            }
    if not (answer.blockers or answer.exclusions or answer.devices):
        yield {**base, "reason": answer.cause}
