"""What `dray doctor` finds, each with what shows it and a command, as it is printed."""

import json
from typing import Any

from insight_story import DRIVER, GPU_CLASS, claim, gpus, node, pod

from dray.api.meta import Object

OLD = "2026-01-01T11:00:00Z"
"""An hour before the stories take place."""


def runtime(name: str, version: str, kubelet: str = "v1.36.2") -> Object:
    info = {"containerRuntimeVersion": version, "kubeletVersion": kubelet}
    return {**node(name), "status": {"nodeInfo": info}}


def kubelets(**plugins: dict[str, bool]) -> Object:
    return {"kubelets": {name: {"plugins": sockets} for name, sockets in plugins.items()}}


REGISTERED = kubelets(n1={f"/var/lib/kubelet/plugins_registry/{DRIVER}-reg.sock": True})


def test_a_healthy_cluster_has_no_findings(ask: Any) -> None:
    running = {**pod("p", "c", nodeName="n1"), "status": {"phase": "Running"}}
    text = ask(
        "doctor", resourceslices=[gpus("n1", 1)], pods=[running], server=REGISTERED,
        resourceclaims=[claim("c", held=("gpu-0",), pod="p")],
    )  # fmt: skip
    assert text == "Nothing is wrong that can be seen from the API."


# --- the server ---


