"""Every demo of the example driver gives on the embedded cluster what it gave on a real one."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from demo_results import comparable, double_use, shares, strays
from demos import EXAMPLES, Demo, DemoCluster, recorded, running

from dray.api.features import FeatureGates

WAITS_FOR_CONDITIONS = "binding-conditions"
DEMOS = sorted(recorded("examples"), key=lambda demo: (sorted(demo.environment.items()), demo.name))
"""Ordered so that the driver is set up anew as rarely as possible."""

FOLDERS = {"basic-resourceclaimtemplate-grpc-v6": "basic-resourceclaimtemplate"}
"""Demo -> folder, where a demo is another one with other settings of the driver."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DemoCluster]:
    async with running(tmp_path_factory.mktemp("cluster"), FeatureGates()) as cluster:
        yield cluster


def test_all_recorded_demos_are_run() -> None:
    assert len(DEMOS) == 18


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "demo", [demo for demo in DEMOS if demo.name != WAITS_FOR_CONDITIONS], ids=lambda demo: demo.name
)
async def test_demo_gives_what_it_gave_on_kubernetes(cluster: DemoCluster, demo: Demo) -> None:
    folder = EXAMPLES / FOLDERS.get(demo.name, demo.name)
    namespace = folder.name
    (stage,) = demo.stages
    await cluster.configure_driver(demo)
    await cluster.apply(folder / "manifest.yaml")
    await cluster.settled(namespace, len(stage["pods"]))
    seen = await cluster.observe(namespace)
    await cluster.delete(folder / "manifest.yaml")
    assert double_use(seen["claims"]) == []
    assert strays(seen["pods"], seen["claims"]) == []
    assert len(set(shares(seen["claims"]))) == len(shares(seen["claims"])) == len(shares(stage["claims"]))
    ours, theirs = comparable(seen, namespace), comparable(stage, demo.namespace)
    for part in ("claims", "variables", "pods", "events"):
        assert _lines(ours[part]) == _lines(theirs[part]), part
    await cluster.gone(namespace)


def _lines(value: Any) -> list[str]:
    """As text, so that a failure shows the lines that differ."""
    return json.dumps(value, indent=1, sort_keys=True).splitlines()
