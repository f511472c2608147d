"""Devices are there, and the pod is pending all the same: other pods, volumes, labels and quotas are named with nodes."""

from typing import Any

from insight_story import claim, gpus, node, pod

from dray.api.meta import Object

HOST = "kubernetes.io/hostname"


def labelled(name: str, **labels: str) -> Object:
    obj = node(name)
    return {**obj, "metadata": {**obj["metadata"], "labels": {HOST: name, **labels}}}


def running(name: str, where: str, labels: dict[str, str] | None = None, **spec: Any) -> Object:
    return pod(name, nodeName=where, meta={"labels": labels or {}}, **spec)


def term(app: str, key: str = HOST) -> Object:
    return {"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}}


def required(kind: str, *terms: Object) -> Object:
    return {kind: {"requiredDuringSchedulingIgnoredDuringExecution": list(terms)}}


TWO_NODES = {
    "nodes": [labelled("n1", zone="a"), labelled("n2", zone="b")],
    "resourceslices": [gpus("n1", 1), gpus("n2", 1)],
}


def test_anti_affinity_names_the_pod_that_is_in_the_way(ask: Any) -> None:
    web = pod("web", "c", affinity=required("podAntiAffinity", term("web")))
    others = [running("a", "n1", {"app": "web"}), running("b", "n2", {"app": "web"})]
    text = ask("why", "pod/web", pods=[web, *others], resourceclaims=[claim("c")], **TWO_NODES)
    assert "n1, n2: pod anti-affinity keeps away from pods app=web, which run on the node" in text
    assert "(default/a in node n1, default/b in node n2); devices would fit on them all" in text
    assert "move the pods that are named away" in text


def test_all_pods_that_are_in_the_way_are_named_not_one_of_them(ask: Any) -> None:
    web = pod("web", affinity=required("podAntiAffinity", term("web", "zone")), nodeSelector={"zone": "a"})
    others = [running(name, "n1", {"app": "web"}) for name in ("a", "b", "c", "d")]
    text = ask("why", "pod/web", pods=[web, *others], **TWO_NODES)
    assert "default/a, default/b, default/c and 1 more in zone=a" in text


def test_two_taints_on_a_node_are_two_reasons_and_neither_alone_is_sold_as_the_cure(ask: Any) -> None:
    taints = [{"key": key, "effect": "NoSchedule"} for key in ("one", "two")]
    text = ask("why", "pod/p", pods=[pod("p")], nodes=[node("n1", taints=taints)])
    assert "taint one:NoSchedule is not tolerated; taint two:NoSchedule is not tolerated" in text
    assert "kubectl taint" not in text


def test_anti_affinity_of_a_running_pod_is_charged_to_that_pod(ask: Any) -> None:
    loner = running("loner", "n1", affinity=required("podAntiAffinity", term("web", "zone")))
    web = pod("web", meta={"labels": {"app": "web"}}, nodeSelector={"zone": "a"})
    text = ask("why", "pod/web", pods=[web, loner], **TWO_NODES)
    assert "n1: pods in the same zone keep away from pods app=web like this one" in text
    assert "(default/loner in zone=a)" in text
    assert "n2: label zone is b, the pod asks for a" in text


def test_affinity_says_where_the_friends_are_and_when_there_are_none(ask: Any) -> None:
    wish = required("podAffinity", term("db", "zone"))
    near = pod("near", affinity=wish, nodeSelector={"zone": "b"})
    text = ask("why", "pod/near", pods=[near, running("db", "n1", {"app": "db"})], **TWO_NODES)
    assert "n2: pod affinity wants to be with pods app=db; they run in zone=a only" in text
    alone = ask("why", "pod/near", pods=[near], **TWO_NODES)
    assert "wants to be with pods app=db, and none runs anywhere" in alone


def test_every_rule_against_a_node_is_named_not_only_the_first(ask: Any) -> None:
    rules = {**required("podAffinity", term("db")), **required("podAntiAffinity", term("web"))}
    both = pod("both", affinity=rules)
    text = ask("why", "pod/both", pods=[both, running("a", "n1", {"app": "web"})], **TWO_NODES)
    assert "and none runs anywhere; pod anti-affinity keeps away from pods app=web" in text


def test_topology_spread_tells_the_counts_and_the_skew(ask: Any) -> None:
    spread = {
        "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }  # fmt: skip
    web = pod("web", "c", meta={"labels": {"app": "web"}}, topologySpreadConstraints=[spread])
    objects = {**TWO_NODES, "resourceslices": [gpus("n1", 1)]}
    text = ask(
        "why", "pod/web", pods=[web, running("a", "n1", {"app": "web"})], resourceclaims=[claim("c")], **objects
    )  # fmt: skip
    assert "n1: topology spread over zone: one more of pods app=web would exceed maxSkew 1" in text
    assert "(zone=a has 1, zone=b has 0); devices would fit on it" in text
    assert "raise maxSkew to 2" in text


def test_node_affinity_says_what_is_asked_and_what_the_node_has(ask: Any) -> None:
    terms = [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["c", "d"]}]}]
    rule = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    text = ask("why", "pod/p", pods=[pod("p", affinity={"nodeAffinity": rule})], **TWO_NODES)
    assert "n1: required node affinity: zone In [c, d], and the node has zone=a" in text


