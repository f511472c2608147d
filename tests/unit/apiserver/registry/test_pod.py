"""Pods: what the kind fills in, keeps and refuses beyond the recorded creates."""

import copy
import datetime as dt
import json
import pathlib

import pytest

from dray.api import errors
from dray.api.validation.pod.status import validate_pod_status
from dray.api.validation.pod.update import validate_pod_update
from dray.apiserver.registry.pod import POD, grace_seconds
from dray.apiserver.registry.pod_columns import pod_state
from dray.apiserver.registry.pod_defaults import default_pod, default_template
from dray.apiserver.registry.volume_defaults import default_pull_policy

from .recorded import NOW, Context

UPDATES = json.loads(
    (pathlib.Path(__file__).parents[3] / "corpus" / "registry" / "pod_updates.json").read_text()
)


def a_pod(**spec):
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "ns"},
        "spec": {"containers": [{"name": "c", "image": "busybox:1", "resources": {}}], **spec},
    }
    default_pod(pod)
    return pod


def changed(pod, **spec):
    new = copy.deepcopy(pod)
    new["spec"].update(spec)
    return new


def texts(found):
    return [str(error) for error in found]


@pytest.mark.parametrize("case", UPDATES, ids=[case["id"] for case in UPDATES])
def test_refused_update_shows_the_recorded_difference(case):
    default_pod(case["new"])
    found = validate_pod_update(case["new"], case["old"])
    assert str(errors.invalid("", "Pod", "p", found)) == case["message"]


def test_image_may_change():
    pod = a_pod()
    new = copy.deepcopy(pod)
    new["spec"]["containers"][0]["image"] = "busybox:2"
    assert validate_pod_update(new, pod) == []


def test_toleration_may_be_added_and_not_taken_away():
    tolerated = a_pod(tolerations=[{"key": "a", "operator": "Exists"}])
    more = changed(tolerated, tolerations=[{"key": "a", "operator": "Exists"}, {"operator": "Exists"}])
    assert validate_pod_update(more, tolerated) == []
    assert texts(validate_pod_update(tolerated, more)) == [
        "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"
    ]


def test_gate_may_be_removed_and_not_added():
    gated = a_pod(schedulingGates=[{"name": "a"}])
    assert validate_pod_update(changed(gated, schedulingGates=[]), gated) == []
    assert texts(validate_pod_update(gated, a_pod())) == [
        "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'a'"
    ]


def test_gated_pod_may_be_narrowed_to_fewer_nodes():
    gated = a_pod(schedulingGates=[{"name": "a"}], nodeSelector={"x": "1"})
    assert validate_pod_update(changed(gated, nodeSelector={"x": "1", "y": "2"}), gated) == []
    assert validate_pod_update(changed(gated, nodeSelector={"x": "2"}), gated) != []


def test_deadline_may_come_nearer_only():
    pod = a_pod(activeDeadlineSeconds=10)
    assert validate_pod_update(changed(pod, activeDeadlineSeconds=5), pod) == []
    assert texts(validate_pod_update(changed(pod, activeDeadlineSeconds=20), pod)) == [
        "spec.activeDeadlineSeconds: Invalid value: 20: must be less than or equal to previous value"
    ]


def test_main_write_keeps_the_status_and_status_write_keeps_the_spec():
    old = a_pod() | {"status": {"phase": "Running"}}
    write = changed(old, nodeName="n") | {"status": {"phase": "Failed"}}
    main = copy.deepcopy(write)
    POD.prepare_update(Context(old=old), main)
    assert main["status"] == {"phase": "Running"}
    assert POD.status is not None
    POD.status.prepare_update(Context(old=old), write)
    assert "nodeName" not in write["spec"]
    assert write["status"]["phase"] == "Failed"


def test_ephemeral_containers_are_all_that_their_subresource_changes():
    old = a_pod()
    write = changed(old, nodeName="n", ephemeralContainers=[{"name": "e", "image": "i"}])
    POD.updatable["ephemeralcontainers"].prepare_update(Context(old=old), write)
    assert write["spec"]["ephemeralContainers"] == [{"name": "e", "image": "i"}]
    assert "nodeName" not in write["spec"]
    assert "ephemeralContainers" not in old["spec"]


def test_ephemeral_container_may_not_be_removed():
    old = a_pod(ephemeralContainers=[{"name": "e", "image": "i"}])
    found = POD.updatable["ephemeralcontainers"].validate_update(Context(old=old), a_pod())
    assert texts(found) == [
        'spec.ephemeralContainers: Forbidden: existing ephemeral containers "e" may not be removed\n'
    ]


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("busybox", "Always"),
        ("busybox:latest", "Always"),
        ("busybox:1", "IfNotPresent"),
        ("registry:5000/busybox", "Always"),
        ("registry:5000/busybox:1", "IfNotPresent"),
        ("busybox@sha256:" + "a" * 64, "IfNotPresent"),
    ],
)
def test_pull_policy_follows_the_tag(image, policy):
    assert default_pull_policy(image) == policy


