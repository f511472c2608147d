"""What `dray devices` and `dray top` show of whole devices, partitions and shares, of health and of pools in trouble."""

import asyncio
import json
import pathlib
from typing import Any

import pytest
from click.testing import CliRunner
from insight_story import DRIVER, GPU_CLASS, NOW, claim, gpus, node, pod

from dray.api.meta import Object
from dray.api.resources import NODES, RESOURCE_CLAIMS, RESOURCE_SLICES
from dray.cli.devices import Screen, View
from dray.cli.insight.following import follow
from dray.cli.main import cli
from dray.insight.devices import devices_of
from dray.insight.snapshot import Snapshot
from dray.testing.memory_client import MemoryClient


def die(memory: str = "80Gi") -> Object:
    """The counters of one GPU that is cut into partitions."""
    pool = {"name": "n1", "generation": 1, "resourceSliceCount": 2}
    counters = [{"name": "die", "counters": {"memory": {"value": memory}}}]
    spec = {"driver": DRIVER, "nodeName": "n1", "pool": pool, "sharedCounters": counters}
    return {"kind": "ResourceSlice", "metadata": {"name": "n1-counters"}, "spec": spec}


def partitions(count: int, memory: str) -> Object:
    consumes = [{"counterSet": "die", "counters": {"memory": {"value": memory}}}]
    return gpus("n1", count, slices=2, consumesCounters=consumes, capacity={"memory": {"value": memory}})


def shared(count: int = 1) -> Object:
    policy = {"default": "10Gi", "validRange": {"min": "1Gi"}}
    return gpus(
        "n1",
        count,
        allowMultipleAllocations=True,
        capacity={"memory": {"value": "80Gi", "requestPolicy": policy}},
    )


def share(name: str, amount: str, namespace: str = "default") -> Object:
    """A claim with a part of gpu-0."""
    made = claim(name, held=("gpu-0",), pod=name)
    result = made["status"]["allocation"]["devices"]["results"][0]
    result |= {"shareID": f"share-{name}", "consumedCapacity": {"memory": amount}}
    made["metadata"]["namespace"] = namespace
    return made


def as_json(tmp_path: pathlib.Path, *words: str) -> Any:
    result = CliRunner().invoke(cli, [*words, "-o", "json", "--snapshot", str(tmp_path / "snapshot.json.gz")])
    return json.loads(result.output)


def test_a_shared_device_tells_who_has_how_much_and_what_is_left(ask: Any) -> None:
    objects = {"resourceslices": [shared()], "resourceclaims": [share("a", "60Gi"), share("b", "15Gi")]}
    text = ask("devices", **objects)
    assert (
        "gpu-0 shared - default/a (60Gi memory), default/b (15Gi memory) for 60m; memory 5Gi of 80Gi left"
        in text
    )
    assert "gpu-0 shared" in ask("devices", "--free", **objects)


def test_a_device_of_which_nothing_is_left_cannot_be_had(ask: Any) -> None:
    objects = {"resourceslices": [shared()], "resourceclaims": [share("a", "60Gi"), share("b", "20Gi")]}
    assert "nothing left" in ask("devices", **objects)
    assert "No devices found" in ask("devices", "--free", **objects)


def test_a_blocked_partition_names_the_partitions_that_block_it(ask: Any, tmp_path: pathlib.Path) -> None:
    held = [claim("c", held=("gpu-0",), pod="p"), claim("d", held=("gpu-2",), pod="q")]
    text = ask("devices", resourceslices=[die(), partitions(3, "40Gi")], resourceclaims=held)
    assert "gpu-1 blocked - by gpu-0, gpu-2 (die/memory)" in text
    blocked = next(row for row in as_json(tmp_path, "devices") if row["state"] == "blocked")
    assert blocked["blockedBy"] == [f"{DRIVER}/n1/gpu-0", f"{DRIVER}/n1/gpu-2"]


def test_partitions_are_summed_up_by_the_type_that_their_slice_names(ask: Any) -> None:
    published = partitions(3, "40Gi")
    published["spec"]["partitionTypeAttribute"] = f"{DRIVER}/profile"
    for device, kind in zip(published["spec"]["devices"], ("half", "half", "other"), strict=True):
        device["attributes"] = {"profile": {"string": kind}}
    objects = {
        "resourceslices": [die(), published, gpus("n2", 1)],
        "resourceclaims": [claim("c", held=("gpu-0",), pod="p"), claim("d", held=("gpu-2",), pod="q")],
    }
    text = ask("devices", "--by", "type", **objects)
    assert "TYPE TOTAL USED FREE BLOCKED" in text
    assert "(no type) 1 0 1 0" in text
    assert f"{DRIVER}/profile=half 2 1 0 1" in text
    assert f"{DRIVER}/profile=other 1 1 0 0" in text


