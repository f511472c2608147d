"""What `dray whatif` foretells: what fits after changes, what is evicted, what stays pending and why."""

import json
import pathlib
from typing import Any

import pytest
from click.testing import CliRunner
from insight_story import DRIVER, NOW, claim, gpus, node, pod
from whatif_story import deployment, running, template, tolerating, write

from dray.cli.main import cli
from dray.insight.redaction import redact
from dray.insight.snapshot import Snapshot


def test_a_taint_evicts_who_does_not_tolerate_it_and_a_bounded_toleration_only_delays_it(ask: Any) -> None:
    pods = [running("plain", kind="Job"), running("firm", kind="Job"), running("patient", kind="Job")]
    claims = [
        claim("plain", held=("gpu-0",), pod="plain"),
        tolerating("firm", "gpu-1", None),
        tolerating("patient", "gpu-2", 300),
    ]
    objects = {"resourceslices": [gpus("n1", 3)], "pods": pods, "resourceclaims": claims}
    text = ask("whatif", "--taint", f"{DRIVER}/n1", "hot:NoExecute", **objects)
    assert f"evicted, since {DRIVER}/n1 is tainted hot:NoExecute: 2 pods" in text
    assert "default/plain n1 stays pending" in text
    assert "default/patient n1 stays pending after 300s" in text
    assert "default/firm n1" not in text
    assert "tainted hot:NoExecute" in text.partition("pending:")[2]


def test_a_noschedule_taint_evicts_nobody_but_keeps_new_pods_away(ask: Any) -> None:
    objects = {
        "resourceslices": [gpus("n1", 2)],
        "pods": [running("old"), pod("new", "new")],
        "resourceclaims": [claim("old", held=("gpu-0",), pod="old"), claim("new")],
    }
    assert "The one pod that needs a place gets one" in ask("whatif", **objects)
    text = ask("whatif", "--taint", DRIVER, "old=yes:NoSchedule", **objects)
    assert "evicted" not in text
    assert "1 taken by claim default/old (pod old)" in text
    assert "1 tainted old=yes:NoSchedule" in text


def test_a_tainted_node_loses_its_pods_and_its_daemons(ask: Any) -> None:
    tolerates = [{"key": "repair", "operator": "Exists"}]
    pods = [
        pod("bare", nodeName="n1"),
        running("d", kind="DaemonSet"),
        pod("firm", nodeName="n1", tolerations=tolerates),
    ]
    objects = {"nodes": [node("n1"), node("n2")], "pods": pods, "resourceclaims": [claim("d")]}
    text = ask("whatif", "--taint", "node/n1", "repair:NoExecute", **objects)
    assert "default/bare n1 n2 nothing makes it again: you must" in text
    assert "default/d n1 is gone" in text
    assert "firm" not in text


def test_a_drained_nodes_pods_go_elsewhere_and_give_their_devices_back(ask: Any) -> None:
    objects = {
        "nodes": [node("n1"), node("n2")],
        "resourceslices": [gpus("n1", 1), gpus("n2", 1)],
        "pods": [running("a", kind="ReplicaSet"), running("d", kind="DaemonSet")],
        "resourceclaims": [claim("a", held=("gpu-0",), pod="a"), claim("d")],
    }
    text = ask("whatif", "--drain", "n1", **objects)
    assert "The one pod that needs a place gets one" in text
    assert "default/a n1 n2" in text
    assert "default/d" not in text
    assert "default/d n1 is gone" in ask("whatif", "--remove-node", "n1", **objects)


def test_a_claim_that_somebody_who_stays_uses_too_keeps_its_devices(ask: Any) -> None:
    local = gpus("n1", 1)
    anywhere = {
        **local,
        "spec": {**{k: v for k, v in local["spec"].items() if k != "nodeName"}, "allNodes": True},
    }
    users = [pod("a", "both", nodeName="n1"), pod("b", "both", nodeName="n2")]
    objects = {
        "nodes": [node("n1"), node("n2")],
        "resourceslices": [anywhere],
        "pods": [*users, pod("new", "new")],
        "resourceclaims": [claim("both", held=("gpu-0",), pod="a"), claim("new")],
    }
    text = ask("whatif", "--drain", "n1", **objects)
    assert "default/a n1 n2" in text
    assert "1 taken by claim default/both" in text


