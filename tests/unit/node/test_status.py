"""The status a node writes for its pods, and the smallest patch that brings it there."""

from typing import Any

from dray.api.meta import Object
from dray.node.pods.status import Circumstances, Failure, pod_status, status_patch
from dray.node.pods.view import ContainerView, Role, Waiting
from dray.node.runtime.protocol import Container
from tests.unit.node.builders import container, exited, pod, running, view

NOW = "2026-01-01T00:01:00Z"


def status(of: Object, *views: ContainerView, **facts: Any) -> Object:
    known = {"now": NOW, "start_time": "2026-01-01T00:00:00Z", "host_ip": "10.0.0.9", "pod_ip": "10.0.0.1"}
    return pod_status(of, views, Circumstances(**{**known, "has_sandbox": True, **facts}))


def conditions(found: Object) -> dict[str, tuple[str, str]]:
    return {each["type"]: (each["status"], each.get("reason", "")) for each in found["conditions"]}


def test_a_running_pod() -> None:
    found = status(pod(), view(running()))
    assert found["phase"] == "Running"
    assert conditions(found) == {
        "PodReadyToStartContainers": ("True", ""),
        "Initialized": ("True", ""),
        "Ready": ("True", ""),
        "ContainersReady": ("True", ""),
        "PodScheduled": ("True", ""),
    }
    (entry,) = found["containerStatuses"]
    assert entry["state"] == {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
    assert (entry["ready"], entry["started"], entry["restartCount"]) == (True, True, 0)
    assert found["podIPs"] == [{"ip": "10.0.0.1"}]


def test_a_container_that_backs_off_shows_why_and_how_it_ended() -> None:
    waiting = Waiting("CrashLoopBackOff", "back-off 10s")
    (entry,) = status(pod(), view(exited(1, attempt=2), waiting=waiting))["containerStatuses"]
    assert entry["state"] == {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
    assert entry["lastState"]["terminated"]["exitCode"] == 1
    assert entry["restartCount"] == 2


def test_containers_behind_init_containers_say_so() -> None:
    found = status(pod(init=(container("one"),)), view(running("one"), Role.INIT, "one"), view())
    assert found["containerStatuses"][0]["state"] == {"waiting": {"reason": "PodInitializing"}}
    assert conditions(found)["Initialized"] == ("False", "ContainersNotInitialized")


def test_an_init_container_counts_as_started_while_it_runs() -> None:
    of = pod(init=(container("one"),))
    (entry,) = status(of, view(running("one"), Role.INIT, "one"), view())["initContainerStatuses"]
    assert (entry["started"], entry["ready"]) == (True, False)
    (entry,) = status(of, view(exited(0, "one"), Role.INIT, "one"), view())["initContainerStatuses"]
    assert (entry["started"], entry["ready"]) == (False, True)


def test_a_container_that_never_ran_is_given_an_end_with_its_pod() -> None:
    found = status(pod(), view(), terminated=True, released=True)
    assert found["phase"] == "Failed"
    assert found["containerStatuses"][0]["state"]["terminated"] == {
        "exitCode": 137,
        "reason": "ContainerStatusUnknown",
        "message": "The container could not be located when the pod was terminated",
        "startedAt": None,
        "finishedAt": None,
    }
    assert conditions(found)["Ready"] == ("False", "ContainersNotReady")


def test_a_container_that_waits_to_run_again_is_given_an_end_with_its_pod() -> None:
    failure = Failure("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
    crashed = view(exited(3), waiting=Waiting("CrashLoopBackOff", "back-off 10s"))
    found = status(pod(), crashed, failure=failure, terminated=True, released=True)
    (entry,) = found["containerStatuses"]
    assert entry["state"]["terminated"]["reason"] == "ContainerStatusUnknown"
    assert entry["lastState"]["terminated"]["exitCode"] == 3
    assert conditions(found)["Ready"] == ("False", "PodFailed")


def test_containers_whose_turn_never_came_keep_waiting_when_their_pod_ends() -> None:
    names = ("one", "two")
    views = [*(view(None, Role.INIT, name) for name in names), view()]
    found = status(pod(init=tuple(map(container, names))), *views, terminated=True, released=True)
    states = [
        next(iter(entry["state"])) for entry in (*found["initContainerStatuses"], *found["containerStatuses"])
    ]
    assert states == ["terminated", "waiting", "waiting"]
    assert conditions(found)["Ready"] == ("False", "ContainersNotReady")


def test_a_pod_deleted_while_it_initializes_did_not_fail_in_its_conditions() -> None:
    views = [view(exited(0, "one"), Role.INIT, "one"), view()]
    found = status(pod(init=(container("one"),)), *views, terminated=True, released=True)
    assert found["phase"] == "Failed"
    assert conditions(found)["Ready"] == ("False", "ContainersNotReady")


def test_of_a_pod_that_the_node_never_took_it_says_why_and_no_more() -> None:
    failure = Failure(
        "OutOfcpu", "Pod was rejected: Node didn't have enough resource: cpu", is_rejection=True
    )
    found = status(pod(), view(), failure=failure, terminated=True)
    assert found == {
        "phase": "Failed",
        "reason": "OutOfcpu",
        "message": "Pod was rejected: Node didn't have enough resource: cpu",
        "startTime": "2026-01-01T00:00:00Z",
    }
    patch = status_patch(pod(status={"conditions": [{"type": "PodScheduled", "status": "True"}]}), found)
    assert patch is not None
    assert "conditions" not in patch["status"]


def test_an_ephemeral_container_has_a_list_of_its_own_and_no_say_in_the_pods_conditions() -> None:
    views = [view(running()), view(exited(3, "debugger"), Role.EPHEMERAL, "debugger")]
    found = status(pod(), *views)
    (entry,) = found["ephemeralContainerStatuses"]
    assert entry["state"]["terminated"]["exitCode"] == 3
    assert entry["ready"] is False
    assert "started" not in entry
    assert {one["type"]: one["status"] for one in found["conditions"]}["Ready"] == "True"


def test_a_pod_that_may_begin_anew_says_whether_it_is_about_to() -> None:
    rules = [{"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [42]}}]
    spec = container(restartPolicy="Never", restartPolicyRules=rules)

    def restarting(current: Container) -> tuple[str, str]:
        return conditions(status(pod(spec, restartPolicy="Never"), view(current, spec=spec)))[
            "AllContainersRestarting"
        ]

    assert restarting(running()) == ("False", "")
    assert restarting(exited(42)) == ("True", "")
    assert "AllContainersRestarting" not in conditions(status(pod(), view(running())))


def test_the_health_of_devices_is_shown_for_main_containers_alone() -> None:
    rows = [{"name": "claim:gpu", "resources": [{"resourceID": "g/p/0", "health": "Healthy"}]}]
    views = [
        view(running(name), role, name, health=rows)
        for name, role in (("main", Role.MAIN), ("side", Role.SIDECAR))
    ]
    found = status(pod(), *views)
    assert found["containerStatuses"][0]["allocatedResourcesStatus"] == rows
    assert "allocatedResourcesStatus" not in found["initContainerStatuses"][0]


def test_the_health_of_devices_is_shown_while_their_container_crashes() -> None:
    rows = [{"name": "claim:gpu", "resources": [{"resourceID": "g/p/0", "health": "Unhealthy"}]}]
    crashed = view(exited(1), waiting=Waiting("CrashLoopBackOff"), health=rows)
    assert status(pod(), crashed)["containerStatuses"][0]["allocatedResourcesStatus"] == rows


def test_a_readiness_gate_keeps_a_pod_from_being_ready() -> None:
    gated = pod(readinessGates=[{"conditionType": "example.com/ok"}])
    found = status(gated, view(running()))
    assert conditions(found)["ContainersReady"] == ("True", "")
    assert conditions(found)["Ready"] == ("False", "ReadinessGatesNotReady")


def test_a_final_phase_is_held_back_until_the_devices_are_given_back() -> None:
    before = pod(restartPolicy="Never", status={"phase": "Running"})
    held = status(before, view(exited(0)), released=False)
    assert held["phase"] == "Running"
    assert held["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 0
    assert status(before, view(exited(0)), released=True)["phase"] == "Succeeded"


def test_a_failure_of_the_node_is_told_with_the_phase_and_not_before() -> None:
    failure = Failure("DeadlineExceeded", "too long")
    held = status(pod(status={"phase": "Running"}), view(running()), failure=failure, released=False)
    assert "reason" not in held
    found = status(pod(), view(exited(137)), failure=failure)
    assert (found["phase"], found["reason"], found["message"]) == ("Failed", "DeadlineExceeded", "too long")


def test_a_final_phase_that_somebody_else_wrote_stays() -> None:
    found = status(pod(status={"phase": "Failed", "reason": "Evicted"}), view(exited(0)), terminated=True)
    assert (found["phase"], found["reason"]) == ("Failed", "Evicted")


def test_nothing_is_sent_when_nothing_differs() -> None:
    first = status(pod(), view(running()))
    assert status_patch(pod(status=first), status(pod(status=first), view(running()))) is None


def test_a_condition_keeps_its_time_until_it_changes() -> None:
    first = status(pod(), view(running()), now="2026-01-01T00:00:00Z")
    second = status(pod(status=first), view(running(), ready=False))
    times = {each["type"]: each["lastTransitionTime"] for each in second["conditions"]}
    assert times["Initialized"] == "2026-01-01T00:00:00Z"
    assert times["Ready"] == NOW


def test_a_patch_leaves_what_others_wrote_alone() -> None:
    foreign = {"type": "example.com/ok", "status": "True"}
    before = pod(status={"conditions": [foreign], "resourceClaimStatuses": [{"name": "gpu"}]})
    patch = status_patch(before, status(before, view(running())))
    assert patch is not None
    assert patch["metadata"] == {"uid": "uid-pod"}
    assert "resourceClaimStatuses" not in patch["status"]
    assert foreign not in patch["status"]["conditions"]
    assert patch["status"]["$setElementOrder/conditions"][-1] == {"type": "example.com/ok"}
