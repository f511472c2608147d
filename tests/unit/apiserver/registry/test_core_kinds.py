"""Core and policy kinds: what the API server makes of them."""

import copy

import pytest

from dray.apiserver.registry.catalog import catalog
from dray.apiserver.registry.config_map import CONFIG_MAP, SECRET
from dray.apiserver.registry.endpoints import ENDPOINT_SLICE, ENDPOINTS_KIND
from dray.apiserver.registry.event import EVENT, EVENT_V1
from dray.apiserver.registry.lease import LEASE
from dray.apiserver.registry.namespace import NAMESPACE
from dray.apiserver.registry.node import NODE
from dray.apiserver.registry.priority_class import PRIORITY_CLASS
from dray.apiserver.registry.quota import RESOURCE_QUOTA
from dray.apiserver.registry.rbac import CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING
from dray.apiserver.registry.service import SERVICE
from dray.apiserver.registry.storage import PERSISTENT_VOLUME_CLAIM, STORAGE_CLASS

from .recorded import NOW, Context


def texts(found):
    return [str(error) for error in found]


def cells(kind, obj):
    return {column.name: column.cell(obj, NOW) for column in kind.columns}


def test_catalog_names_every_resource_once():
    names = [kind.resource.qualified for kind in catalog()]
    assert len(names) == len(set(names))
    assert {kind.resource.version for kind in catalog()} <= {"v1", "v2", "v1beta2", "v1alpha2", "v1alpha3"}
    assert all(kind.resource.version in kind.versions for kind in catalog())


def test_cells_of_an_object_with_nothing_but_a_name_are_shown():
    for kind in catalog():
        for column in kind.columns:
            column.cell({"metadata": {"name": "x"}}, NOW)


# --- namespaces


def test_namespace_starts_active_labelled_and_held():
    namespace = {"metadata": {"name": "n", "labels": {"a": "b"}}}
    NAMESPACE.prepare_create(Context(), namespace)
    assert namespace == {
        "metadata": {"name": "n", "labels": {"a": "b", "kubernetes.io/metadata.name": "n"}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }
    assert NAMESPACE.holds_deletion is not None
    assert NAMESPACE.holds_deletion(namespace)
    NAMESPACE.begin_deletion(namespace)
    assert namespace["status"] == {"phase": "Terminating"}


def test_namespace_lets_go_of_its_finalizers_through_finalize_only():
    old = {"metadata": {"name": "n"}, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
    write = {"metadata": {"name": "n"}, "spec": {}, "status": {"phase": "Terminating"}}
    main = copy.deepcopy(write)
    NAMESPACE.prepare_update(Context(old=old), main)
    assert main == old
    final = copy.deepcopy(write)
    NAMESPACE.updatable["finalize"].prepare_update(Context(old=old), final)
    assert (final["spec"], final["status"]) == ({}, {"phase": "Active"})


# --- nodes


def a_node(*, conditions=(), labels=None, **spec):
    status = {"conditions": [{"type": kind, "status": status} for kind, status in conditions]}
    return {"metadata": {"name": "n", "labels": labels or {}}, "spec": spec, "status": status}


@pytest.mark.parametrize(
    ("node", "status", "roles"),
    [
        (a_node(), "Unknown", "<none>"),
        (a_node(conditions=[("Ready", "True")]), "Ready", "<none>"),
        (a_node(conditions=[("Ready", "Unknown")], unschedulable=True), "NotReady,SchedulingDisabled", "<none>"),
        (
            a_node(labels={"node-role.kubernetes.io/b": "", "kubernetes.io/role": "a", "x": "y"}),
            "Unknown", "a,b",
        ),
    ],
)  # fmt: skip
def test_node_in_a_table(node, status, roles):
    row = cells(NODE, node)
    assert (row["Status"], row["Roles"]) == (status, roles)


def test_node_tells_its_kernel_with_its_architecture():
    node = a_node()
    node["status"] |= {
        "nodeInfo": {"kernelVersion": "6.1", "architecture": "arm64"},
        "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
    }
    row = cells(NODE, node)
    assert (row["Kernel-Version"], row["Internal-IP"], row["External-IP"]) == (
        "6.1 (arm64)",
        "10.0.0.1",
        "<none>",
    )


def test_node_can_allocate_all_it_has_by_default():
    node = {"metadata": {"name": "n"}, "status": {"capacity": {"cpu": "4"}}}
    NODE.default(node, "v1")
    assert node["status"]["allocatable"] == {"cpu": "4"}


# --- configuration


def test_frozen_configuration_stays():
    old = {"metadata": {"name": "c"}, "data": {"a": "1"}, "immutable": True}
    new = {"metadata": {"name": "c"}, "data": {"a": "2"}}
    assert texts(CONFIG_MAP.validate_update(Context(old=old), new)) == [
        "immutable: Forbidden: field is immutable when `immutable` is set",
        "data: Forbidden: field is immutable when `immutable` is set",
    ]


def test_secret_takes_plain_text_and_keeps_it_encoded():
    secret = {"metadata": {"name": "s"}, "data": {"b": "Yg=="}, "stringData": {"a": "a"}}
    SECRET.default(secret, "v1")
    stored = SECRET.to_hub(secret, "v1")
    assert stored == {"metadata": {"name": "s"}, "data": {"a": "YQ==", "b": "Yg=="}, "type": "Opaque"}
    assert cells(SECRET, stored)["Data"] == 2


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        ("kubernetes.io/tls", ["data[tls.crt]", "data[tls.key]"]),
        ("kubernetes.io/basic-auth", ["data[username]", "data[password]"]),
        ("kubernetes.io/service-account-token", ["metadata.annotations[kubernetes.io/service-account.name]"]),
    ],
)
def test_type_of_a_secret_says_what_it_holds(kind, missing):
    secret = {"metadata": {"name": "s"}, "type": kind}
    assert [error.field for error in SECRET.validate_create(Context(), secret)] == missing