def test_a_claim_set_to_more_is_made_anew_with_its_pod(ask: Any) -> None:
    objects = {
        "resourceslices": [gpus("n1", 2)],
        "pods": [running("p", kind="Job")],
        "resourceclaims": [claim("p", held=("gpu-0",), pod="p")],
    }
    at = "spec.devices.requests[gpu].exactly.count"
    text = ask("whatif", "--set", "claim/p", f"{at}=2", **objects)
    assert "evicted, since claim default/p is made anew: 1 pod" in text
    assert "The one pod that needs a place gets one" in text
    assert "wants 3 devices of class gpu; there are 2 that would do" in ask(
        "whatif", "--set", "claim/p", f"{at}=3", **objects
    )


@pytest.mark.parametrize(
    ("assignment", "complaint"),
    [
        ("spec.devices.requests[0].exactly.cuont=2", 'unknown field "spec.devices.requests[0].exactly.cuont"'),
        ("spec.devices.requests[gpus].exactly.count=2", "there is no entry [gpus]; the list has gpu"),
        ("spec.devices.requests[0].exactly.count=-1", "must be greater than zero"),
        ("spec.devices.requests[0].exactly.selectors=[{cel: {expression: device.drivr}}]", "undefined field 'drivr'"),
        ("count", "write PATH=VALUE"),
    ],
)  # fmt: skip
def test_a_change_that_the_api_server_would_refuse_is_no_question(
    ask: Any, assignment: str, complaint: str
) -> None:
    assert complaint in ask("whatif", "--set", "claim/p", assignment, resourceclaims=[claim("p")])


