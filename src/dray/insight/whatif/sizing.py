"""How many more nodes pods that fit nowhere would need: nodes are added one by one, and the allocator fills each.

For pods that are alike no order does with fewer. Of pods that differ the more important come first, as in the
scheduler, so another order might do with fewer nodes, never the given number with too few.
"""

import dataclasses
from collections.abc import Iterator, Sequence

from dray.api.meta import Object
from dray.insight.whatif.nodes import MAX_NODES_ADDED, Shape, grown
from dray.insight.whatif.placing import Pending, Placing
from dray.insight.whatif.scenario import Workload, workload_of

ALL = "all together"


@dataclasses.dataclass(frozen=True, slots=True)
class Need:
    """What more nodes of one shape do for pods that fit nowhere."""

    workload: str
    """Or `all together`."""
    pending: int
    like: str
    """The shape: a node that has it."""
    one_more: int
    """So many of the pods fit on one more node."""
    nodes: int | None
    """So many nodes are enough for all of them; None: no number is."""
    reason: str = ""
    """Why more nodes do not help the rest."""


def needs_of(placing: Placing, pods: Sequence[Object], shapes: Sequence[Shape]) -> Iterator[Need]:
    """By workload and shape; where there are several workloads, for all of them together as well."""
    groups: dict[Workload, list[Object]] = {}
    for pod in pods:
        groups.setdefault(workload_of(pod), []).append(pod)
    named = [(str(workload), members) for workload, members in groups.items()]
    if len(named) > 1:
        named.append((ALL, list(pods)))
    for name, members in named:
        for shape in shapes:
            yield _need(placing, name, members, shape)


def _need(placing: Placing, name: str, pods: Sequence[Object], shape: Shape) -> Need:
    with placing.trial():
        added: list[str] = []
        filled: dict[str, int] = {}
        reason = ""
        for pod in pods:
            outcome = placing.place(pod, explain=False)
            # An empty node that did not take it stands for all that could be added.
            if isinstance(outcome, Pending) and (not added or added[-1] in filled):
                if len(added) >= MAX_NODES_ADDED:
                    reason = reason or f"{MAX_NODES_ADDED} more nodes are not enough"
                    continue
                added.append(_one_more(placing, shape, len(added)))
                outcome = placing.place(pod, explain=False)
            if isinstance(outcome, Pending):
                reason = reason or placing.why_not(pod)
            else:
                filled[outcome.node] = filled.get(outcome.node, 0) + 1
        used = [node for node in added if node in filled]
        return Need(
            name, len(pods), shape.name, filled.get(used[0], 0) if used else 0, None if reason else len(used), reason
        )  # fmt: skip


def _one_more(placing: Placing, shape: Shape, number: int) -> str:
    growth = grown(placing.snapshot, shape, MAX_NODES_ADDED + number)
    placing.add_node(growth)
    return str(growth.node["metadata"]["name"])
