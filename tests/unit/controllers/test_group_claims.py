"""A PodGroup has its claims once, its pods learn their names, and a group lasts as long as its pods."""

from typing import Any

from dray.api.features import FeatureGates, parse_feature_gates
from dray.api.meta import Object, is_deleting
from dray.api.pod_groups import PROTECTION_FINALIZER
from dray.api.pods import CLAIM_FINALIZER, POD_CLAIM_ANNOTATION
from dray.api.resources import EVENTS, POD_GROUPS, POD_GROUPS_BETA, PODS, RESOURCE_CLAIMS, Resource
from dray.controllers.claim_reservations import ClaimReservations
from dray.controllers.claim_templates import ClaimTemplates
from dray.controllers.device_taint_eviction import DeviceTaintEviction
from dray.controllers.group_claims import GroupClaims
from dray.controllers.group_protection import GroupProtection
from dray.testing.memory_client import MemoryClient
from dray.testing.virtual import run
from tests.unit.controllers.harness import controllers, obj, settle

GATES = parse_feature_gates("GenericWorkload=true,DRAWorkloadResourceClaims=true")
SPEC: Object = {"devices": {"requests": [{"name": "gpu", "exactly": {"deviceClassName": "c"}}]}}
ALLOCATION: Object = {"devices": {"results": [{"request": "gpu", "driver": "d", "pool": "p", "device": "x"}]}}
ENTRY: Object = {"name": "gpu", "resourceClaimTemplateName": "t"}
TEMPLATE = obj(
    "ResourceClaimTemplate", "t", "ns", api_version="resource.k8s.io/v1", spec={"spec": SPEC, "metadata": {}}
)


def group(name: str = "g", *entries: Object, **content: object) -> Object:
    spec = {"schedulingPolicy": {"gang": {"minCount": 2}}, "resourceClaims": list(entries)}
    return obj("PodGroup", name, "ns", api_version="scheduling.k8s.io/v1alpha2", spec=spec, **content)


def pod(name: str, *entries: Object, group_name: str = "g", **content: object) -> Object:
    spec: Object = {"resourceClaims": list(entries), "containers": [], **content.pop("spec", {})}  # type: ignore[dict-item]
    if group_name:
        spec["schedulingGroup"] = {"podGroupName": group_name}
    return obj("Pod", name, "ns", spec=spec, **content)


def claim(*reserved: Object, allocated: bool = True, **meta: object) -> Object:
    status: Object = {"allocation": ALLOCATION} if allocated else {}
    if reserved:
        status["reservedFor"] = list(reserved)
    metadata = {"finalizers": [CLAIM_FINALIZER], **meta}
    return obj(
        "ResourceClaim",
        "c",
        "ns",
        api_version="resource.k8s.io/v1",
        metadata=metadata,
        spec=SPEC,
        status=status,
    )


def consumer(uid: str, name: str = "g") -> Object:
    return {"apiGroup": "scheduling.k8s.io", "resource": "podgroups", "name": name, "uid": uid}


def play(client: MemoryClient, *kinds: type, then: object = None, features: FeatureGates = GATES) -> None:
    async def scenario() -> None:
        async with controllers(client, *kinds, features=features):
            await settle(5.0)
            if then is not None:
                await then()  # type: ignore[operator]
                await settle(5.0)

    run(scenario())


def statuses(obj: Object | None) -> object:
    assert obj is not None
    return (obj.get("status") or {}).get("resourceClaimStatuses")


def test_a_group_gets_one_claim_and_all_its_pods_learn_the_name() -> None:
    client = MemoryClient(TEMPLATE, group("g", ENTRY), pod("p1", ENTRY), pod("p2", ENTRY))
    play(client, ClaimTemplates, GroupClaims)
    (made,) = client.all(RESOURCE_CLAIMS)
    owner_group = client.find(POD_GROUPS, "g", "ns")
    assert owner_group is not None
    assert made["metadata"]["annotations"] == {POD_CLAIM_ANNOTATION: "gpu"}
    assert made["metadata"]["name"].startswith("g-gpu-")
    assert made["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "scheduling.k8s.io/v1alpha2",
            "kind": "PodGroup",
            "name": "g",
            "uid": owner_group["metadata"]["uid"],
            "controller": True,
        }
    ]
    expected = [{"name": "gpu", "resourceClaimName": made["metadata"]["name"]}]
    assert statuses(owner_group) == expected
    assert [statuses(client.find(PODS, name, "ns")) for name in ("p1", "p2")] == [expected, expected]


