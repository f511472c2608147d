"""What is next for a pod that is meant to run."""

import pytest

from dray.node.pods.phase import pod_phase
from dray.node.pods.plan import plan_pod
from dray.node.pods.restart import MAX_SECONDS, CrashBackoff, restarts
from dray.node.pods.stages import Cause, Stage, next_stage
from dray.node.pods.view import ContainerView, Role
from dray.node.runtime.protocol import SandboxState
from tests.unit.node.builders import container, exited, pod, running, sandbox, sidecar, view


def names(views: object) -> list[str]:
    return [each.name for each in views]  # type: ignore[attr-defined]


def init(name: str, current: object = None, **more: object) -> ContainerView:
    return view(current, Role.INIT, name, **more)  # type: ignore[arg-type]


def side(name: str, current: object = None, **more: object) -> ContainerView:
    return view(current, Role.SIDECAR, name, spec=sidecar(name), **more)  # type: ignore[arg-type]


def test_a_new_pod_needs_a_sandbox_first() -> None:
    plan = plan_pod(pod(), None, [view()], {})
    assert plan.new_sandbox
    assert not plan.start


def test_a_sandbox_that_is_not_ready_is_replaced_and_its_containers_do_not_count() -> None:
    dead = sandbox(SandboxState.NOT_READY)
    assert plan_pod(pod(), dead, [view(exited(1))], {}).new_sandbox
    (again,) = plan_pod(pod(), sandbox(attempt=1), [view(exited(1))], {}).start
    assert again.current is None


@pytest.mark.parametrize(
    ("policy", "code", "over"),
    [("Never", 1, True), ("OnFailure", 0, True), ("OnFailure", 1, False), ("Always", 0, False)],
)
def test_the_restart_policy_decides_whether_a_pod_is_over(policy: str, code: int, over: bool) -> None:
    assert plan_pod(pod(restartPolicy=policy), sandbox(), [view(exited(code))], {}).over is over


def test_a_pod_is_not_over_while_one_container_runs() -> None:
    views = [view(exited(0), name="a"), view(running("b"), name="b")]
    plan = plan_pod(pod(container("a"), container("b"), restartPolicy="Never"), sandbox(), views, {})
    assert not plan.over
    assert not plan.start


def test_init_containers_come_one_by_one_before_the_main_ones() -> None:
    two = pod(init=(container("one"), container("two")))
    first = [init("one"), init("two"), view()]
    assert names(plan_pod(two, sandbox(), first, {}).start) == ["one"]
    waiting = [init("one", running("one")), init("two"), view()]
    assert names(plan_pod(two, sandbox(), waiting, {}).start) == []
    second = [init("one", exited(0, "one")), init("two"), view()]
    assert names(plan_pod(two, sandbox(), second, {}).start) == ["two"]
    done = [init("one", exited(0, "one")), init("two", exited(0, "two")), view()]
    assert names(plan_pod(two, sandbox(), done, {}).start) == ["main"]


def test_a_failed_init_container_is_tried_again_unless_the_policy_is_never() -> None:
    views = [init("one", exited(1, "one")), view()]
    assert names(plan_pod(pod(init=(container("one"),)), sandbox(), views, {}).start) == ["one"]
    assert plan_pod(pod(init=(container("one"),), restartPolicy="Never"), sandbox(), views, {}).over


def test_a_sidecar_must_have_started_before_the_next_begins() -> None:
    mixed = pod(init=(sidecar("proxy"), container("setup")))
    starting = [side("proxy", running("proxy"), started=False), init("setup"), view()]
    assert names(plan_pod(mixed, sandbox(), starting, {}).start) == []
    started = [side("proxy", running("proxy")), init("setup"), view()]
    assert names(plan_pod(mixed, sandbox(), started, {}).start) == ["setup"]


def test_a_sidecar_that_ends_is_started_again_even_beside_containers_that_are_done() -> None:
    mixed = pod(init=(sidecar("proxy"),), restartPolicy="Never")
    views = [side("proxy", exited(0, "proxy")), view(running())]
    assert names(plan_pod(mixed, sandbox(), views, {}).start) == ["proxy"]


def test_an_ephemeral_container_starts_beside_whatever_runs_and_only_once() -> None:
    debugger = view(None, Role.EPHEMERAL, "debugger")
    plan = plan_pod(pod(init=(container("one"),)), sandbox(), [init("one"), view(), debugger], {})
    assert names(plan.start) == ["debugger", "one"]
    ended = view(exited(1, "debugger"), Role.EPHEMERAL, "debugger")
    assert names(plan_pod(pod(), sandbox(), [view(running()), ended], {}).start) == []


def test_an_ephemeral_container_keeps_no_pod_from_being_over() -> None:
    views = [view(exited(0)), view(running("debugger"), Role.EPHEMERAL, "debugger")]
    assert plan_pod(pod(restartPolicy="Never"), sandbox(), views, {}).over


