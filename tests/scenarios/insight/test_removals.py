"""Can this driver or node go? Who would be hurt is named, each with what it has and where it stands."""

from typing import Any

from insight_story import DRIVER, claim, gpus, node, pod

from dray.api.meta import Object

TWO = {"nodes": [node("n1"), node("n2")], "resourceslices": [gpus("n1", 2), gpus("n2", 2)]}


def on(where: str, name: str, claim_name: str, phase: str = "Running", **meta: Any) -> Object:
    return {**pod(name, claim_name, nodeName=where, meta=meta), "status": {"phase": phase}}


def network_devices() -> Object:
    """A pool that every node reaches."""
    slice_ = gpus("fabric", 1)
    spec = {key: value for key, value in slice_["spec"].items() if key != "nodeName"}
    return {**slice_, "spec": {**spec, "allNodes": True}}


def held_from(pool: str, name: str, pod_name: str, device: str = "gpu-0", **result: Any) -> Object:
    obj = claim(name, held=(device,), pod=pod_name)
    results = obj["status"]["allocation"]["devices"]["results"]
    obj["status"]["allocation"]["devices"]["results"] = [{**results[0], "pool": pool, **result}]
    return obj


def test_a_node_whose_devices_run_pods_is_not_safe_and_the_drain_is_spelled_out(ask: Any) -> None:
    text = ask(
        "safe-to-remove", "node/n1", pods=[on("n1", "p", "c")], resourceclaims=[held_from("n1", "c", "p")], **TWO
    )  # fmt: skip
    assert "node n1: not safe, 1 pod would be hurt" in text
    assert "default/p runs with it default/c gpu-0" in text
    assert "kubectl drain n1 --ignore-daemonsets" in text


def test_a_pod_that_has_its_devices_and_does_not_run_yet_counts(ask: Any) -> None:
    text = ask(
        "safe-to-remove", "node/n1", pods=[on("n1", "p", "c", "Pending")],
        resourceclaims=[held_from("n1", "c", "p")], **TWO,
    )  # fmt: skip
    assert "default/p is to start with it" in text


def test_access_for_administrators_keeps_a_driver_too(ask: Any) -> None:
    watcher = held_from("n2", "c", "p", adminAccess=True)
    text = ask(
        "safe-to-remove", f"driver/{DRIVER}", pods=[on("n2", "p", "c")], resourceclaims=[watcher], **TWO
    )  # fmt: skip
    assert "not safe, 1 pod would be hurt" in text
    assert "gpu-0 (admin access)" in text
    assert "pods that ask for class gpu will stay pending" in text


def test_devices_of_the_network_stay_but_the_pod_on_the_node_has_to_end(ask: Any) -> None:
    objects = {**TWO, "resourceslices": [*TWO["resourceslices"], network_devices()]}
    here, there = on("n1", "here", "c"), on("n2", "there", "d")
    claims = [held_from("fabric", "c", "here"), held_from("fabric", "d", "there")]
    text = ask("safe-to-remove", "node/n1", pods=[here, there], resourceclaims=claims, **objects)
    assert "default/here: its devices are not of this node and stay allocated until the pod ends" in text
    assert "there" not in text.replace("there is", "")


def test_devices_that_only_this_node_reaches_through_a_selector_are_its_own(ask: Any) -> None:
    slice_ = network_devices()
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}
    spec = {key: value for key, value in slice_["spec"].items() if key != "allNodes"}
    tied = {**slice_, "spec": {**spec, "nodeSelector": {"nodeSelectorTerms": [term]}}}
    idle = held_from("fabric", "c", "p")
    idle["status"]["reservedFor"] = []
    objects = {**TWO, "resourceslices": [*TWO["resourceslices"], tied]}
    assert "held for no pod" in ask("safe-to-remove", "node/n1", resourceclaims=[idle], **objects)
    assert "held for no pod" not in ask("safe-to-remove", "node/n2", resourceclaims=[idle], **objects)


def test_pods_that_have_ended_hurt_nobody(ask: Any) -> None:
    text = ask(
        "safe-to-remove", "node/n1", pods=[on("n1", "p", "c", "Succeeded")],
        resourceclaims=[held_from("n1", "c", "p")], **TWO,
    )  # fmt: skip
    assert "safe to remove" in text
    assert "pod is gone or has ended" in text


def test_a_name_that_is_not_there_is_never_called_safe(ask: Any) -> None:
    assert "not known whether it is safe" in ask("safe-to-remove", "node/n9", **TWO)
    assert f"drivers: {DRIVER}" in ask("safe-to-remove", "driver/gpu.exmaple.com", **TWO)


def test_claims_that_may_not_be_read_leave_it_open(ask: Any) -> None:
    unknown = {"resourceclaims": "you may not list resourceclaims.resource.k8s.io"}
    assert "not known whether it is safe" in ask("safe-to-remove", "node/n1", unknown=unknown, **TWO)
