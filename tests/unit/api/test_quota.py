"""What pods and claims take of a quota."""

import datetime as dt

import pytest

from dray.api.meta import parse_time
from dray.api.quota import pod_usage, tracked, undeclared, usage_of
from dray.api.resources import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    RESOURCE_CLAIMS,
    SERVICES,
)


def shown(usage):
    return {name: str(amount) for name, amount in sorted(usage.items())}


def exact(name="a", **more):
    return {"name": "r", "exactly": {"deviceClassName": name, "allocationMode": "ExactCount", **more}}


def charged(*requests, annotations=None, names=None):
    claim = {
        "metadata": {"annotations": annotations or {}},
        "spec": {"devices": {"requests": list(requests)}},
    }
    usage = shown(usage_of(RESOURCE_CLAIMS, claim, (names or {}).get if names else lambda name: ""))
    assert usage.pop("count/resourceclaims.resource.k8s.io") == "1"
    return usage


def devices(name, number):
    return {
        f"{name}.deviceclass.resource.k8s.io/devices": number,
        f"requests.deviceclass.resource.kubernetes.io/{name}": number,
    }


@pytest.mark.parametrize(
    ("requests", "usage"),
    [
        ([exact(count=3)], devices("a", "3")),
        ([exact(count=1), exact(count=2), exact("b", count=1)], {**devices("a", "3"), **devices("b", "1")}),
        ([exact(allocationMode="All")], devices("a", "32")),
        ([exact(allocationMode="Later", count=4)], devices("a", "0")),
        ([exact(count=2, adminAccess=True)], devices("a", "2")),
        (
            # Of alternatives the worst for each class.
            [
                {
                    "name": "r",
                    "firstAvailable": [
                        {"deviceClassName": "a", "allocationMode": "ExactCount", "count": 2},
                        {"deviceClassName": "a", "allocationMode": "ExactCount", "count": 4},
                        {"deviceClassName": "b", "allocationMode": "All"},
                    ],
                }
            ],
            {**devices("a", "4"), **devices("b", "32")},
        ),
    ],
)
def test_claim_is_charged_the_devices_of_each_class(requests, usage):
    assert charged(*requests) == usage


def test_claim_is_charged_the_extended_resource_that_a_class_stands_for_unless_its_pod_was():
    names = {"a": "example.com/gpu"}
    assert charged(exact(count=2), names=names) == {**devices("a", "2"), "requests.example.com/gpu": "2"}
    own = {"resource.kubernetes.io/extended-resource-claim": "true"}
    assert charged(exact(count=2), names=names, annotations=own) == {
        "a.deviceclass.resource.k8s.io/devices": "2"
    }


def pod(*containers, **spec):
    return {"spec": {"containers": list(containers), **spec}}


def asks(name="c", limits=None, **requests):
    return {"name": name, "resources": {"requests": requests, "limits": limits or {}}}


def test_pod_is_charged_what_its_containers_ask_together_or_one_before_them():
    init = [{**asks(cpu="3")}, {**asks(memory="1Gi"), "restartPolicy": "Always"}]
    one = pod(asks(cpu="500m", **{"example.com/gpu": "1"}), asks(cpu="1"), initContainers=init)
    assert shown(pod_usage(one)) == {
        "count/pods": "1",
        "pods": "1",
        "cpu": "3",
        "requests.cpu": "3",
        "memory": "1Gi",
        "requests.memory": "1Gi",
        "requests.example.com/gpu": "1",
    }
    limited = pod_usage(pod(asks(limits={"cpu": "1"}), asks(limits={"cpu": "250m"})))
    assert shown(limited) == {"count/pods": "1", "pods": "1", "limits.cpu": "1250m"}


def test_pod_that_has_ended_takes_only_its_place_among_the_objects():
    assert shown(pod_usage({**pod(asks(cpu="1")), "status": {"phase": "Failed"}})) == {"count/pods": "1"}


def test_containers_that_say_nothing_of_a_compute_resource_are_found():
    one = pod(asks("a", cpu="1"), asks("b"))
    assert undeclared(one, ["requests.cpu", "pods", "limits.memory"]) == {
        "requests.cpu": ["b"],
        "limits.memory": ["a", "b"],
    }
    assert undeclared(one, ["pods"]) == {}