def test_a_template_reaches_pods_that_run_only_by_a_restart(ask: Any, tmp_path: pathlib.Path) -> None:
    made = {"resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "one"}], "nodeName": "n1"}
    owner = {"ownerReferences": [{"kind": "StatefulSet", "name": "db", "uid": "db", "controller": True}]}
    old = pod("p", meta=owner, **made)
    old["status"]["resourceClaimStatuses"] = [{"name": "gpu", "resourceClaimName": "p"}]
    held = claim("p", held=("gpu-0",), pod="p")
    held["metadata"]["ownerReferences"] = [{"kind": "Pod", "name": "p", "uid": "pod-p", "controller": True}]
    objects = {
        "resourceslices": [gpus("n1", 2)], "pods": [old], "resourceclaims": [held],
        "resourceclaimtemplates": [template()],
    }  # fmt: skip
    change = ("--set", "template/one", "spec.spec.devices.requests[0].exactly.count=3")
    kept = ask("whatif", *change, **objects)
    assert "Every pod has a place" in kept
    assert "1 pod that runs keeps its claim made from template default/one before" in kept
    again = ask("whatif", *change, "--restart", "statefulset/db", **objects)
    assert "claim of template one, request gpu wants 3 devices" in again
    assert "keeps its claim" not in again


def test_a_slice_from_a_file_brings_its_devices(ask: Any, tmp_path: pathlib.Path) -> None:
    objects = {"pods": [pod("a", "a"), pod("b", "b")], "resourceclaims": [claim("a"), claim("b")]}
    assert "no driver publishes any device in this cluster" in ask("whatif", **objects)
    path = write(tmp_path / "slice.yaml", {"apiVersion": "resource.k8s.io/v1", **gpus("n1", 2)})
    assert "All 2 pods that need a place get one" in ask("whatif", "-f", path, **objects)


def test_a_slice_of_an_older_version_is_read_as_well(ask: Any, tmp_path: pathlib.Path) -> None:
    new = gpus("n1", 1)
    devices = [{"name": d["name"], "basic": {"attributes": d["attributes"]}} for d in new["spec"]["devices"]]
    old = {**new, "apiVersion": "resource.k8s.io/v1beta1", "spec": {**new["spec"], "devices": devices}}
    path = write(tmp_path / "slice.yaml", old)
    text = ask("whatif", "-f", path, pods=[pod("a", "a")], resourceclaims=[claim("a")])
    assert "The one pod that needs a place gets one" in text


def test_devices_like_one_are_added_beside_it_or_on_another_node(ask: Any) -> None:
    objects = {
        "nodes": [node("n1"), node("n2")],
        "resourceslices": [gpus("n1", 1)],
        "pods": [pod(name, name) for name in "abc"],
        "resourceclaims": [claim(name) for name in "abc"],
    }
    more = ("--add-devices", f"{DRIVER}/n1/gpu-0")
    assert "1 of 3 pods" in ask("whatif", **objects)
    beside = ask("whatif", *more, "2", **objects)
    assert "All 3 pods that need a place get one" in beside
    assert "n2" not in beside
    assert "default/b n2 default/c n2" in ask("whatif", *more, "2", "--on", "n2", **objects)


def test_more_partitions_of_one_device_are_not_invented(ask: Any) -> None:
    part = gpus("n1", 1, consumesCounters=[{"counterSet": "die", "counters": {"m": {"value": "1"}}}])
    text = ask("whatif", "--add-devices", f"{DRIVER}/n1/gpu-0", "2", resourceslices=[part])
    assert "is a partition: more like it would share its silicon" in text


def test_a_manifest_is_tried_before_it_is_applied(ask: Any, tmp_path: pathlib.Path) -> None:
    path = write(tmp_path / "app.yaml", template(), deployment("app", 3))
    text = ask("whatif", "-f", path, resourceslices=[gpus("n1", 2)])
    assert "deployment default/app 3 0 2 1" in text


def test_extended_resources_are_counted_as_the_devices_they_stand_for(ask: Any) -> None:
    cls = {"metadata": {"name": "gpu"}, "spec": {"extendedResourceName": "example.com/gpu"}}
    asks = {"containers": [{"name": "c", "resources": {"requests": {"example.com/gpu": 2}}}]}
    objects = {
        "deviceclasses": [cls],
        "resourceslices": [gpus("n1", 5)],
        "pods": [pod(name, **asks) for name in "abc"],
    }
    text = ask("whatif", **objects)
    assert "2 of 3 pods that need a place get one, 1 stay pending" in text
    assert "wants 2 devices of class gpu; of 5 devices, 4 taken" in text
    assert "pod default/c 1 n1 1 of 1 fit 1" in ask("whatif", "--min-nodes", **objects)


def test_an_extended_resource_that_a_node_counts_itself_comes_from_the_node(ask: Any) -> None:
    cls = {"metadata": {"name": "gpu"}, "spec": {"extendedResourceName": "example.com/gpu"}}
    asks = {"containers": [{"name": "c", "resources": {"requests": {"example.com/gpu": 2}}}]}
    plugin = {**node("n2"), "status": {"allocatable": {"example.com/gpu": "2"}}}
    objects = {"deviceclasses": [cls], "nodes": [node("n1"), plugin], "resourceslices": [gpus("n1", 2)]}
    text = ask("whatif", pods=[pod(name, **asks) for name in "abc"], **objects)
    assert "default/a n1 default/b n2" in text
    assert "example.com/gpu: the pod asks for 2, 0 of 2 free" in text


def test_init_containers_use_the_devices_of_the_containers_after_them(ask: Any) -> None:
    cls = {"metadata": {"name": "gpu"}, "spec": {"extendedResourceName": "example.com/gpu"}}
    box = {"name": "c", "resources": {"requests": {"example.com/gpu": 1}}}
    both = pod("p", containers=[box], initContainers=[{**box, "name": "init"}])
    text = ask("whatif", deviceclasses=[cls], resourceslices=[gpus("n1", 1)], pods=[both])
    assert "The one pod that needs a place gets one" in text


def test_changes_combine(ask: Any) -> None:
    objects = {
        "nodes": [node("n1"), node("n2")], "resourceslices": [gpus("n1", 1), gpus("n2", 2)],
        "pods": [running("a", kind="Job")], "resourceclaims": [claim("a", held=("gpu-0",), pod="a")],
        "resourceclaimtemplates": [template()], "deployments": [deployment("web", 0)],
    }  # fmt: skip
    text = ask(
        "whatif", "--drain", "n1", "--fail", f"{DRIVER}/n2/gpu-0", "--add-nodes", "1", "--like", "n1",
        "--scale", "deployment/web=2", **objects,
    )  # fmt: skip
    assert "default/a n1 n2" in text
    assert "default/web-new-1 n1-more-0" in text
    assert "2 of 3 pods that need a place get one, 1 stay pending" in text


def test_a_quota_keeps_pods_from_being_made(ask: Any) -> None:
    hard = {"gpu.deviceclass.resource.k8s.io/devices": "2"}
    quota = {"metadata": {"name": "q", "namespace": "default"}, "spec": {"hard": hard}}
    objects = {
        "resourceslices": [gpus("n1", 9)], "resourcequotas": [quota], "resourceclaims": [claim("other")],
        "resourceclaimtemplates": [template()], "deployments": [deployment("web", 0)],
    }  # fmt: skip
    text = ask("whatif", "--scale", "deployment/web=3", **objects)
    assert "deployment default/web 3 0 1 2" in text
    assert (
        "quota q of namespace default allows 2 devices of class gpu, 2 are asked for already and this needs 1"
        in text
    )


def test_what_keeps_a_pod_back_whatever_the_node_is_told(ask: Any) -> None:
    assert "scheduling gate" in ask("whatif", pods=[pod("p", schedulingGates=[{"name": "queue"}])])
    assert "ResourceClaim default/none does not exist" in ask("whatif", pods=[pod("p", "none")])


def test_the_more_important_pod_is_placed_first(ask: Any) -> None:
    pods = [pod("low", "low"), pod("high", "high", priority=1000)]
    text = ask(
        "whatif", resourceslices=[gpus("n1", 1)], pods=pods, resourceclaims=[claim("low"), claim("high")]
    )
    assert "pending: default/low" in text


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--drain", "n9"), "there is no node n9; nodes: n1"),
        (("--fail", f"{DRIVER}/n1/gpu-9"), "there is no device"),
        (("--fail", "no.such"), f"such as {DRIVER}/n1/gpu-0"),
        (("--taint", DRIVER, "hot:Never"), "the effect is one of NoSchedule, NoExecute"),
        (("--scale", "deployment/web"), "write KIND/NAME=COUNT"),
        (("--scale", "deployment/web=2"), "there is no deployment web in namespace default; there: app"),
        (("--scale", "service/web=2"), "service is no workload"),
        (("--add-nodes", "2"), "--like"),
    ],
)
def test_a_question_about_what_is_not_there_is_answered_by_what_is(
    ask: Any, words: tuple[str, ...], complaint: str
) -> None:
    assert complaint in ask(
        "whatif", *words, resourceslices=[gpus("n1", 1)], deployments=[deployment("app", 1)]
    )


