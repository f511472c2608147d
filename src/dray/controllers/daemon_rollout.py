"""Which daemon pods a new template replaces next, as pure decisions.

Without surge the old pod of a node goes first; with it the old one stays until the new one beside it is available.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dray.api.meta import Object, is_deleting, labels_of
from dray.controllers.pod_templates import scaled_value

HASH_LABEL = "controller-revision-hash"

Pods = Mapping[str, Sequence[Object]]
"""By node that should run one: its pods that have not ended."""


@dataclasses.dataclass(slots=True)
class Rollout:
    outdated: list[Object] = dataclasses.field(default_factory=list)
    """Pods that go now."""
    new_on: list[str] = dataclasses.field(default_factory=list)
    """Nodes that get a second pod now."""


def surge_of(daemon_set: Object, nodes: int) -> int:
    """How many nodes of so many may have two pods for a time; 0 where the old pod goes first."""
    limit = _rolling(daemon_set).get("maxSurge")
    return scaled_value(limit, nodes, 0, round_up=True) if is_rolling(daemon_set) else 0


def is_rolling(daemon_set: Object) -> bool:
    strategy = daemon_set["spec"].get("updateStrategy") or {}
    return bool(strategy.get("type", "RollingUpdate") == "RollingUpdate")


def is_current(pod: Object, revision: str) -> bool:
    return labels_of(pod).get(HASH_LABEL) == revision


def one_by_one(
    daemon_set: Object, pods: Pods, revision: str, is_available: Callable[[Object], bool]
) -> Rollout:
    """At most maxUnavailable nodes without an available pod; replacing one that is not available costs nothing."""
    limit = _rolling(daemon_set).get("maxUnavailable")
    budget = max(1, scaled_value(limit, len(pods), 1, round_up=True))
    staying = {node: [pod for pod in each if not is_deleting(pod)] for node, each in pods.items()}
    budget -= sum(not any(map(is_available, each)) for each in staying.values())
    outdated = [pod for each in staying.values() for pod in each if not is_current(pod, revision)]
    broken = [pod for pod in outdated if not is_available(pod)]
    healthy = [pod for pod in outdated if is_available(pod)]
    return Rollout([*broken, *healthy[: max(0, budget)]])


def side_by_side(surge: int, pods: Pods, revision: str, is_available: Callable[[Object], bool]) -> Rollout:
    """At most `surge` nodes with a new pod that is not available yet beside an old one that is."""
    rollout = Rollout()
    candidates: list[str] = []
    for node, each in pods.items():
        staying = [pod for pod in each if not is_deleting(pod)]
        old = [pod for pod in staying if not is_current(pod, revision)]
        new = [pod for pod in staying if is_current(pod, revision)]
        if not old:
            continue
        if not new:
            # An old pod that is of no use makes room for nobody.
            (candidates if any(map(is_available, old)) else rollout.new_on).append(node)
        elif any(map(is_available, new)):
            rollout.outdated += old
        else:
            surge -= 1
    rollout.new_on += candidates[: max(0, surge)]
    return rollout


def _rolling(daemon_set: Object) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (daemon_set["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
    return found