def test_any_object_counts_as_one_under_the_name_of_its_resource():
    assert shown(usage_of(CONFIG_MAPS, {})) == {"configmaps": "1", "count/configmaps": "1"}
    assert shown(usage_of(DEPLOYMENTS, {})) == {"count/deployments.apps": "1"}


def test_pod_level_resources_stand_for_those_of_containers() -> None:
    whole = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "2Gi"}}
    pod = {"spec": {"containers": [{"name": "c"}], "resources": whole}}
    assert undeclared(pod, ["requests.cpu", "limits.cpu"]) == {}
    assert shown(pod_usage(pod))["limits.memory"] == "2Gi"


def test_overhead_adds_to_limits_only_where_there_are_some() -> None:
    container = {"name": "c", "resources": {"limits": {"cpu": "1"}}}
    usage = shown(pod_usage({"spec": {"containers": [container], "overhead": {"cpu": "1", "memory": "1Gi"}}}))
    assert usage["limits.cpu"] == "2"
    assert "limits.memory" not in usage
    assert usage["requests.memory"] == "1Gi"


def test_pod_that_outlived_its_grace_twice_is_charged_its_place_only() -> None:
    meta = {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 30}
    pod = {"metadata": meta, "spec": {"containers": []}}
    at = parse_time("2026-01-01T00:00:30Z")
    assert shown(pod_usage(pod, at)) == {"count/pods": "1", "pods": "1"}
    assert shown(pod_usage(pod, at + dt.timedelta(seconds=1))) == {"count/pods": "1"}


@pytest.mark.parametrize(
    ("spec", "ports", "balancers"),
    [
        ({"type": "ClusterIP", "ports": [{"port": 1}]}, "0", "0"),
        ({"type": "NodePort", "ports": [{"port": 1}, {"port": 2}]}, "2", "0"),
        ({"type": "LoadBalancer", "ports": [{"port": 1}, {"port": 2}]}, "2", "1"),
        (
            {
                "type": "LoadBalancer",
                "allocateLoadBalancerNodePorts": False,
                "ports": [{"port": 1}, {"port": 2, "nodePort": 30000}],
            },
            "1",
            "1",
        ),
    ],
)
def test_services_are_charged_the_node_ports_they_mean_to_have(spec, ports, balancers) -> None:
    usage = shown(usage_of(SERVICES, {"spec": spec}))
    assert (usage["services.nodeports"], usage["services.loadbalancers"]) == (ports, balancers)


def test_storage_counts_in_whole_bytes_and_for_its_class() -> None:
    claim = {
        "metadata": {},
        "spec": {"storageClassName": "fast", "resources": {"requests": {"storage": "1500m"}}},
    }
    assert shown(usage_of(PERSISTENT_VOLUME_CLAIMS, claim)) == {
        "count/persistentvolumeclaims": "1",
        "persistentvolumeclaims": "1",
        "requests.storage": "2",
        "fast.storageclass.storage.k8s.io/persistentvolumeclaims": "1",
        "fast.storageclass.storage.k8s.io/requests.storage": "2",
    }


def test_names_that_nothing_can_be_counted_for_are_nobodys() -> None:
    names = ["unknown.example.com/x", "requests.example.com/gpu", "pods", "count/pods", "services"]
    assert tracked(PODS, names) == ["requests.example.com/gpu", "pods", "count/pods"]
    assert tracked(RESOURCE_CLAIMS, names) == []
    assert tracked(RESOURCE_CLAIMS, names, {"example.com/gpu"}) == ["requests.example.com/gpu"]


@pytest.mark.parametrize(
    ("reason", "cpu", "limit"), [("", "3", "4"), ("Deferred", "3", "4"), ("Infeasible", "2", "1")]
)
def test_a_pod_that_is_resized_takes_the_larger_of_what_it_has_and_is_to_have(reason, cpu, limit):
    spec = {"containers": [{"name": "c", "resources": {"requests": {"cpu": "3"}, "limits": {"cpu": "4"}}}]}
    has = {"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}
    status = {"containerStatuses": [{"name": "c", "resources": has, "allocatedResources": {"cpu": "2"}}]}
    if reason:
        status["conditions"] = [{"type": "PodResizePending", "status": "True", "reason": reason}]
    usage = shown(pod_usage({"metadata": {}, "spec": spec, "status": status}))
    assert (usage["requests.cpu"], usage["limits.cpu"]) == (cpu, limit)
