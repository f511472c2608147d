"""Kinds that the control plane of Kubernetes and kubelets keep informers on: what the API server makes of them."""

import base64
import copy

import pytest

from dray.api.conversion.autoscaling import autoscaler_from_hub, autoscaler_to_hub
from dray.apiserver.registry.autoscaler import HORIZONTAL_POD_AUTOSCALER
from dray.apiserver.registry.certificate_request import CERTIFICATE_SIGNING_REQUEST
from dray.apiserver.registry.csi import CSI_DRIVER, CSI_STORAGE_CAPACITY
from dray.apiserver.registry.ingress import INGRESS, INGRESS_CLASS
from dray.apiserver.registry.kind import User
from dray.apiserver.registry.network_policy import NETWORK_POLICY
from dray.apiserver.registry.runtime_class import RUNTIME_CLASS
from dray.apiserver.registry.service_address import IP_ADDRESS, SERVICE_CIDR
from dray.apiserver.registry.storage import VOLUME_ATTRIBUTES_CLASS
from dray.apiserver.registry.volume_attachment import VOLUME_ATTACHMENT
from tests.unit.certificate_requests import request_pem, wrongly_signed

from .recorded import NOW, Context


def texts(found):
    return [str(error) for error in found]


def cells(kind, obj):
    return {column.name: column.cell(obj, NOW) for column in kind.columns}


def named(**fields):
    return {"metadata": {"name": "x"}, **fields}


# --- storage


def test_a_storage_driver_attaches_its_persistent_volumes_unless_it_says_otherwise():
    driver = named(spec={"podInfoOnMount": True})
    CSI_DRIVER.default(driver, "v1")
    assert driver["spec"] == {
        "attachRequired": True,
        "podInfoOnMount": True,
        "storageCapacity": False,
        "fsGroupPolicy": "ReadWriteOnceWithFSType",
        "volumeLifecycleModes": ["Persistent"],
        "requiresRepublish": False,
        "seLinuxMount": False,
    }
    assert cells(CSI_DRIVER, driver)["TokenRequests"] == "<unset>"
    assert cells(CSI_DRIVER, driver)["Modes"] == "Persistent"


def test_how_a_storage_driver_attaches_is_settled_when_it_is_created():
    old = named(spec={"attachRequired": True})
    assert texts(CSI_DRIVER.validate_update(Context(old=old), named(spec={"attachRequired": False}))) == [
        "spec.attachedRequired: Invalid value: false: field is immutable"
    ]


def test_a_capacity_names_its_storage_class_for_good():
    found = CSI_STORAGE_CAPACITY.validate_create(Context(), named())
    assert [error.field for error in found] == ["storageClassName"]
    old, new = named(storageClassName="a"), named(storageClassName="b")
    assert texts(CSI_STORAGE_CAPACITY.validate_update(Context(old=old), new)) == [
        'storageClassName: Invalid value: "b": field is immutable'
    ]


def test_an_attachment_is_made_unattached_and_only_its_status_changes():
    spec = {"attacher": "d", "nodeName": "n", "source": {"persistentVolumeName": "v"}}
    attachment = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "VolumeAttachment",
        **named(spec=spec, status={"attached": True}),
    }
    VOLUME_ATTACHMENT.prepare_create(Context(), attachment)
    assert attachment["status"] == {"attached": False}
    write = copy.deepcopy(attachment) | {"spec": {}, "status": {"attached": True}}
    VOLUME_ATTACHMENT.status.prepare_update(Context(old=attachment), write)
    assert (write["spec"], write["status"]) == (spec, {"attached": True})
    assert cells(VOLUME_ATTACHMENT, write)["PV"] == "v"


def test_an_attachment_needs_a_driver_a_node_and_a_volume():
    assert [error.field for error in VOLUME_ATTACHMENT.validate_create(Context(), named(spec={}))] == [
        "spec.attacher",
        "spec.source",
        "spec.nodeName",
    ]


