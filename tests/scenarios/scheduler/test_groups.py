"""Pods of a PodGroup: all or none where it is a gang, one claim for all where the group has one."""

from typing import Any

import pytest
from scheduler_story import (
    DRIVER,
    Story,
    allocation,
    claim,
    claim_of,
    device_class,
    gpus,
    node,
    pod,
    tell,
)

from dray.api import errors
from dray.api.features import FeatureGates
from dray.api.meta import Object
from dray.api.resources import POD_GROUPS, POD_GROUPS_BETA, PODS, RESOURCE_CLAIMS, RESOURCE_SLICES, Resource

GATES = {"GenericWorkload": True, "GangScheduling": True, "DRAWorkloadResourceClaims": True}
WAITS = (
    "pod group is unschedulable, waiting for minCount pods from a gang to be scheduled, "
    "one or more plugins asked to wait and no plugin rejected pod"
)
CANNOT = (
    "0/1 nodes are available: 1 cannot allocate all claims. still not schedulable, "
    "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
)
SHARED: Object = {"name": "c", "resourceClaimName": "c"}


def group(name: str = "g", *, gang: int = 0, claims: tuple[Object, ...] = (), **content: Any) -> Object:
    policy: Object = {"gang": {"minCount": gang}} if gang else {"basic": {}}
    return {
        "apiVersion": "scheduling.k8s.io/v1alpha2",
        "kind": "PodGroup",
        "metadata": {"name": name, "namespace": "default", "uid": f"{name}-uid"},
        "spec": {"schedulingPolicy": policy, "resourceClaims": list(claims)},
        **content,
    }


def member(name: str, *claims: str, of: str = "g", **spec: Any) -> Object:
    return pod(name, *claims, schedulingGroup={"podGroupName": of}, **spec)


def standing(story: Story, name: str = "g") -> tuple[str, str, str] | None:
    found = story.client.find(POD_GROUPS, name, "default")
    assert found is not None
    for condition in (found.get("status") or {}).get("conditions") or ():
        if condition["type"] == "PodGroupScheduled":
            return condition["status"], condition["reason"], condition["message"]
    return None


def reserved_for_group(name: str = "g") -> list[Object]:
    return [{"apiGroup": "scheduling.k8s.io", "resource": "podgroups", "name": name, "uid": f"{name}-uid"}]


def test_a_gang_is_not_tried_before_enough_of_its_pods_exist() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.writes() == []
        await cluster.client.create(PODS, member("p2"), "default")
        await cluster.passes()
        assert (cluster.node_of("p1"), cluster.node_of("p2")) == ("n1", "n1")
        assert standing(cluster) == ("True", "Scheduled", "")

    tell(story, node("n1"), group(gang=2), member("p1"), gates=GATES)


def test_a_pod_waits_for_its_group_to_exist() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.writes() == []
        await cluster.client.create(POD_GROUPS, group(gang=1), "default")
        await cluster.passes()
        assert cluster.node_of("p") == "n1"

    tell(story, node("n1"), member("p"), gates=GATES)


def test_without_gangs_a_group_that_is_missing_keeps_nobody() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.node_of("p") == "n1"

    tell(story, node("n1"), member("p"), gates={"GenericWorkload": True})


def test_all_of_a_gang_go_or_none() -> None:
    async def story(cluster: Story) -> None:
        assert [cluster.node_of(name) for name in ("p1", "p2", "p3")] == [None, None, None]
        assert cluster.condition("p1") == ("False", "Unschedulable", WAITS)
        assert cluster.condition("p2") == ("False", "Unschedulable", WAITS)
        assert cluster.condition("p3") == ("False", "Unschedulable", CANNOT)
        assert cluster.events("p1") == [("Warning", "FailedScheduling", WAITS)]
        assert standing(cluster) == ("False", "Unschedulable", "pod group is unschedulable")
        assert cluster.devices_of("c1") == []

    names = ("1", "2", "3")
    claims = [claim(f"c{name}") for name in names]
    pods = [member(f"p{name}", f"c{name}") for name in names]
    tell(story, node("n1"), gpus("n1", 2), device_class(), group(gang=3), *claims, *pods, gates=GATES)


