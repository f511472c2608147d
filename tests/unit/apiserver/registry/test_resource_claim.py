"""ResourceClaims: gates, status writes, who may write what."""

import copy

import pytest

from dray.api.features import FeatureGates
from dray.apiserver.registry.kind import User
from dray.apiserver.registry.resource_claim import RESOURCE_CLAIM, claim_state

from .recorded import NOW, Context

RESULT = {"request": "r", "driver": "d.example.com", "pool": "p", "device": "x"}
DATA = {"driver": "d.example.com", "pool": "p", "device": "x"}
ALLOCATION = {"devices": {"results": [RESULT]}}
CONSUMER = {"resource": "pods", "name": "p", "uid": "u1"}


def a_claim(status=None, **request):
    exactly = {"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 1, **request}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"name": "c", "namespace": "ns", "labels": {"a": "1"}},
        "spec": {"devices": {"requests": [{"name": "r", "exactly": exactly}]}},
        "status": status or {},
    }


def write_status(old, status, **context):
    """The claim as a write of `status` would leave it, and the findings."""
    seen = Context(old=old, verb="update", **context)
    new = copy.deepcopy(old) | {"status": copy.deepcopy(status)}
    strategy = RESOURCE_CLAIM.status
    strategy.prepare_update(seen, new)
    return new, [str(error) for error in strategy.validate_update(seen, new)]