def test_attributes_of_volumes_are_another_class_when_they_change():
    old = named(driverName="d", parameters={"iops": "1"})
    new = named(driverName="d", parameters={"iops": "2"})
    assert texts(VOLUME_ATTRIBUTES_CLASS.validate_update(Context(old=old), new)) == [
        "parameters: Forbidden: updates to parameters are forbidden."
    ]


# --- runtimes, addresses and traffic


def test_a_runtime_class_has_a_handler_that_stays():
    assert texts(RUNTIME_CLASS.validate_create(Context(), named())) == ["handler: Required value"]
    old = named(handler="runc")
    assert texts(RUNTIME_CLASS.validate_update(Context(old=old), named(handler="kata"))) == [
        'handler: Invalid value: "kata": field is immutable'
    ]


@pytest.mark.parametrize(
    ("cidrs", "count"),
    [(["10.96.0.0/16"], 0), (["10.96.0.1/16"], 1), (["10.96.0.0"], 1), ([], 1), (["::/64"] * 3, 1)],
)
def test_ranges_for_services_are_written_in_one_way(cidrs, count):
    assert len(SERVICE_CIDR.validate_create(Context(), named(spec={"cidrs": cidrs}))) == count


def test_an_address_is_named_by_itself_and_says_whose_it_is():
    assert IP_ADDRESS.name_rule("10.0.0.1") == []
    assert IP_ADDRESS.name_rule("fd00:0::1") == ['must be in canonical form ("fd00::1")']
    assert IP_ADDRESS.name_rule("web") != []
    parent = {"group": "", "resource": "services", "namespace": "n", "name": "web"}
    assert cells(IP_ADDRESS, named(spec={"parentRef": parent}))["ParentRef"] == "services/n/web"


def test_an_ingress_shows_hosts_class_and_ports():
    rules = [{"host": host} for host in ("a", "b", "c", "d")]
    shown = cells(INGRESS, named(spec={"rules": rules, "tls": [{}], "ingressClassName": "nginx"}))
    assert (shown["Hosts"], shown["Ports"], shown["Class"]) == ("a,b,c + 1 more...", "80, 443", "nginx")
    assert cells(INGRESS, named(spec={}))["Hosts"] == "*"


def test_an_ingress_path_says_how_it_matches():
    backend = {"service": {"name": "s", "port": {"number": 80}}}
    paths = [
        {"path": "/a", "backend": backend},
        {"path": "b", "pathType": "Prefix", "backend": backend},
        {"path": "/c", "pathType": "Odd", "backend": backend},
    ]
    found = INGRESS.validate_create(Context(), named(spec={"rules": [{"http": {"paths": paths}}]}))
    assert [error.field for error in found] == [
        "spec.rules[0].http.paths[0].pathType",
        "spec.rules[0].http.paths[1].path",
        "spec.rules[0].http.paths[2].pathType",
    ]


def test_the_controller_of_an_ingress_class_stays():
    old, new = named(spec={"controller": "a.io/x"}), named(spec={"controller": "b.io/x"})
    assert INGRESS_CLASS.validate_create(Context(), old) == []
    assert [error.field for error in INGRESS_CLASS.validate_update(Context(old=old), new)] == [
        "spec.controller"
    ]


def test_a_network_policy_with_rules_for_what_leaves_is_about_both_ways():
    policy = named(spec={"egress": [{"ports": [{"port": 53}]}]})
    NETWORK_POLICY.default(policy, "v1")
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert policy["spec"]["egress"][0]["ports"] == [{"port": 53, "protocol": "TCP"}]


# --- certificate requests

PEM = request_pem("system:node:n1", "system:nodes")


def a_request(**spec):
    given = {
        "request": base64.b64encode(PEM).decode(),
        "signerName": "kubernetes.io/kubelet-serving",
        "usages": ["digital signature", "server auth"],
    }
    return named(spec=given | spec)


