"""What a pod with claims goes through, as recorded from Kubernetes 1.36."""

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
from dray.api.meta import Object
from dray.api.resources import DEVICE_CLASSES, PODS, RESOURCE_CLAIMS, RESOURCE_SLICES, Resource
from dray.client.protocol import Unreachable

UNHELPFUL = "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
CANNOT = f"0/2 nodes are available: 2 cannot allocate all claims. still not schedulable, {UNHELPFUL}"
TWO_NODES = [node("n1"), node("n2"), gpus("n1"), gpus("n2")]


def allocated(obj: Object, *devices: str, node_name: str, reserved: str = "") -> Object:
    status: Object = {"allocation": allocation(*devices, node_name=node_name)}
    if reserved:
        status["reservedFor"] = [{"resource": "pods", "name": reserved, "uid": f"{reserved}-uid"}]
    return {**obj, "status": status}


def test_claim_is_protected_then_allocated_then_the_pod_is_bound() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.writes() == [
            "patch pods/status p",
            "update resourceclaims c",
            "update resourceclaims/status c",
            "create pods/binding p",
        ]
        assert cluster.node_of("p") == "n1"
        assert cluster.devices_of("c") == ["n1/gpu-0"]
        assert cluster.claim("c")["metadata"]["finalizers"] == ["resource.kubernetes.io/delete-protection"]
        status = cluster.claim("c")["status"]
        assert status["reservedFor"] == [{"resource": "pods", "name": "p", "uid": "p-uid"}]
        assert status["allocation"]["allocationTimestamp"] == "2026-01-01T00:00:00Z"
        assert cluster.events("p") == [("Normal", "Scheduled", "Successfully assigned default/p to n1")]

    tell(story, node("n1"), gpus("n1"), device_class(), claim("c"), pod("p", "c"))


def test_unsatisfiable_claim_is_reported_in_upstreams_words() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.condition("p") == ("False", "Unschedulable", CANNOT)
        kind, reason, note = cluster.events("p")[0]
        assert (kind, reason) == ("Warning", "FailedScheduling")
        assert note.startswith(CANNOT)
        assert cluster.devices_of("c") == []

    tell(story, *TWO_NODES, device_class(), claim("c", count=3), pod("p", "c"))


def test_event_adds_why_the_devices_do_not_fit() -> None:
    async def story(cluster: Story) -> None:
        note = cluster.events("p")[0][2]
        assert len(note) > len(CANNOT) + 10
        assert "2 nodes" in note[len(CANNOT) :]

    tell(story, *TWO_NODES, device_class(), claim("c", count=3), pod("p", "c"))


def test_event_names_the_pods_own_claims_also_where_an_alike_pod_was_asked_about_before() -> None:
    async def story(cluster: Story) -> None:
        for name in ("p", "q"):
            note = cluster.events(name)[0][2]
            assert f"claim default/{name}-small" not in note
            assert f"claim default/{name}-big, request gpu wants 3 devices" in note

    claims = [claim(f"{of}-{size}", count=count) for of in "pq" for size, count in (("big", 3), ("small", 1))]
    pods = [pod(of, f"{of}-big", f"{of}-small") for of in "pq"]
    tell(story, *TWO_NODES, device_class(), *claims, *pods)


def test_waiting_pod_is_scheduled_when_devices_are_published() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.node_of("p") is None

        await cluster.client.create(RESOURCE_SLICES, gpus("n1"))
        await cluster.passes(2)

        assert cluster.node_of("p") == "n1"

    tell(story, node("n1"), device_class(), claim("c"), pod("p", "c"))


def test_waiting_pod_is_scheduled_when_another_claim_is_deallocated() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.node_of("p") is None

        other = cluster.claim("other")
        await cluster.client.update(RESOURCE_CLAIMS, {**other, "status": {}}, subresource="status")
        await cluster.passes(2)

        assert cluster.devices_of("c") == ["n1/gpu-0"]
        assert cluster.node_of("p") == "n1"

    held = allocated(claim("other"), "gpu-0", node_name="n1", reserved="x")
    tell(story, node("n1"), gpus("n1", 1), device_class(), held, claim("c"), pod("p", "c"))


def test_waiting_pod_is_scheduled_when_an_allocated_claim_is_deleted() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.node_of("p") is None

        await cluster.client.delete(RESOURCE_CLAIMS, "other", "default")
        await cluster.passes(2)

        assert cluster.node_of("p") == "n1"

    held = allocated(claim("other"), "gpu-0", node_name="n1")
    tell(story, node("n1"), gpus("n1", 1), device_class(), held, claim("c"), pod("p", "c"))