@pytest.mark.parametrize(
    ("status", "deleting", "shown"),
    [
        ({}, False, "pending"),
        ({"allocation": ALLOCATION}, False, "allocated"),
        ({"allocation": ALLOCATION, "reservedFor": [CONSUMER]}, False, "allocated,reserved"),
        ({}, True, "deleted"),
        ({"allocation": ALLOCATION, "reservedFor": [CONSUMER]}, True, "deleted,allocated,reserved"),
    ],
)
def test_state_of_a_claim(status, deleting, shown):
    claim = a_claim(status)
    if deleting:
        claim["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert claim_state(claim, NOW) == shown


def test_created_claim_has_no_status():
    claim = a_claim({"allocation": ALLOCATION})
    RESOURCE_CLAIM.prepare_create(Context(), claim)
    assert claim["status"] == {}


@pytest.mark.parametrize(
    ("gate", "request_fields"),
    [
        ("DRAAdminAccess", {"adminAccess": True}),
        ("DRADeviceTaints", {"tolerations": [{"operator": "Exists"}]}),
        ("DRAConsumableCapacity", {"capacity": {"requests": {"m": "1"}}}),
    ],
)
def test_field_of_a_feature_that_is_off_is_left_out_unless_in_use(gate, request_fields):
    off = FeatureGates({gate: False})
    field = next(iter(request_fields))
    fresh = a_claim(**request_fields)
    RESOURCE_CLAIM.prepare_create(Context(features=off), fresh)
    assert field not in fresh["spec"]["devices"]["requests"][0]["exactly"]
    stored = a_claim(**request_fields)
    update = copy.deepcopy(stored)
    RESOURCE_CLAIM.prepare_update(Context(features=off, old=stored), update)
    assert update["spec"] == stored["spec"]


def test_prioritized_list_that_is_off_leaves_a_request_without_any_choice():
    claim = a_claim()
    claim["spec"]["devices"]["requests"] = [{"name": "r", "firstAvailable": [{"name": "a"}]}]
    context = Context(features=FeatureGates({"DRAPrioritizedList": False}))
    RESOURCE_CLAIM.prepare_create(context, claim)
    assert [str(error) for error in RESOURCE_CLAIM.validate_create(context, claim)] == [
        "spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required"
    ]


def test_constraint_without_kind_names_matchAttribute_while_distinctAttribute_is_off():
    claim = a_claim()
    claim["spec"]["devices"]["constraints"] = [{"requests": ["r"]}]
    context = Context(features=FeatureGates({"DRAConsumableCapacity": False}))
    assert [str(error) for error in RESOURCE_CLAIM.validate_create(context, claim)] == [
        "spec.devices.constraints[0].matchAttribute: Required value"
    ]


def test_status_write_changes_nothing_but_the_status():
    old = a_claim()
    new = copy.deepcopy(old)
    new["metadata"]["labels"] = {"b": "2"}
    new["metadata"]["finalizers"] = ["example.com/x"]
    new["spec"] = {"devices": {}}
    new["status"] = {"allocation": ALLOCATION}
    RESOURCE_CLAIM.status.prepare_update(Context(old=old), new)
    assert new["metadata"] == old["metadata"]
    assert new["spec"] == old["spec"]
    assert new["status"] == {"allocation": ALLOCATION}


def test_allocation_may_be_set_and_cleared_and_not_changed():
    free, allocated = a_claim(), a_claim({"allocation": ALLOCATION})
    assert write_status(free, {"allocation": ALLOCATION})[1] == []
    assert write_status(allocated, {})[1] == []
    other = {"devices": {"results": [{**RESULT, "device": "y"}]}}
    (finding,) = write_status(allocated, {"allocation": other})[1]
    assert finding.startswith('status.allocation: Invalid value: {"Devices":{"Results":[{"Request":"r",')
    assert finding.endswith(": field is immutable")


def test_data_of_a_device_goes_with_its_allocation():
    old = a_claim({"allocation": ALLOCATION, "devices": [DATA]})
    new, found = write_status(old, {"devices": [DATA]})
    assert (new["status"], found) == ({}, [])


def test_data_of_a_device_that_was_never_allocated_is_refused():
    _, found = write_status(
        a_claim({"allocation": ALLOCATION}), {"allocation": ALLOCATION, "devices": [{**DATA, "device": "y"}]}
    )
    assert found == [
        'status.devices[0]: Invalid value: {"Driver":"d.example.com","Pool":"p","Device":"y","ShareID":""}: '
        "must be an allocated device in the claim"
    ]


def test_share_of_a_device_is_a_device_of_its_own():
    share = "11111111-2222-3333-4444-555555555555"
    shared = {"devices": {"results": [{**RESULT, "shareID": share}]}}
    allocated = a_claim({"allocation": shared})
    assert write_status(allocated, {"allocation": shared, "devices": [{**DATA, "shareID": share}]})[1] == []
    assert write_status(allocated, {"allocation": shared, "devices": [DATA]})[1] != []


def test_deleted_claim_takes_no_new_reservations():
    old = a_claim({"allocation": ALLOCATION, "reservedFor": [CONSUMER]})
    old["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    fewer = {"allocation": ALLOCATION}
    assert write_status(old, fewer)[1] == []
    more = {"allocation": ALLOCATION, "reservedFor": [CONSUMER, {**CONSUMER, "uid": "u2"}]}
    assert write_status(old, more)[1] == [
        "status.reservedFor: Forbidden: new entries may not be added while `deallocationRequested` or "
        "`deletionTimestamp` are set"
    ]


def test_too_many_reservations_hide_what_is_wrong_with_each():
    many = [{} for _ in range(257)]
    _, found = write_status(
        a_claim({"allocation": ALLOCATION}), {"allocation": ALLOCATION, "reservedFor": many}
    )
    assert found == ["status.reservedFor: Too many: 257: must have at most 256 items"]


def test_admin_access_in_results_needs_the_namespace_label_the_first_time():
    admin = {"devices": {"results": [{**RESULT, "adminAccess": True}]}}
    refusal = (
        "status.allocation.devices.results[0].adminAccess: Forbidden: admin access to devices requires the "
        "`resource.kubernetes.io/admin-access: true` label on the containing namespace"
    )
    assert write_status(a_claim(), {"allocation": admin})[1] == [refusal]
    label = {"resource.kubernetes.io/admin-access": "true"}
    others = {("namespaces", "", "ns"): {"metadata": {"labels": label}}}
    assert write_status(a_claim(), {"allocation": admin}, others=others)[1] == []
    assert write_status(a_claim({"allocation": admin}), {"allocation": admin})[1] == []


# --- permissions for parts of the status


def test_allocation_and_reservations_need_the_binding_permission_for_the_whole_cluster():
    refused = ("update resourceclaims/binding /",)
    (finding,) = write_status(a_claim(), {"allocation": ALLOCATION}, refused=refused)[1]
    assert finding.startswith(
        "status.allocation: Forbidden: changing status.allocation or status.reservedFor"
    )
    assert write_status(a_claim(), {}, refused=refused)[1] == []


def test_device_data_needs_permission_for_its_driver():
    old = a_claim({"allocation": ALLOCATION})
    write = {"allocation": ALLOCATION, "devices": [DATA]}
    refused = ("arbitrary-node:update resourceclaims/driver ns/d.example.com",)
    (finding,) = write_status(old, write, refused=refused)[1]
    assert 'verb="[arbitrary-node:update]"' in finding
    assert write_status(old, write)[1] == []


@pytest.mark.parametrize(
    ("name", "node", "allowed"),
    [
        ("system:serviceaccount:ns:drv", "n1", True),
        ("system:serviceaccount:ns:drv", "n2", False),
        ("somebody", "n1", False),
    ],
)
def test_driver_on_the_allocated_node_needs_less(name, node, allowed):
    selector = {
        "nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}]
    }
    pinned = {**ALLOCATION, "nodeSelector": selector}
    user = User(name, extra={"authentication.kubernetes.io/node-name": (node,)})
    refused = ("arbitrary-node:update resourceclaims/driver ns/d.example.com",)
    _, found = write_status(
        a_claim({"allocation": pinned}), {"allocation": pinned, "devices": [DATA]}, user=user, refused=refused
    )
    assert (found == []) is allowed


def test_permissions_are_not_asked_for_while_the_gate_is_off():
    off = FeatureGates({"DRAResourceClaimGranularStatusAuthorization": False})
    refused = ("update resourceclaims/binding /",)
    assert write_status(a_claim(), {"allocation": ALLOCATION}, features=off, refused=refused)[1] == []


def test_claim_that_asks_for_a_share_gets_it_written_down_although_the_gate_is_off_by_now():
    off = FeatureGates({"DRAConsumableCapacity": False})
    result = {"request": "r", "driver": "d", "pool": "p", "device": "x", "consumedCapacity": {"m": "1"}}
    for capacity, kept in (({"requests": {"m": "1"}}, True), (None, False)):
        exactly = {"deviceClassName": "c", **({"capacity": capacity} if capacity else {})}
        old = {
            "metadata": {"name": "c"},
            "spec": {"devices": {"requests": [{"name": "r", "exactly": exactly}]}},
        }
        new = {**old, "status": {"allocation": {"devices": {"results": [dict(result)]}}}}
        RESOURCE_CLAIM.status.prepare_update(Context(features=off, old=old), new)
        (written,) = new["status"]["allocation"]["devices"]["results"]
        assert ("consumedCapacity" in written) is kept