def test_an_entry_that_differs_from_the_groups_is_the_pods_own() -> None:
    other = {"name": "mine", "resourceClaimTemplateName": "t"}
    client = MemoryClient(TEMPLATE, group("g", ENTRY), pod("p", ENTRY, other))
    play(client, ClaimTemplates, GroupClaims)
    owners = {each["metadata"]["ownerReferences"][0]["kind"] for each in client.all(RESOURCE_CLAIMS)}
    assert owners == {"PodGroup", "Pod"}


def test_pods_wait_for_their_group_before_claims_are_made() -> None:
    client = MemoryClient(TEMPLATE, pod("p", ENTRY))

    async def group_appears() -> None:
        assert client.all(RESOURCE_CLAIMS) == []
        await client.create(POD_GROUPS, group("g"), "ns")

    play(client, ClaimTemplates, GroupClaims, then=group_appears)
    (made,) = client.all(RESOURCE_CLAIMS)
    assert made["metadata"]["ownerReferences"][0]["kind"] == "Pod"


def test_a_group_without_its_template_says_so_and_gets_the_claim_once_that_is_there() -> None:
    client = MemoryClient(group("g", ENTRY))

    async def template_appears() -> None:
        (event,) = client.all(EVENTS)
        assert event["reason"] == "FailedResourceClaimCreation"
        assert event["note" if "note" in event else "message"] == (
            'PodGroupResourceClaim gpu: resource claim template "t": '
            'resourceclaimtemplate.resource.k8s.io "t" not found'
        )
        client.put(TEMPLATE)

    play(client, GroupClaims, then=template_appears)
    assert statuses(client.find(POD_GROUPS, "g", "ns"))


def test_a_claim_lost_is_made_anew() -> None:
    client = MemoryClient(TEMPLATE, group("g", ENTRY), pod("p", ENTRY))

    async def lose() -> None:
        (made,) = client.all(RESOURCE_CLAIMS)
        await client.delete(RESOURCE_CLAIMS, made["metadata"]["name"], "ns")

    play(client, ClaimTemplates, GroupClaims, then=lose)
    (made,) = client.all(RESOURCE_CLAIMS)
    expected = [{"name": "gpu", "resourceClaimName": made["metadata"]["name"]}]
    assert statuses(client.find(POD_GROUPS, "g", "ns")) == expected
    assert statuses(client.find(PODS, "p", "ns")) == expected


def test_a_claim_stays_the_groups_until_the_group_is_gone() -> None:
    entry = {"name": "gpu", "resourceClaimName": "c"}
    client = MemoryClient(
        group("g", entry, metadata={"uid": "u"}),
        claim(consumer("u")),
        pod("p", entry, status={"phase": "Succeeded"}),
    )

    async def group_goes() -> None:
        stored = client.find(RESOURCE_CLAIMS, "c", "ns")
        assert stored is not None
        assert stored["status"] == {"allocation": ALLOCATION, "reservedFor": [consumer("u")]}
        await client.delete(POD_GROUPS, "g", "ns")

    play(client, ClaimReservations, then=group_goes)
    stored = client.find(RESOURCE_CLAIMS, "c", "ns")
    assert stored is not None
    assert not stored["status"]
    assert stored["metadata"].get("finalizers", []) == []


def test_a_reservation_for_a_group_that_was_replaced_is_dropped() -> None:
    client = MemoryClient(group("g", metadata={"uid": "new"}), claim(consumer("old")))
    play(client, ClaimReservations)
    stored = client.find(RESOURCE_CLAIMS, "c", "ns")
    assert stored is not None
    assert not stored["status"]