def test_what_a_gang_could_not_use_is_there_for_others() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.node_of("alone") == "n1"
        assert [cluster.node_of(name) for name in ("p1", "p2", "p3")] == [None, None, None]

    names = ("1", "2", "3")
    claims = [claim(f"c{name}") for name in (*names, "alone")]
    pods = [member(f"p{name}", f"c{name}", priority=10) for name in names]
    others = [*claims, *pods, pod("alone", "calone")]
    tell(story, node("n1"), gpus("n1", 2), device_class(), group(gang=3), *others, gates=GATES)


def test_a_gang_goes_once_devices_come_for_its_last_pod() -> None:
    async def story(cluster: Story) -> None:
        await cluster.passes(20)
        grown = gpus("n1", 3)
        grown["metadata"]["resourceVersion"] = ""
        await cluster.client.delete(RESOURCE_SLICES, "n1-gpus")
        await cluster.client.create(RESOURCE_SLICES, gpus("n1", 3))
        await cluster.passes(15)
        assert [cluster.node_of(name) for name in ("p1", "p2", "p3")] == ["n1"] * 3
        assert standing(cluster) == ("True", "Scheduled", "")

    names = ("1", "2", "3")
    claims = [claim(f"c{name}") for name in names]
    pods = [member(f"p{name}", f"c{name}") for name in names]
    tell(story, node("n1"), gpus("n1", 2), device_class(), group(gang=3), *claims, *pods, gates=GATES)


def test_more_than_the_minimum_go_as_far_as_there_is_room() -> None:
    async def story(cluster: Story) -> None:
        placed = [name for name in ("p1", "p2", "p3") if cluster.node_of(name)]
        assert len(placed) == 2
        assert standing(cluster) == ("True", "Scheduled", "")
        (left,) = {"p1", "p2", "p3"} - set(placed)
        condition = cluster.condition(left)
        assert condition is not None
        assert condition[2].startswith("0/1 nodes are available: 1 Insufficient cpu.")

    pods = [member(f"p{number}", requests={"cpu": "3"}) for number in (1, 2, 3)]
    tell(story, node("n1"), group(gang=2), *pods, gates=GATES)


def test_a_group_that_was_scheduled_stays_so_when_a_pod_joins_in_vain() -> None:
    async def story(cluster: Story) -> None:
        assert standing(cluster) == ("True", "Scheduled", "")
        await cluster.client.create(PODS, member("late", requests={"cpu": "9"}), "default")
        await cluster.passes()
        assert cluster.condition("late") is not None
        assert standing(cluster) == ("True", "Scheduled", "")

    tell(story, node("n1"), group(gang=1), member("p"), gates=GATES)


def test_pods_of_a_basic_group_go_each_on_their_own() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.node_of("small") == "n1"
        assert cluster.node_of("big") is None
        assert standing(cluster) == ("True", "Scheduled", "")

    pods = [member("big", requests={"cpu": "9"}), member("small", requests={"cpu": "1"})]
    tell(story, node("n1"), group(), *pods, gates=GATES)


def test_a_scheduling_gate_on_one_pod_keeps_the_gang() -> None:
    async def story(cluster: Story) -> None:
        assert [cluster.node_of(name) for name in ("p1", "p2")] == [None, None]
        assert cluster.condition("p1") == ("False", "Unschedulable", WAITS)
        gated = cluster.pod("p2")
        spec = {key: value for key, value in gated["spec"].items() if key != "schedulingGates"}
        await cluster.client.update(PODS, {**gated, "spec": spec})
        await cluster.passes()
        assert [cluster.node_of(name) for name in ("p1", "p2")] == ["n1", "n1"]

    pods = [member("p1"), member("p2", schedulingGates=[{"name": "x"}])]
    tell(story, node("n1"), group(gang=2), *pods, gates=GATES)