def applied(spec: Object) -> dict[str, str]:
    body = {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim", "spec": spec}
    return {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(body)}


def share_asked() -> Object:
    """A claim that was applied with capacity requests, which the server left out."""
    obj = claim("c")
    asked = claim("c")
    asked["spec"]["devices"]["requests"][0]["exactly"]["capacity"] = {"requests": {"memory": "10Gi"}}
    return {**obj, "metadata": {**obj["metadata"], "annotations": applied(asked["spec"])}}


def test_a_field_that_the_server_left_out_is_found_with_the_gate_that_is_off(ask: Any) -> None:
    text = ask("doctor", resourceclaims=[share_asked()], server={"gates": {"DRAConsumableCapacity": False}})
    field = "spec.devices.requests[gpu].exactly.capacity"
    assert f"the API server left out {field}, since its feature gate DRAConsumableCapacity is off" in text
    assert "turn DRAConsumableCapacity on in kube-apiserver" in text


def test_why_says_that_a_claim_does_not_ask_what_was_meant(ask: Any) -> None:
    text = ask(
        "why", "claim/c", resourceclaims=[share_asked()], resourceslices=[gpus("n1", 1)],
        server={"gates": {"DRAConsumableCapacity": False}},
    )  # fmt: skip
    assert (
        "ResourceClaim default/c: the API server left out spec.devices.requests[gpu].exactly.capacity" in text
    )


def test_why_blames_the_gate_where_the_server_has_it_off_and_the_claim_needs_it(ask: Any) -> None:
    gates = {
        "DRAConsumableCapacity": False, "DRADeviceBindingConditions": True, "DRAResourceClaimDeviceStatus": True,
    }  # fmt: skip
    wanted = claim("c")
    wanted["spec"]["devices"]["requests"][0]["exactly"]["capacity"] = {"requests": {"memory": "10Gi"}}
    objects = {"resourceclaims": [wanted], "resourceslices": [gpus("n1", 1)], "pods": [pod("p", "c")]}
    text = ask("why", "pod/p", server={"gates": gates}, **objects)
    assert "has capacity requests, but the DRAConsumableCapacity feature is disabled" in text
    assert "turn on feature gate DRAConsumableCapacity in kube-apiserver and kube-scheduler" in text
    assert "ask for whole devices in request gpu, without capacity" in text
    assert "DRAConsumableCapacity" not in ask("why", "pod/p", **objects)


def test_an_extended_resource_is_not_had_from_devices_where_the_gate_is_off(ask: Any) -> None:
    provides = {
        "metadata": {"name": "gpu"},
        "spec": {**GPU_CLASS["spec"], "extendedResourceName": "example.com/gpu"},
    }
    room = {**node("n1"), "status": {"allocatable": {"cpu": "4", "pods": "110"}}}
    asking = pod("p")
    asking["spec"]["containers"][0]["resources"] = {"requests": {"example.com/gpu": "1"}}
    objects = {
        "deviceclasses": [provides],
        "nodes": [room],
        "pods": [asking],
        "resourceslices": [gpus("n1", 1)],
    }
    assert "Nothing stands in the way" in ask("why", "pod/p", **objects)
    text = ask("why", "pod/p", server={"gates": {"DRAExtendedResource": False}}, **objects)
    assert "example.com/gpu: the pod asks for 1, 0 of 0 free" in text
    assert (
        "DeviceClass gpu would provide example.com/gpu, but feature gate DRAExtendedResource is off" in text
    )


def test_without_the_servers_gates_a_missing_field_is_not_blamed_on_one(ask: Any) -> None:
    text = ask("doctor", resourceclaims=[share_asked()])
    assert (
        "a server with DRAConsumableCapacity off leaves it out, unless somebody has removed it since" in text
    )


def test_an_extended_resource_name_that_managed_fields_own_and_the_class_lacks(ask: Any) -> None:
    entry = {
        "manager": "helm", "operation": "Update", "apiVersion": "resource.k8s.io/v1",
        "fieldsV1": {"f:spec": {"f:extendedResourceName": {}, "f:selectors": {}}},
    }  # fmt: skip
    obj = {
        "kind": "DeviceClass",
        "metadata": {"name": "gpu", "managedFields": [entry]},
        "spec": {"selectors": []},
    }
    text = ask("doctor", deviceclasses=[obj], server={"gates": {"DRAExtendedResource": False}})
    assert "helm set spec.extendedResourceName; the object does not have it" in text


def test_a_client_that_writes_a_version_no_longer_served_is_named(ask: Any) -> None:
    entry = {"manager": "old-driver", "operation": "Update", "apiVersion": "resource.k8s.io/v1beta1"}
    slice_ = gpus("n1", 1)
    slice_["metadata"]["managedFields"] = [entry]
    text = ask("doctor", resourceslices=[slice_], server=REGISTERED)
    assert "client old-driver" in text
    assert "writes ResourceSlice objects as resource.k8s.io/v1beta1, which this server does not serve" in text


def test_a_server_without_dra_says_what_to_turn_on(ask: Any) -> None:
    text = ask("doctor", server={"resource": []})
    assert "DRA is off: resource.k8s.io is not served" in text
    assert "--runtime-config=resource.k8s.io/v1beta1=true" in text


# --- nodes ---


def test_a_driver_that_publishes_and_is_not_registered_at_the_kubelet(ask: Any) -> None:
    text = ask(
        "doctor", resourceslices=[gpus("n1", 1)], server=kubelets(n1={"/reg/other.example.com.sock": True})
    )
    assert (
        f"driver {DRIVER} publishes devices for node n1, and the kubelet there does not have it registered"
        in text
    )
    assert "the kubelet's plugins: other.example.com.sock" in text


def test_a_registration_that_the_kubelet_did_not_finish(ask: Any) -> None:
    text = ask(
        "doctor", resourceslices=[gpus("n1", 1)], server=kubelets(n1={f"/reg/{DRIVER}-uid-reg.sock": False})
    )
    assert f"the kubelet sees {DRIVER}-uid-reg.sock and has not registered it" in text


def test_a_driver_that_is_registered_and_publishes_nothing(ask: Any) -> None:
    told = kubelets(n1={f"/reg/{DRIVER}.sock": True}, n2={f"/reg/{DRIVER}.sock": True})
    text = ask("doctor", nodes=[node("n1"), node("n2")], resourceslices=[gpus("n1", 1)], server=told)
    assert "is registered on node n2 and publishes no device for it" in text


def test_slices_that_a_kubelets_restart_took_are_missed_though_nobody_publishes_any(ask: Any) -> None:
    text = ask(
        "doctor", server=kubelets(n1={f"/reg/{DRIVER}.sock": True, "/reg/disks.example.org-reg.sock": True})
    )
    assert f"driver {DRIVER} is registered on node n1 and publishes no device for it" in text
    assert "disks.example.org" not in text


def test_a_device_that_a_forgotten_claim_holds_is_found_by_why_and_freed_by_doctor(ask: Any) -> None:
    forgotten = claim("old", held=("gpu-0",), pod="p")
    forgotten["status"]["reservedFor"] = []
    objects = {
        "resourceslices": [gpus("n1", 1)],
        "pods": [pod("p", "c")],
        "resourceclaims": [claim("c"), forgotten],
    }
    assert "1 taken: claim default/old, reserved for no pod, since 60m" in ask("why", "pod/p", **objects)
    text = ask("doctor", server=REGISTERED, **objects)
    assert "claim default/old holds 1 devices, and no pod uses it or means it" in text
    assert "kubectl -n default patch resourceclaim old --subresource=status" in text


def test_what_no_kubelet_tells_is_unknown_unless_a_pod_proves_it(ask: Any) -> None:
    objects = {
        "resourceslices": [gpus("n1", 1)],
        "server": {"kubelets": {"n1": {"unknown": "you may not get nodes/proxy"}}},
    }
    text = ask("doctor", **objects)
    assert text.startswith("unknown: registrations")
    assert "you may not get nodes/proxy" in text
    running = {**pod("p", "c", nodeName="n1"), "status": {"phase": "Running"}}
    held = claim("c", held=("gpu-0",), pod="p")
    assert "registrations" not in ask("doctor", pods=[running], resourceclaims=[held], **objects)


def test_runtimes_that_cannot_inject_and_runtimes_that_may_have_it_off(ask: Any) -> None:
    nodes = [
        runtime("n1", "containerd://1.6.20"),
        runtime("n2", "containerd://1.7.24"),
        runtime("n3", "containerd://2.0.1"),
    ]
    slices = [gpus(name, 1) for name in ("n1", "n2", "n3")]
    sockets = {f"/reg/{DRIVER}.sock": True}
    text = ask(
        "doctor", nodes=nodes, resourceslices=slices, server=kubelets(n1=sockets, n2=sockets, n3=sockets)
    )
    assert "error: node n1 its runtime cannot inject devices by CDI" in text
    assert (
        "whether CDI is on cannot be told for node n2: containerd://1.7.24 has it off unless configured"
        in text
    )
    assert "n3" not in text


def test_a_cdi_description_that_the_runtime_does_not_find(ask: Any) -> None:
    waiting = {
        "reason": "CreateContainerError",
        "message": "CDI device injection failed: unresolvable CDI devices k8s.gpu.example.com/gpu=x",
    }
    stuck = {
        **pod("p", "c", nodeName="n1"),
        "status": {"phase": "Pending", "containerStatuses": [{"name": "c", "state": {"waiting": waiting}}]},
    }
    text = ask(
        "doctor", resourceslices=[gpus("n1", 1)], pods=[stuck], server=REGISTERED,
        resourceclaims=[claim("c", held=("gpu-0",), pod="p")],
    )  # fmt: skip
    assert (
        "the runtime does not find the CDI descriptions of devices: containers of default/p cannot be created"
        in text
    )
    assert "kubectl -n default delete pod p" in text


def test_a_kubelet_whose_gate_is_off_is_named_with_the_file_it_has_to_read(ask: Any) -> None:
    told = {"kubelets": {"n1": {"plugins": {}, "gates": {"DynamicResourceAllocation": False}}}}
    text = ask("doctor", server=told)
    assert (
        "feature gate DynamicResourceAllocation is off on node n1: pods with claims cannot start there"
        in text
    )
    assert "in the configuration that the kubelet really reads" in text


def test_a_kubelet_that_is_too_old_and_a_node_that_is_not_ready(ask: Any) -> None:
    old = runtime("n1", "containerd://2.0.0", kubelet="v1.30.4")
    old["status"]["conditions"] = [{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}]
    text = ask("doctor", nodes=[old], resourceslices=[gpus("n1", 1)], server=REGISTERED)
    assert "its kubelet v1.30.4 is too old" in text
    assert "is not ready: devices of gpu.example.com cannot be used there" in text


# --- drivers ---


def daemon_set(name: str = "dra-driver", desired: int = 0, **spec: Any) -> Object:
    meta = {"name": name, "namespace": "kube-system"}
    status = {"desiredNumberScheduled": desired, "numberReady": 0}
    template = {"spec": {"containers": [{"name": "c", "image": f"registry/{name}:v1"}], **spec}}
    return {"kind": "DaemonSet", "metadata": meta, "spec": {"template": template}, "status": status}


def test_a_daemon_set_that_runs_nowhere_says_what_each_node_lacks(ask: Any) -> None:
    text = ask("doctor", daemonsets=[daemon_set(nodeSelector={"gpu": "yes"})])
    assert "wants 0 pods" in text
    assert "1 nodes: there is no label gpu, the pod asks for yes" in text
    assert "$ kubectl label node n1 gpu=yes --overwrite" in text


def test_preparation_that_fails_is_found_with_the_driver_and_the_pods(ask: Any) -> None:
    event = {
        "metadata": {"name": "e", "namespace": "default"}, "type": "Warning", "reason": "FailedPrepareDynamicResources",
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
        "message": f"Failed to prepare dynamic resources: prepare dynamic resources: DRA driver {DRIVER} is not registered",
    }  # fmt: skip
    text = ask(
        "doctor", resourceslices=[gpus("n1", 1)], events=[event], pods=[pod("p", "c", nodeName="n1")],
        resourceclaims=[claim("c", held=("gpu-0",), pod="p")], server=REGISTERED,
    )  # fmt: skip
    assert f"node n1 the kubelet does not know driver {DRIVER}; 1 pods wait: default/p" in text


def test_preparation_that_the_driver_refuses_is_told_once_with_the_driver(ask: Any) -> None:
    said = (
        "NodePrepareResources failed for ResourceClaim c: GpuConfig: unknown GPU sharing strategy: Nonsense"
    )
    event = {
        "metadata": {"name": "e", "namespace": "default"}, "type": "Warning", "reason": "FailedPrepareDynamicResources",
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"}, "message": said,
    }  # fmt: skip
    objects = {
        "resourceslices": [gpus("n1", 1)], "events": [event], "pods": [pod("p", "c", nodeName="n1")],
        "resourceclaims": [claim("c", held=("gpu-0",), pod="p")],
    }  # fmt: skip
    assert f"cannot have devices prepared by driver {DRIVER}; 1 pods wait" in ask(
        "doctor", server=REGISTERED, **objects
    )
    assert ask("why", "pod/p", **objects).count("unknown GPU sharing strategy") == 1


def test_a_device_plugin_beside_a_driver_is_found_and_kept_from_the_node(ask: Any) -> None:
    both = {**node("n1"), "status": {"allocatable": {"example.com/gpu": "2", "cpu": "4"}}}
    text = ask(
        "doctor", nodes=[both], resourceslices=[gpus("n1", 2)], server=REGISTERED,
        daemonsets=[daemon_set("gpu-device-plugin", desired=1)],
    )  # fmt: skip
    assert f"a device plugin offers example.com/gpu and driver {DRIVER} publishes devices" in text
    assert "status.allocatable has 2 example.com/gpu; 2 devices in slices" in text
    assert "kubectl -n kube-system patch ds gpu-device-plugin" in text


def test_resources_of_another_vendor_are_not_called_double(ask: Any) -> None:
    other = {**node("n1"), "status": {"allocatable": {"vendor.net/nic": "2", "notexample.com/gpu": "1"}}}
    assert "Nothing is wrong" in ask(
        "doctor", nodes=[other], resourceslices=[gpus("n1", 2)], server=REGISTERED
    )


# --- pools, claims, quotas ---


def test_a_pool_that_contradicts_itself_is_found(ask: Any) -> None:
    slice_ = gpus("n1", 2)
    slice_["spec"]["devices"][1]["name"] = "gpu-0"
    text = ask("doctor", resourceslices=[slice_], server=REGISTERED)
    assert "contradicts itself: none of its devices is given out seen: duplicate device name gpu-0" in text


def test_slices_of_an_older_generation_and_of_a_node_that_is_gone_are_deleted(ask: Any) -> None:
    old = {**gpus("n1", 1), "metadata": {"name": "old"}}
    new = gpus("n1", 1)
    new["spec"]["pool"] = {**new["spec"]["pool"], "generation": 2}
    text = ask("doctor", resourceslices=[old, new, gpus("gone", 1)], server=REGISTERED)
    assert "$ kubectl delete resourceslice old" in text
    assert "has devices of node gone, which does not exist" in text


def test_a_claim_that_hangs_on_its_finalizer_is_freed_in_two_steps(ask: Any) -> None:
    stuck = claim("c", held=("gpu-0",), pod="p")
    stuck["status"]["reservedFor"] = []
    stuck["metadata"].update(deletionTimestamp=OLD, finalizers=["resource.kubernetes.io/delete-protection"])
    text = ask("doctor", resourceslices=[gpus("n1", 1)], resourceclaims=[stuck], server=REGISTERED)
    assert "cannot go: nobody uses it any more, and nobody removes its finalizer" in text
    assert "--subresource=status" in text
    assert '{"metadata":{"finalizers":null}}' in text


def test_a_claim_reserved_for_one_dead_and_one_living_pod_loses_only_the_dead_one(ask: Any) -> None:
    shared = claim("c", held=("gpu-0",), pod="alive")
    shared["status"]["reservedFor"].insert(0, {"resource": "pods", "name": "dead", "uid": "pod-dead"})
    living = {**pod("alive", "c", nodeName="n1"), "status": {"phase": "Running"}}
    text = ask(
        "doctor", resourceslices=[gpus("n1", 1)], pods=[living], resourceclaims=[shared], server=REGISTERED
    )
    assert "keeps its devices for pods that do not exist: dead" in text
    assert '"op":"test","path":"/status/reservedFor/0/uid","value":"pod-dead"' in text.replace(" ", "")


def test_orphans_and_idle_claims_are_told_apart(ask: Any) -> None:
    orphan = claim("orphan")
    orphan["metadata"]["ownerReferences"] = [{"kind": "Pod", "name": "p", "uid": "pod-p"}]
    idle = claim("idle", held=("gpu-0",), pod="p")
    idle["status"]["reservedFor"] = []
    text = ask("doctor", resourceslices=[gpus("n1", 1)], resourceclaims=[orphan, idle], server=REGISTERED)
    assert "claim default/orphan is an orphan: it was made for pod p" in text
    assert "claim default/idle holds 1 devices, and no pod uses it or means it" in text


def test_a_quota_that_is_used_up_warns_and_one_that_refused_is_an_error(ask: Any) -> None:
    resource = "gpu.deviceclass.resource.k8s.io/devices"
    quota = {
        "kind": "ResourceQuota", "metadata": {"name": "team", "namespace": "default"},
        "spec": {"hard": {resource: "1"}}, "status": {"used": {resource: "1"}},
    }  # fmt: skip
    text = ask("doctor", resourcequotas=[quota])
    assert "warning: quota default/team leaves no room for one more" in text
    assert f"{resource}: 1 of 1 used" in text
    event = {
        "metadata": {"name": "e", "namespace": "default"}, "type": "Warning", "reason": "FailedResourceClaimCreation",
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
        "message": f"failed to create ResourceClaim: exceeded quota: team, requested: {resource}=1",
    }  # fmt: skip
    assert "error: quota default/team has refused Pod p what it needs" in ask(
        "doctor", resourcequotas=[quota], events=[event]
    )


def test_a_pod_over_which_the_scheduler_gives_up_is_an_error(ask: Any) -> None:
    condition = {
        "type": "PodScheduled", "status": "False", "reason": "SchedulerError",
        "message": 'running "DynamicResources" filter plugin: claim default/c: selector #0: CEL runtime error',
    }  # fmt: skip
    broken = {**pod("p", "c"), "status": {"conditions": [condition]}}
    text = ask("doctor", pods=[broken], resourceclaims=[claim("c")])
    assert "error: pod default/p the scheduler gives up on an error each time it looks at it" in text
    assert "$ dray why pod/p -n default" in text


def test_a_restarted_container_whose_cdi_description_is_gone_is_told_by_its_event(ask: Any) -> None:
    """As after a reboot of the node: the pod counts as running, and its container is in a back-off."""
    waiting = {"reason": "CrashLoopBackOff", "message": "back-off 20s restarting failed container"}
    status = {"phase": "Running", "containerStatuses": [{"name": "c", "state": {"waiting": waiting}}]}
    event = {
        "metadata": {"name": "e", "namespace": "default"}, "type": "Warning", "reason": "Failed",
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
        "message": "Error: CDI device injection failed: unresolvable CDI devices k8s.gpu.example.com/gpu=x",
    }  # fmt: skip
    objects = {
        "resourceslices": [gpus("n1", 1)], "pods": [{**pod("p", "c", nodeName="n1"), "status": status}],
        "resourceclaims": [claim("c", held=("gpu-0",), pod="p")], "events": [event],
    }  # fmt: skip
    for text in (ask("doctor", server=REGISTERED, **objects), ask("why", "pod/p", **objects)):
        assert "unresolvable CDI devices k8s.gpu.example.com/gpu=x" in text
        assert "A driver that starts writes those that all claims share" in text


def test_rights_that_are_missing_come_as_one_finding_with_the_role_that_gives_them(ask: Any) -> None:
    unknown = {
        "pods": "you may not list pods",
        "resourceclaims": "you may not list resourceclaims.resource.k8s.io",
        "storageclasses": "you may not list storageclasses.storage.k8s.io",
    }
    text = ask("doctor", unknown=unknown)
    assert "what is wrong with these is not known: pods, resourceclaims.resource.k8s.io seen:" in text
    assert "--verb=list --resource=pods" in text
    assert "storageclasses" not in text
