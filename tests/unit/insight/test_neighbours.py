"""Asked rule by rule, other pods exclude exactly the nodes that the scheduler's plugins exclude asked all at once."""

import datetime as dt
import random

import pytest

from dray.api.meta import Object, key_of, name_of
from dray.insight.neighbours import Neighbourhood
from dray.insight.snapshot import Snapshot
from dray.scheduler.plugins import inter_pod_affinity, pod_topology_spread
from dray.scheduler.pod_view import PodView
from dray.scheduler.snapshot import Snapshot as Placed

KEYS = ("kubernetes.io/hostname", "zone")
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def term(chance: random.Random) -> Object:
    selector = {"matchLabels": {"app": chance.choice("ab")}}
    return {"topologyKey": chance.choice(KEYS), "labelSelector": selector}


def rules(chance: random.Random) -> Object:
    affinity = {
        kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term(chance) for _ in range(chance.randint(1, 2))]}
        for kind in ("podAffinity", "podAntiAffinity")
        if chance.random() < 0.4
    }  # fmt: skip
    spread = [
        {
            **term(chance), "maxSkew": chance.randint(1, 2), "whenUnsatisfiable": "DoNotSchedule",
            "minDomains": chance.choice((None, 2, 4)),
        }
        for _ in range(chance.choice((0, 0, 1, 2)))
    ]  # fmt: skip
    return {"affinity": affinity, "topologySpreadConstraints": spread}


def pod(chance: random.Random, name: str, where: str = "") -> Object:
    meta = {"namespace": "default", "name": name, "uid": name, "labels": {"app": chance.choice("abc")}}
    spec = {"containers": [{"name": "c"}], **rules(chance), **({"nodeName": where} if where else {})}
    return {"kind": "Pod", "metadata": meta, "spec": spec, "status": {}}


def cluster(seed: int) -> tuple[Snapshot, Object]:
    chance = random.Random(seed)
    nodes = []
    for i in range(5):
        zone = chance.choice(("x", "y", None))
        labels = {KEYS[0]: f"n{i}", **({"zone": zone} if zone else {})}
        nodes.append(
            {"kind": "Node", "metadata": {"name": f"n{i}", "labels": labels}, "spec": {}, "status": {}}
        )
    pods = [pod(chance, f"p{i}", f"n{chance.randrange(5)}") for i in range(chance.randint(0, 8))]
    return Snapshot(NOW, {"nodes": nodes, "pods": pods, "namespaces": []}), pod(chance, "new")


def excluded_by_plugins(snapshot: Snapshot, new: Object) -> set[str]:
    placed = Placed()
    for node in snapshot.nodes:
        placed.put_node(node)
    for each in snapshot.pods:
        placed.put_pod(PodView(each))
    view = PodView(new)
    verdicts = [
        inter_pod_affinity.prepare(view, placed, lambda namespace: {}),
        pod_topology_spread.prepare(view, placed),
    ]
    return {
        node.name for node in placed if any(ask is not None and ask(node) is not None for ask in verdicts)
    }


@pytest.mark.parametrize("seed", range(80))
def test_the_same_nodes_are_excluded(seed: int) -> None:
    snapshot, new = cluster(seed)
    neighbourhood = Neighbourhood(snapshot, new)
    against = {name_of(node): list(neighbourhood.against(node)) for node in snapshot.nodes}
    assert {name for name, reasons in against.items() if reasons} == excluded_by_plugins(snapshot, new)
    assert all(each.text and each.advice for reasons in against.values() for each in reasons)


@pytest.mark.parametrize("seed", range(80))
def test_a_node_is_open_once_all_pods_that_anti_affinity_means_are_gone(seed: int) -> None:
    """What is named as being in the way is all that is."""
    snapshot, new = cluster(seed)
    affinity = {key: value for key, value in new["spec"]["affinity"].items() if key == "podAntiAffinity"}
    new = {**new, "spec": {**new["spec"], "affinity": affinity, "topologySpreadConstraints": []}}
    for node in snapshot.nodes:
        reasons = list(Neighbourhood(snapshot, new).against(node))
        named = {word for each in reasons for word in each.detail.replace(",", " ").split() if "/" in word}
        if any(" more " in each.detail for each in reasons):
            continue
        left = [each for each in snapshot.pods if str(key_of(each)) not in named]
        without = Snapshot(NOW, {**snapshot.objects, "pods": left})
        assert list(Neighbourhood(without, new).against(node)) == []
