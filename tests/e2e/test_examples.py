"""Every demo of the example driver gives on the embedded cluster what it gave on a real one."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from demo_results import comparable, double_use, shares, strays
from demos import DEPLOY, EXAMPLES, Demo, DemoCluster, recorded, running

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


@pytest.mark.asyncio(loop_scope="module")
async def test_a_pod_waits_until_its_devices_are_ready(cluster: DemoCluster) -> None:
    """On the real cluster a person set the condition; here the example controller does, with its own words."""
    (demo,) = [one for one in DEMOS if one.name == WAITS_FOR_CONDITIONS]
    folder = EXAMPLES / demo.name
    waiting, bound = demo.stages
    await cluster.configure_driver(demo)
    await cluster.apply(folder / "manifest.yaml")
    await cluster.promised(demo.namespace, 1)
    _assert_alike(await cluster.observe(demo.namespace), waiting, demo, ("claims", "pods"))
    await cluster.apply(DEPLOY / "controller.yaml")
    await cluster.settled(demo.namespace, 1)
    seen = await cluster.observe(demo.namespace)
    await cluster.delete(DEPLOY / "controller.yaml")
    await cluster.delete(folder / "manifest.yaml")
    (ours,), (theirs,) = (_conditions(stage) for stage in (seen, bound))
    assert ours == theirs | {"reason": "Ready", "message": "Device is ready"}
    assert comparable(seen, demo.namespace)["variables"]["pod0/ctr0"]["GPU_DEVICE_0"] == "gpu-0"
    assert "nominatedNodeName" not in seen["pods"][0]["status"]
    await cluster.gone(demo.namespace)


def _conditions(stage: dict[str, Any]) -> list[dict[str, str]]:
    conditions = [
        condition
        for claim in stage["claims"]
        for device in claim["status"]["devices"]
        for condition in device["conditions"]
    ]
    return [{key: one[key] for key in one if key != "lastTransitionTime"} for one in conditions]


def _assert_alike(seen: dict[str, Any], stage: dict[str, Any], demo: Demo, parts: tuple[str, ...]) -> None:
    ours, theirs = comparable(seen, demo.namespace), comparable(stage, demo.namespace)
    for part in parts:
        assert _lines(ours[part]) == _lines(theirs[part]), part


def _lines(value: Any) -> list[str]:
    """As text, so that a failure shows the lines that differ."""
    return json.dumps(value, indent=1, sort_keys=True).splitlines()
