"""Devices that are cpus of their node: they count there beside what containers request (DRANodeAllocatableResources)."""

from collections.abc import Awaitable, Callable

from scheduler_story import Story, claim, device_class, gpus, node, pod, tell

from dray.api import errors
from dray.api.meta import Object, is_deleting
from dray.api.resources import PODS, RESOURCE_SLICES, Resource

STATUSES = "nodeAllocatableResourceClaimStatuses"


def cpus(node_name: str, count: int = 4, each: str = "2") -> Object:
    """A slice of devices that stand for `each` cpus."""
    return gpus(node_name, count, nodeAllocatableResourceMappings={"cpu": {"allocationMultiplier": each}})


def using(name: str, *claims: str, cpu: str = "0", **spec: object) -> Object:
    """A pod whose one container uses all its claims and requests `cpu` besides."""
    found = pod(name, *claims, requests={"cpu": cpu}, **spec)
    found["spec"]["containers"][0]["resources"]["claims"] = [{"name": each} for each in claims]
    return found


def tell_with_gate(story: Callable[[Story], Awaitable[None]], *objects: Object, gate: bool = True) -> None:
    tell(story, device_class(), *objects, gates={"DRANodeAllocatableResources": gate})


def message(cluster: Story, name: str) -> str:
    condition = cluster.condition(name)
    assert condition is not None
    return condition[2]


def test_what_claims_take_is_told_in_the_pods_status_by_the_claims_names() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.node_of("p") == "n1"
        assert cluster.pod("p")["status"][STATUSES] == [
            {"resourceClaimName": "a", "containers": ["main"], "resources": {"cpu": "4"}},
            {"resourceClaimName": "b", "containers": ["main"], "resources": {"cpu": "2"}},
        ]

    tell_with_gate(story, node("n1"), cpus("n1"), claim("b"), claim("a", count=2), using("p", "b", "a"))


def test_without_the_gate_nothing_is_counted() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.node_of("p") == "n1"
        assert STATUSES not in cluster.pod("p")["status"]

    tell_with_gate(story, node("n1", cpu="1"), cpus("n1"), claim("a"), using("p", "a"), gate=False)


def test_devices_and_requests_share_the_nodes_cpus() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.node_of("big") == "n1"
        assert cluster.node_of("plain") is None
        assert message(cluster, "plain").startswith("0/1 nodes are available: 1 Insufficient cpu.")
        await cluster.client.delete(PODS, "big", "default", grace_period_seconds=0)
        await cluster.passes(2)
        assert cluster.node_of("plain") == "n1"

    tell_with_gate(
        story,
        node("n1", cpu="5"),
        cpus("n1"),
        claim("a", count=2),
        using("big", "a", cpu="500m", priority=10),
        pod("plain", requests={"cpu": "1"}),
    )


def test_a_pod_waits_for_cpus_although_devices_are_free() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.node_of("first") == "n1"
        assert cluster.node_of("p") is None
        assert message(cluster, "p").startswith("0/1 nodes are available: 1 Insufficient cpu.")
        assert cluster.devices_of("a") == []
        await cluster.client.delete(PODS, "first", "default", grace_period_seconds=0)
        await cluster.passes(2)
        assert cluster.node_of("p") == "n1"

    tell_with_gate(
        story,
        node("n1", cpu="5"),
        cpus("n1"),
        claim("a", count=2),
        pod("first", requests={"cpu": "2"}, priority=10),
        using("p", "a"),
    )


def test_a_node_that_is_too_small_is_never_worth_an_eviction() -> None:
    async def story(cluster: Story) -> None:
        assert "1 Preemption is not helpful for scheduling" in message(cluster, "p")
        assert cluster.node_of("other") == "n1"

    tell_with_gate(
        story,
        node("n1", cpu="3"),
        cpus("n1"),
        claim("a", count=2),
        pod("other", requests={"cpu": "1"}),
        using("p", "a", priority=10),
    )


