"""The agent killed and started again: what ran goes on, what is gone meanwhile is cleaned up, no device is forgotten."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from node_story import NAMESPACE, NODE, NodeStory, eventually, processes_with, shell, state_of
from test_node_devices import LAMPS, Lamps, lamp_pod

from dray.api.resources import PODS

FOREVER = "trap 'exit 0' TERM; sleep 600 & wait"
RUNNER = Path(__file__).with_name("run_agent.py")


class Killable:
    """An agent in a process of its own, in place of the story's."""

    def __init__(self, story: NodeStory) -> None:
        self._story = story

    async def __aenter__(self) -> "Killable":
        await self._story.stop()
        config = self._story.api.write_kubeconfig(self._story.root.with_name("kubeconfig"))
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, RUNNER, self._story.root, config, stdout=asyncio.subprocess.PIPE
        )
        assert self._process.stdout is not None
        assert await self._process.stdout.readline() == b"ready\n"
        return self

    async def kill(self) -> None:
        self._process.kill()
        await self._process.wait()

    async def __aexit__(self, *exc: object) -> None:
        if self._process.returncode is None:
            await self.kill()


async def test_containers_outlive_a_killed_agent_and_are_taken_up_again(story: NodeStory) -> None:
    async with Killable(story) as agent:
        await story.create_pod("app", shell("exec sleep 741.25"))
        before = await story.until_ready("app")
        (process,) = processes_with("741.25")
        await agent.kill()
    assert processes_with("741.25") == [process]
    await story.start()
    after = await story.until_ready("app")
    assert state_of(after) == state_of(before)
    await story.delete_pod("app")
    await story.until_gone("app")
    assert processes_with("741.25") == []


async def test_an_end_that_nobody_saw_is_known_after_the_restart(story: NodeStory, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with Killable(story) as agent:
        script = f"while [ ! -e {gate} ]; do sleep 0.05; done; echo done; exit 3"
        await story.create_pod("job", shell(script), restartPolicy="Never")
        await story.until("job", lambda pod: pod["status"].get("phase") == "Running")
        await agent.kill()
    gate.touch()
    await asyncio.sleep(0.3)
    await story.start()
    pod = await story.until_phase("job", "Failed")
    assert state_of(pod)["state"]["terminated"]["exitCode"] == 3


async def test_a_container_whose_supervisor_was_killed_too_leaves_nothing(story: NodeStory) -> None:
    async with Killable(story) as agent:
        await story.create_pod("app", shell("exec sleep 742.25"), restartPolicy="Never")
        await story.until_ready("app")
        await agent.kill()
    for state in story.root.glob("runtime/containers/*/state"):
        os.kill(json.loads(state.read_text())["supervisor"], signal.SIGKILL)
    await story.start()
    pod = await story.until_phase("app", "Failed")
    assert state_of(pod)["state"]["terminated"]["exitCode"] == 255
    assert processes_with("742.25") == []


async def test_a_pod_that_vanished_while_no_agent_ran_is_ended_and_unprepared(story: NodeStory) -> None:
    driver = Lamps()
    async with story.plugin(driver):
        async with Killable(story) as agent:
            await story.create_pod("other", shell("exec sleep 743.25"))
            await lamp_pod(story)
            await story.until_ready("app")
            await story.until_ready("other")
            await agent.kill()
        for name in ("app", "other"):
            await story.client.delete(PODS, name, NAMESPACE, grace_period_seconds=0)
        await story.start()

        async def is_clean() -> bool:
            assert story.agent is not None
            return ("unprepare", "app-claim") in driver.calls and not story.agent.runtime.sandboxes()

        await eventually(is_clean, "what belongs to nobody is cleaned up")
        assert processes_with("743.25") == []


async def test_a_pod_deleted_while_no_agent_ran_is_never_prepared(story: NodeStory) -> None:
    driver = Lamps()
    await story.stop()
    async with story.plugin(driver):
        await lamp_pod(story)
        await story.delete_pod("app")
        await story.start()
        await story.until_gone("app")
        assert driver.calls == []


async def test_claims_prepared_before_a_restart_are_given_back_after_it(story: NodeStory) -> None:
    driver = Lamps()
    async with story.plugin(driver):
        async with Killable(story) as agent:
            await lamp_pod(story)
            await story.until_ready("app")
            await agent.kill()
        await story.start()
        await story.delete_pod("app")
        await story.until_gone("app")
        assert driver.calls == [("prepare", "app-claim"), ("unprepare", "app-claim")]


async def test_an_unreadable_record_is_set_aside_and_made_anew_from_the_running_pods(
    story: NodeStory,
) -> None:
    driver = Lamps()
    async with story.plugin(driver):
        async with Killable(story) as agent:
            await lamp_pod(story)
            await story.until_ready("app")
            await agent.kill()
        record = story.root / "dra_manager_state"
        record.write_text(record.read_text().replace("Checksum", "Chucksum"))
        await story.start()

        async def is_remembered() -> bool:
            return record.exists() and "app-claim" in record.read_text()

        await eventually(is_remembered, "the claim is on record again")
        assert "Chucksum" in (story.root / "dra_manager_state.unreadable").read_text()
        await story.delete_pod("app")
        await story.until_gone("app")
        assert driver.calls[-1] == ("unprepare", "app-claim")


async def test_a_stopped_node_starts_its_pods_again_and_counts_that(story: NodeStory) -> None:
    driver = Lamps()
    async with story.plugin(driver):
        await story.until_registered(LAMPS)
        await lamp_pod(story)
        await story.until_ready("app")
        await story.stop()
        await story.start()
        pod = await story.until("app", lambda pod: state_of(pod).get("restartCount") == 1)
        assert "running" in state_of(pod)["state"]
        await story.until_logged("app", "LAMP=lamp-1")


async def test_a_node_tells_of_each_start_and_once_that_it_is_ready(story: NodeStory) -> None:
    fine = ["NodeHasNoDiskPressure", "NodeHasSufficientMemory", "NodeHasSufficientPID"]

    async def has_told(reasons: list[str]) -> bool:
        return sorted(reason for reason, _ in await story.events(NODE)) == sorted(reasons)

    await eventually(lambda: has_told(["Starting", *fine, "NodeReady"]), "the first start is told")
    await story.stop()
    await story.start()
    await eventually(lambda: has_told([*["Starting", *fine] * 2, "NodeReady"]), "the second start is told")