def test_the_exit_code_tells_whether_all_fit(ask: Any, tmp_path: pathlib.Path) -> None:
    ask(
        "whatif",
        resourceslices=[gpus("n1", 1)],
        deployments=[deployment("web", 0)],
        resourceclaimtemplates=[template()],
    )

    def code(*words: str) -> int:
        return (
            CliRunner()
            .invoke(cli, ["whatif", *words, "--snapshot", str(tmp_path / "snapshot.json.gz")])
            .exit_code
        )

    assert code("--scale", "deployment/web=1") == 0
    assert code("--scale", "deployment/web=2") == 3
    assert code("--drain", "n9") == 1
    assert code("--add-nodes", "1") == 2


def test_programs_get_every_pod_and_every_need(ask: Any, tmp_path: pathlib.Path) -> None:
    ask(
        "whatif",
        resourceslices=[gpus("n1", 1)],
        deployments=[deployment("web", 0)],
        resourceclaimtemplates=[template()],
    )
    words = ["whatif", "--scale", "deployment/web=2", "--min-nodes", "-o", "json"]
    result = CliRunner().invoke(cli, [*words, "--snapshot", str(tmp_path / "snapshot.json.gz")])
    answer = json.loads(result.output)
    assert answer["fits"] is False
    assert answer["placed"] == [{"pod": "default/web-new-1", "node": "n1"}]
    assert [waiting["pod"] for waiting in answer["pending"]] == ["default/web-new-2"]
    need = answer["needs"][0]
    assert (need["workload"], need["like"], need["oneMore"], need["nodes"]) == (
        "deployment default/web",
        "n1",
        1,
        1,
    )


def test_workloads_of_a_snapshot_file_carry_no_environment() -> None:
    secret = deployment(
        "web", 1, containers=[{"name": "c", "env": [{"name": "TOKEN", "value": "secret-value"}]}]
    )
    bare = {"metadata": {"name": "t"}, "template": secret["spec"]["template"]}
    kinds = {"deployments": [secret], "statefulsets": [secret], "jobs": [secret], "podtemplates": [bare]}
    clean = redact(Snapshot(NOW, kinds)).objects
    assert "secret-value" not in str(clean)
    assert clean["deployments"][0]["spec"]["template"]["spec"]["resourceClaims"]
    assert clean["podtemplates"][0]["template"]["spec"]["resourceClaims"]


def test_volumes_are_said_not_to_be_looked_at(ask: Any) -> None:
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
    assert "not looked at: persistent volumes, which pod default/p also need" in ask(
        "whatif", pods=[pod("p", volumes=volumes)]
    )


