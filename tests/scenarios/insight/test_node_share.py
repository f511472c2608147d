"""Devices that are cpus of their node, or cost it memory: what `why` and `whatif` make of them."""

from typing import Any

import pytest
from insight_story import claim, gpus, node, pod
from whatif_story import deployment, template, write

from dray.api.meta import Object
from dray.insight.gates import gate_of_field

CPUS = {"nodeAllocatableResources": {"cpu": {"mapping": {"deviceMultiplier": "3"}}}}
OLDER = {"nodeAllocatableResourceMappings": {"cpu": {"allocationMultiplier": "3"}}}
COST = {"nodeAllocatableResources": {"memory": {"overhead": {"perPod": "1Gi", "perContainer": "512Mi"}}}}


def small(name: str = "n1", cpu: str = "4", memory: str = "4Gi") -> Object:
    allocatable = {"cpu": cpu, "memory": memory, "pods": "110"}
    return {**node(name), "status": {"allocatable": allocatable}}


def asking(name: str, claim_name: str = "", cpu: str = "2", **spec: Any) -> Object:
    found = pod(name, claim_name, **spec)
    resources = {"requests": {"cpu": cpu}, **({"claims": [{"name": "gpu"}]} if claim_name else {})}
    found["spec"]["containers"][0]["resources"] = resources
    return found


def cluster(devices: Object, *pods: Object, claims: Any = (), **more: Any) -> dict[str, Any]:
    return {
        "nodes": [small()],
        "resourceslices": [gpus("n1", 4, **devices)],
        "pods": list(pods),
        "resourceclaims": list(claims),
        **more,
    }


@pytest.mark.parametrize("devices", [CPUS, OLDER])
def test_why_tells_that_a_node_lacks_what_the_devices_are_of_it(ask: Any, devices: Object) -> None:
    text = ask("why", "pod/p", **cluster(devices, asking("p", "a"), claims=[claim("a")]))
    assert (
        "No node can take the pod, with its devices: node n1: cpu: the pod with its devices asks for 5"
        in text
    )
    assert "asks for 5, 4 of 4 free" in text
    assert "Nothing stands in the way" not in text
    fits = cluster(devices, asking("p", "a", cpu="1"), claims=[claim("a")])
    assert "Nothing stands in the way any more: it fits on node n1" in ask("why", "pod/p", **fits)


def test_why_counts_what_pods_on_the_node_took_with_their_devices(ask: Any) -> None:
    old = asking("old", "b", cpu="500m", nodeName="n1")
    entry = {"resourceClaimName": "b", "mapping": [{"name": "cpu", "quantity": "3"}]}
    old["status"] = {"phase": "Running", "nodeAllocatableResourceClaimStatuses": [entry]}
    held = claim("b", held=("gpu-0",), pod="old")
    text = ask("why", "pod/p", **cluster(CPUS, asking("p", "a", cpu="0"), old, claims=[held, claim("a")]))
    assert "cpu: the pod with its devices asks for 3, 500m of 4 free" in text


def test_why_tells_whose_claim_cannot_be_shared(ask: Any) -> None:
    held = claim("a", held=("gpu-0",), pod="old")
    text = ask("why", "pod/p", **cluster(CPUS, asking("p", "a", cpu="0"), claims=[held]))
    assert "node allocatable resource claim a has a mapped device and cannot be shared across pods" in text
    shared = ask("why", "pod/p", **cluster(COST, asking("p", "a", cpu="0"), claims=[held]))
    assert "Nothing stands in the way any more" in shared


def test_why_tells_that_the_budget_of_the_pod_is_too_small(ask: Any) -> None:
    small_budget = asking("p", "a", resources={"requests": {"cpu": "4"}})
    text = ask("why", "pod/p", **cluster(CPUS, small_budget, claims=[claim("a")]))
    assert "pod level request for cpu is insufficient to cover" in text


def test_devices_count_for_nothing_where_the_gate_is_off(ask: Any) -> None:
    off = {"gates": {"DRANodeAllocatableResources": False}, "version": "v1.37.0"}
    text = ask("why", "pod/p", server=off, **cluster(CPUS, asking("p", "a"), claims=[claim("a")]))
    assert "Nothing stands in the way any more" in text


def test_whatif_fills_nodes_with_what_devices_are(ask: Any, tmp_path: Any) -> None:
    made = deployment("web", 3)
    made["spec"]["template"]["spec"]["containers"][0]["resources"] = {
        "requests": {"cpu": "500m"},
        "claims": [{"name": "gpu"}],
    }
    file = write(tmp_path / "web.yaml", template(), made)
    text = ask("whatif", "-f", file, **cluster(CPUS))
    assert "n1: cpu: the pod with its devices asks for 3500m, 500m of 4 free" in text
    both = cluster(CPUS, nodes=[small(), small("n2")])
    both["resourceslices"].append(gpus("n2", 4, **CPUS))
    text = ask("whatif", "-f", file, **both)
    assert "cpu: the pod with its devices asks for 3500m" in text


def test_whatif_fills_nodes_with_what_devices_cost(ask: Any, tmp_path: Any) -> None:
    made = deployment("web", 3)
    made["spec"]["template"]["spec"]["containers"][0]["resources"] = {"claims": [{"name": "gpu"}]}
    file = write(tmp_path / "web.yaml", template(), made)
    text = ask("whatif", "-f", file, **cluster(COST))
    assert "n1: memory: the pod with its devices asks for 1.5Gi, 1Gi of 4Gi free" in text
    roomy = cluster(COST, nodes=[small(memory="8Gi")])
    assert "memory" not in ask("whatif", "-f", file, **roomy)


def test_whatif_gives_a_claim_that_is_part_of_its_node_to_one_pod(ask: Any) -> None:
    pods = [asking("p", "a", cpu="0"), asking("q", "a", cpu="0")]
    text = ask("whatif", **cluster(CPUS, *pods, claims=[claim("a")]))
    assert "claim a has a mapped device and cannot be shared across pods" in text
    assert "cannot be shared" not in ask("whatif", **cluster(COST, *pods, claims=[claim("a")]))


def test_amounts_of_cpu_are_told_in_cpus(ask: Any) -> None:
    text = ask("why", "pod/p", **cluster({}, asking("p", cpu="4500m")))
    assert "cpu: the pod asks for 4500m, 4 of 4 free" in text


def test_gate_is_named_where_a_server_left_the_fields_out() -> None:
    for field in ("nodeAllocatableResources", "nodeAllocatableResourceMappings"):
        assert gate_of_field(f"spec.devices[x].{field}") == "DRANodeAllocatableResources"