def test_nothing_of_an_incomplete_or_contradictory_pool_counts_as_free(ask: Any) -> None:
    assert "gpu-0 unusable - pool incomplete: 1 of 2 slices of generation 1" in ask(
        "devices", resourceslices=[gpus("n1", 1, slices=2)]
    )
    twice = gpus("n1", 1, slices=2)
    again = {**twice, "metadata": {"name": "n1-again"}}
    assert "gpu-0 unusable - pool invalid: duplicate device name gpu-0" in ask(
        "devices", resourceslices=[twice, again]
    )
    assert "UNUSABLE n1 2 0 0 2" in ask("devices", "--by", "node", resourceslices=[twice, again])


def test_a_device_that_is_held_but_published_no_more_is_gone(ask: Any) -> None:
    objects = {
        "pods": [pod("p", "c", nodeName="n7")],
        "resourceclaims": [claim("c", held=("gpu-9",), pod="p")],
    }
    text = ask("devices", resourceslices=[gpus("n1", 1)], **objects)
    assert "n7" in text
    assert "gone - default/p for 60m" in text
    assert "default 0 0% 1 1 1" in ask("top", resourceslices=[gpus("n1", 1)], **objects)


def kubelet_says(health: str, resource: str, message: str = "") -> Object:
    entry = {"resourceID": resource, "health": health, **({"message": message} if message else {})}
    status = {
        "containerStatuses": [
            {"name": "c", "allocatedResourcesStatus": [{"name": "claim:gpu/gpu", "resources": [entry]}]}
        ]
    }
    return {**pod("p", "c", nodeName="n1"), "status": status}


@pytest.mark.parametrize(
    "resource", [f"{DRIVER}/n1/gpu-1", "vendor.com/gpu=uid-gpu-1", "vendor.com/gpu=gpu-1"]
)
def test_health_is_what_the_kubelet_tells_of_the_device(ask: Any, resource: str) -> None:
    held = claim("c", held=("gpu-0", "gpu-1"), pod="p")
    objects = {"resourceslices": [gpus("n1", 2)], "resourceclaims": [held]}
    text = ask("devices", pods=[kubelet_says("Unhealthy", resource, "too many ECC errors")], **objects)
    assert "gpu-0 used - default/p" in text
    assert "gpu-1 used unhealthy default/p for 60m; too many ECC errors" in text


def test_the_worst_that_is_said_of_a_device_counts(ask: Any) -> None:
    held = claim("c", held=("gpu-0",), pod="p")
    bad = {"type": "Ready", "status": "False", "reason": "LinkDown", "message": "link is down"}
    held["status"]["devices"] = [{"driver": DRIVER, "pool": "n1", "device": "gpu-0", "conditions": [bad]}]
    pods = [kubelet_says("Healthy", f"{DRIVER}/n1/gpu-0")]
    text = ask("devices", resourceslices=[gpus("n1", 1)], resourceclaims=[held], pods=pods)
    assert "gpu-0 used unhealthy default/p for 60m; Ready is False: link is down" in text


def test_a_device_may_publish_its_health(ask: Any) -> None:
    sick = gpus("n1", 1, attributes={"healthy": {"bool": False}})
    assert "gpu-0 free unhealthy it publishes healthy False" in ask("devices", resourceslices=[sick])


def test_administrators_look_on_without_taking_anything(ask: Any) -> None:
    watching = claim("w", held=("gpu-0",), pod="w")
    watching["status"]["allocation"]["devices"]["results"][0]["adminAccess"] = True
    text = ask("devices", resourceslices=[gpus("n1", 1)], resourceclaims=[watching])
    assert "gpu-0 free - watched by default/w" in text


def test_a_namespace_sees_what_it_has(ask: Any) -> None:
    objects = {
        "resourceslices": [shared(2)],
        "resourceclaims": [share("a", "1Gi", "team-a"), share("b", "1Gi", "team-b")],
    }
    assert "No devices found" in ask("devices", "-n", "team-c", **objects)
    assert "gpu-0" in (text := ask("devices", "-n", "team-a", **objects))
    assert "gpu-1" not in text


def test_top_counts_a_share_by_the_capacity_that_it_takes(ask: Any) -> None:
    claims = [
        share("a", "60Gi", "team-a"),
        share("b", "10Gi", "team-b"),
        claim("c", held=("gpu-1",), pod="c"),
    ]
    objects = {"resourceslices": [shared(2)], "resourceclaims": claims}
    text = ask("top", **objects)
    assert "default 1 50% 1 1 memory 80Gi" in text
    assert "team-a 0.75 38% 1 1 memory 60Gi" in text
    assert "team-b 0.12 6% 1 1 memory 10Gi" in text
    assert "n1 2 1.88 94% 3 3 memory 150Gi of 160Gi" in ask("top", "node", **objects)
    assert "gpu 2 1.88 94% 3 3" in ask("top", "class", **objects)


def test_top_counts_a_partition_as_the_part_of_its_device_that_it_is(
    ask: Any, tmp_path: pathlib.Path
) -> None:
    held = [claim("c", held=("gpu-0", "gpu-1"), pod="p")]
    text = ask("top", "node", resourceslices=[die(), partitions(4, "20Gi")], resourceclaims=held)
    assert "n1 1 0.5 50% 1 1 memory 40Gi of 80Gi" in text
    (group,) = as_json(tmp_path, "top", "node")["groups"]
    assert (group["devices"], group["used"], group["capacity"]) == (
        1,
        0.5,
        {"memory": {"used": "40Gi", "total": "80Gi"}},
    )


