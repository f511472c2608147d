"""Claims are made for the pods that ask for them, and let go when the last of their consumers has ended."""

import pytest

from dray.api import errors
from dray.api.meta import Object
from dray.api.pods import CLAIM_FINALIZER, POD_CLAIM_ANNOTATION
from dray.api.resources import EVENTS, PODS, RESOURCE_CLAIMS
from dray.controllers.claim_reservations import ClaimReservations
from dray.controllers.claim_templates import ClaimTemplates
from dray.controllers.generated_claims import generated_base
from dray.testing.memory_client import MemoryClient
from dray.testing.virtual import run
from tests.unit.controllers.harness import controllers, names, obj, settle

SPEC: Object = {"devices": {"requests": [{"name": "gpu", "exactly": {"deviceClassName": "c"}}]}}
ALLOCATION: Object = {"devices": {"results": [{"request": "gpu", "driver": "d", "pool": "p", "device": "x"}]}}


def template(name: str = "t", **meta: object) -> Object:
    spec: Object = {"spec": SPEC}
    if meta:
        spec["metadata"] = meta
    return obj("ResourceClaimTemplate", name, "ns", api_version="resource.k8s.io/v1", spec=spec)


def pod(name: str = "p", *, claim: str = "", from_template: str = "", **content: object) -> Object:
    entry: Object = {"name": "gpu"}
    entry |= {"resourceClaimName": claim} if claim else {"resourceClaimTemplateName": from_template}
    spec = {"resourceClaims": [entry], "containers": [], **content.pop("spec", {})}  # type: ignore[dict-item]
    return obj("Pod", name, "ns", spec=spec, **content)


def claim(
    name: str = "c", *, reserved_for: list[Object] | None = None, allocated: bool = True, **meta: object
) -> Object:
    status: Object = {"allocation": ALLOCATION} if allocated else {}
    if reserved_for:
        status["reservedFor"] = reserved_for
    metadata = {"finalizers": [CLAIM_FINALIZER] if allocated else [], **meta}
    return obj(
        "ResourceClaim",
        name,
        "ns",
        api_version="resource.k8s.io/v1",
        metadata=metadata,
        spec=SPEC,
        status=status,
    )


def consumer(uid: str, name: str = "p") -> Object:
    return {"resource": "pods", "name": name, "uid": uid}


def run_with(client: MemoryClient, *kinds: type, then: object = None, seconds: float = 5.0) -> None:
    async def scenario() -> None:
        async with controllers(client, *kinds):
            await settle(seconds)
            if then is not None:
                await then()  # type: ignore[operator]
                await settle(seconds)

    run(scenario())


def test_a_pod_gets_a_claim_from_its_template_and_learns_its_name() -> None:
    client = MemoryClient(template(labels={"team": "a"}), pod(from_template="t"))
    run_with(client, ClaimTemplates)
    (made,) = client.all(RESOURCE_CLAIMS)
    stored = client.find(PODS, "p", "ns")
    assert stored is not None
    assert made["spec"] == SPEC
    assert made["metadata"]["labels"] == {"team": "a"}
    assert made["metadata"]["annotations"] == {POD_CLAIM_ANNOTATION: "gpu"}
    (owner,) = made["metadata"]["ownerReferences"]
    assert (owner["uid"], owner["controller"]) == (stored["metadata"]["uid"], True)
    assert "blockOwnerDeletion" not in owner
    assert stored["status"]["resourceClaimStatuses"] == [
        {"name": "gpu", "resourceClaimName": made["metadata"]["name"]}
    ]


def test_a_claim_made_before_a_crash_is_found_again_instead_of_made_twice() -> None:
    client = MemoryClient(template(), pod(from_template="t"))
    stored = client.find(PODS, "p", "ns")
    assert stored is not None
    owner = {
        "apiVersion": "v1",
        "kind": "Pod",
        "name": "p",
        "uid": stored["metadata"]["uid"],
        "controller": True,
    }
    client.put(
        claim("orphan", allocated=False, annotations={POD_CLAIM_ANNOTATION: "gpu"}, ownerReferences=[owner])
    )
    run_with(client, ClaimTemplates)
    assert names(client.all(RESOURCE_CLAIMS)) == ["orphan"]


def test_a_missing_template_is_told_as_an_event_and_made_up_for_when_it_appears() -> None:
    client = MemoryClient(pod(from_template="t"))

    async def create_template() -> None:
        client.put(template())

    run_with(client, ClaimTemplates, then=create_template)
    messages = {event["message"] for event in client.all(EVENTS)}
    assert messages == {
        'PodResourceClaim gpu: resource claim template "t": resourceclaimtemplate.resource.k8s.io "t" not found'
    }
    assert len(client.all(RESOURCE_CLAIMS)) == 1


def test_a_claim_that_the_server_refuses_is_told_as_an_event() -> None:
    client = MemoryClient(pod(from_template="t"), template())

    def refuse(verb: str, resource: object, subresource: str, changed: Object) -> None:
        if verb == "create" and resource is RESOURCE_CLAIMS:
            raise errors.Forbidden("exceeded quota")

    client.reactions.append(refuse)
    run_with(client, ClaimTemplates)
    told = {event["message"] for event in client.all(EVENTS)}
    assert "PodResourceClaim gpu: create ResourceClaim : exceeded quota" in told