def test_the_server_says_who_asks_for_a_certificate():
    request = a_request(username="root", groups=["system:masters"], uid="0", extra={"a": ["b"]})
    request["status"] = {"conditions": [{"type": "Approved", "status": "True"}]}
    user = User("system:node:n1", ("system:nodes", "system:authenticated"))
    CERTIFICATE_SIGNING_REQUEST.prepare_create(Context(user=user), request)
    assert request["spec"]["username"] == "system:node:n1"
    assert request["spec"]["groups"] == ["system:nodes", "system:authenticated"]
    assert not {"uid", "extra"} & request["spec"].keys()
    assert request["status"] == {}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"usages": []}, "spec.usages"),
        ({"usages": ["bake"]}, "spec.usages[0]"),
        ({"signerName": ""}, "spec.signerName"),
        ({"signerName": "me"}, "spec.signerName"),
        ({"request": "bm8="}, "spec.request"),
        ({"request": base64.b64encode(wrongly_signed(PEM)).decode()}, "spec.request"),
        ({"usages": ["any", "any"]}, "spec.usages[1]"),
        ({"signerName": "kubernetes.io/legacy-unknown"}, "spec.signerName"),
        ({"signerName": "example.com/Me"}, "spec.signerName"),
        ({"expirationSeconds": 599}, "spec.expirationSeconds"),
    ],
)
def test_what_a_certificate_request_must_say(change, field):
    assert CERTIFICATE_SIGNING_REQUEST.validate_create(Context(), a_request()) == []
    found = CERTIFICATE_SIGNING_REQUEST.validate_create(Context(), a_request(**change))
    assert [error.field for error in found] == [field]


def test_approval_changes_conditions_alone_and_stamps_them():
    old = a_request() | {"status": {"certificate": "Yw=="}}
    write = a_request(signerName="other.io/x")
    write["status"] = {"conditions": [{"type": "Approved", "status": "True", "reason": "Auto"}]}
    CERTIFICATE_SIGNING_REQUEST.updatable["approval"].prepare_update(Context(old=old), write)
    assert write["spec"] == old["spec"]
    [condition] = write["status"]["conditions"]
    assert condition["lastUpdateTime"] == condition["lastTransitionTime"] != ""
    assert write["status"]["certificate"] == "Yw=="
    assert cells(CERTIFICATE_SIGNING_REQUEST, write)["Condition"] == "Approved,Issued"


FAILED = {"type": "Failed", "status": "True", "reason": "Bad"}


def test_a_signer_adds_the_certificate_but_decides_nothing():
    approved = {"type": "Approved", "status": "True"}
    old = a_request() | {"status": {"conditions": [approved]}}
    rewritten = {**approved, "reason": "Mine"}
    write = a_request() | {"status": {"certificate": "Yw==", "conditions": [rewritten, FAILED]}}
    CERTIFICATE_SIGNING_REQUEST.status.prepare_update(Context(old=old), write)
    decision, failure = write["status"]["conditions"]
    assert (decision["type"], decision.get("reason")) == ("Approved", None)
    assert (failure["type"], failure["reason"]) == ("Failed", "Bad")
    assert write["status"]["certificate"] == "Yw=="
    denied = a_request() | {"status": {"conditions": [approved, {"type": "Denied", "status": "True"}]}}
    found = CERTIFICATE_SIGNING_REQUEST.status.validate_update(Context(old=old), denied)
    assert 'updates may not add a condition of type "Denied"' in str(found[-1])


def test_a_decision_is_not_taken_back_nor_made_twice():
    approved, denied = {"type": "Approved", "status": "True"}, {"type": "Denied", "status": "True"}
    old = a_request() | {"status": {"conditions": [approved]}}
    validate = CERTIFICATE_SIGNING_REQUEST.updatable["approval"].validate_update
    assert len(validate(Context(old=old), a_request() | {"status": {"conditions": []}})) == 1
    both = a_request() | {"status": {"conditions": [approved, denied]}}
    assert len(validate(Context(old=old), both)) == 1


# --- autoscalers


def an_autoscaler(**spec):
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    return named(spec={"scaleTargetRef": target, "maxReplicas": 3, **spec})


