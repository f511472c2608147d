"""How many pods of a workload fit, and how many nodes of which shape the rest needs."""

import pathlib
from typing import Any

import pytest
from insight_story import DRIVER, NOW, claim, gpus, node, pod
from whatif_story import deployment, template, write

from dray.api.meta import Object
from dray.insight.snapshot import Snapshot
from dray.insight.whatif.forecast import forecast
from dray.insight.whatif.nodes import add_nodes, shape_of
from dray.insight.whatif.scenario import Scenario
from dray.insight.whatif.shapes import shapes_of
from dray.insight.whatif.workloads import find_workload, scale


def test_a_workload_is_told_how_many_of_it_fit_and_why_the_rest_does_not(ask: Any) -> None:
    objects = {
        "resourceslices": [gpus("n1", 5)],
        "resourceclaimtemplates": [template("two", 2)],
        "deployments": [deployment("trainer", 1, "two")],
    }
    text = ask("whatif", "--scale", "deployment/trainer=4", **objects)
    assert "2 of 4 pods that need a place get one, 2 stay pending" in text
    assert "deployment default/trainer 4 0 2 2" in text
    assert "claim of template two, request gpu wants 2 devices of class gpu; of 5 devices, 4 taken" in text


def test_a_workload_scaled_down_frees_devices_for_others(ask: Any) -> None:
    hash_label = {"labels": {"pod-template-hash": "abc"}}
    owner = {"ownerReferences": [{"kind": "ReplicaSet", "name": "web-abc", "uid": "rs", "controller": True}]}
    pods = [pod(name, name, nodeName="n1", meta={**owner, **hash_label}) for name in ("web-1", "web-2")]
    claims = [claim(f"web-{i}", held=(f"gpu-{i - 1}",), pod=f"web-{i}") for i in (1, 2)]
    objects = {
        "resourceslices": [gpus("n1", 2)], "pods": [*pods, pod("new", "new")], "resourceclaims": [*claims, claim("new")],
        "deployments": [deployment("web", 2)],
    }  # fmt: skip
    assert "0 of 1 pods" in ask("whatif", **objects)
    text = ask("whatif", "--scale", "deployment/web=1", **objects)
    assert "The one pod that needs a place gets one" in text
    assert "deployment default/web 1 1 0 0" in text


def test_a_pod_is_scaled_with_claims_like_its_own_and_shares_those_it_names(ask: Any) -> None:
    shared = {"resourceslices": [gpus("n1", 1)], "pods": [pod("p", "c")], "resourceclaims": [claim("c")]}
    assert "All 3 pods that need a place get one" in ask("whatif", "--scale", "pod/p=3", **shared)


def test_a_daemon_set_of_a_manifest_has_a_pod_on_every_node_that_suits(
    ask: Any, tmp_path: pathlib.Path
) -> None:
    app = deployment("agent", 0)
    daemon = {**app, "kind": "DaemonSet", "spec": {k: v for k, v in app["spec"].items() if k != "replicas"}}
    path = write(tmp_path / "agent.yaml", template(), daemon)
    barred = node("n3", taints=[{"key": "control", "effect": "NoSchedule"}])
    text = ask("whatif", "-f", path, nodes=[node("n1"), node("n2"), barred], resourceslices=[gpus("n1", 1)])
    assert "daemonset default/agent 2 0 1 1" in text


