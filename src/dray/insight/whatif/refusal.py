"""Why no node takes a pod, in one sentence: the words of `why`."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from dray.api.meta import Object, name_of
from dray.insight.claim_state import no_devices_at_all
from dray.insight.evidence import NodeEvidence
from dray.insight.trial import Crowd, Trial, group_cause
from dray.insight.whatif.pods import template_names
from dray.insight.world import World

MAX_LOOKED_AT = 300
"""Nodes whose devices are examined one by one; of more, those with the most devices free."""


def refusal_text(
    world: World,
    pod: Object,
    claims: Sequence[Object],
    nodes: Sequence[Object],
    reasons_against: Callable[[Object], list[str]],
    crowd: Crowd | None = None,
) -> str:
    """Of a pod that was tried on `nodes` in vain. `claims`: those that need devices; `reasons_against` tells everything else,
    `crowd` what is against nodes whose devices fit.
    """
    if not nodes:
        return "there are no nodes"
    against: dict[str, list[Object]] = {}
    places: list[Object] = []
    for node in nodes:
        reasons = reasons_against(node)
        if reasons:
            against.setdefault("; ".join(reasons), []).append(node)
        else:
            places.append(node)
    out = _out_text(against)
    if not places or not (claims or crowd):
        return out
    if not world.index.inventory.slices and (nothing := no_devices_at_all(world.snapshot, ())):
        return nothing
    trial = Trial(world, claims, crowd)
    looked_at = places
    if len(places) > MAX_LOOKED_AT:
        looked_at = sorted(places, key=lambda node: -_free(world, node))[:MAX_LOOKED_AT]
    trial.look(looked_at)
    if not trial.groups:
        crowded = (f"{_named(names)}: {text}" for text, names in trial.crowded.items())
        return "; ".join(filter(None, (*crowded, out))) or "no node fits"
    text = group_cause(_told_by_template(trial.groups[0], pod))
    if len(places) > len(looked_at):
        text += f" (the {len(looked_at)} nodes of {len(places)} with the most devices free were looked at)"
    return f"{text}; besides, {out}" if out else text


def _free(world: World, node: Object) -> int:
    """Devices of the node's own that nobody has for himself."""
    slices = world.index.inventory.local_slices(name_of(node))
    return sum((entry.whole & ~entry.used).bit_count() for entry in slices)


def _out_text(against: Mapping[str, Sequence[Object]]) -> str:
    """The nodes that are no place whatever their devices, the most common reason first."""
    groups = sorted(against.items(), key=lambda item: -len(item[1]))
    parts = [f"{_nodes(nodes)}: {reason}" for reason, nodes in groups[:2]]
    if len(groups) > 2:
        parts.append(f"{sum(len(nodes) for _, nodes in groups[2:])} more for other reasons")
    return "; ".join(parts)


def _nodes(nodes: Sequence[Object]) -> str:
    return _named(list(map(name_of, nodes)))


def _named(names: Sequence[str]) -> str:
    if len(names) <= 2:
        return " and ".join(names)
    return f"{len(names)} nodes ({names[0]}, …)"


def _told_by_template(group: NodeEvidence, pod: Object) -> NodeEvidence:
    """Claims that were made from a template go by its name, so that pods alike have reasons alike."""
    names = {str(key): f"of template {name}" for key, name in template_names(pod).items()}
    requests = tuple(dataclasses.replace(r, claim=names.get(r.claim, r.claim)) for r in group.requests)
    return dataclasses.replace(group, requests=requests)