def test_a_shared_partition_is_split_among_those_who_share_it(ask: Any) -> None:
    parts = partitions(2, "40Gi")
    for device in parts["spec"]["devices"]:
        device["allowMultipleAllocations"] = True
    claims = [share("a", "10Gi", "team-a"), share("b", "30Gi", "team-b")]
    text = ask("top", resourceslices=[die(), parts], resourceclaims=claims)
    assert "team-a 0.12 12% 1 1 memory 10Gi" in text
    assert "team-b 0.38 38% 1 1 memory 30Gi" in text


def test_top_shows_quotas_on_devices(ask: Any) -> None:
    hard = {
        "gpu.deviceclass.resource.k8s.io/devices": "4",
        "count/resourceclaims.resource.k8s.io": "9",
        "pods": "3",
    }
    quota = {"metadata": {"name": "q", "namespace": "default"}, "spec": {"hard": hard}}
    claims = [claim("a", count=2), claim("b", held=("gpu-0",), pod="b")]
    text = ask("top", resourceslices=[gpus("n1", 2)], resourceclaims=claims, resourcequotas=[quota])
    assert "default q gpu 3 4 75%" in text
    assert "default q (claims of any) 2 9 22%" in text


def test_a_claim_counts_against_a_quota_with_the_most_that_it_may_take(ask: Any) -> None:
    quota = {
        "metadata": {"name": "q", "namespace": "default"},
        "spec": {"hard": {"gpu.deviceclass.resource.k8s.io/devices": "50"}},
    }
    either = claim("e")
    options = [
        {"name": "x", "deviceClassName": "gpu", "count": 2},
        {"name": "y", "deviceClassName": "gpu", "count": 5},
    ]
    either["spec"]["devices"]["requests"] = [{"name": "r", "firstAvailable": options}]
    every = claim("a")
    every["spec"]["devices"]["requests"][0]["exactly"] = {"deviceClassName": "gpu", "allocationMode": "All"}
    assert "default q gpu 37 50 74%" in ask("top", resourceclaims=[either, every], resourcequotas=[quota])


async def test_watching_shows_each_change_once_it_is_there() -> None:
    client = MemoryClient()
    for resource, obj in ((NODES, node("n1")), (RESOURCE_SLICES, gpus("n1", 1))):
        await client.create(resource, {"apiVersion": resource.api_version, **obj})
    seen: asyncio.Queue[Snapshot] = asyncio.Queue()
    kinds = (NODES, RESOURCE_SLICES, RESOURCE_CLAIMS)
    known = Snapshot(NOW, {kind.plural: [] for kind in kinds})
    task = asyncio.create_task(follow(client, kinds, known, seen.put_nowait, gather_seconds=0))
    try:
        first = await asyncio.wait_for(seen.get(), 5)
        assert [row.state for row in devices_of(first).rows] == ["free"]
        held = claim("c", held=("gpu-0",), pod="p")
        made = await client.create(
            RESOURCE_CLAIMS, {"apiVersion": RESOURCE_CLAIMS.api_version, **held}, "default"
        )
        await client.update(RESOURCE_CLAIMS, {**made, "status": held["status"]}, subresource="status")
        states = ["free"]
        while states == ["free"]:
            states = [row.state for row in devices_of(await asyncio.wait_for(seen.get(), 5)).rows]
        assert states == ["used"]
    finally:
        task.cancel()


def test_a_file_cannot_be_watched(ask: Any) -> None:
    assert "does not change" in ask("devices", "-w", resourceslices=[gpus("n1", 1)])


def test_devices_of_several_drivers_are_told_apart(ask: Any) -> None:
    other = gpus("n1", 1)
    other = {**other, "metadata": {"name": "nic"}, "spec": {**other["spec"], "driver": "net.example.com"}}
    text = ask("devices", resourceslices=[gpus("n1", 1), other], deviceclasses=[GPU_CLASS])
    assert "n1 gpu.example.com/gpu-0 free" in text
    assert "n1 net.example.com/gpu-0 free" in text


def test_elsewhere_than_on_a_terminal_only_what_changed_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    held = claim("c", held=("gpu-0",), pod="p")
    kinds = {"nodes": [node("n1")], "resourceslices": [gpus("n1", 3)], "resourceclaims": []}
    before = Snapshot(NOW, kinds)
    screen = Screen(View("text", "", False, None, "", "", "", False))
    screen.show(before)
    assert len(capsys.readouterr().out.splitlines()) == 4
    screen.show(before)
    assert capsys.readouterr().out == ""
    screen.show(before.replace(RESOURCE_CLAIMS, [held]).replace(RESOURCE_SLICES, [gpus("n1", 2)]))
    told = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert told == ["n1 gpu-0 used - default/p for 60m", "n1 gpu-2 removed -"]
