"""Devices that are part of their node, or cost it something, as 1.37 counts them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from scheduler_story import Story, claim, claim_of, device_class, gpus, node, pod
from scheduler_story import tell as tell_any

from dray.api import errors
from dray.api.features import parse_feature_gates
from dray.api.meta import Object, is_deleting
from dray.api.resources import PODS, Resource

STATUSES = "nodeAllocatableResourceClaimStatuses"
FEATURES = parse_feature_gates("DRANodeAllocatableResources=true", "1.37")
CPUS: Object = {"cpu": {"mapping": {"deviceMultiplier": "2"}}}
COST: Object = {"memory": {"overhead": {"perPod": "1Gi", "perContainer": "512Mi"}}}


def tell(story: Callable[[Story], Awaitable[None]], *objects: Object, classes: Object | None = None) -> None:
    tell_any(story, classes or device_class(), *objects, features=FEATURES)


def devices(node_name: str, resources: Mapping[str, Any], count: int = 4, **more: Any) -> Object:
    return gpus(node_name, count, nodeAllocatableResources=resources, **more)


def using(name: str, *claims: str, cpu: str = "0", containers: int = 1, **spec: Any) -> Object:
    """A pod whose containers, all with the same request, use all its claims."""
    found = pod(name, *claims, requests={"cpu": cpu}, **spec)
    (one,) = found["spec"]["containers"]
    one["resources"]["claims"] = [{"name": each} for each in claims]
    found["spec"]["containers"] = [{**one, "name": f"c{number}"} for number in range(containers)]
    return found


def message(cluster: Story, name: str) -> str:
    condition = cluster.condition(name)
    assert condition is not None
    return condition[2]


def test_status_tells_what_devices_are_and_what_they_cost_apart() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.pod("p")["status"][STATUSES] == [
            {
                "resourceClaimName": "a",
                "containers": ["c0", "c1"],
                "mapping": [{"name": "cpu", "quantity": "4"}],
                "overhead": [
                    {"name": "cpu", "perPod": "200m"},
                    {"name": "memory", "perPod": "2Gi", "perContainer": "1Gi"},
                ],
            },
        ]

    both = {**COST, "cpu": {**CPUS["cpu"], "overhead": {"perPod": "100m"}}}
    tell(story, node("n1"), devices("n1", both), claim("a", count=2), using("p", "a", containers=2))


def test_devices_count_by_what_is_consumed_of_them_under_either_name_of_the_capacity() -> None:
    async def story(cluster: Story) -> None:
        entry = {
            "resourceClaimName": "a",
            "containers": ["c0"],
            "mapping": [{"name": "cpu", "quantity": "6"}],
        }
        assert cluster.pod("p")["status"][STATUSES] == [entry]

    mapping = {"capacityKey": "gpu.example.com/cores", "capacityMultiplier": "2"}
    shared = {"allowMultipleAllocations": True, "capacity": {"cores": {"value": "8"}}}
    exactly = {
        "deviceClassName": "gpu.example.com",
        "allocationMode": "ExactCount",
        "count": 1,
        "capacity": {"requests": {"cores": "3"}},
    }
    tell(
        story,
        node("n1"),
        devices("n1", {"cpu": {"mapping": mapping}}, 1, **shared),
        claim_of("a", [{"name": "r", "exactly": exactly}]),
        using("p", "a"),
    )


def test_what_devices_are_and_cost_fills_the_node() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.node_of("big") == "n1"
        assert cluster.node_of("plain") is None
        assert message(cluster, "plain").startswith("0/1 nodes are available: 1 Insufficient memory.")
        assert cluster.node_of("small") == "n1"

    # Two pods' worth: 1Gi for the pod and 512Mi for each of three containers.
    tell(
        story,
        node("n1", memory="4Gi"),
        devices("n1", COST),
        claim("a"),
        using("big", "a", containers=3, priority=10),
        pod("plain", requests={"memory": "1537Mi"}),
        pod("small", requests={"memory": "1536Mi"}),
    )


def test_pod_waits_until_there_is_room_for_what_its_devices_cost() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.node_of("p") is None
        assert message(cluster, "p").startswith("0/1 nodes are available: 1 Insufficient memory.")
        assert cluster.devices_of("a") == []
        await cluster.client.delete(PODS, "first", "default", grace_period_seconds=0)
        await cluster.passes(2)
        assert cluster.node_of("p") == "n1"

    tell(
        story,
        node("n1", memory="2Gi"),
        devices("n1", COST),
        claim("a"),
        pod("first", requests={"memory": "1Gi"}, priority=10),
        using("p", "a"),
    )


def test_init_container_pays_only_while_it_runs() -> None:
    def with_init(name: str, claims: str, memory: str) -> Object:
        found = pod(name, claims, requests={"memory": memory}, priority=10)
        use = {"claims": [{"name": claims}], "requests": {"memory": "1Gi"}}
        found["spec"]["initContainers"] = [{"name": "first", "image": "i", "resources": use}]
        return found

    async def story(cluster: Story) -> None:
        assert cluster.node_of("p") == "n1"
        # 1Gi for the pod, and the larger of 3Gi and 1Gi + 512Mi.
        assert cluster.node_of("fits") == "n1"
        assert cluster.node_of("too-large") is None

    tell(
        story,
        node("n1", memory="6Gi"),
        devices("n1", COST),
        claim("a"),
        with_init("p", "a", "3Gi"),
        pod("fits", requests={"memory": "2Gi"}, priority=5),
        pod("too-large", requests={"memory": "1"}),
    )


def test_claim_that_only_costs_is_shared_and_each_pod_pays() -> None:
    async def story(cluster: Story) -> None:
        placed = [name for name in ("p", "q", "r") if cluster.node_of(name)]
        assert len(placed) == 2
        (other,) = {"p", "q", "r"} - set(placed)
        assert "Insufficient memory" in message(cluster, other)

    tell(
        story,
        node("n1", memory="4Gi"),
        devices("n1", COST),
        claim("a"),
        *(using(name, "a") for name in ("p", "q", "r")),
    )


def test_claim_whose_device_is_part_of_the_node_belongs_to_one_pod() -> None:
    async def story(cluster: Story) -> None:
        placed = [name for name in ("p", "q") if cluster.node_of(name)]
        assert len(placed) == 1
        (other,) = {"p", "q"} - set(placed)
        text = "node allocatable resource claim a has a mapped device and cannot be shared across pods"
        assert text in message(cluster, other)

    tell(story, node("n1"), devices("n1", CPUS), claim("a"), using("p", "a"), using("q", "a"))


def test_claim_that_no_container_uses_counts_all_the_same() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.node_of("p") == "n1"
        assert cluster.pod("p")["status"][STATUSES] == [
            {"resourceClaimName": "a", "mapping": [{"name": "cpu", "quantity": "2"}]}
        ]
        assert cluster.node_of("plain") is None

    tell(
        story,
        node("n1", cpu="3"),
        devices("n1", CPUS),
        claim("a"),
        pod("p", "a", priority=10),
        pod("plain", requests={"cpu": "2"}),
    )


def test_devices_for_extended_resources_count_under_the_name_of_their_claim() -> None:
    async def story(cluster: Story) -> None:
        status = cluster.pod("p")["status"]
        name = status["extendedResourceClaimStatus"]["resourceClaimName"]
        assert status[STATUSES] == [
            {"resourceClaimName": name, "mapping": [{"name": "cpu", "quantity": "2"}]}
        ]
        assert cluster.node_of("plain") is None

    tell(
        story,
        node("n1", cpu="3"),
        devices("n1", CPUS),
        pod("p", requests={"example.com/cpu": "1"}, priority=10),
        pod("plain", requests={"cpu": "2"}),
        classes=device_class(extendedResourceName="example.com/cpu"),
    )


def test_form_of_1_36_counts_for_nothing() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.node_of("p") == "n1"
        assert STATUSES not in cluster.pod("p")["status"]

    older = gpus("n1", nodeAllocatableResourceMappings={"cpu": {"allocationMultiplier": "2"}})
    tell(story, node("n1", cpu="1"), older, claim("a"), using("p", "a"))


def test_pod_placed_under_1_36_counts_with_what_that_told() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.node_of("plain") is None
        assert cluster.node_of("small") == "n1"

    older = pod("older", nodeName="n1")
    entry = {"resourceClaimName": "x", "containers": ["main"], "resources": {"cpu": "2"}}
    older["status"] = {"phase": "Running", STATUSES: [entry]}
    tell(
        story,
        node("n1", cpu="3"),
        older,
        pod("plain", requests={"cpu": "1500m"}),
        pod("small", requests={"cpu": "1"}),
    )


def test_budget_of_the_pod_must_cover_containers_with_their_devices() -> None:
    async def story(cluster: Story) -> None:
        assert (
            "pod level request for cpu is insufficient to cover the aggregated container "
            "and node-allocatable DRA requests"
        ) in message(cluster, "request")
        assert (
            "pod level limit for cpu is insufficient to cover the limit and DRA overhead for container c0"
        ) in message(cluster, "limit")
        assert cluster.node_of("enough") == "n1"
        assert cluster.node_of("plain") is None

    def budget(name: str, claims: str, request: str, limit: str) -> Object:
        of_pod = {"requests": {"cpu": request}, "limits": {"cpu": limit}}
        found = using(name, claims, cpu="1", resources=of_pod, priority=10)
        for container in found["spec"]["containers"]:
            container["resources"]["limits"] = {"cpu": "1"}
        return found

    tell(
        story,
        node("n1", cpu="4"),
        devices("n1", CPUS),
        claim("a"),
        claim("b"),
        claim("c"),
        budget("request", "a", "2", "4"),
        budget("limit", "b", "3", "2500m"),
        budget("enough", "c", "3", "3"),
        pod("plain", requests={"cpu": "1500m"}),
    )


def test_limit_of_huge_pages_must_cover_all_containers_with_their_devices() -> None:
    async def story(cluster: Story) -> None:
        assert (
            "pod level limit for hugepages-2Mi is insufficient to cover the aggregated container "
            "and node-allocatable DRA limits"
        ) in message(cluster, "p")
        assert cluster.node_of("q") == "n1"

    def with_pages(name: str, claims: str, limit: str) -> Object:
        found = using(name, claims, containers=2)
        for container in found["spec"]["containers"]:
            container["resources"]["limits"] = {"hugepages-2Mi": "4Mi"}
        found["spec"]["resources"] = {"limits": {"hugepages-2Mi": limit}}
        return found

    pages = {"hugepages-2Mi": {"mapping": {"deviceMultiplier": "4Mi"}}}
    tell(
        story,
        node("n1", **{"hugepages-2Mi": "64Mi"}),
        devices("n1", pages),
        claim("a"),
        claim("b"),
        with_pages("p", "a", "10Mi"),
        with_pages("q", "b", "12Mi"),
    )


def test_less_important_pods_make_room_for_what_devices_cost() -> None:
    async def story(cluster: Story) -> None:
        await cluster.client.create(PODS, using("p", "a", priority=10))
        await cluster.passes(3)
        assert is_deleting(cluster.pod("low"))
        assert cluster.pod("p")["status"]["nominatedNodeName"] == "n1"
        await cluster.client.delete(PODS, "low", "default", grace_period_seconds=0)
        await cluster.passes(3)
        assert cluster.node_of("p") == "n1"

    tell(
        story,
        node("n1", memory="2Gi"),
        devices("n1", COST),
        claim("a"),
        pod("low", requests={"memory": "1Gi"}),
    )


def test_what_was_told_is_taken_back_and_never_mixed_with_another_attempt() -> None:
    async def story(cluster: Story) -> None:
        def refuse(verb: str, resource: Resource, subresource: str, obj: Object) -> None:
            if subresource == "binding":
                raise errors.Forbidden("no binding today")

        stale = {"resourceClaimName": "z", "mapping": [{"name": "cpu", "quantity": "1"}]}
        cluster.client.reactions.append(refuse)
        pending = using("p", "a")
        pending["status"][STATUSES] = [stale]
        await cluster.client.create(PODS, pending)
        await cluster.passes()
        assert not cluster.pod("p")["status"].get(STATUSES)
        cluster.client.reactions.clear()
        await cluster.passes(5)
        assert [entry["resourceClaimName"] for entry in cluster.pod("p")["status"][STATUSES]] == ["a"]

    tell(story, node("n1"), devices("n1", CPUS), claim("a"))