def test_an_allocated_claim_is_reserved_for_a_pod_that_was_placed_by_hand() -> None:
    client = MemoryClient(claim(), pod(claim="c", spec={"nodeName": "n"}))
    run_with(client, ClaimTemplates)
    stored = client.find(PODS, "p", "ns")
    held = client.find(RESOURCE_CLAIMS, "c", "ns")
    assert stored is not None
    assert held is not None
    assert held["status"]["reservedFor"] == [consumer(stored["metadata"]["uid"])]


@pytest.mark.parametrize("how", ["deleted", "finished", "replaced"])
def test_a_claim_is_deallocated_when_its_last_pod_has_ended(how: str) -> None:
    client = MemoryClient(pod(claim="c", spec={"nodeName": "n"}, metadata={"uid": "u1"}))
    client.put(claim(reserved_for=[consumer("u1")]))

    async def end() -> None:
        if how == "finished":
            await client.patch(PODS, "p", {"status": {"phase": "Succeeded"}}, "ns", subresource="status")
        else:
            await client.delete(PODS, "p", "ns", grace_period_seconds=0)
        if how == "replaced":
            client.put(pod(claim="c", metadata={"uid": "u2"}))

    run_with(client, ClaimReservations, then=end)
    held = client.find(RESOURCE_CLAIMS, "c", "ns")
    assert held is not None
    assert held["status"] == {}
    assert held["metadata"]["finalizers"] == []


def test_a_claim_keeps_its_devices_while_one_pod_still_uses_it() -> None:
    client = MemoryClient(
        pod("p1", claim="c", metadata={"uid": "u1"}), pod("p2", claim="c", metadata={"uid": "u2"})
    )
    client.put(claim(reserved_for=[consumer("u1", "p1"), consumer("u2", "p2")]))

    async def end_one() -> None:
        await client.delete(PODS, "p1", "ns", grace_period_seconds=0)

    run_with(client, ClaimReservations, then=end_one)
    held = client.find(RESOURCE_CLAIMS, "c", "ns")
    assert held is not None
    assert held["status"]["reservedFor"] == [consumer("u2", "p2")]
    assert held["status"]["allocation"] == ALLOCATION


def test_a_consumer_missing_from_the_cache_is_looked_up_before_it_is_dropped() -> None:
    """The reservation may be newer than the cache of pods."""

    class Delayed(MemoryClient):
        async def get(self, resource, name, namespace="", *, subresource=""):  # type: ignore[no-untyped-def]
            if resource is PODS:
                return pod(claim="c", metadata={"uid": "u1"})
            return await super().get(resource, name, namespace, subresource=subresource)

    client = Delayed(claim(reserved_for=[consumer("u1")]))
    run_with(client, ClaimReservations)
    held = client.find(RESOURCE_CLAIMS, "c", "ns")
    assert held is not None
    assert held["status"]["reservedFor"] == [consumer("u1")]


def test_consumers_of_unknown_kinds_are_kept() -> None:
    other = {"apiGroup": "example.com", "resource": "workloads", "name": "w", "uid": "w1"}
    client = MemoryClient(claim(reserved_for=[other]))
    run_with(client, ClaimReservations)
    held = client.find(RESOURCE_CLAIMS, "c", "ns")
    assert held is not None
    assert held["status"]["reservedFor"] == [other]


def test_an_allocated_claim_nobody_ever_reserved_stays_allocated() -> None:
    client = MemoryClient(claim())
    run_with(client, ClaimReservations)
    held = client.find(RESOURCE_CLAIMS, "c", "ns")
    assert held is not None
    assert held["status"]["allocation"] == ALLOCATION


def test_a_deleted_claim_without_consumers_is_let_go() -> None:
    client = MemoryClient(claim())

    async def delete() -> None:
        await client.delete(RESOURCE_CLAIMS, "c", "ns")

    run_with(client, ClaimReservations, then=delete)
    assert client.all(RESOURCE_CLAIMS) == []


def test_the_allocation_goes_before_the_finalizer_that_protects_it() -> None:
    client = MemoryClient(claim(reserved_for=[consumer("gone")]))
    run_with(client, ClaimReservations)
    assert client.writes[:2] == [
        ("update", "resourceclaims", "status", "c"),
        ("update", "resourceclaims", "", "c"),
    ]


def test_a_generated_claim_is_deleted_when_its_pod_has_finished() -> None:
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u1", "controller": True}
    finished = pod(from_template="t", metadata={"uid": "u1"}, status={"phase": "Succeeded"})
    client = MemoryClient(finished, claim(reserved_for=[consumer("u1")], ownerReferences=[owner]))
    run_with(client, ClaimReservations)
    assert client.all(RESOURCE_CLAIMS) == []


def test_a_conflict_is_tried_again_until_it_succeeds() -> None:
    client = MemoryClient(claim(reserved_for=[consumer("gone")]))

    def conflict_once(verb: str, resource: object, subresource: str, obj: Object) -> None:
        client.reactions.clear()
        raise errors.conflict("resource.k8s.io", "resourceclaims", "c", "changed meanwhile")

    client.reactions.append(conflict_once)
    run_with(client, ClaimReservations)
    held = client.find(RESOURCE_CLAIMS, "c", "ns")
    assert held is not None
    assert held["status"] == {}


def test_long_names_are_cut_in_proportion() -> None:
    assert generated_base("pod", "gpu") == "pod-gpu-"
    base = generated_base("p" * 60, "c" * 30)
    assert len(base) <= 57
    assert base == f"{'p' * (60 * 57 // 92)}-{'c' * (30 * 57 // 92)}"
