"""What is said of pods that wait for their gang, and of devices that a PodGroup holds."""

import json
from typing import Any

from insight_story import DRIVER, claim, gpus, node, pod

from dray.api.meta import Object

WITHOUT_TRACE = "(Kubernetes tells this nowhere: no event, no condition)"


def group(name: str = "g", gang: int = 2, *claims: Object) -> Object:
    policy: Object = {"gang": {"minCount": gang}} if gang else {"basic": {}}
    meta = {"name": name, "namespace": "default", "uid": f"group-{name}"}
    return {
        "kind": "PodGroup",
        "metadata": meta,
        "spec": {"schedulingPolicy": policy, "resourceClaims": list(claims)},
    }


def member(name: str, claim_name: str = "", **more: Any) -> Object:
    return pod(name, claim_name, schedulingGroup={"podGroupName": "g"}, **more)


def placed(name: str, claim_name: str = "", **more: Any) -> Object:
    return {**member(name, claim_name, nodeName="n1", **more), "status": {"phase": "Running"}}


def held_by_group() -> Object:
    obj = claim("c", held=("gpu-0",))
    entry = {"apiGroup": "scheduling.k8s.io", "resource": "podgroups", "name": "g", "uid": "group-g"}
    obj["status"]["reservedFor"] = [entry]
    return obj


def test_a_pod_whose_group_does_not_exist_is_told_so(ask: Any) -> None:
    text = ask("why", "pod/p", pods=[member("p")], podgroups=[group("other")])
    assert f"PodGroup default/g, to which the pod belongs, does not exist {WITHOUT_TRACE}" in text
    assert "groups there: other" in text


def test_a_gang_that_lacks_pods_is_counted(ask: Any) -> None:
    text = ask("why", "pod/p1", pods=[member("p1"), member("p2")], podgroups=[group(gang=3)])
    assert f"PodGroup default/g places 3 pods at a time, and only 2 (p1, p2) exist {WITHOUT_TRACE}" in text
    assert "create 1 more pod of the group" in text


def test_pods_that_have_ended_do_not_count(ask: Any) -> None:
    ended = {**member("p2"), "status": {"phase": "Succeeded"}}
    text = ask("why", "pod/p1", pods=[member("p1"), ended], podgroups=[group(gang=2)])
    assert "only 1 (p1) exists" in text


def test_a_pod_that_would_fit_waits_for_those_that_do_not(ask: Any) -> None:
    names = ("p1", "p2", "p3")
    text = ask(
        "why", "pod/p1", pods=[member(name, f"c{name}") for name in names],
        resourceclaims=[claim(f"c{name}") for name in names], resourceslices=[gpus("n1", 2)],
        podgroups=[group(gang=3)],
    )  # fmt: skip
    assert (
        "The pod waits for its gang: PodGroup default/g places 3 pods at a time, and only 2 find a place."
        in text
    )
    assert "Without a place: p3: claim cp3, request gpu wants 1 device of class gpu" in text.replace(
        "default/", ""
    )
    assert "3 exist, 0 of them with a node; 2 more would find a place now" in text
    assert "it fits on" not in text


def test_the_pod_that_does_not_fit_is_told_why_and_that_the_others_wait_with_it(ask: Any) -> None:
    text = ask(
        "why", "pod/p2", pods=[member("p1", "c1"), member("p2", "c2")],
        resourceclaims=[claim("c1"), claim("c2", count=5)], resourceslices=[gpus("n1", 2)], podgroups=[group()],
    )  # fmt: skip
    assert "claim default/c2, request gpu wants 5 devices of class gpu" in text
    assert (
        "The pods of its gang wait with it: PodGroup default/g places 2 pods at a time, and only 1 find a place"
        in text
    )


def test_a_pod_that_fits_only_without_the_others_is_told_so(ask: Any) -> None:
    text = ask(
        "why", "pod/p2", pods=[member("p1", "c1"), member("p2", "c2")],
        resourceclaims=[claim("c1"), claim("c2")], resourceslices=[gpus("n1", 1)], podgroups=[group()],
    )  # fmt: skip
    assert "beside the others there is none for this pod" in text


def test_pods_that_share_a_claim_of_the_group_fit_together(ask: Any) -> None:
    entry = {"name": "gpu", "resourceClaimName": "c"}
    text = ask(
        "why", "pod/p1", pods=[member("p1", "c"), member("p2", "c")], resourceclaims=[claim("c")],
        resourceslices=[gpus("n1", 1)], podgroups=[group("g", 2, entry)],
    )  # fmt: skip
    assert "Nothing stands in the way any more: it fits on node n1" in text