def test_the_groups_claim_is_allocated_once_and_reserved_for_the_group() -> None:
    async def story(cluster: Story) -> None:
        assert [cluster.node_of(name) for name in ("p1", "p2", "p3")] == ["n1"] * 3
        assert cluster.devices_of("c") == ["n1/gpu-0"]
        assert cluster.claim("c")["status"]["reservedFor"] == reserved_for_group()
        assert cluster.writes("resourceclaims") == [
            "update resourceclaims c",
            "update resourceclaims/status c",
        ]

    pods = [member(f"p{number}", "c") for number in (1, 2, 3)]
    owner = group(gang=3, claims=(SHARED,))
    tell(story, node("n1"), gpus("n1"), device_class(), owner, claim("c"), *pods, gates=GATES)


def test_a_thousand_pods_share_one_claim() -> None:
    async def story(cluster: Story) -> None:
        await cluster.passes(5)
        assert {cluster.node_of(f"p{number}") for number in range(1000)} == {"n1"}
        assert cluster.claim("c")["status"]["reservedFor"] == reserved_for_group()

    pods = [member(f"p{number}", "c") for number in range(1000)]
    owner = group(gang=1000, claims=(SHARED,))
    objects = (node("n1", pods="2000"), gpus("n1"), device_class(), owner, claim("c"))
    tell(story, *objects, *pods, gates=GATES)


def test_pods_of_a_group_share_a_claim_that_is_not_the_groups_too_each_with_its_reservation() -> None:
    async def story(cluster: Story) -> None:
        assert [cluster.node_of(name) for name in ("p1", "p2")] == ["n1", "n1"]
        assert sorted(cluster.reserved_for("c")) == ["p1", "p2"]

    pods = [member(f"p{number}", "c") for number in (1, 2)]
    tell(story, node("n1"), gpus("n1"), device_class(), group(gang=2), claim("c"), *pods, gates=GATES)


def test_without_the_feature_the_groups_claim_is_reserved_for_each_pod() -> None:
    async def story(cluster: Story) -> None:
        assert sorted(cluster.reserved_for("c")) == ["p1", "p2"]

    pods = [member(f"p{number}", "c") for number in (1, 2)]
    gates = {**GATES, "DRAWorkloadResourceClaims": False}
    owner = group(gang=2, claims=(SHARED,))
    tell(story, node("n1"), gpus("n1"), device_class(), owner, claim("c"), *pods, gates=gates)


def test_a_claim_made_for_the_group_is_its_pods_to_use() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.node_of("p") == "n1"
        assert cluster.claim("made")["status"]["reservedFor"] == reserved_for_group()

    entry = {"name": "gpu", "resourceClaimTemplateName": "t"}
    exactly = {"deviceClassName": DRIVER, "allocationMode": "ExactCount", "count": 1}
    made = claim_of("made", [{"name": "gpu", "exactly": exactly}])
    made["metadata"]["ownerReferences"] = [
        {
            "apiVersion": "scheduling.k8s.io/v1alpha2",
            "kind": "PodGroup",
            "name": "g",
            "uid": "g-uid",
            "controller": True,
        }
    ]
    owner = group(gang=1, claims=(entry,))
    user = member("p", resourceClaims=[entry])
    user["status"]["resourceClaimStatuses"] = [{"name": "gpu", "resourceClaimName": "made"}]
    tell(story, node("n1"), gpus("n1"), device_class(), owner, made, user, gates=GATES)


def test_pods_that_share_a_claim_go_where_its_devices_are() -> None:
    async def story(cluster: Story) -> None:
        assert [cluster.node_of(name) for name in ("p1", "p2")] == ["n2", "n2"]

    pods = [member(f"p{number}", "c", requests={"cpu": "3"}) for number in (1, 2)]
    owner = group(gang=2, claims=(SHARED,))
    objects = (node("n1"), node("n2"), gpus("n2"), device_class(), owner, claim("c"))
    tell(story, *objects, *pods, gates=GATES)


def test_a_pod_that_joins_later_uses_what_the_group_has() -> None:
    async def story(cluster: Story) -> None:
        await cluster.client.create(PODS, member("late", "c"), "default")
        await cluster.passes()
        assert cluster.node_of("late") == "n1"
        assert cluster.claim("c")["status"]["reservedFor"] == reserved_for_group()

    owner = group(gang=1, claims=(SHARED,))
    tell(story, node("n1"), gpus("n1"), device_class(), owner, claim("c"), member("p", "c"), gates=GATES)