def test_missing_class_is_reported_and_mended_by_creating_it() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.condition("p") == (
            "False",
            "Unschedulable",
            "0/2 nodes are available: request gpu: device class gpu.example.com does not exist. "
            f"no new claims to deallocate, {UNHELPFUL}",
        )

        await cluster.client.create(DEVICE_CLASSES, device_class())
        await cluster.passes(2)

        assert cluster.node_of("p") is not None

    tell(story, *TWO_NODES, claim("c"), pod("p", "c"))


def test_missing_claim_keeps_the_pod_out_silently() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.condition("p") is None
        assert cluster.events("p") == []
        assert cluster.writes() == []

        await cluster.client.create(RESOURCE_CLAIMS, claim("c"), "default")
        await cluster.passes()

        assert cluster.node_of("p") is not None

    tell(story, *TWO_NODES, device_class(), pod("p", "c"))


def test_deleted_claim_keeps_the_pod_out_until_a_new_one_exists() -> None:
    async def story(cluster: Story) -> None:
        await cluster.client.delete(RESOURCE_CLAIMS, "c", "default")
        await cluster.client.create(PODS, pod("second", "c"), "default")
        await cluster.passes()
        assert cluster.node_of("second") is None
        assert cluster.condition("second") is None

        held = cluster.claim("c")
        gone = {**held, "metadata": {**held["metadata"], "finalizers": []}}
        await cluster.client.update(RESOURCE_CLAIMS, gone)
        await cluster.client.create(RESOURCE_CLAIMS, {**claim("c"), "metadata": {"name": "c"}}, "default")
        await cluster.passes()

        assert cluster.node_of("second") is not None

    tell(story, *TWO_NODES, device_class(), claim("c"), pod("first", "c"))


def test_claim_from_a_template_is_used_once_the_pod_names_it() -> None:
    waiting = pod("p")
    waiting["spec"]["resourceClaims"] = [{"name": "gpu", "resourceClaimTemplateName": "t"}]

    async def story(cluster: Story) -> None:
        assert cluster.node_of("p") is None
        made = claim_of("p-gpu-x", claim("c")["spec"]["devices"]["requests"], owner=waiting)
        await cluster.client.create(RESOURCE_CLAIMS, made, "default")
        status = {"resourceClaimStatuses": [{"name": "gpu", "resourceClaimName": "p-gpu-x"}]}
        await cluster.client.patch(PODS, "p", {"status": status}, "default", subresource="status")
        await cluster.passes()

        assert cluster.node_of("p") is not None
        assert len(cluster.devices_of("p-gpu-x")) == 1

    tell(story, *TWO_NODES, device_class(), waiting)


def test_claim_made_for_another_pod_is_refused() -> None:
    waiting = pod("p")
    waiting["spec"]["resourceClaims"] = [{"name": "gpu", "resourceClaimTemplateName": "t"}]
    waiting["status"]["resourceClaimStatuses"] = [{"name": "gpu", "resourceClaimName": "theirs"}]
    theirs = claim_of("theirs", claim("c")["spec"]["devices"]["requests"], owner=pod("other"))

    async def story(cluster: Story) -> None:
        assert cluster.node_of("p") is None
        assert cluster.writes() == []

    tell(story, *TWO_NODES, device_class(), theirs, waiting)


def test_template_that_needs_no_claim_is_skipped() -> None:
    waiting = pod("p")
    waiting["spec"]["resourceClaims"] = [{"name": "gpu", "resourceClaimTemplateName": "t"}]
    waiting["status"]["resourceClaimStatuses"] = [{"name": "gpu"}]

    async def story(cluster: Story) -> None:
        assert cluster.node_of("p") is not None

    tell(story, *TWO_NODES, device_class(), waiting)


def test_selector_error_on_one_of_two_nodes_breaks_the_attempt_off() -> None:
    special = gpus("n2", attributes={"index": {"int": 0}})
    plain = gpus("n1", attributes={"index": {"int": 0}, "special": {"bool": True}})
    asking = claim("c", selector=f'device.attributes["{DRIVER}"].special')
    error = (
        'running "DynamicResources" filter plugin: claim default/c: selector #0: '
        "CEL runtime error: no such key: special"
    )

    async def story(cluster: Story) -> None:
        assert cluster.condition("p") == ("False", "SchedulerError", error)
        assert cluster.events("p")[0] == ("Warning", "FailedScheduling", error)
        assert cluster.node_of("p") is None

    tell(story, node("n1"), node("n2"), plain, special, device_class(), asking, pod("p", "c"))


