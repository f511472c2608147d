"""The demos of alpha features, on an embedded cluster with their gates on.

Recorded from Kubernetes 1.36.2 with all alpha gates on. Where dray differs, and why:
- device-taint-pod-noschedule: the recorded late pod could not be applied, because upstream's manifest has no apiVersion.
  Here it can, and waits.
- device-taint-pod-toleration: the recorded scheduler placed the pod without a toleration all the same, and the eviction
  controller marked it for deletion; here it waits, since the scheduler heeds rules as it heeds taints in slices.
- podgroup-resourceclaimtemplate: the second pod of each recorded gang failed once to be bound ("got allocated elsewhere
  in the meantime"), because both wrote the claim they share; here they write it in turn.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import pytest
import pytest_asyncio
from demo_results import comparable
from demos import EXAMPLES, Demo, DemoCluster, objects_in, recorded, running, until

from dray.api.features import FeatureGates
from dray.api.meta import Object
from dray.api.resources import POD_GROUPS, RESOURCE_POOL_STATUS_REQUESTS, RESOURCE_SLICES
from dray.client.protocol import Selection

GATES: Final = (
    "DRADeviceTaintRules",
    "DRANodeAllocatableResources",
    "DRAResourcePoolStatus",
    "DRAWorkloadResourceClaims",
    "GangScheduling",
    "GenericWorkload",
)
DEMOS: Final[Mapping[str, Demo]] = {demo.name: demo for demo in recorded("examples-alpha")}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DemoCluster]:
    gates = FeatureGates(dict.fromkeys(GATES, True))
    async with running(tmp_path_factory.mktemp("cluster"), gates) as cluster:
        yield cluster


def test_every_recorded_demo_has_a_folder() -> None:
    assert {name for name in DEMOS if not (EXAMPLES / name).is_dir()} == set()


async def claims_as_recorded(cluster: DemoCluster, demo: Demo, stage: dict[str, Any]) -> None:
    seen = await cluster.observe(demo.name)
    ours, theirs = comparable(seen, demo.name), comparable(stage, demo.namespace)
    for part in ("claims", "variables", "pods", "events"):
        assert ours[part] == theirs[part], part


async def clean_up(cluster: DemoCluster, demo: Demo) -> None:
    for path in sorted((EXAMPLES / demo.name).glob("*.yaml"), reverse=True):
        await cluster.delete(path)
    await cluster.gone(demo.name)


@pytest.mark.asyncio(loop_scope="module")
async def test_no_schedule_keeps_pods_and_lets_later_ones_wait(cluster: DemoCluster) -> None:
    demo = DEMOS["device-taint-pod-noschedule"]
    folder = EXAMPLES / demo.name
    _, before, after, _ = demo.stages
    await cluster.configure_driver(demo)
    (pod,) = [obj for obj in objects_in(folder / "manifest.yaml") if obj["kind"] == "Pod"]
    await cluster.apply(folder / "manifest.yaml")
    await cluster.settled(demo.name, 1)
    await claims_as_recorded(cluster, demo, before)
    await cluster.apply(folder / "taint-rule.yaml")
    await claims_as_recorded(cluster, demo, after)
    await cluster.apply(folder / "late-pod.yaml")
    await cluster.unschedulable(demo.name, "pod-no-schedule")
    phases = {one["metadata"]["name"]: one["status"]["phase"] for one in await cluster.pods(demo.name)}
    assert phases == {pod["metadata"]["name"]: "Running", "pod-no-schedule": "Pending"}
    await clean_up(cluster, demo)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_claim_that_tolerates_a_taint_gets_the_device(cluster: DemoCluster) -> None:
    demo = DEMOS["device-taint-pod-toleration"]
    folder = EXAMPLES / demo.name
    await cluster.configure_driver(demo)
    await cluster.apply(folder / "taint-rule.yaml")
    await cluster.apply(folder / "manifest.yaml")
    await cluster.unschedulable(demo.name, "pod-without-toleration")
    await cluster.ready(demo.name, "pod-with-toleration")
    ours = comparable(await cluster.observe(demo.name), demo.name)
    theirs = comparable(demo.stages[-1], demo.namespace)
    for part in ("variables", "pods", "claims"):
        for name, value in theirs[part].items():
            if name.startswith("pod-with-toleration"):
                assert ours[part][name] == value
    await clean_up(cluster, demo)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("name", "evicted"),
    [
        ("device-taint-pod-noexecute", "pod-to-be-evicted"),
        ("device-taint-configurable-pod-eviction-time", "pod-no-toleration"),
    ],
)
async def test_pods_are_evicted_from_tainted_devices(cluster: DemoCluster, name: str, evicted: str) -> None:
    demo = DEMOS[name]
    folder = EXAMPLES / name
    pods = [obj for obj in objects_in(folder / "manifest.yaml") if obj["kind"] == "Pod"]
    try:
        await cluster.configure_driver(demo)
        await cluster.apply(folder / "manifest.yaml")
        await cluster.settled(name, len(pods))
        await cluster.apply(folder / "taint-rule.yaml")
        await cluster.lost(name, evicted, seconds=5)
    finally:
        await clean_up(cluster, demo)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_question_about_the_pools_of_a_driver_is_answered(cluster: DemoCluster) -> None:
    await cluster.configure_driver(DEMOS["device-taint-pod-noexecute"])
    driver = "gpu.example.com"
    request = {"metadata": {"name": "r1"}, "spec": {"driver": driver}}
    await cluster.client.create(RESOURCE_POOL_STATUS_REQUESTS, request)

    async def status() -> Any:
        return (await cluster.client.get(RESOURCE_POOL_STATUS_REQUESTS, "r1")).get("status")

    async def answered() -> bool:
        return await status() is not None

    await until("the question is answered", answered, 15)
    found = await status()
    published = await cluster.client.list(RESOURCE_SLICES)
    generations = {
        each["spec"]["pool"]["name"]: each["spec"]["pool"]["generation"] for each in published.items
    }
    assert found["pools"] == [
        {
            "driver": driver,
            "poolName": node,
            "nodeName": node,
            "generation": generations[node],
            "resourceSliceCount": 1,
            "totalDevices": 9,
            "allocatedDevices": 0,
            "availableDevices": 9,
            "unavailableDevices": 0,
        }
        for node in sorted(generations)
    ]
    assert found["poolCount"] == len(generations)
    (condition,) = found["conditions"]
    assert (condition["type"], condition["status"]) == ("Complete", "True")
    assert condition["message"] == f"Calculated status for {len(generations)} pools"


@pytest.mark.asyncio(loop_scope="module")
async def test_cpus_taken_as_devices_count_as_cpus_of_the_node(cluster: DemoCluster) -> None:
    demo = DEMOS["native-resource-request"]
    folder = EXAMPLES / demo.name
    try:
        await cluster.configure_driver(demo)
        await cluster.apply(folder / "manifest.yaml")
        await cluster.settled(demo.name, 1)
        await claims_as_recorded(cluster, demo, demo.stages[0])
    finally:
        await clean_up(cluster, demo)


@pytest.mark.asyncio(loop_scope="module")
async def test_the_pods_of_a_gang_share_the_claim_of_their_group(cluster: DemoCluster) -> None:
    demo = DEMOS["podgroup-resourceclaimtemplate"]
    folder = EXAMPLES / demo.name
    try:
        await cluster.configure_driver(demo)
        await cluster.apply(folder / "manifest.yaml")
        await cluster.settled(demo.name, 4)
        seen = await cluster.observe(demo.name)
        ours, theirs = comparable(seen, demo.name), comparable(demo.stages[-1], demo.namespace)
        assert ours["claims"] == theirs["claims"]
        assert by_gang(ours["variables"]) == by_gang(theirs["variables"])
        claims = {claim["metadata"]["name"]: claim for claim in seen["claims"]}
        for pod in seen["pods"]:
            (status,) = pod["status"]["resourceClaimStatuses"]
            assert gang_of(status["resourceClaimName"]) == gang_of(pod["metadata"]["name"])
            allocation = claims[status["resourceClaimName"]]["status"]["allocation"]
            assert allocation["devices"]["results"][0]["pool"] == pod["spec"]["nodeName"]
        assert failures(seen["events"]) <= failures(demo.stages[-1]["events"])
        groups = (await cluster.client.list(POD_GROUPS, Selection(demo.name))).items
        conditions = [condition for group in groups for condition in group["status"]["conditions"]]
        said = [(one["type"], one["status"], one["reason"]) for one in conditions]
        assert said == [("PodGroupScheduled", "True", "Scheduled")] * 2
    finally:
        await clean_up(cluster, demo)


def gang_of(name: str) -> str:
    return "-".join(name.split("-")[:2])


def by_gang(variables: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The pods of a Deployment have made-up names."""
    found: dict[str, list[Any]] = {}
    for container, values in variables.items():
        found.setdefault(gang_of(container), []).append(values)
    return found


def failures(events: list[Object]) -> set[str]:
    return {event["message"] for event in events if event["reason"] == "FailedScheduling"}