def test_one_pod_that_cannot_be_bound_leaves_the_claim_to_the_others() -> None:
    failed = []

    def refuse(verb: str, resource: Resource, subresource: str, obj: Object) -> None:
        if subresource == "binding" and obj["metadata"]["name"] == "p1" and not failed:
            failed.append(verb)
            raise errors.StatusError("no")

    async def story(cluster: Story) -> None:
        cluster.client.reactions.append(refuse)
        await cluster.client.create(POD_GROUPS, group(gang=2, claims=(SHARED,)), "default")
        await cluster.passes(0.5)
        assert failed
        assert cluster.node_of("p2") == "n1"
        assert cluster.claim("c")["status"]["reservedFor"] == reserved_for_group()
        await cluster.passes(5)
        assert cluster.node_of("p1") == "n1"

    pods = [member(f"p{number}", "c") for number in (1, 2)]
    tell(story, node("n1"), gpus("n1"), device_class(), claim("c"), *pods, gates=GATES)


def test_when_writing_the_claim_fails_for_one_another_pod_of_the_group_writes_it() -> None:
    failed = []

    def refuse(verb: str, resource: Resource, subresource: str, obj: Object) -> None:
        if resource is RESOURCE_CLAIMS and subresource == "status" and not failed:
            failed.append(verb)
            raise errors.StatusError("no")

    async def story(cluster: Story) -> None:
        cluster.client.reactions.append(refuse)
        await cluster.client.create(POD_GROUPS, group(gang=2, claims=(SHARED,)), "default")
        await cluster.passes(10)
        assert failed
        assert [cluster.node_of(name) for name in ("p1", "p2")] == ["n1", "n1"]
        assert cluster.devices_of("c") == ["n1/gpu-0"]

    pods = [member(f"p{number}", "c") for number in (1, 2)]
    tell(story, node("n1"), gpus("n1"), device_class(), claim("c"), *pods, gates=GATES)


def test_a_group_without_a_placed_pod_gives_up_devices_it_cannot_reach() -> None:
    async def story(cluster: Story) -> None:
        await cluster.passes(30)
        assert cluster.node_of("p") == "n2"
        assert cluster.devices_of("c") == ["n2/gpu-0"]

    held = claim("c")
    held["metadata"]["finalizers"] = ["resource.kubernetes.io/delete-protection"]
    held["status"] = {
        "allocation": allocation("gpu-0", node_name="n1"),
        "reservedFor": reserved_for_group(),
    }
    owner = group(gang=1, claims=(SHARED,))
    user = member("p", "c", nodeSelector={"kubernetes.io/hostname": "n2"})
    objects = (node("n1"), node("n2"), gpus("n1"), gpus("n2"), device_class(), owner, held, user)
    tell(story, *objects, gates=GATES)


def test_a_gang_that_makes_room_waits_until_there_is_room_for_all() -> None:
    async def story(cluster: Story) -> None:
        assert [cluster.node_of(name) for name in ("p1", "p2")] == [None, None]
        assert cluster.pod("victim")["metadata"].get("deletionTimestamp")
        assert standing(cluster) == (
            "False",
            "Unschedulable",
            "pod group is unschedulable, pod group is waiting for preemption to complete",
        )
        await cluster.client.delete(PODS, "victim", "default", grace_period_seconds=0)
        await cluster.passes(5)
        assert [cluster.node_of(name) for name in ("p1", "p2")] == ["n1", "n1"]
        assert standing(cluster) == ("True", "Scheduled", "")

    victim = pod("victim", requests={"cpu": "5"}, nodeName="n1")
    pods = [member(f"p{number}", requests={"cpu": "3"}, priority=10) for number in (1, 2)]
    tell(story, node("n1"), group(gang=2), victim, *pods, gates=GATES)


@pytest.mark.parametrize("gates", [None, GATES])
def test_a_pod_without_a_group_goes_as_ever(gates: dict[str, bool] | None) -> None:
    async def story(cluster: Story) -> None:
        assert cluster.node_of("p") == "n1"

    tell(story, node("n1"), gpus("n1"), device_class(), claim("c"), pod("p", "c"), gates=gates)