def test_a_slice_or_a_taint_rule_that_the_api_server_would_refuse_is_no_question(
    ask: Any, tmp_path: pathlib.Path
) -> None:
    wrong = gpus("n1", 1)
    wrong["spec"]["devices"][0]["name"] = "GPU 0"
    path = write(tmp_path / "slice.yaml", {"apiVersion": "resource.k8s.io/v1", **wrong})
    assert "spec.devices[0].name" in ask("whatif", "-f", path)
    taint = {"key": "hot", "effect": "Sometimes"}
    rule = {
        "apiVersion": "resource.k8s.io/v1beta2", "kind": "DeviceTaintRule", "metadata": {"name": "r"},
        "spec": {"deviceSelector": {"driver": DRIVER}, "taint": taint},
    }  # fmt: skip
    assert "spec.taint.effect" in ask("whatif", "-f", write(tmp_path / "rule.yaml", rule))


def test_a_taint_rule_of_a_manifest_evicts(ask: Any, tmp_path: pathlib.Path) -> None:
    rule = {
        "apiVersion": "resource.k8s.io/v1beta2", "kind": "DeviceTaintRule", "metadata": {"name": "r"},
        "spec": {"deviceSelector": {"driver": DRIVER}, "taint": {"key": "hot", "effect": "NoExecute"}},
    }  # fmt: skip
    objects = {
        "resourceslices": [gpus("n1", 1)], "pods": [running("p", kind="Job")],
        "resourceclaims": [claim("p", held=("gpu-0",), pod="p")],
    }  # fmt: skip
    text = ask("whatif", "-f", write(tmp_path / "rule.yaml", rule), **objects)
    assert "evicted, since DeviceTaintRule r taints its device hot:NoExecute: 1 pod" in text


def test_a_claim_that_two_pods_share_counts_once_against_a_quota(ask: Any, tmp_path: pathlib.Path) -> None:
    quota = {
        "metadata": {"name": "q", "namespace": "default"},
        "spec": {"hard": {"gpu.deviceclass.resource.k8s.io/devices": "1"}},
    }
    made = {**claim("both"), "apiVersion": "resource.k8s.io/v1"}
    made = {**made, "metadata": {"name": "both"}}
    path = write(tmp_path / "claim.yaml", {key: value for key, value in made.items() if key != "status"})
    pods = [pod("a", "both"), pod("b", "both")]
    text = ask("whatif", "-f", path, resourceslices=[gpus("n1", 1)], resourcequotas=[quota], pods=pods)
    assert "All 2 pods that need a place get one" in text


def test_a_template_with_limits_alone_asks_for_them(ask: Any) -> None:
    cls = {"metadata": {"name": "gpu"}, "spec": {"extendedResourceName": "example.com/gpu"}}
    box = {"name": "c", "resources": {"limits": {"example.com/gpu": 2}}}
    web = deployment("web", 0, containers=[box])
    web["spec"]["template"]["spec"]["resourceClaims"] = []
    text = ask(
        "whatif",
        "--scale",
        "deployment/web=3",
        deviceclasses=[cls],
        resourceslices=[gpus("n1", 5)],
        deployments=[web],
    )
    assert "deployment default/web 3 0 2 1" in text


@pytest.mark.parametrize("kind", ["pods", "nodes", "resourceslices", "resourceclaims", "deviceclasses"])
def test_nothing_is_foretold_from_what_may_not_be_read(ask: Any, kind: str) -> None:
    objects: Any = {
        "pods": [pod("p", "c")],
        "resourceclaims": [claim("c")],
        "resourceslices": [gpus("n1", 1)],
    }
    text = ask("whatif", unknown={kind: "you may not list them"}, **objects)
    assert f"Error: without {kind} there is no answer: you may not list them" in text


def test_pods_without_claims_need_no_knowledge_of_devices(ask: Any) -> None:
    text = ask("whatif", unknown={"resourceslices": "the API server does not serve them"}, pods=[pod("p")])
    assert "The one pod that needs a place gets one" in text


def test_extended_resources_do_not_come_from_devices_where_the_gate_is_off(ask: Any) -> None:
    cls = {"metadata": {"name": "gpu"}, "spec": {"extendedResourceName": "example.com/gpu"}}
    asks = {"containers": [{"name": "c", "resources": {"requests": {"example.com/gpu": 1}}}]}
    sized = {**node("n1"), "status": {"allocatable": {"cpu": "8", "pods": "9"}}}
    objects = {
        "nodes": [sized],
        "deviceclasses": [cls],
        "resourceslices": [gpus("n1", 5)],
        "pods": [pod("p", **asks)],
    }
    assert "The one pod that needs a place gets one" in ask("whatif", **objects)
    off = {"gates": {"DRAExtendedResource": False}}
    assert "example.com/gpu: the pod asks for 1, 0 of 0 free" in ask("whatif", server=off, **objects)