def test_pods_placed_by_hand_have_the_claim_reserved_for_their_group() -> None:
    entry = {"name": "gpu", "resourceClaimName": "c"}
    placed = pod("p", entry, spec={"nodeName": "n"})
    client = MemoryClient(group("g", entry, metadata={"uid": "u"}), claim(), placed)
    play(client, ClaimTemplates)
    stored = client.find(RESOURCE_CLAIMS, "c", "ns")
    assert stored is not None
    assert stored["status"]["reservedFor"] == [consumer("u")]


def test_a_deleted_group_stays_while_a_pod_of_it_is_to_run() -> None:
    meta = {"finalizers": [PROTECTION_FINALIZER]}
    client = MemoryClient(group("g", metadata=meta), pod("p"), pod("q", status={"phase": "Failed"}))

    async def delete_group() -> None:
        await client.delete(POD_GROUPS, "g", "ns")
        await settle(1.0)
        assert client.find(POD_GROUPS, "g", "ns") is not None
        await client.delete(PODS, "p", "ns", grace_period_seconds=0)

    play(client, GroupProtection, then=delete_group)
    assert client.find(POD_GROUPS, "g", "ns") is None


def test_a_pod_is_driven_out_by_a_taint_on_a_device_of_its_groups_claim() -> None:
    taint = {"key": "k", "effect": "NoExecute", "timeAdded": "2026-01-01T00:00:00Z"}
    pool = {"name": "p", "generation": 1, "resourceSliceCount": 1}
    devices = [{"name": "x", "taints": [taint]}]
    slice_spec = {"driver": "d", "pool": pool, "nodeName": "n", "devices": devices}
    entry = {"name": "gpu", "resourceClaimName": "c"}
    client = MemoryClient(
        obj("ResourceSlice", "s", api_version="resource.k8s.io/v1", spec=slice_spec),
        group("g", entry, metadata={"uid": "u"}),
        claim(consumer("u")),
        pod("p", entry, spec={"nodeName": "n"}),
        pod("other", entry, group_name="", spec={"nodeName": "n"}),
    )
    play(client, DeviceTaintEviction)
    assert [each["metadata"]["name"] for each in client.all(PODS) if is_deleting(each)] == ["p"]


class Asked(MemoryClient):
    """Notes in which versions groups are asked for and written."""

    def __init__(self, *objects: Object) -> None:
        super().__init__(*objects)
        self.versions: set[str] = set()

    def _note(self, resource: Resource) -> None:
        if resource.plural == POD_GROUPS.plural:
            self.versions.add(resource.api_version)

    def watch(self, resource: Resource, *args: Any, **options: Any) -> Any:
        self._note(resource)
        return super().watch(resource, *args, **options)

    async def update(self, resource: Resource, *args: Any, **options: Any) -> Object:
        self._note(resource)
        return await super().update(resource, *args, **options)

    async def patch(self, resource: Resource, *args: Any, **options: Any) -> Object:
        self._note(resource)
        return await super().patch(resource, *args, **options)


def test_from_1_37_on_groups_are_beta_and_so_are_the_owners_of_their_claims() -> None:
    gates = parse_feature_gates("GenericWorkload=true,DRAWorkloadResourceClaims=true", "1.37")
    beta = {**group("g", ENTRY), "apiVersion": POD_GROUPS_BETA.api_version}
    client = Asked(TEMPLATE, beta, pod("p1", ENTRY))
    play(client, ClaimReservations, ClaimTemplates, GroupClaims, GroupProtection, features=gates)
    (made,) = client.all(RESOURCE_CLAIMS)
    (owner,) = made["metadata"]["ownerReferences"]
    assert (owner["apiVersion"], owner["kind"]) == ("scheduling.k8s.io/v1beta1", "PodGroup")
    name = made["metadata"]["name"]
    told = [{"name": "gpu", "resourceClaimName": name}]
    assert statuses(client.find(POD_GROUPS_BETA, "g", "ns")) == told
    assert statuses(client.find(PODS, "p1", "ns")) == told
    assert client.versions == {"scheduling.k8s.io/v1beta1"}