def test_a_failed_probe_kills_the_container_that_runs() -> None:
    probe = {"periodSeconds": 1}
    plan = plan_pod(pod(), sandbox(), [view(running())], {"main": ("liveness", probe)})
    (kill,) = plan.kill
    assert (kill.message, kill.probe) == ("Container main failed liveness probe, will be restarted", probe)


def test_a_sidecar_that_fails_a_probe_is_called_an_init_container_and_begins_again() -> None:
    views = [view(running("side"), Role.SIDECAR, "side"), view(running())]
    plan = plan_pod(
        pod(restartPolicy="Never", init=(sidecar("side"),)), sandbox(), views, {"side": ("startup", {})}
    )
    assert [kill.message for kill in plan.kill] == ["Init container side failed startup probe"]


def test_a_container_whose_image_was_changed_is_replaced_whatever_its_policy() -> None:
    changed = view(running(), spec=container(image="busybox:2"))
    plan = plan_pod(pod(restartPolicy="Never"), sandbox(), [changed], {"main": ("liveness", {})})
    assert [kill.message for kill in plan.kill] == ["Container main definition changed, will be restarted"]
    assert names(plan.start) == ["main"]
    same = view(running(), spec=container(image="docker.io/library/busybox:latest"))
    assert plan_pod(pod(), sandbox(), [same], {}).kill == []


def test_a_container_that_a_probe_ends_for_good_is_not_said_to_be_restarted() -> None:
    once, failed = pod(restartPolicy="Never"), {"main": ("liveness", {"periodSeconds": 1})}
    (kill,) = plan_pod(once, sandbox(), [view(running())], failed).kill
    assert kill.message == "Stopping container main", "the pod ends with it"
    beside = view(running("other"), name="other")
    (kill,) = plan_pod(once, sandbox(), [view(running()), beside], failed).kill
    assert kill.message == "Container main failed liveness probe"


def test_exit_code_rules_come_before_the_policy() -> None:
    rules = [{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}]
    spec = container(restartPolicy="Never", restartPolicyRules=rules)
    assert restarts(pod(), spec, Role.MAIN, 42)
    assert not restarts(pod(), spec, Role.MAIN, 43)


def test_a_rule_for_all_makes_every_container_begin_anew() -> None:
    rules = [{"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [42]}}]
    spec = container("a", restartPolicy="Never", restartPolicyRules=rules)
    whole = pod(spec, container("b"), restartPolicy="Never")
    asked, other = view(exited(42, "a"), name="a", spec=spec), view(running("b"), name="b")
    plan = plan_pod(whole, sandbox(), [asked, other], {})
    assert plan.new_sandbox
    assert plan.cause is asked
    after = plan_pod(whole, sandbox(attempt=1), [asked, other], {})
    assert not after.new_sandbox
    assert names(after.start) == ["a", "b"]
    assert plan_pod(whole, sandbox(), [view(exited(1, "a"), name="a", spec=spec), other], {}).cause is None


# --- back-off ---


def test_restarts_are_spaced_from_ten_seconds_to_five_minutes() -> None:
    backoff, now, delays = CrashBackoff(), 0.0, []
    for _ in range(8):
        left = backoff.remaining("main", now, now)
        delays.append(left)
        backoff.restarted("main", now, now + left)
        now += left
    assert delays == [0, 10, 20, 40, 80, 160, 300, 300]


def test_a_container_that_ran_for_ten_minutes_starts_from_the_beginning() -> None:
    backoff = CrashBackoff()
    backoff.restarted("main", 0, 0)
    assert backoff.remaining("main", 2 * MAX_SECONDS + 1, 2 * MAX_SECONDS + 1) == 0


# --- phase ---


def test_the_phase_follows_the_containers() -> None:
    def phase(*views: ContainerView, terminated: bool = False, **spec: object) -> str:
        return pod_phase(pod(*(each.spec for each in views), **spec), views, terminated=terminated)  # type: ignore[arg-type]

    assert phase(view()) == "Pending"
    assert phase(view(running())) == "Running"
    assert phase(view(exited(0))) == "Running", "it will be started again"
    assert phase(view(exited(0)), restartPolicy="Never") == "Succeeded"
    assert phase(view(exited(1)), restartPolicy="Never") == "Failed"
    assert phase(view(exited(0)), terminated=True) == "Succeeded"
    assert phase(view(), terminated=True) == "Failed"


# --- stages ---


def test_a_pod_passes_its_stages_in_order_and_never_goes_back() -> None:
    causes = [Cause.DELETED, Cause.STOPPED, Cause.RELEASED, Cause.DELETED, Cause.REMOVED]
    stage, seen = Stage.RUNNING, []
    for cause in causes:
        stage = next_stage(stage, cause)
        seen.append(stage)
    assert seen == [Stage.STOPPING, Stage.RELEASING, Stage.FINISHED, Stage.DELETING, Stage.GONE]
    order = list(Stage)
    for stage in Stage:
        for cause in Cause:
            assert order.index(next_stage(stage, cause)) >= order.index(stage)