def test_selector_error_is_retried_with_backoff() -> None:
    asking = claim("c", selector=f'device.attributes["{DRIVER}"].special')

    async def story(cluster: Story) -> None:
        attempts = []
        for _ in range(16):
            await cluster.passes(1)
            attempts.append(
                cluster.scheduler.metrics.attempts.value(result="error", profile="default-scheduler")
            )
        # At 0, then 1, 2, 4 and 8 seconds later.
        assert attempts[0] == 2
        assert attempts[-1] == 5

    tell(story, *TWO_NODES, device_class(), asking, pod("p", "c"))


def test_two_pods_share_a_claim_on_one_node() -> None:
    async def story(cluster: Story) -> None:
        await cluster.passes(3)
        assert cluster.node_of("a") == cluster.node_of("b") is not None
        assert sorted(cluster.reserved_for("c")) == ["a", "b"]
        assert len(cluster.devices_of("c")) == 1

    tell(story, *TWO_NODES, device_class(), claim("c"), pod("a", "c"), pod("b", "c"))


def test_second_pod_waits_while_the_claim_is_being_allocated() -> None:
    async def story(cluster: Story) -> None:
        notes = [note for _, reason, note in cluster.events("b") if reason == "FailedScheduling"]
        assert notes == [
            "0/2 nodes are available: resource claim default/c is in the process of being allocated. "
            f"no new claims to deallocate, {UNHELPFUL}"
        ]

    tell(story, *TWO_NODES, device_class(), claim("c"), pod("a", "c"), pod("b", "c"))


def test_pod_follows_its_allocated_claim_to_the_node() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.node_of("p") == "n2"
        assert cluster.reserved_for("c") == ["p"]
        assert "update resourceclaims c" not in cluster.writes()

    given = allocated(claim("c"), "gpu-1", node_name="n2")
    tell(story, *TWO_NODES, device_class(), given, pod("p", "c"))


def test_idle_allocation_that_cannot_be_used_is_released() -> None:
    async def story(cluster: Story) -> None:
        note = cluster.events("p")[0][2]
        assert note.startswith(
            "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, "
            "1 resourceclaim not available on the node. deallocation of ResourceClaim completed, preemption:"
        )
        await cluster.passes(2)
        assert cluster.node_of("p") == "n1"
        assert cluster.devices_of("c") == ["n1/gpu-0"]

    given = allocated(claim("c"), "gpu-1", node_name="n2")
    choosy = pod("p", "c", nodeSelector={"kubernetes.io/hostname": "n1"})
    tell(story, *TWO_NODES, device_class(), given, choosy)


def test_allocation_that_others_use_is_not_released() -> None:
    async def story(cluster: Story) -> None:
        await cluster.passes(5)
        assert cluster.devices_of("c") == ["n2/gpu-1"]
        message = cluster.condition("p")
        assert message is not None
        assert "still not schedulable" in message[2]

    given = allocated(claim("c"), "gpu-1", node_name="n2", reserved="other")
    choosy = pod("p", "c", nodeSelector={"kubernetes.io/hostname": "n1"})
    tell(story, *TWO_NODES, device_class(), given, choosy)


def test_all_devices_go_to_different_claims() -> None:
    nodes = [node(f"n{number}") for number in range(4)]
    slices = [gpus(f"n{number}", 8) for number in range(4)]
    claims = [claim(f"c{number}") for number in range(33)]
    pods = [pod(f"p{number}", f"c{number}") for number in range(33)]

    async def story(cluster: Story) -> None:
        await cluster.passes(2)
        placed = [number for number in range(33) if cluster.node_of(f"p{number}")]
        assert len(placed) == 32
        assert len({device for number in placed for device in cluster.devices_of(f"c{number}")}) == 32

    tell(story, *nodes, *slices, device_class(), *claims, *pods)


