"""How long kubelets may keep what they fetched, by the number of nodes."""

import pytest

from dray.api.resources import NODES
from dray.controllers.node_ttl import ANNOTATION, STEPS, NodeTtl, next_step
from dray.testing import virtual
from dray.testing.memory_client import MemoryClient
from tests.unit.controllers.harness import controllers, obj, settle


@pytest.mark.parametrize(
    ("nodes", "seconds"),
    [(0, 0), (100, 0), (101, 15), (500, 15), (501, 30), (1001, 60), (2000, 60), (2001, 300), (9000, 300)],
)
def test_growing_clusters_allow_more(nodes: int, seconds: int) -> None:
    assert STEPS[next_step(0, nodes)].seconds == seconds


@pytest.mark.parametrize(("nodes", "seconds"), [(1800, 300), (1799, 60), (900, 60), (90, 15), (89, 0)])
def test_shrinking_clusters_come_back_later_than_they_went(nodes: int, seconds: int) -> None:
    assert STEPS[next_step(len(STEPS) - 1, nodes)].seconds == seconds


def test_every_node_is_told_and_told_again_when_it_forgets_or_the_cluster_grows() -> None:
    async def story() -> None:
        client = MemoryClient(*(obj("Node", f"n{number}") for number in range(100)))

        def told() -> set[str]:
            return {node["metadata"].get("annotations", {}).get(ANNOTATION, "") for node in client.all(NODES)}

        async with controllers(client, NodeTtl):
            await settle()
            assert told() == {"0"}
            writes = len(client.writes)
            client.put(obj("Node", "n7"))
            await settle()
            assert told() == {"0"}
            assert len(client.writes) == writes + 1
            client.put(obj("Node", "n100"))
            await settle()
            assert told() == {"15"}

    virtual.run(story())
