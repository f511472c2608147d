"""Pods as real processes: their life, their end, what is told about them, and that nothing of them is left."""

import asyncio
from pathlib import Path

from node_story import (
    NodeStory,
    eventually,
    processes_with,
    shell,
    state_of,
    waiting_reason,
)

from dray.api.resources import NODES

FOREVER = "trap 'exit 0' TERM; sleep 600 & wait"


async def test_a_pod_runs_and_its_events_are_the_kubelets(story: NodeStory) -> None:
    await story.create_pod("web", shell(FOREVER))
    pod = await story.until_ready("web")
    assert pod["status"]["phase"] == "Running"
    assert state_of(pod)["restartCount"] == 0
    assert state_of(pod)["started"] is True
    await story.until_told("web", "Started")
    assert await story.events("web") == [
        ("Pulled", 'Container image "busybox" already present on machine and can be accessed by the pod'),
        ("Created", "Container created"),
        ("Started", "Container started"),
    ]


async def test_a_deleted_pod_is_stopped_reported_and_removed(story: NodeStory) -> None:
    pod = await story.create_pod("web", shell(FOREVER))
    await story.until_ready("web")
    await story.delete_pod("web")
    await story.until_gone("web")
    assert ("Killing", "Stopping container main") in await story.events("web")
    assert story.agent is not None

    async def is_forgotten() -> bool:
        assert story.agent is not None
        return not story.agent.runtime.containers() and not story.agent.runtime.sandboxes()

    await eventually(is_forgotten, "the runtime forgets the pod")
    left = [path for path in story.root.rglob("*") if pod["metadata"]["uid"] in str(path)]
    assert left == []


async def test_what_a_container_started_and_left_behind_ends_with_it(story: NodeStory) -> None:
    script = "setsid sh -c 'exec sleep 731.25' & sleep 731.25 & " + FOREVER
    await story.create_pod("forker", shell(script))
    await story.until_ready("forker")

    async def are_running() -> bool:
        return len(processes_with("731.25")) >= 2

    await eventually(are_running, "both sleep")
    await story.delete_pod("forker")
    await story.until_gone("forker")
    assert processes_with("731.25") == []


async def test_no_process_survives_the_nodes_stop(story: NodeStory) -> None:
    await story.create_pod("a", shell("exec sleep 732.25"))
    await story.create_pod("b", shell("trap '' TERM; sleep 732.25 & wait; sleep 732.25"))
    await story.until_ready("a")
    await story.until_ready("b")
    await story.stop()
    assert processes_with("732.25") == []


async def test_a_pod_deleted_by_force_still_gets_its_signal(story: NodeStory, tmp_path: Path) -> None:
    said = tmp_path / "said"
    script = f"trap 'echo goodbye > {said}; exit 0' TERM; sleep 600 & wait"
    await story.create_pod("web", shell(script))
    await story.until_ready("web")
    await story.delete_pod("web", grace_seconds=0)

    async def was_said() -> bool:
        return said.exists()

    await eventually(was_said, "the container says goodbye")


async def test_a_container_that_ignores_its_signal_is_killed_when_the_grace_is_over(story: NodeStory) -> None:
    await story.create_pod("deaf", shell("trap '' TERM; while :; do sleep 0.1; done"))
    await story.until_ready("deaf")
    await story.delete_pod("deaf", grace_seconds=1)
    await story.until_gone("deaf")


async def test_a_shorter_grace_period_hastens_a_stop_that_is_under_way(story: NodeStory) -> None:
    await story.create_pod(
        "deaf", shell("trap '' TERM; while :; do sleep 0.1; done"), terminationGracePeriodSeconds=300
    )
    await story.until_ready("deaf")
    await story.delete_pod("deaf")
    await story.until_told("deaf", "Killing")
    await story.delete_pod("deaf", grace_seconds=1)
    await story.until_gone("deaf")


async def test_a_pod_that_is_done_keeps_its_log_and_its_last_words(story: NodeStory) -> None:
    script = "echo working; echo 'all is well' > /dev/termination-log"
    await story.create_pod("job", shell(script), restartPolicy="Never")
    pod = await story.until_phase("job", "Succeeded")
    ended = state_of(pod)["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"], ended["message"]) == (0, "Completed", "all is well\n")
    assert story.log("job") == "working"