def volume_claim(name: str, **more: Any) -> Object:
    meta = {"name": name, "namespace": "default"}
    spec = {"accessModes": ["ReadWriteOnce"], **more}
    return {"kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec, "status": {}}


def with_volume(name: str, claim_name: str) -> Object:
    return pod(name, "c", volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": claim_name}}])


def test_a_volume_that_is_tied_to_other_nodes_is_named(ask: Any) -> None:
    terms = [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["b"]}]}]
    volume = {
        "kind": "PersistentVolume",
        "metadata": {"name": "pv-1"},
        "spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": terms}}},
    }
    objects = {**TWO_NODES, "resourceslices": [gpus("n1", 1)]}
    text = ask(
        "why", "pod/p", pods=[with_volume("p", "data")], resourceclaims=[claim("c")],
        persistentvolumes=[volume], persistentvolumeclaims=[volume_claim("data", volumeName="pv-1")], **objects,
    )  # fmt: skip
    assert "n1: volume pv-1 of claim data cannot be used there: zone In [b], and the node has zone=a" in text
    assert "devices would fit on it" in text


def test_volume_claims_that_are_missing_or_unbound_come_before_any_node(ask: Any) -> None:
    common = {"pods": [with_volume("p", "data")], "resourceclaims": [claim("c")], **TWO_NODES}
    missing = ask("why", "pod/p", persistentvolumeclaims=[], **common)
    assert "PersistentVolumeClaim default/data does not exist" in missing
    early = {"kind": "StorageClass", "metadata": {"name": "fast"}, "provisioner": "disks.example.com"}
    unbound = volume_claim("data", storageClassName="fast")
    text = ask("why", "pod/p", persistentvolumeclaims=[unbound], storageclasses=[early], **common)
    assert "has no volume yet; its class fast binds before pods are scheduled" in text
    late = {**early, "volumeBindingMode": "WaitForFirstConsumer"}
    waits = ask("why", "pod/p", persistentvolumeclaims=[unbound], storageclasses=[late], **common)
    assert "Nothing stands in the way" in waits


def test_storage_that_may_not_be_read_is_told_only_where_it_matters(ask: Any) -> None:
    unknown = {"persistentvolumeclaims": "you may not list persistentvolumeclaims"}
    common = {"resourceclaims": [claim("c")], **TWO_NODES}
    plain = ask("why", "pod/p", unknown=unknown, pods=[pod("p", "c")], **common)
    assert "persistentvolumeclaims" not in plain
    assert "you may not list persistentvolumeclaims" in ask(
        "why", "pod/p", unknown=unknown, pods=[with_volume("p", "data")], **common
    )


def quota(hard: dict[str, str], used: dict[str, str]) -> Object:
    meta = {"name": "team", "namespace": "default"}
    return {"kind": "ResourceQuota", "metadata": meta, "spec": {"hard": hard}, "status": {"used": used}}