# --- events


def test_both_groups_show_the_same_event():
    core = {
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "ns"}, "message": "m", "reason": "R",
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "ns"}, "source": {"component": "c"},
        "reportingComponent": "c", "firstTimestamp": "2025-12-31T23:59:00Z", "lastTimestamp": None, "count": 1,
        "type": "Normal", "eventTime": None,
    }  # fmt: skip
    new = EVENT_V1.from_hub(core, "v1")
    assert new["note"] == "m"
    assert new["regarding"]["name"] == "p"
    assert new["deprecatedCount"] == 1
    assert new["apiVersion"] == "events.k8s.io/v1"
    assert EVENT_V1.to_hub(dict(new), "v1") == core
    assert EVENT_V1.stored_as == EVENT.resource


def test_event_is_where_its_object_is():
    event = {"metadata": {"name": "e", "namespace": "a"}, "involvedObject": {"namespace": "b"}}
    assert texts(EVENT.validate_create(Context(), event)) == [
        'involvedObject.namespace: Invalid value: "b": does not match event.namespace'
    ]


def test_event_of_the_new_style_is_complete():
    event = {"metadata": {"name": "e", "namespace": "default"}, "eventTime": "2026-01-01T00:00:00.000000Z"}
    needed = ["reportingInstance", "action", "reason"]
    found = [error.field for error in EVENT_V1.validate_create(Context(), event)]
    assert list(dict.fromkeys(found)) == ["reportingController", *needed, "type"]
    found = [error.field for error in EVENT.validate_create(Context(), event)]
    assert list(dict.fromkeys(found)) == ["reportingComponent", *needed]


def test_series_of_events_in_a_table():
    event = {
        "metadata": {"name": "e"}, "eventTime": "2025-12-31T23:00:00.000000Z",
        "series": {"count": 7, "lastObservedTime": "2025-12-31T23:59:00.000000Z"},
        "involvedObject": {"kind": "ResourceClaim", "name": "c"}, "message": " m \n",
        "reportingComponent": "scheduler", "reportingInstance": "scheduler-1",
    }  # fmt: skip
    row = cells(EVENT, event)
    assert [row[name] for name in ("Last Seen", "First Seen", "Count", "Object", "Source", "Message")] == [
        "60s", "60m", 7, "resourceclaim/c", "scheduler, scheduler-1", "m",
    ]  # fmt: skip


# --- access


def test_role_reference_stays():
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "a"}
    old = {"metadata": {"name": "b", "namespace": "ns"}, "roleRef": reference}
    new = old | {"roleRef": reference | {"name": "c"}}
    assert texts(ROLE_BINDING.validate_update(Context(old=old), new)) == [
        'roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"Role","Name":"c"}: cannot change roleRef'
    ]


def test_subjects_are_of_their_groups_by_default():
    binding = {
        "metadata": {"name": "b"},
        "roleRef": {"kind": "ClusterRole", "name": "r"},
        "subjects": [
            {"kind": "User", "name": "u"},
            {"kind": "ServiceAccount", "name": "s", "namespace": "ns"},
        ],
    }
    CLUSTER_ROLE_BINDING.default(binding, "v1")
    assert binding["roleRef"]["apiGroup"] == binding["subjects"][0]["apiGroup"] == "rbac.authorization.k8s.io"
    assert "apiGroup" not in binding["subjects"][1]
    assert CLUSTER_ROLE_BINDING.validate_create(Context(), binding) == []
    row = cells(CLUSTER_ROLE_BINDING, binding)
    assert (row["Role"], row["Users"], row["ServiceAccounts"]) == ("ClusterRole/r", "u", "ns/s")