def test_each_workload_is_told_how_many_nodes_of_which_shape_it_needs(ask: Any) -> None:
    small, large = gpus("n1", 2), gpus("n2", 4, attributes={"model": {"string": "H100"}})
    wants = claim("x", selector=f"device.attributes['{DRIVER}'].model == 'H100'")["spec"]
    picky = {"metadata": {"name": "picky", "namespace": "default"}, "spec": {"spec": wants}}
    objects = {
        "nodes": [node("n1"), node("n2")], "resourceslices": [small, large],
        "resourceclaimtemplates": [template(), picky],
        "deployments": [deployment("any", 0), deployment("h100", 0, "picky")],
    }  # fmt: skip
    text = ask(
        "whatif", "--scale", "deployment/h100=9", "--scale", "deployment/any=7", "--min-nodes", **objects
    )
    assert "deployment default/h100 5 n1 does not help no number" in text
    assert "deployment default/h100 5 n2 4 of 5 fit 2" in text
    assert "deployment default/any 5 n1 2 of 5 fit 3" in text
    assert "deployment default/any 5 n2 4 of 5 fit 2" in text
    assert "all together 10 n2 4 of 10 fit 3" in text
    assert (
        "like n1: claim of template picky, request gpu wants 1 device of class gpu; of 2 devices, 2" in text
    )


def test_a_shape_that_no_node_has_yet_is_a_manifest(ask: Any, tmp_path: pathlib.Path) -> None:
    new = {"apiVersion": "v1", **node("gpu-large"), "status": {"allocatable": {"cpu": "8"}}}
    path = write(tmp_path / "shape.yaml", new, {"apiVersion": "resource.k8s.io/v1", **gpus("gpu-large", 2)})
    objects = {
        "nodes": [],
        "pods": [pod(name, name) for name in "abc"],
        "resourceclaims": [claim(n) for n in "abc"],
    }
    assert "all together 3 gpu-large 2 of 3 fit 2" in ask("whatif", "--min-nodes", "--like", path, **objects)