def test_requests_follow_limits_in_pods_and_not_in_templates():
    container = {"name": "c", "image": "i", "resources": {"limits": {"cpu": "1"}}}
    template = {"spec": {"containers": [copy.deepcopy(container)]}}
    default_template(template)
    assert "requests" not in template["spec"]["containers"][0]["resources"]
    assert "enableServiceLinks" not in template["spec"]
    pod = a_pod(containers=[container])
    assert pod["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "1"}


def test_qos_and_phase_are_set_at_creation():
    pod = a_pod(containers=[{"name": "c", "image": "i", "resources": {"requests": {"cpu": "1"}}}])
    POD.prepare_create(Context(), pod)
    assert pod["status"] == {"phase": "Pending", "qosClass": "Burstable"}


@pytest.mark.parametrize(
    ("asked", "node", "phase", "seconds"),
    [
        (None, "n", "Running", 30),
        (5, "n", "Running", 5),
        (0, "n", "Running", 0),
        (None, "", "Pending", 0),
        (None, "n", "Succeeded", 0),
        (-1, "n", "Running", 1),
    ],
)
def test_grace_of_a_deletion(asked, node, phase, seconds):
    assert grace_seconds(a_pod(nodeName=node) | {"status": {"phase": phase}}, asked) == seconds


# --- the one word that kubectl shows


def state(containers=(), init=(), *, phase="Running", conditions=(), deleting=False, spec_init=(), **status):
    pod = a_pod(
        containers=[{"name": one["name"]} for one in containers] or [{"name": "c"}],
        initContainers=list(spec_init) or [{"name": one["name"]} for one in init],
    )
    pod["status"] = {
        "phase": phase,
        "containerStatuses": list(containers),
        "initContainerStatuses": list(init),
        "conditions": [{"type": kind, "status": "True"} for kind in conditions],
        **status,
    }
    if deleting:
        pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return pod_state(pod)


def ended(name="c", **how):
    return {"name": name, "state": {"terminated": how}}


def waiting(reason, name="c"):
    return {"name": name, "state": {"waiting": {"reason": reason}}}


def running(name="c", ready=True):
    return {"name": name, "ready": ready, "state": {"running": {}}}


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        (state([running()]), "Running"),
        (state([waiting("ImagePullBackOff")]), "ImagePullBackOff"),
        (state([ended(exitCode=3, reason="Error")]), "Error"),
        (state([ended(exitCode=3)]), "ExitCode:3"),
        (state([ended(signal=9)]), "Signal:9"),
        (state([ended("a", reason="Completed"), running("b")], conditions=("Ready",)), "Running"),
        (state([ended("a", reason="Completed"), running("b")]), "NotReady"),
        (state([ended("a", reason="Completed"), ended("b", exitCode=1, reason="Error")]), "Error"),
        (state([], phase="Failed", reason="Evicted"), "Evicted"),
        (state(init=[waiting("PodInitializing")], phase="Pending"), "Init:0/1"),
        (state(init=[waiting("CrashLoopBackOff")], phase="Pending"), "Init:CrashLoopBackOff"),
        (state(init=[ended(exitCode=2)], phase="Pending"), "Init:ExitCode:2"),
        (state(init=[ended("a", exitCode=0), waiting("", "b")], phase="Pending"), "Init:1/2"),
        (state([running()], deleting=True), "Terminating"),
        (state([running()], deleting=True, reason="NodeLost"), "Unknown"),
        (state([ended(reason="Completed", exitCode=0)], phase="Succeeded", deleting=True), "Completed"),
    ],
)
def test_status_of_a_pod(shown, reason):
    assert shown.reason == reason


def test_gated_pod_says_so():
    pod = a_pod() | {
        "status": {
            "phase": "Pending",
            "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}],
        }
    }
    assert pod_state(pod).reason == "SchedulingGated"


def test_sidecar_counts_among_the_ready():
    shown = state(
        [running()],
        init=[{"name": "side", "started": True, "ready": True, "state": {"running": {}}}],
        spec_init=[{"name": "side", "restartPolicy": "Always"}],
    )
    assert (shown.ready, shown.total) == (2, 2)


def test_restarts_say_when_the_last_one_was():
    shown = state(
        [
            {
                **running(),
                "restartCount": 2,
                "lastState": {"terminated": {"finishedAt": "2025-12-31T23:55:00Z"}},
            }
        ]
    )
    assert shown.restarts.text(NOW) == "2 (5m ago)"
    assert shown.restarts.text(NOW + dt.timedelta(hours=1)) == "2 (65m ago)"


# --- status rules beyond the recorded


def test_container_that_ended_for_good_stays_ended():
    old = a_pod(restartPolicy="Never") | {"status": {"containerStatuses": [ended(exitCode=0)]}}
    new = old | {"status": {"containerStatuses": [running()]}}
    assert texts(validate_pod_status(new, old)) == [
        "status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state"
    ]


def test_repeated_mapping_of_an_extended_resource_is_reported_field_by_field():
    pod = a_pod(containers=[{"name": "c", "resources": {"requests": {"example.com/gpu": "1"}}}])
    mapping = {"containerName": "c", "resourceName": "example.com/gpu", "requestName": "r"}
    extended = {"requestMappings": [mapping, mapping], "resourceClaimName": "x"}
    new = pod | {"status": {"extendedResourceClaimStatus": extended}}
    found = validate_pod_status(new, pod)
    at = "status.extendedResourceClaimStatus.requestMappings[1]"
    assert [error.field for error in found] == [
        f"{at}.containerName",
        f"{at}.resourceName",
        f"{at}.requestName",
    ]


def test_health_message_is_bounded():
    pod = a_pod(containers=[{"name": "c", "resources": {"claims": [{"name": "a"}]}}])
    device = {"resourceID": "d/p/x", "health": "Healthy", "message": "m" * 1025}
    status = {"name": "c", "allocatedResourcesStatus": [{"name": "claim:a", "resources": [device]}]}
    new = pod | {"status": {"containerStatuses": [status]}}
    assert texts(validate_pod_status(new, pod)) == [
        "status.containerStatuses[0].allocatedResourcesStatus[0].resources[0].message: "
        "Too long: may not be more than 1024 bytes"
    ]