def test_rule_of_a_namespace_reaches_no_urls():
    role = {"metadata": {"name": "r"}, "rules": [{"verbs": ["get"], "nonResourceURLs": ["/healthz"]}]}
    assert texts(ROLE.validate_create(Context(), role)) == [
        'rules[0].nonResourceURLs: Invalid value: ["/healthz"]: namespaced rules cannot apply to non-resource URLs'
    ]


# --- others


def test_lease_lasts():
    lease = {"metadata": {"name": "l"}, "spec": {"leaseDurationSeconds": 0, "leaseTransitions": -1}}
    assert texts(LEASE.validate_create(Context(), lease)) == [
        "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
        "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0",
    ]


def test_value_of_a_priority_class_stays():
    old = {"metadata": {"name": "p"}, "value": 1, "preemptionPolicy": "Never"}
    assert texts(PRIORITY_CLASS.validate_update(Context(old=old), old | {"value": 2})) == [
        "value: Forbidden: may not be changed in an update."
    ]


def test_quota_shows_limits_apart():
    quota = {
        "metadata": {"name": "q"},
        "status": {
            "hard": {"pods": "2", "limits.cpu": "4", "cpu": "1"},
            "used": {"pods": "1", "cpu": "500m"},
        },
    }
    row = cells(RESOURCE_QUOTA, quota)
    assert (row["Request"], row["Limit"]) == ("cpu: 500m/1, pods: 1/2", "limits.cpu: 0/4")


def test_quota_knows_devices_of_a_class():
    quota = {
        "metadata": {"name": "q"},
        "spec": {"hard": {"gpu.deviceclass.resource.k8s.io/devices": "1", "nope": "1"}},
    }
    assert texts(RESOURCE_QUOTA.validate_create(Context(), quota)) == [
        'spec.hard[nope]: Invalid value: "nope": must be a standard resource type or fully qualified',
        'spec.hard[nope]: Invalid value: "nope": must be a standard resource for quota',
    ]


def a_service(**spec):
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "uid": "u"},
        "spec": {"ports": [{"port": 80}], **spec},
    }  # fmt: skip
    SERVICE.default(service, "v1")
    SERVICE.prepare_create(Context(), service)
    return service


def test_service_gets_an_address_and_keeps_it():
    service = a_service()
    address = service["spec"]["clusterIP"]
    assert service["spec"]["clusterIPs"] == [address]
    assert address.startswith("10.")
    again = a_service()
    again["spec"].pop("clusterIP")
    SERVICE.prepare_update(Context(old=service), again)
    assert again["spec"]["clusterIP"] == address
    other = a_service(clusterIP="10.96.0.9")
    assert texts(SERVICE.validate_update(Context(old=service), other)) == [
        'spec.clusterIPs[0]: Invalid value: ["10.96.0.9"]: may not change once set'
    ]


def test_headless_service_has_no_address():
    service = a_service(clusterIP="None")
    assert service["spec"]["clusterIPs"] == ["None"]
    assert cells(SERVICE, service)["Port(s)"] == "80/TCP"


def test_tables_count_endpoints_beyond_the_third():
    addresses = [{"ip": f"10.0.0.{number}"} for number in range(5)]
    endpoints = {"metadata": {"name": "e"}, "subsets": [{"addresses": addresses, "ports": [{"port": 80}]}]}
    shown = cells(ENDPOINTS_KIND, endpoints)["Endpoints"]
    assert shown == "10.0.0.0:80,10.0.0.1:80,10.0.0.2:80 + 2 more..."
    assert cells(ENDPOINT_SLICE, {"metadata": {"name": "e"}})["Ports"] == "<unset>"


def test_claim_for_a_volume_needs_a_size_and_a_mode():
    claim = {"metadata": {"name": "c"}, "spec": {}}
    PERSISTENT_VOLUME_CLAIM.default(claim, "v1")
    found = [error.field for error in PERSISTENT_VOLUME_CLAIM.validate_create(Context(), claim)]
    assert found == ["spec.accessModes", "spec.resources[storage]"]
    assert cells(PERSISTENT_VOLUME_CLAIM, claim)["VolumeMode"] == "Filesystem"


def test_default_storage_class_says_so():
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"}
    storage_class = {"metadata": {"name": "c", "annotations": annotations}, "provisioner": "p"}
    assert cells(STORAGE_CLASS, storage_class)["Name"] == "c (default)"