def test_less_important_pods_make_room_for_devices() -> None:
    async def story(cluster: Story) -> None:
        await cluster.client.create(PODS, using("p", "a", priority=10))
        await cluster.passes(3)
        assert is_deleting(cluster.pod("low"))
        assert not is_deleting(cluster.pod("tiny"))
        assert cluster.pod("p")["status"]["nominatedNodeName"] == "n1"

    tell_with_gate(
        story,
        node("n1", cpu="5"),
        cpus("n1"),
        claim("a", count=2),
        pod("low", requests={"cpu": "2"}),
        pod("tiny", requests={"cpu": "500m"}),
    )


def test_such_a_claim_belongs_to_one_pod() -> None:
    async def story(cluster: Story) -> None:
        placed = [name for name in ("p", "q") if cluster.node_of(name)]
        assert len(placed) == 1
        (other,) = {"p", "q"} - set(placed)
        assert "node allocatable resource claim a is already used by another pod" in message(cluster, other)

    tell_with_gate(story, node("n1"), cpus("n1"), claim("a"), using("p", "a"), using("q", "a"))


def test_devices_for_extended_resources_are_used_by_no_container_as_kube_scheduler_sees_it() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.node_of("p") is None
        text = (
            "claim <extended-resources>: node-allocatable resource claim not referenced by any container "
            "within the pod"
        )
        assert text in message(cluster, "p")

    tell(
        story,
        device_class(extendedResourceName="example.com/cpu"),
        node("n1"),
        cpus("n1"),
        pod("p", requests={"example.com/cpu": "1"}),
        gates={"DRANodeAllocatableResources": True},
    )


def test_overhead_of_the_pod_is_no_part_of_what_its_own_request_must_cover() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.node_of("p") == "n1"
        assert cluster.node_of("next") is None

    tell_with_gate(
        story,
        node("n1", cpu="5"),
        cpus("n1"),
        claim("a"),
        using("p", "a", cpu="1", resources={"requests": {"cpu": "3"}}, overhead={"cpu": "1"}, priority=10),
        pod("next", requests={"cpu": "1500m"}),
    )


def test_such_a_claim_must_be_used_by_a_container() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.node_of("p") is None
        text = "claim a: node-allocatable resource claim not referenced by any container within the pod"
        assert text in message(cluster, "p")

    tell_with_gate(story, node("n1"), cpus("n1"), claim("a"), pod("p", "a"))


def test_a_request_of_the_whole_pod_must_cover_its_devices_and_then_counts_alone() -> None:
    async def story(cluster: Story) -> None:
        text = (
            "pod level request for cpu is insufficient to cover the aggregated container "
            "and node-allocatable DRA requests"
        )
        assert text in message(cluster, "small")
        assert cluster.node_of("enough") == "n1"

    tell_with_gate(
        story,
        node("n1", cpu="5"),
        cpus("n1"),
        claim("a"),
        claim("b"),
        using("small", "a", cpu="1", resources={"requests": {"cpu": "2"}}),
        using("enough", "b", cpu="1", resources={"requests": {"cpu": "5"}}),
    )


def test_what_was_told_is_taken_back_when_the_pod_cannot_be_bound() -> None:
    async def story(cluster: Story) -> None:
        def refuse(verb: str, resource: Resource, subresource: str, obj: Object) -> None:
            if subresource == "binding":
                raise errors.Forbidden("no binding today")

        cluster.client.reactions.append(refuse)
        await cluster.client.create(RESOURCE_SLICES, cpus("n1"))
        await cluster.passes()
        assert cluster.writes("pods")[-1] == "patch pods/status p"
        assert not cluster.pod("p")["status"].get(STATUSES)
        cluster.client.reactions.clear()
        await cluster.passes(5)
        assert cluster.node_of("p") == "n1"
        assert cluster.pod("p")["status"][STATUSES][0]["resources"] == {"cpu": "2"}

    tell_with_gate(story, node("n1", cpu="3"), claim("a"), using("p", "a"))
