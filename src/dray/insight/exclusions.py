"""Nodes that are no place for a pod for reasons other than devices, those alike put together, and what would open them."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

from dray.api.meta import Object, name_of
from dray.insight.against import Against
from dray.insight.neighbours import Neighbourhood
from dray.insight.node_fit import NodeFit
from dray.insight.volumes import Volumes


@dataclasses.dataclass(frozen=True, slots=True)
class Exclusion:
    reason: str
    nodes: tuple[str, ...]
    details: tuple[str, ...]
    """What differs from node to node, each once."""
    devices_fit: int | None
    """On how many of them the devices would be there; None where the pod needs none or it was not tried."""
    advice: str = ""
    """What opens the nodes to the pod; "" where several things are against them or nothing is known to help."""
    opens: int = 0
    """On how many of them the pod fits, devices and all, once the advice is followed."""


class Places:
    """Tells the nodes that a pod may go to, devices aside, from those that it may not."""

    def __init__(self, fit: NodeFit, neighbours: Neighbourhood, volumes: Volumes) -> None:
        self._fit = fit
        self._neighbours = neighbours
        self._volumes = volumes
        self.open: list[Object] = []
        self._closed: dict[tuple[str, ...], list[tuple[Object, Sequence[Against]]]] = {}

    def look(self, nodes: Sequence[Object]) -> None:
        for node in nodes:
            against = tuple(self._against(node))
            if against:
                texts = tuple(each.text for each in against)
                self._closed.setdefault(texts, []).append((node, against))
            else:
                self.open.append(node)

    def _against(self, node: Object) -> Iterator[Against]:
        yield from (Against(text, _advice(text)) for text in self._fit.reasons(node))
        yield from self._neighbours.against(node)
        yield from self._volumes.against(node)

    def exclusions(self, count_fitting: Callable[[Sequence[Object]], int | None]) -> tuple[Exclusion, ...]:
        """The most nodes first. `count_fitting` asks the allocator; None where the pod needs no devices."""
        found = [self._exclusion(texts, found, count_fitting) for texts, found in self._closed.items()]
        return tuple(sorted(found, key=lambda exclusion: -len(exclusion.nodes)))

    def _exclusion(
        self,
        texts: Sequence[str],
        found: Sequence[tuple[Object, Sequence[Against]]],
        count_fitting: Callable[[Sequence[Object]], int | None],
    ) -> Exclusion:
        nodes = [node for node, _ in found]
        names = tuple(map(name_of, nodes))
        fitting = count_fitting(nodes)
        details = tuple(dict.fromkeys(each.detail for _, against in found for each in against if each.detail))
        first = found[0][1][0]
        if len(texts) > 1 or not first.advice:
            return Exclusion("; ".join(texts), names, details, fitting)
        advice = first.advice.replace("NODE", names[0])
        return Exclusion(
            texts[0], names, details, fitting, advice, len(nodes) if fitting is None else fitting
        )


def crowded_out(crowded: Mapping[str, Sequence[str]]) -> Iterator[Exclusion]:
    """Nodes that have the devices, but not what these take of the node: by reason."""
    for text, nodes in crowded.items():
        advice = _advice(text).replace("NODE", nodes[0])
        yield Exclusion(text, tuple(nodes), (), len(nodes), advice, len(nodes) if advice else 0)


def _advice(text: str) -> str:
    """For what `NodeFit` says. NODE stands for one of the nodes."""
    if text.startswith("cordoned"):
        return "kubectl uncordon NODE"
    if text.startswith("taint "):
        taint = text.removeprefix("taint ").removesuffix(" is not tolerated")
        return f"let the pod tolerate {taint}, or: kubectl taint node NODE {taint}-"
    if text.startswith(("label ", "there is no label ")):
        return "change the pod's nodeSelector, or label the node"
    if text.startswith("required node affinity"):
        return "change the pod's node affinity, or label the node"
    if " pods run there, " in text or " free" in text:
        return "end pods on NODE, or let the pod ask for less"
    return ""