def test_from_1_37_on_groups_are_beta_and_are_told_that_they_were_scheduled_at_first() -> None:
    spoken: set[str] = set()

    async def story(cluster: Story) -> None:
        patch = cluster.client.patch

        async def noting(resource: Resource, *args: Any, **options: Any) -> Object:
            spoken.update({resource.api_version} if resource.plural == POD_GROUPS.plural else ())
            return await patch(resource, *args, **options)

        cluster.client.patch = noting
        await cluster.client.create(PODS, member("p2"), "default")
        await cluster.passes()
        found = cluster.client.find(POD_GROUPS_BETA, "g", "default")
        assert found is not None
        (condition,) = found["status"]["conditions"]
        assert (condition["type"], condition["status"]) == ("PodGroupInitiallyScheduled", "True")
        assert (cluster.node_of("p1"), cluster.node_of("p2")) == ("n1", "n1")

    beta = {**group(gang=2), "apiVersion": POD_GROUPS_BETA.api_version}
    tell(story, node("n1"), beta, member("p1"), features=FeatureGates(GATES, "1.37"))
    assert spoken == {"scheduling.k8s.io/v1beta1"}


@pytest.mark.parametrize("exist", [2, 3])
def test_a_gang_that_becomes_smaller_goes_with_the_pods_that_fit(exist: int) -> None:
    """Whether pods are missing (2 exist) or have no place (3 exist, for 2 devices)."""

    async def story(cluster: Story) -> None:
        assert [cluster.node_of(f"p{number}") for number in range(exist)] == [None] * exist
        found = cluster.client.find(POD_GROUPS_BETA, "g", "default")
        assert found is not None
        spec = {**found["spec"], "schedulingPolicy": {"gang": {"minCount": 2}}}
        await cluster.client.update(POD_GROUPS_BETA, {**found, "spec": spec})
        await cluster.passes(20)
        placed = [cluster.node_of(f"p{number}") for number in range(exist)]
        assert placed.count("n1") == 2

    beta = {**group(gang=3), "apiVersion": POD_GROUPS_BETA.api_version}
    claims = [claim(f"c{number}") for number in range(exist)]
    pods = [member(f"p{number}", f"c{number}") for number in range(exist)]
    features = FeatureGates(GATES, "1.37")
    tell(story, node("n1"), gpus("n1", 2), device_class(), beta, *claims, *pods, features=features)


def test_attempts_are_counted_per_group_and_timed() -> None:
    async def story(cluster: Story) -> None:
        metrics = cluster.scheduler.metrics
        for result in ("scheduled", "unschedulable"):
            assert metrics.group_attempts.value(result=result, profile="default-scheduler") == 1
            assert metrics.group_attempt_seconds.count(result=result, profile="default-scheduler") == 1
        assert metrics.group_algorithm_seconds.count() == 2

    large = claim("large", count=3)
    pods = [member("p1"), member("p2"), member("q", "large", of="h")]
    groups = (group(gang=2), group("h", gang=1))
    tell(story, node("n1"), gpus("n1", 2), device_class(), *groups, large, *pods, gates=GATES)


@pytest.mark.parametrize(("release", "placed"), [("1.36", "n1"), ("1.37", None)])
def test_from_1_37_on_pods_must_be_as_urgent_as_their_group(release: str, placed: str | None) -> None:
    async def story(cluster: Story) -> None:
        assert [cluster.node_of(name) for name in ("p1", "p2")] == [placed] * 2
        if placed is None:
            told = "all pods in a single pod group should match the priority of the pod group, got: 1 and 2"
            assert cluster.condition("p1") == ("False", "SchedulerError", told)
            assert cluster.condition("p2") == ("False", "SchedulerError", told)

    urgent = group(gang=2)
    urgent["spec"]["priority"] = 2
    pods = (member("p1", priority=2), member("p2", priority=1))
    tell(story, node("n1"), urgent, *pods, features=FeatureGates(GATES, release))