def cpu(percentage):
    target = {"type": "Utilization", "averageUtilization": percentage}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def test_an_autoscaler_measures_cpu_unless_it_says_what():
    autoscaler = an_autoscaler(behavior={"scaleUp": {"policies": None}})
    HORIZONTAL_POD_AUTOSCALER.default(autoscaler, "v2")
    assert autoscaler["spec"]["minReplicas"] == 1
    assert autoscaler["spec"]["metrics"] == [cpu(80)]
    assert [policy["value"] for policy in autoscaler["spec"]["behavior"]["scaleUp"]["policies"]] == [4, 100]


def test_an_autoscaler_that_is_given_no_policies_is_refused():
    autoscaler = an_autoscaler(behavior={"scaleUp": {"policies": []}})
    HORIZONTAL_POD_AUTOSCALER.default(autoscaler, "v2")
    assert texts(HORIZONTAL_POD_AUTOSCALER.validate_create(Context(), autoscaler)) == [
        "spec.behavior.scaleUp.policies: Required value: must specify at least one Policy"
    ]


def test_an_autoscaler_shows_what_it_aims_at():
    seen = {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 12}}}
    pods = {
        "type": "Pods",
        "pods": {"metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "5"}},
    }
    autoscaler = an_autoscaler(metrics=[cpu(50), pods, pods]) | {"status": {"currentMetrics": [seen]}}
    shown = cells(HORIZONTAL_POD_AUTOSCALER, autoscaler)
    assert (shown["Reference"], shown["MaxPods"]) == ("Deployment/web", 3)
    assert shown["Targets"] == "cpu: 12%/50%, <unknown>/5 + 1 more..."


def test_the_first_version_of_an_autoscaler_has_one_target():
    old_form = {"apiVersion": "autoscaling/v1", **an_autoscaler(targetCPUUtilizationPercentage=60)}
    hub = autoscaler_to_hub(copy.deepcopy(old_form), "v1")
    assert hub["spec"]["metrics"] == [cpu(60)]
    assert autoscaler_from_hub(hub, "v1")["spec"] == old_form["spec"]


def test_what_the_first_version_cannot_say_survives_in_annotations():
    selector = {"matchLabels": {"a": "b"}}
    external = {
        "type": "External",
        "external": {
            "metric": {"name": "queue", "selector": selector},
            "target": {"type": "AverageValue", "averageValue": "3"},
        },
    }
    seen = {
        "type": "Object",
        "object": {
            "describedObject": {"kind": "Service", "name": "s"},
            "metric": {"name": "hits"},
            "current": {"value": "7"},
        },
    }
    hub = an_autoscaler(metrics=[external, cpu(60)], behavior={"scaleDown": {"selectPolicy": "Min"}})
    hub["status"] = {
        "currentReplicas": 1,
        "desiredReplicas": 2,
        "currentMetrics": [seen],
        "conditions": [{"type": "AbleToScale", "status": "True"}],
    }
    shown = autoscaler_from_hub(hub, "v1")
    annotations = shown["metadata"]["annotations"]
    assert '"metricName":"queue"' in annotations["autoscaling.alpha.kubernetes.io/metrics"]
    assert "behavior" not in shown["spec"]
    restored = autoscaler_to_hub(copy.deepcopy(shown), "v1")
    assert (restored["spec"], restored["status"]) == (hub["spec"], hub["status"])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"minReplicas": -1}, "spec.minReplicas"),
        ({"maxReplicas": 0}, "spec.maxReplicas"),
        ({"minReplicas": 5}, "spec.maxReplicas"),
        ({"scaleTargetRef": {"kind": "Deployment", "apiVersion": "apps/v1"}}, "spec.scaleTargetRef.name"),
    ],
)
def test_what_an_autoscaler_must_say(change, field):
    assert HORIZONTAL_POD_AUTOSCALER.validate_create(Context(), an_autoscaler()) == []
    found = HORIZONTAL_POD_AUTOSCALER.validate_create(Context(), an_autoscaler(**change))
    assert [error.field for error in found] == [field]
