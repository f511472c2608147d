"""Tells kubelets, by an annotation on each node, how long they may keep ConfigMaps and Secrets: longer in larger clusters.

The steps overlap, so that a cluster whose size wavers about a limit does not have every node written again and again.
"""

from typing import ClassVar, Final, NamedTuple

from dray.api.meta import ObjectKey, annotations_of, is_deleting
from dray.api.resources import NODES
from dray.client.protocol import PatchType
from dray.controllers.base import Context, Controller

ANNOTATION: Final = "node.alpha.kubernetes.io/ttl"


class Step(NamedTuple):
    fewest: int
    most: int
    """Nodes for which the step may last."""
    seconds: int


STEPS: Final = (
    Step(0, 100, 0),
    Step(90, 500, 15),
    Step(450, 1000, 30),
    Step(900, 2000, 60),
    Step(1800, 2**31, 300),
)


def next_step(step: int, nodes: int) -> int:
    """The step for that many nodes, coming from `step`."""
    while nodes > STEPS[step].most:
        step += 1
    while nodes < STEPS[step].fewest:
        step -= 1
    return step


class NodeTtl(Controller):
    name: ClassVar[str] = "ttl-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._step = 0
        self.nodes = self.watch(NODES)

    async def sync(self, key: ObjectKey) -> None:
        step = next_step(self._step, len(self.nodes.cache))
        if step != self._step:
            self._step = step
            for other in list(self.nodes.cache.keys()):
                self.queue.add(other)
        node = self.nodes.cache.get(key)
        wanted = str(STEPS[step].seconds)
        if node is None or is_deleting(node) or annotations_of(node).get(ANNOTATION) == wanted:
            return
        patch = {"metadata": {"annotations": {ANNOTATION: wanted}}}
        await self.client.patch(NODES, key.name, patch, patch_type=PatchType.STRATEGIC)