def test_conflict_on_the_claim_is_resolved_by_reading_it_again() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.node_of("p") is None

        def interfere(verb: str, resource: Resource, subresource: str, obj: Object) -> None:
            if (verb, resource.plural, subresource) == ("update", "resourceclaims", "status"):
                cluster.client.reactions.clear()
                present = cluster.claim("c")
                labelled = {**present["metadata"], "labels": {"touched": "yes"}}
                cluster.client.put({**present, "metadata": labelled})

        cluster.client.reactions.append(interfere)
        await cluster.client.create(RESOURCE_SLICES, gpus("n1"))
        await cluster.passes(2)

        assert cluster.node_of("p") == "n1"
        assert cluster.claim("c")["metadata"]["labels"] == {"touched": "yes"}

    tell(story, node("n1"), device_class(), claim("c"), pod("p", "c"))


def test_claim_allocated_by_somebody_else_meanwhile_is_reported_and_then_used() -> None:
    async def story(cluster: Story) -> None:
        def interfere(verb: str, resource: Resource, subresource: str, obj: Object) -> None:
            if (verb, resource.plural, subresource) == ("update", "resourceclaims", "status"):
                cluster.client.reactions.clear()
                cluster.client.put(allocated(cluster.claim("c"), "gpu-1", node_name="n1", reserved="other"))

        cluster.client.reactions.append(interfere)
        await cluster.client.create(RESOURCE_SLICES, gpus("n1"))
        await cluster.passes(5)

        told = 'running PreBind plugin "DynamicResources": claim default/c got allocated elsewhere in the meantime'
        assert ("Warning", "FailedScheduling", told) in cluster.events("p")
        assert cluster.node_of("p") == "n1"
        assert cluster.devices_of("c") == ["n1/gpu-1"]
        assert cluster.reserved_for("c") == ["other", "p"]

    tell(story, node("n1"), device_class(), claim("c"), pod("p", "c"))


def test_failed_binding_gives_up_the_reservation_and_keeps_the_allocation() -> None:
    async def story(cluster: Story) -> None:
        def refuse(verb: str, resource: Resource, subresource: str, obj: Object) -> None:
            if subresource == "binding":
                raise errors.InternalError("no binding today")

        cluster.client.reactions.append(refuse)
        await cluster.client.create(RESOURCE_SLICES, gpus("n1"))
        await cluster.passes(0.5)

        assert cluster.devices_of("c") == ["n1/gpu-0"]
        assert cluster.reserved_for("c") == []
        told = 'running Bind plugin "DefaultBinder": no binding today'
        assert cluster.condition("p") == ("False", "SchedulerError", told)

        cluster.client.reactions.clear()
        await cluster.passes(5)
        assert cluster.node_of("p") == "n1"
        assert cluster.reserved_for("c") == ["p"]

    tell(story, node("n1"), device_class(), claim("c"), pod("p", "c"))


@pytest.mark.parametrize("took_effect", [True, False])
def test_unanswered_binding_is_found_out_about(took_effect: bool) -> None:
    async def story(cluster: Story) -> None:
        def vanish(verb: str, resource: Resource, subresource: str, obj: Object) -> None:
            if subresource == "binding":
                cluster.client.reactions.clear()
                if took_effect:
                    cluster.client.put({**obj, "spec": {**obj["spec"], "nodeName": "n1"}})
                raise Unreachable("connection reset")

        cluster.client.reactions.append(vanish)
        await cluster.client.create(RESOURCE_SLICES, gpus("n1"))
        await cluster.passes(5)

        assert cluster.node_of("p") == "n1"
        assert cluster.reserved_for("c") == ["p"]
        assert len([write for write in cluster.writes() if "binding" in write]) == (0 if took_effect else 1)

    tell(story, node("n1"), device_class(), claim("c"), pod("p", "c"))


def test_device_is_not_given_away_while_it_is_unknown_whether_it_was_written() -> None:
    async def story(cluster: Story) -> None:
        def vanish(verb: str, resource: Resource, subresource: str, obj: Object) -> None:
            if (resource.plural, subresource, obj["metadata"]["name"]) == ("resourceclaims", "status", "c1"):
                cluster.client.reactions.clear()
                stored = {**cluster.claim("c1"), "status": obj["status"]}
                cluster.client.put(stored)
                raise Unreachable("connection reset")

        cluster.client.reactions.append(vanish)
        await cluster.client.create(RESOURCE_SLICES, gpus("n1", 1))
        await cluster.passes(5)

        assert cluster.devices_of("c1") == ["n1/gpu-0"]
        assert cluster.devices_of("c2") == []

    objects = [claim("c1"), claim("c2"), pod("p1", "c1", priority=1), pod("p2", "c2")]
    tell(story, node("n1"), device_class(), *objects)


