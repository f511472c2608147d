"""What hurts in the field, reproduced as objects, and the answer that resolves it, as the command prints it."""

from typing import Any

from insight_story import DRIVER, NOW, claim, gpus, node, pod

from dray.insight.redaction import redact
from dray.insight.snapshot import Snapshot


def test_all_taken_and_no_such_device_read_differently(ask: Any) -> None:
    slices = [gpus("n1", 1)]
    taken = claim("old", held=("gpu-0",), pod="old")
    big = claim("big", selector="device.capacity['gpu.example.com'].memory.compareTo(quantity('100Gi')) >= 0")
    common = {"resourceslices": slices, "resourceclaims": [taken, big, claim("new")]}
    pods = [pod("old", "old", nodeName="n1"), pod("new", "new"), pod("big", "big")]
    busy = ask("why", "pod/new", pods=pods, **common)
    assert "1 taken by claim default/old (pod old)" in busy
    assert "since 60m" in busy
    assert "free what claim default/old (pod old) holds [node n1]" in busy
    impossible = ask("why", "pod/big", pods=pods, **common)
    assert "memory is 80Gi on 1 of 1, you ask for at least 100Gi" in impossible
    assert "No single change is enough" in impossible


def test_a_missing_claim_is_named_though_kubernetes_is_silent(ask: Any) -> None:
    text = ask("why", "pod/p", pods=[pod("p", "typo")], resourceclaims=[claim("right")])
    assert "ResourceClaim default/typo does not exist" in text
    assert "claims there: right" in text


def test_a_missing_class_and_a_missing_template_are_named(ask: Any) -> None:
    text = ask("why", "pod/p", pods=[pod("p", "c")], resourceclaims=[claim("c", cls="gpu.examp.com")])
    assert "DeviceClass gpu.examp.com" in text
    made = {"resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "none"}]}
    assert "ResourceClaimTemplate default/none does not exist" in ask("why", "pod/p", pods=[pod("p", **made)])


def test_a_quota_that_forbids_the_claim_is_named(ask: Any) -> None:
    made = {"resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "t"}]}
    template = {"metadata": {"name": "t", "namespace": "default"}, "spec": {"spec": claim("x")["spec"]}}
    event = {
        "metadata": {"name": "e", "namespace": "default"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
        "type": "Warning", "reason": "FailedResourceClaimCreation", "message": "exceeded quota: gpus, used 2, limited 2",
    }  # fmt: skip
    text = ask("why", "pod/p", pods=[pod("p", **made)], resourceclaimtemplates=[template], events=[event])
    assert "a quota of namespace default does not allow the claim" in text.replace("A quota", "a quota")


def test_a_failing_selector_on_one_slice_is_the_cause_for_all_nodes(ask: Any) -> None:
    odd = gpus("n2", 1, attributes={})
    wanted = claim("c", selector="device.attributes['gpu.example.com'].model == 'H100'")
    text = ask(
        "why",
        "pod/p",
        nodes=[node("n1"), node("n2")],
        resourceslices=[gpus("n1", 1), odd],
        pods=[pod("p", "c")],
        resourceclaims=[wanted],
    )
    assert "no such key: model" in text


def test_taints_of_nodes_say_where_devices_would_fit(ask: Any) -> None:
    tainted = node("n1", taints=[{"key": "dedicated", "value": "infra", "effect": "NoSchedule"}])
    text = ask(
        "why",
        "pod/p",
        nodes=[tainted],
        resourceslices=[gpus("n1", 1)],
        pods=[pod("p", "c")],
        resourceclaims=[claim("c")],
    )
    assert "taint dedicated=infra:NoSchedule is not tolerated" in text
    assert "devices would fit on it" in text
    assert "kubectl taint node n1 dedicated=infra:NoSchedule-" in text


def test_an_incomplete_pool_is_named_by_why_and_doctor(ask: Any) -> None:
    objects = {
        "resourceslices": [gpus("n1", 2, slices=2)],
        "pods": [pod("p", "c")],
        "resourceclaims": [claim("c")],
    }
    assert "1 of 2 slices of generation 1 are published" in ask("why", "pod/p", **objects)
    assert "is incomplete" in ask("doctor", **objects)


def test_a_pod_stuck_on_a_lost_driver_is_told_how_to_end(ask: Any) -> None:
    dying = pod("p", "c", nodeName="n1", meta={"deletionTimestamp": "2026-01-01T11:00:00Z"})
    objects = {"pods": [dying], "resourceclaims": [claim("c", held=("gpu-0",), pod="p")]}
    assert "its devices cannot be given back" in ask("why", "pod/p", **objects)
    assert "cannot end: driver gpu.example.com is gone" in ask("doctor", **objects)
    assert "not safe, 1 pod would be hurt" in ask("safe-to-remove", "driver/gpu.example.com", **objects)


def test_an_unregistered_driver_is_the_cause_of_a_pod_that_does_not_start(ask: Any) -> None:
    event = {
        "metadata": {"name": "e", "namespace": "default"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
        "type": "Warning", "reason": "FailedPrepareDynamicResources",
        "message": "DRA driver gpu.example.com is not registered",
    }  # fmt: skip
    held = claim("c", held=("gpu-0",), pod="p")
    text = ask(
        "why",
        "pod/p",
        pods=[pod("p", "c", nodeName="n1")],
        resourceclaims=[held],
        resourceslices=[gpus("n1", 1)],
        events=[event],
    )
    assert "the kubelet there does not know the driver" in text


def test_a_daemon_set_that_wants_no_pods_is_found(ask: Any) -> None:
    meta = {"name": "dra-driver", "namespace": "kube-system"}
    daemons = {"metadata": meta, "spec": {"template": {}}, "status": {"desiredNumberScheduled": 0}}
    assert "wants 0 pods" in ask("doctor", daemonsets=[daemons])


def test_a_partition_in_use_blocks_its_siblings(ask: Any) -> None:
    counters = {"kind": "ResourceSlice", "metadata": {"name": "n1-counters"}, "spec": {
        "driver": DRIVER, "nodeName": "n1", "pool": {"name": "n1", "generation": 1, "resourceSliceCount": 2},
        "sharedCounters": [{"name": "die", "counters": {"memory": {"value": "80Gi"}}}],
    }}  # fmt: skip
    parts = gpus(
        "n1", 2, slices=2, consumesCounters=[{"counterSet": "die", "counters": {"memory": {"value": "80Gi"}}}]
    )
    text = ask(
        "devices", resourceslices=[counters, parts], resourceclaims=[claim("c", held=("gpu-0",), pod="p")]
    )
    assert "gpu-0 used - default/p for 60m" in text
    assert "gpu-1 blocked - by gpu-0 (die/memory)" in text


def test_what_may_not_be_read_is_said(ask: Any) -> None:
    text = ask(
        "why",
        "pod/p",
        pods=[pod("p", "c")],
        resourceclaims=[claim("c")],
        unknown={"resourceslices": "you may not list them"},
    )
    assert "you may not list them" in text


def test_one_more_node_is_found_to_help(ask: Any) -> None:
    objects = {
        "resourceslices": [gpus("n1", 1)],
        "pods": [pod("a", "a"), pod("b", "b")],
        "resourceclaims": [claim("a"), claim("b")],
    }
    assert "1 of 2 pods that need a place get one" in ask("whatif", **objects)
    assert "pod default/b 1 n1 1 of 1 fit 1" in ask("whatif", "--min-nodes", "--like", "n1", **objects)


def test_a_snapshot_carries_no_environment(ask: Any) -> None:
    assert "secret-value" not in str(redact(Snapshot(NOW, {"pods": [pod("p")]})).objects)