async def test_the_end_of_the_log_stands_in_for_last_words(story: NodeStory) -> None:
    container = shell("echo first; echo it broke; exit 3", terminationMessagePolicy="FallbackToLogsOnError")
    await story.create_pod("job", container, restartPolicy="Never")
    pod = await story.until_phase("job", "Failed")
    ended = state_of(pod)["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (3, "Error")
    assert ended["message"] == "first\nit broke\n"


async def test_a_crashed_container_starts_again_at_once_and_then_backs_off(story: NodeStory) -> None:
    pod = await story.create_pod("crash", shell("exit 1"))
    pod = await story.until(
        "crash",
        lambda pod: waiting_reason(pod) == "CrashLoopBackOff",
    )
    uid = pod["metadata"]["uid"]
    assert state_of(pod)["restartCount"] == 1
    assert state_of(pod)["state"]["waiting"]["message"] == (
        f"back-off 10s restarting failed container=main pod=crash_default({uid})"
    )
    assert state_of(pod)["lastState"]["terminated"]["exitCode"] == 1
    assert await story.until_told("crash", "BackOff") == (
        f"Back-off restarting failed container main in pod crash_default({uid})"
    )


async def test_init_containers_run_one_after_the_other_then_the_others(
    story: NodeStory, tmp_path: Path
) -> None:
    order = tmp_path / "order"
    steps = [shell(f"sleep 0.1; echo {name} >> {order}", name) for name in ("one", "two")]
    await story.create_pod("app", shell(f"echo main >> {order}; {FOREVER}"), initContainers=steps)
    pod = await story.until_ready("app")

    async def main_is_up() -> bool:
        return "main" in order.read_text()

    await eventually(main_is_up, "the main container is up")
    assert order.read_text().split() == ["one", "two", "main"]
    assert [entry["ready"] for entry in pod["status"]["initContainerStatuses"]] == [True, True]


async def test_a_failed_init_container_fails_a_pod_that_does_not_restart(story: NodeStory) -> None:
    await story.create_pod(
        "app", shell(FOREVER), initContainers=[shell("exit 4", "init")], restartPolicy="Never"
    )
    pod = await story.until_phase("app", "Failed")
    assert state_of(pod, "init")["state"]["terminated"]["exitCode"] == 4
    assert state_of(pod)["state"] == {"waiting": {"reason": "PodInitializing"}}


async def test_sidecars_start_before_and_stop_after_the_others(story: NodeStory, tmp_path: Path) -> None:
    order = tmp_path / "order"

    def telling(name: str) -> str:
        return f"echo +{name} >> {order}; trap 'echo -{name} >> {order}; exit 0' TERM; sleep 600 & wait"

    sidecars = [
        {**shell(telling(name), name), "restartPolicy": "Always", "startupProbe": _ready_when(order, name)}
        for name in ("outer", "inner")
    ]
    await story.create_pod("app", shell(telling("main")), initContainers=sidecars)
    await story.until_ready("app")

    async def main_is_up() -> bool:
        return "+main" in order.read_text()

    await eventually(main_is_up, "the main container is up")
    await story.delete_pod("app")
    await story.until_gone("app")
    assert order.read_text().split() == ["+outer", "+inner", "+main", "-main", "-inner", "-outer"]


def _ready_when(order: Path, name: str) -> dict[str, object]:
    return {"exec": {"command": ["grep", "-q", f"+{name}", str(order)]}, "periodSeconds": 1}


async def test_a_job_with_a_sidecar_is_done_when_the_job_is(story: NodeStory) -> None:
    sidecar = {**shell(FOREVER, "proxy"), "restartPolicy": "Always"}
    await story.create_pod("job", shell("true"), initContainers=[sidecar], restartPolicy="Never")
    pod = await story.until_phase("job", "Succeeded")
    assert state_of(pod, "proxy")["state"]["terminated"]["exitCode"] == 0


async def test_hooks_run_after_the_start_and_before_the_stop(story: NodeStory, tmp_path: Path) -> None:
    order = tmp_path / "order"
    hooks = {
        "postStart": {"exec": {"command": ["sh", "-c", f"echo started >> {order}"]}},
        "preStop": {"exec": {"command": ["sh", "-c", f"echo stopping >> {order}"]}},
    }
    script = f"trap 'echo stopped >> {order}; exit 0' TERM; sleep 600 & wait"
    await story.create_pod("app", shell(script, lifecycle=hooks))
    await story.until_ready("app")
    await story.delete_pod("app")
    await story.until_gone("app")
    assert order.read_text().split() == ["started", "stopping", "stopped"]


async def test_a_failed_post_start_hook_kills_its_container(story: NodeStory) -> None:
    hooks = {"postStart": {"exec": {"command": ["sh", "-c", "echo secret; exit 9"]}}}
    await story.create_pod("app", shell(FOREVER, lifecycle=hooks))
    assert await story.until_told("app", "FailedPostStartHook") == "PostStartHook failed"
    await story.until("app", lambda pod: waiting_reason(pod) in ("PostStartHookError", "CrashLoopBackOff"))
    assert ("Killing", "FailedPostStartHook") in await story.events("app")


async def test_a_failed_liveness_probe_restarts_the_container(story: NodeStory, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    probe = {"exec": {"command": ["test", "!", "-e", str(flag)]}, "periodSeconds": 1, "failureThreshold": 1}
    await story.create_pod("app", shell(FOREVER, livenessProbe=probe))
    await story.until_ready("app")
    flag.touch()
    assert await story.until_told("app", "Unhealthy") == "Liveness probe failed: "
    assert (
        await story.until_told("app", "Killing") == "Container main failed liveness probe, will be restarted"
    )
    flag.unlink()
    pod = await story.until("app", lambda pod: state_of(pod).get("restartCount") == 1)
    assert state_of(pod)["lastState"]["terminated"]["exitCode"] == 0


async def test_a_pod_that_is_active_too_long_fails(story: NodeStory) -> None:
    await story.create_pod("slow", shell(FOREVER), activeDeadlineSeconds=1)
    pod = await story.until_phase("slow", "Failed")
    assert pod["status"]["reason"] == "DeadlineExceeded"
    assert pod["status"]["message"] == "Pod was active on the node longer than the specified deadline"
    assert state_of(pod)["state"]["terminated"]


async def test_a_pod_that_does_not_fit_is_rejected_and_holds_nothing(story: NodeStory) -> None:
    greedy = shell(FOREVER, resources={"requests": {"cpu": "10000"}})
    await story.create_pod("greedy", greedy)
    pod = await story.until_phase("greedy", "Failed")
    assert pod["status"]["reason"] == "OutOfcpu"
    assert pod["status"]["message"].startswith(
        "Pod was rejected: Node didn't have enough resource: cpu, requested: 10000000, used: 0, capacity: "
    )
    assert story.agent is not None
    assert not story.agent.runtime.sandboxes()


async def test_a_pod_is_taken_for_a_label_that_the_node_got_while_it_ran(story: NodeStory) -> None:
    assert story.agent is not None
    name = story.agent.pods.node["metadata"]["name"]
    await story.client.patch(NODES, name, {"metadata": {"labels": {"gpu": "yes"}}})
    pods = story.agent.pods

    async def is_seen() -> bool:
        return "gpu" in pods.node["metadata"]["labels"]

    await eventually(is_seen, "the node sees its label")
    await story.create_pod("picky", shell(FOREVER), nodeSelector={"gpu": "yes"})
    await story.until_ready("picky")


async def test_a_pod_deleted_while_it_starts_does_not_hang(story: NodeStory) -> None:
    hooks = {"postStart": {"exec": {"command": ["sleep", "600"]}}}
    await story.create_pod("app", shell(FOREVER, lifecycle=hooks))
    await story.until_told("app", "Started")
    await asyncio.wait_for(story.delete_pod("app"), 5)
    await story.until_gone("app")