def test_a_quota_on_devices_says_how_many_are_used_and_how_to_raise_it(ask: Any) -> None:
    resource = "gpu.deviceclass.resource.k8s.io/devices"
    template = {
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": "two", "namespace": "default"},
        "spec": {"spec": claim("x", count=2)["spec"]},
    }
    waiting = pod("p", resourceClaims=[{"name": "gpu", "resourceClaimTemplateName": "two"}])
    text = ask(
        "why", "pod/p", pods=[waiting], resourceclaimtemplates=[template],
        resourcequotas=[quota({resource: "4"}, {resource: "3"})], **TWO_NODES,
    )  # fmt: skip
    assert f"quota default/team allows 4 {resource}, 3 are used, 2 more are needed" in text
    assert f'kubectl -n default patch resourcequota team --type=merge -p \'{{"spec":{{"hard":{{"{resource}":"5"}}}}}}\'' in text  # fmt: skip


def test_a_quota_that_has_room_by_now_is_not_blamed_for_what_it_refused_before(ask: Any) -> None:
    resource = "gpu.deviceclass.resource.k8s.io/devices"
    template = {
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": "two", "namespace": "default"},
        "spec": {"spec": claim("x", count=2)["spec"]},
    }
    event = {
        "metadata": {"name": "e", "namespace": "default"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
        "type": "Warning",
        "reason": "FailedResourceClaimCreation",
        "message": f"forbidden: exceeded quota: team, requested: {resource}=2, used: {resource}=3, limited: {resource}=4",
    }
    objects = {
        **TWO_NODES, "events": [event], "resourceclaimtemplates": [template],
        "pods": [pod("p", resourceClaims=[{"name": "gpu", "resourceClaimTemplateName": "two"}])],
    }  # fmt: skip
    room = [quota({resource: "5"}, {resource: "3"})]
    assert "for want of quota team, which has room by now" in ask(
        "why", "pod/p", resourcequotas=room, **objects
    )
    assert "quota default/team" not in ask("doctor", resourcequotas=room, **objects)
    full = [quota({resource: "4"}, {resource: "3"})]
    assert "error: quota default/team has refused Pod p" in ask("doctor", resourcequotas=full, **objects)


def test_a_pod_that_was_never_created_is_explained_by_its_owner_and_the_quota(ask: Any) -> None:
    event = {
        "metadata": {"name": "e", "namespace": "default"},
        "involvedObject": {"kind": "ReplicaSet", "name": "trainer-5d9", "namespace": "default"},
        "type": "Warning",
        "reason": "FailedCreate",
        "message": 'Error creating: pods "trainer-5d9-x" is forbidden: exceeded quota: team, requested: pods=1, used: pods=3, limited: pods=3',
    }
    text = ask(
        "why", "pod/trainer-5d9-x", events=[event], resourcequotas=[quota({"pods": "3"}, {"pods": "3"})], **TWO_NODES
    )  # fmt: skip
    assert "Pod default/trainer-5d9-x does not exist" in text
    assert "ReplicaSet trainer-5d9 could not create it: exceeded quota team" in text
    assert "pods: 3 of 3 used" in text
    by_owner = ask("why", "pod/trainer", events=[event], resourcequotas=[quota({"pods": "3"}, {"pods": "3"})])
    assert "ReplicaSet trainer-5d9 could not create it" in by_owner


def test_a_name_that_is_nearly_right_is_corrected_and_the_correction_was_tried(ask: Any) -> None:
    typo = claim("c", selector="device.attributes['gpu.example.com'].modle == 'A100'")
    text = ask("why", "pod/p", pods=[pod("p", "c")], resourceclaims=[typo], **TWO_NODES)
    assert "write model instead of modle: model is on 2 devices, modle on 0" in text
    assert text.index("write model instead") < text.index("guard with has(...)")


def test_a_scheduled_pod_that_waits_for_a_mount_says_so(ask: Any) -> None:
    event = {
        "metadata": {"name": "e", "namespace": "default"}, "type": "Warning", "reason": "FailedMount",
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"}, "message": "persistentvolumeclaim not found",
    }  # fmt: skip
    waiting = {**with_volume("p", "data"), "status": {"phase": "Pending"}}
    waiting["spec"]["nodeName"] = "n1"
    text = ask(
        "why", "pod/p", pods=[waiting], resourceclaims=[claim("c")], events=[event], persistentvolumeclaims=[], **TWO_NODES
    )  # fmt: skip
    assert "its containers have not started yet; event FailedMount: persistentvolumeclaim not found" in text
    assert "PersistentVolumeClaim default/data does not exist" in text
