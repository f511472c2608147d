"""What a scheduling attempt can end with, and how it is put into words.

A *rejection* is one plugin's no to one node (or to the pod as a whole). A *diagnosis* collects the rejections of all
nodes and speaks Kubernetes' sentence about them. Nothing here decides who is rejected.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Protocol


@dataclasses.dataclass(frozen=True, slots=True)
class Rejection:
    """One plugin's no. Instances are shared constants wherever the words do not vary."""

    plugin: str
    reasons: tuple[str, ...]
    resolvable: bool = True
    """Whether evicting pods from the node could change the answer (upstream: Unschedulable) or not
    (UnschedulableAndUnresolvable)."""

    @property
    def message(self) -> str:
        return ", ".join(self.reasons)


class Explained(Protocol):
    """A rejection that knows more than upstream's words for it."""

    def summary(self) -> str: ...


class SchedulingError(Exception):
    """The attempt broke off: nothing is known about whether the pod fits. Reason SchedulerError, own backoff."""


class PodGone(Exception):
    """The pod was deleted while it was being scheduled or bound; nobody needs to hear about it."""


@dataclasses.dataclass(slots=True, eq=False)
class Unschedulable(Exception):
    """No node fits, for known reasons. `message` is upstream's text."""

    message: str
    plugins: frozenset[str]
    """Who said no: only events that these plugins care about wake the pod."""
    explanation: str = ""
    """What upstream does not say: why the devices do not fit."""
    nominated_node: str | None = None
    """The node that is being cleared for the pod; "" takes an earlier promise back, None leaves it alone."""

    def __str__(self) -> str:
        return self.message


class Diagnosis:
    """The rejections of one attempt, node by node."""

    def __init__(self, node_count: int) -> None:
        self.node_count = node_count
        self.rejections: dict[str, Rejection] = {}
        self.absent: Rejection | None = None
        """The rejection of every node that has none of its own."""
        self.prefilter_message = ""

    def reject_all(self, rejection: Rejection) -> None:
        """The pod fits nowhere, whatever the node."""
        self.absent = rejection
        self.prefilter_message = rejection.message

    def rejection_of(self, node: str) -> Rejection | None:
        return self.rejections.get(node, self.absent)

    @property
    def plugins(self) -> frozenset[str]:
        names = {rejection.plugin for rejection in self.rejections.values()}
        if self.absent is not None and len(self.rejections) < self.node_count:
            names.add(self.absent.plugin)
        return frozenset(names)

    def text(self, post_filter: str = "") -> str:
        """`0/2 nodes are available: 2 cannot allocate all claims. <post_filter>`."""
        sentence = unavailable(self.node_count, self.prefilter_message or self._counted())
        return f"{sentence} {post_filter}" if post_filter else sentence

    def _counted(self) -> str:
        reasons: Counter[str] = Counter()
        for rejection in self.rejections.values():
            reasons.update(rejection.reasons)
        missing = self.node_count - len(self.rejections)
        if self.absent is not None and missing > 0:
            for reason in self.absent.reasons:
                reasons[reason] += missing
        return counted(reasons)


def counted(reasons: Mapping[str, int]) -> str:
    """`1 Insufficient cpu, 2 Too many pods`, sorted as text like upstream."""
    return ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))


def unavailable(node_count: int, why: str) -> str:
    sentence = f"0/{node_count} nodes are available:"
    return f"{sentence} {why}." if why else sentence


def explain(summaries: Iterable[str], *, limit: int = 3) -> str:
    """The most frequent explanations, each with the number of nodes it holds for."""
    counts = Counter(summary for summary in summaries if summary)
    parts = [
        f"{text} ({count} {'node' if count == 1 else 'nodes'})" for text, count in counts.most_common(limit)
    ]
    if len(counts) > limit:
        parts.append(f"and {len(counts) - limit} other reasons")
    return "; ".join(parts)