def test_a_pod_that_joins_a_gang_that_runs_waits_for_nobody(ask: Any) -> None:
    text = ask("why", "pod/p3", pods=[placed("p1"), placed("p2"), member("p3")], podgroups=[group()])
    assert "it fits on node n1" in text
    assert "gang" not in text


def test_pods_of_a_basic_group_or_without_the_feature_wait_for_nobody(ask: Any) -> None:
    alone = {"pods": [member("p1")]}
    assert "it fits on node n1" in ask("why", "pod/p1", podgroups=[group(gang=0)], **alone)
    gates = {"gates": {"GenericWorkload": True, "GangScheduling": False}}
    assert "it fits on node n1" in ask("why", "pod/p1", podgroups=[group(gang=2)], server=gates, **alone)


def test_where_groups_may_not_be_read_that_is_said_of_their_pods_alone(ask: Any) -> None:
    unknown = {"podgroups": "you may not list podgroups.scheduling.k8s.io"}
    assert "you may not list podgroups" in ask("why", "pod/p", pods=[member("p")], unknown=unknown)
    assert "you may not list podgroups" not in ask("why", "pod/p", pods=[pod("p")], unknown=unknown)


def test_a_claim_of_the_group_that_cannot_be_made_is_explained_by_the_groups_event(ask: Any) -> None:
    entry = {"name": "gpu", "resourceClaimTemplateName": "t"}
    template = {
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": "t", "namespace": "default"},
        "spec": {"spec": {}},
    }
    about = {"kind": "PodGroup", "name": "g", "namespace": "default", "uid": "group-g"}
    event = {
        "metadata": {"name": "e", "namespace": "default"}, "involvedObject": about, "type": "Warning",
        "reason": "FailedResourceClaimCreation", "message": "PodGroupResourceClaim gpu: no",
    }  # fmt: skip
    user = member("p")
    user["spec"]["resourceClaims"] = [entry]
    text = ask(
        "why", "pod/p", pods=[user, member("q")], podgroups=[group("g", 2, entry)], events=[event],
        resourceclaimtemplates=[template],
    )  # fmt: skip
    assert "No claim could be made from template t: PodGroupResourceClaim gpu: no" in text


def test_devices_of_a_group_are_shown_as_the_groups(ask: Any) -> None:
    objects = {
        "pods": [placed("p1", "c"), placed("p2", "c")],
        "resourceclaims": [held_by_group()], "resourceslices": [gpus("n1", 1)], "podgroups": [group()],
    }  # fmt: skip
    assert "PodGroup default/g (2 pods)" in ask("devices", **objects)
    (device,) = json.loads(ask("devices", "-o", "json", **objects))
    (use,) = device["uses"]
    assert (use["holder"]["groups"], use["holder"]["pods"]) == (["g"], ["p1", "p2"])
    assert "reserved for PodGroup g" in ask("why", "claim/c", **objects)


def test_who_waits_for_devices_of_a_group_sees_the_group(ask: Any) -> None:
    text = ask(
        "why", "pod/other", pods=[placed("p1", "c"), pod("other", "d")],
        resourceclaims=[held_by_group(), claim("d")], resourceslices=[gpus("n1", 1)], podgroups=[group()],
    )  # fmt: skip
    assert (
        "1 taken by claim default/c (PodGroup g (1 pod))" in text
        or "claim default/c, PodGroup g (1 pod)" in text
    )


def test_the_pods_of_a_group_are_hurt_when_its_device_goes(ask: Any) -> None:
    text = ask(
        "safe-to-remove", f"driver/{DRIVER}", pods=[placed("p1", "c"), placed("p2", "c")],
        resourceclaims=[held_by_group()], resourceslices=[gpus("n1", 1)], podgroups=[group()], nodes=[node("n1")],
    )  # fmt: skip
    assert "not safe, 2 pods would be hurt" in text
    assert "default/p1 runs with it default/c gpu-0" in text


def test_from_1_37_on_a_pod_of_another_priority_holds_up_its_group(ask: Any) -> None:
    urgent = group(gang=0)
    urgent["spec"]["priority"] = 2
    objects: dict[str, Any] = {
        "pods": [member("p1", priority=2), member("p2", priority=1)],
        "podgroups": [urgent],
    }
    told = "PodGroup default/g has priority 2, and of its waiting pods 1 (p2) has another (1), so none of its pods is placed"
    newer = ask("why", "pod/p1", server={"version": "v1.37.0"}, **objects)
    assert told in newer
    assert "give the pods and the group the same priorityClassName" in newer
    assert told not in ask("why", "pod/p1", server={"version": "v1.36.2"}, **objects)