def test_a_node_like_another_comes_with_its_daemon_pods(ask: Any) -> None:
    sized = {**node("n1"), "status": {"allocatable": {"cpu": "2", "pods": "10"}}}
    cpu = {"containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]}
    daemon = pod(
        "d",
        nodeName="n1",
        meta={"ownerReferences": [{"kind": "DaemonSet", "name": "d", "uid": "d", "controller": True}]},
        **cpu,
    )
    text = ask("whatif", "--min-nodes", nodes=[sized], pods=[daemon, *(pod(name, **cpu) for name in "abc")])
    assert "all together 2 n1 1 of 2 fit 2" in text


def cluster(devices: int, nodes: int, wanted: int) -> Snapshot:
    objects = {
        "nodes": [node(f"n{i}") for i in range(nodes)], "resourceslices": [gpus(f"n{i}", devices) for i in range(nodes)],
        "deviceclasses": [{"metadata": {"name": "gpu"}, "spec": {}}], "deployments": [deployment("web", 0)],
        "resourceclaimtemplates": [template("one", wanted)],
    }  # fmt: skip
    return Snapshot(NOW, objects)


@pytest.mark.parametrize(
    ("devices", "wanted", "pods"), [(8, 3, 11), (8, 1, 30), (4, 4, 7), (5, 2, 9), (2, 1, 2)]
)
def test_so_many_nodes_are_enough_and_one_fewer_is_not(devices: int, wanted: int, pods: int) -> None:
    scenario = Scenario(cluster(devices, 1, wanted))
    workload, obj = find_workload(scenario.snapshot, "deployment", "web", "default")
    shape = shape_of(scenario.snapshot, "n0")
    grown = scale(scenario, workload, obj, pods)
    answer = forecast(grown, [shape])
    if answer.fits:
        assert not answer.needs
        return
    needed = answer.needs[0].nodes
    assert needed is not None
    assert forecast(add_nodes(grown, shape, needed)).fits
    assert not forecast(add_nodes(grown, shape, needed - 1)).fits
    assert len(forecast(add_nodes(grown, shape, 1)).placed) - len(answer.placed) == answer.needs[0].one_more


def test_trying_more_nodes_leaves_no_trace() -> None:
    scenario = Scenario(cluster(4, 2, 1))
    workload, obj = find_workload(scenario.snapshot, "deployment", "web", "default")
    grown = scale(scenario, workload, obj, 20)
    shape = shape_of(scenario.snapshot, "n0")
    twice = forecast(grown, [shape, shape]).needs
    assert twice[0] == twice[1]


def apart(label: str = "web") -> Object:
    """Anti-affinity of pods with a label to each other, by host."""
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": label}}}
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def hosts(count: int) -> list[Object]:
    nodes = [node(f"n{i}") for i in range(1, count + 1)]
    for each in nodes:
        each["metadata"]["labels"] = {"kubernetes.io/hostname": each["metadata"]["name"]}
    return nodes


def test_pods_that_keep_apart_need_a_node_each(ask: Any) -> None:
    web = deployment("web", 0, affinity=apart())
    objects = {"nodes": hosts(2), "resourceslices": [gpus("n1", 8), gpus("n2", 8)], "deployments": [web]}
    text = ask(
        "whatif", "--scale", "deployment/web=5", "--min-nodes", "--like", "n1",
        resourceclaimtemplates=[template()], **objects,
    )  # fmt: skip
    assert "deployment default/web 5 0 2 3" in text
    assert "pod anti-affinity keeps away from pods app=web" in text
    assert "deployment default/web 3 n1 1 of 3 fit 3" in text


def test_pods_that_run_keep_others_away(ask: Any) -> None:
    alone = pod("alone", nodeName="n1", affinity=apart("batch"))
    new = pod("new", meta={"labels": {"app": "batch"}})
    text = ask("whatif", nodes=hosts(2), pods=[alone, new, pod("other")])
    assert "default/new n2" in text
    assert "default/other n1" in text


def test_a_spread_that_the_next_pod_levels_lets_pods_in_again(ask: Any) -> None:
    spread = {
        "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }  # fmt: skip
    web = deployment("web", 0, topologySpreadConstraints=[spread])
    objects = {"nodes": hosts(2), "resourceslices": [gpus("n1", 9), gpus("n2", 2)], "deployments": [web]}
    text = ask("whatif", "--scale", "deployment/web=6", resourceclaimtemplates=[template()], **objects)
    assert "deployment default/web 6 0 5 1" in text


def test_nodes_of_one_make_are_one_shape_whatever_tells_their_devices_apart() -> None:
    def made(name: str, model: str) -> Object:
        return gpus(name, 2, attributes={"model": {"string": model}, "uuid": {"string": f"gpu-of-{name}"}})

    kinds = {
        "nodes": hosts(3),
        "resourceslices": [made("n1", "A100"), made("n2", "H100"), made("n3", "A100")],
    }
    shapes = [(shape.name, count) for shape, count in shapes_of(Snapshot(NOW, kinds))]
    assert shapes == [("n1", 2), ("n2", 1)]


def test_a_node_like_one_whose_devices_name_it_brings_them_with_their_counters(ask: Any) -> None:
    pool = {"name": "fabric", "generation": 1, "resourceSliceCount": 2}
    consumes = [{"counterSet": "die", "counters": {"m": {"value": "1"}}}]
    devices = [{"name": f"part-{i}", "nodeName": f"n{i}", "consumesCounters": consumes} for i in (1, 2)]
    parts = {"kind": "ResourceSlice", "metadata": {"name": "parts"}, "spec": {
        "driver": DRIVER, "pool": pool, "perDeviceNodeSelection": True, "devices": devices,
    }}  # fmt: skip
    counters = {"kind": "ResourceSlice", "metadata": {"name": "counters"}, "spec": {
        "driver": DRIVER, "pool": pool, "allNodes": True, "sharedCounters": [{"name": "die", "counters": {"m": {"value": "2"}}}],
    }}  # fmt: skip
    objects = {
        "nodes": hosts(2), "resourceslices": [parts, counters], "pods": [pod(n, n) for n in "abc"],
        "resourceclaims": [claim(n) for n in "abc"],
    }  # fmt: skip
    assert "2 of 3 pods" in ask("whatif", **objects)
    assert "pod default/c 1 n1 1 of 1 fit 1" in ask("whatif", "--min-nodes", "--like", "n1", **objects)


def test_no_more_nodes_are_needed_where_all_fit(ask: Any) -> None:
    assert "No more nodes are needed" in ask("whatif", "--min-nodes")