def test_deleted_pod_is_forgotten_with_its_reservation() -> None:
    async def story(cluster: Story) -> None:
        def delete(verb: str, resource: Resource, subresource: str, obj: Object) -> None:
            if subresource == "binding":
                cluster.client.reactions.clear()
                cluster.client._remove(PODS, obj)
                raise errors.not_found("", "pods", "p")

        cluster.client.reactions.append(delete)
        await cluster.client.create(RESOURCE_SLICES, gpus("n1"))
        await cluster.passes(5)

        assert cluster.reserved_for("c") == []
        assert cluster.events("p")[-1][1] != "Scheduled"
        assert len(cluster.scheduler.queue) == 0

    tell(story, node("n1"), device_class(), claim("c"), pod("p", "c"))


def test_admin_access_takes_devices_that_are_in_use() -> None:
    admin = claim("admin")
    admin["spec"]["devices"]["requests"][0]["exactly"]["adminAccess"] = True

    async def story(cluster: Story) -> None:
        assert cluster.node_of("watcher") == "n1"
        assert cluster.devices_of("admin") == ["n1/gpu-0"]
        assert cluster.claim("admin")["status"]["allocation"]["devices"]["results"][0]["adminAccess"] is True

    held = allocated(claim("c"), "gpu-0", node_name="n1", reserved="other")
    tell(story, node("n1"), gpus("n1", 1), device_class(), held, admin, pod("watcher", "admin"))


def test_better_alternative_wins_between_equal_nodes() -> None:
    big, small = device_class("big"), device_class("small")
    big["spec"]["selectors"] = [{"cel": {"expression": 'device.driver == "big.example.com"'}}]
    alternatives = [
        {"name": name, "deviceClassName": name, "allocationMode": "ExactCount", "count": 1}
        for name in ("big", "small")
    ]
    large = gpus("n2")
    large["spec"]["driver"] = "big.example.com"
    asking = claim_of("c", [{"name": "gpu", "firstAvailable": alternatives}])

    async def story(cluster: Story) -> None:
        assert cluster.node_of("p") == "n2"
        allocation = cluster.claim("c")["status"]["allocation"]
        assert allocation["devices"]["results"][0]["request"] == "gpu/big"

    small["spec"]["selectors"] = [{"cel": {"expression": f'device.driver == "{DRIVER}"'}}]
    tell(story, node("n1"), node("n2"), gpus("n1"), large, big, small, asking, pod("p", "c"))


def test_reservation_that_the_api_refuses_is_a_scheduler_error() -> None:
    async def story(cluster: Story) -> None:
        def refuse(verb: str, resource: Resource, subresource: str, obj: Object) -> None:
            if (resource.plural, subresource) == ("resourceclaims", "status"):
                raise errors.Invalid("status.reservedFor: Too many: 257: must have at most 256 items")

        cluster.client.reactions.append(refuse)
        await cluster.client.create(PODS, pod("p", "c"), "default")
        await cluster.passes()

        told = (
            'running PreBind plugin "DynamicResources": add reservation to claim default/c: '
            "status.reservedFor: Too many: 257: must have at most 256 items"
        )
        assert cluster.condition("p") == ("False", "SchedulerError", told)

    tell(story, *TWO_NODES, device_class(), allocated(claim("c"), "gpu-0", node_name="n1", reserved="x"))


def test_search_that_takes_too_long_is_stopped() -> None:
    """The size is chosen so that the search is still under way when the (virtual) limit is over."""
    attributes = [{"group": {"int": number % 2}, "index": {"int": number}} for number in range(26)]
    hard = gpus("n1", 26)
    for entry, values in zip(hard["spec"]["devices"], attributes, strict=True):
        entry["attributes"] = values
    requests = [
        {
            "name": f"r{number}",
            "exactly": {"deviceClassName": DRIVER, "allocationMode": "ExactCount", "count": 7},
        }
        for number in range(2)
    ]
    asking = claim_of("c", requests)
    names = [request["name"] for request in requests]
    asking["spec"]["devices"]["constraints"] = [
        {"requests": names, "matchAttribute": f"{DRIVER}/group"},
    ]

    async def story(cluster: Story) -> None:
        await cluster.passes(1)
        condition = cluster.condition("p")
        assert condition is not None
        assert condition[1] in ("SchedulerError", "Unschedulable")
        if condition[1] == "SchedulerError":
            assert condition[2] == (
                'running "DynamicResources" filter plugin: node n1: timed out trying to allocate devices'
            )

    tell(story, node("n1"), hard, device_class(), asking, pod("p", "c"))
