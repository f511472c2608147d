"""A pod's life on the node, on virtual time."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from dray.api import errors
from dray.api.meta import Object
from dray.api.pods import is_ready
from dray.api.resources import PODS, Resource
from dray.node.runtime.protocol import PodIdentity, SandboxConfig
from dray.testing import virtual
from tests.unit.node.builders import container, sidecar
from tests.unit.node.harness import Node, status_of, waiting

Story = Callable[[Node], Awaitable[None]]


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Story], None]:
    """Run a story on a node of its own."""

    def run(story: Story) -> None:
        async def whole() -> None:
            async with Node(tmp_path).running() as node:
                await story(node)

        virtual.run(whole())

    return run


Play = Callable[[Story], None]


def hook(word: str) -> Object:
    return {"exec": {"command": [word]}}


# --- restarts ---


def test_a_crashing_container_is_started_ever_more_slowly(play: Play) -> None:
    async def story(node: Node) -> None:
        node.runtime.lives["main"] = [(1, 1)] * 4
        node.put()
        moments = []
        for _ in range(200):
            await asyncio.sleep(1)
            moments.append(status_of(node.pod())["restartCount"])
        changes = [second for second in range(1, 200) if moments[second] != moments[second - 1]]
        gaps = [later - earlier for earlier, later in itertools.pairwise(changes)]
        assert [round(gap / 10) * 10 for gap in gaps[:3]] == [10, 20, 40]
        assert node.reasons().count("BackOff") == 1, "told once a back-off, and counted"

    play(story)


def test_a_pod_that_begins_anew_runs_its_init_containers_again_and_counts_it(play: Play) -> None:
    async def story(node: Node) -> None:
        rules = [{"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [42]}}]
        asking = sidecar("asking", restartPolicyRules=rules)
        node.runtime.lives["setup"] = [(1, 0)] * 3
        node.runtime.lives["asking"] = [(5, 42), (5, 42)]
        node.put(container("main"), init=(container("setup"), asking), restartPolicy="Never")
        await asyncio.sleep(4)
        assert node.pod()["status"]["phase"] == "Running"
        await asyncio.sleep(2.5)
        assert status_of(node.pod(), "setup")["state"].keys() == {"running"}
        assert node.pod()["status"]["phase"] in ("Running", "Pending")
        await asyncio.sleep(3)
        counts = [status_of(node.pod(), name)["restartCount"] for name in ("setup", "asking", "main")]
        assert counts == [1, 1, 1]
        assert is_ready(node.pod())
        await asyncio.sleep(6)
        assert status_of(node.pod(), "asking")["state"]["waiting"]["reason"] == "CrashLoopBackOff"
        await asyncio.sleep(14)
        assert is_ready(node.pod())
        assert status_of(node.pod(), "setup")["restartCount"] == 2

    play(story)


def test_a_container_that_cannot_start_says_why_and_backs_off(play: Play) -> None:
    async def story(node: Node) -> None:
        node.runtime.unstartable.add("main")
        node.put()
        await asyncio.sleep(5)
        assert waiting(node.pod()) == "CrashLoopBackOff"
        assert status_of(node.pod())["lastState"]["terminated"]["exitCode"] == 128
        assert ("Failed", "Error: no such program") in node.events()

    play(story)


def test_of_a_container_that_will_not_run_again_only_its_end_is_shown(play: Play) -> None:
    async def story(node: Node) -> None:
        node.runtime.unstartable.add("main")
        node.put(restartPolicy="Never")
        await asyncio.sleep(5)
        assert node.pod()["status"]["phase"] == "Failed"
        state = status_of(node.pod())["state"]
        assert state["terminated"]["exitCode"] == 128, "and no RunContainerError that it would wait with"

    play(story)


def test_an_end_is_shown_before_what_the_restart_waits_for(play: Play) -> None:
    async def story(node: Node) -> None:
        node.runtime.lives["main"] = [(1, 3), (1, 4)]
        shown: list[str] = []
        async with node.watching(lambda found: shown.append(state_word(found))):
            node.put()
            await asyncio.sleep(6)
        assert shown[-5:] == ["running", "3", "running", "4", "CrashLoopBackOff"]

    def state_word(found: Object) -> str:
        ((kind, detail),) = status_of(found)["state"].items() if found["status"] else (("", {}),)
        return str(detail.get("exitCode", detail.get("reason", kind)))

    play(story)


def test_an_image_that_is_not_there_is_looked_for_ever_more_slowly(play: Play) -> None:
    async def story(node: Node) -> None:
        node.runtime.missing_images.add("busybox")
        node.put()
        await asyncio.sleep(1)
        assert waiting(node.pod()) == "ErrImagePull"
        await asyncio.sleep(3)
        state = status_of(node.pod())["state"]["waiting"]
        assert state == {
            "reason": "ImagePullBackOff",
            "message": 'Back-off pulling image "busybox": ErrImagePull: there is no such image',
        }
        assert node.events()[:3] == [
            ("Failed", 'Failed to pull image "busybox": there is no such image'),
            ("Failed", "Error: ErrImagePull"),
            ("BackOff", 'Back-off pulling image "busybox"'),
        ]
        node.runtime.missing_images.clear()
        await asyncio.sleep(10)
        assert is_ready(node.pod())

    play(story)


def test_an_image_that_may_not_be_pulled_is_told_once_and_never_backs_off(play: Play) -> None:
    async def story(node: Node) -> None:
        node.runtime.missing_images.add("busybox")
        node.put(container(imagePullPolicy="Never"))
        await asyncio.sleep(60)
        assert waiting(node.pod()) == "ErrImageNeverPull"
        assert node.events() == [
            ("ErrImageNeverPull", 'Container image "busybox" is not present with pull policy of Never'),
            ("Failed", "Error: ErrImageNeverPull"),
        ]
        node.runtime.missing_images.clear()
        await asyncio.sleep(11)
        assert is_ready(node.pod())

    play(story)


def test_a_missing_config_map_keeps_the_container_waiting_until_it_comes(play: Play) -> None:
    async def story(node: Node) -> None:
        node.put(container(envFrom=[{"configMapRef": {"name": "settings"}}]))
        await asyncio.sleep(1)
        state = status_of(node.pod())["state"]["waiting"]
        assert state == {"reason": "CreateContainerConfigError", "message": 'configmap "settings" not found'}
        assert ("Failed", 'Error: configmap "settings" not found') in node.events()
        meta = {"name": "settings", "namespace": "default"}
        node.client.put(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"COLOUR": "red"}}
        )
        await asyncio.sleep(11)
        assert is_ready(node.pod())
        assert node.runtime.configs["main"].environment["COLOUR"] == "red"

    play(story)


def test_a_container_that_must_not_be_root_does_not_run_as_an_agent_that_is(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(node: Node) -> None:
        node.put(securityContext={"runAsNonRoot": True})
        await asyncio.sleep(1)
        assert status_of(node.pod())["state"]["waiting"] == {
            "reason": "CreateContainerConfigError",
            "message": "container has runAsNonRoot and image will run as root "
            '(pod: "pod_default(uid-pod)", container: main)',
        }

    monkeypatch.setattr("os.geteuid", lambda: 0)
    play(story)


def test_a_volume_that_cannot_be_made_keeps_the_whole_pod_waiting(play: Play) -> None:
    async def story(node: Node) -> None:
        node.put(volumes=[{"name": "v", "configMap": {"name": "settings"}}])
        await asyncio.sleep(1)
        assert waiting(node.pod()) == "ContainerCreating"
        assert (
            "FailedMount",
            'MountVolume.SetUp failed for volume "v" : configmap "settings" not found',
        ) in node.events()
        assert not node.runtime.sandboxes()

    play(story)


def test_a_running_pods_volumes_follow_their_objects(play: Play, tmp_path: Path) -> None:
    async def story(node: Node) -> None:
        def put(text: str) -> None:
            meta = {"name": "settings", "namespace": "default"}
            node.client.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": text}})

        put("old")
        node.put(volumes=[{"name": "v", "configMap": {"name": "settings"}}])
        await asyncio.sleep(1)
        assert content(tmp_path) == ["old"]
        put("new")
        await asyncio.sleep(100)
        assert content(tmp_path) == ["new"]

    play(story)


def test_a_token_in_a_running_pod_is_renewed_when_four_fifths_of_its_life_are_over(
    play: Play, tmp_path: Path
) -> None:
    async def story(node: Node) -> None:
        node.client.put(
            {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"name": "default", "namespace": "default"},
            }
        )
        token = {"serviceAccountToken": {"path": "token", "expirationSeconds": 1000}}
        node.put(volumes=[{"name": "v", "projected": {"sources": [token]}}])
        await asyncio.sleep(1)
        first = token_in(tmp_path)
        await asyncio.sleep(780)
        assert token_in(tmp_path) == first
        await asyncio.sleep(120)
        assert token_in(tmp_path) != first

    play(story)


def token_in(root: Path) -> str:
    (file,) = root.rglob("kubernetes.io~projected/v/token")
    return file.read_text()


def content(root: Path) -> list[str]:
    return [path.read_text() for path in root.rglob("kubernetes.io~configmap/v/a")]


# --- probes ---


def test_a_failed_liveness_probe_restarts_with_the_probes_own_grace(play: Play) -> None:
    async def story(node: Node) -> None:
        probe = {
            **hook("alive"),
            "periodSeconds": 1,
            "failureThreshold": 2,
            "terminationGracePeriodSeconds": 7,
        }
        node.put(container(livenessProbe=probe), terminationGracePeriodSeconds=100)
        await asyncio.sleep(3)
        assert is_ready(node.pod())
        node.actions.answers["alive"] = False
        await asyncio.sleep(2)
        node.actions.answers["alive"] = True
        assert node.runtime.stopped == [("main", 7)]
        await asyncio.sleep(15)
        assert status_of(node.pod())["restartCount"] == 1
        assert is_ready(node.pod())
        assert ("Killing", "Container main failed liveness probe, will be restarted") in node.events()

    play(story)


def test_a_container_that_a_probe_kills_after_a_good_while_begins_again_at_once(play: Play) -> None:
    async def story(node: Node) -> None:
        node.actions.answers["alive"] = False
        node.runtime.deaf.clear()
        probe = {**hook("alive"), "periodSeconds": 20, "failureThreshold": 1, "initialDelaySeconds": 20}
        node.put(container("main", livenessProbe=probe), terminationGracePeriodSeconds=2)
        shown: list[str] = []
        async with node.watching(lambda found: shown.append(waiting(found) if found["status"] else "")):
            await asyncio.sleep(70)
        assert status_of(node.pod())["restartCount"] == 3
        assert "CrashLoopBackOff" not in shown

    play(story)


def test_a_container_that_a_probe_kills_begins_again_however_it_ends(play: Play) -> None:
    async def story(node: Node) -> None:
        node.actions.answers["alive"] = False
        probe = {**hook("alive"), "periodSeconds": 1, "failureThreshold": 1, "initialDelaySeconds": 20}
        node.runtime.stop_code = 0
        node.put(container("main", livenessProbe=probe), restartPolicy="OnFailure")
        await asyncio.sleep(30)
        assert status_of(node.pod())["restartCount"] == 1
        assert status_of(node.pod())["lastState"]["terminated"]["exitCode"] == 0
        assert node.pod()["status"]["phase"] == "Running"

    play(story)


def test_a_changed_image_begins_the_container_again_at_once(play: Play) -> None:
    async def story(node: Node) -> None:
        made = node.put(restartPolicy="Never", terminationGracePeriodSeconds=2)
        await asyncio.sleep(1)
        node.client.put(
            {**node.pod(), "spec": {**made["spec"], "containers": [container(image="busybox:2")]}}
        )
        await asyncio.sleep(4)
        assert is_ready(node.pod())
        assert status_of(node.pod())["restartCount"] == 1
        assert ("Killing", "Container main definition changed, will be restarted") in node.events()

    play(story)


def test_a_pod_that_is_not_ready_says_so_and_goes_on(play: Play) -> None:
    async def story(node: Node) -> None:
        node.put(container(readinessProbe={**hook("ready"), "periodSeconds": 1}))
        await asyncio.sleep(2)
        assert is_ready(node.pod())
        node.actions.answers["ready"] = False
        await asyncio.sleep(5)
        assert not is_ready(node.pod())
        assert status_of(node.pod())["restartCount"] == 0

    play(story)


# --- the end ---


def test_the_grace_period_holds_the_hook_and_the_stop_together(play: Play) -> None:
    async def story(node: Node) -> None:
        node.put(container(lifecycle={"preStop": {"sleep": {"seconds": 6}}}))
        await asyncio.sleep(1)
        node.delete(grace=20)
        await asyncio.sleep(30)
        assert node.is_gone
        ((name, grace),) = node.runtime.stopped
        assert name == "main"
        assert 12 < grace <= 15

    play(story)


def test_a_hook_that_takes_too_long_leaves_two_seconds(play: Play) -> None:
    async def story(node: Node) -> None:
        node.put(container(lifecycle={"preStop": {"sleep": {"seconds": 600}}}))
        await asyncio.sleep(1)
        node.delete(grace=5)
        await asyncio.sleep(10)
        assert node.runtime.stopped == [("main", 2)]
        assert ("FailedPreStopHook", "PreStopHook failed") in node.events()
        assert node.is_gone

    play(story)


def test_a_pod_has_its_address_while_a_hook_after_the_start_still_runs(play: Play) -> None:
    async def story(node: Node) -> None:
        node.put(container(lifecycle={"postStart": {"sleep": {"seconds": 60}}}))
        await asyncio.sleep(5)
        assert node.pod()["status"]["podIP"]
        assert waiting(node.pod()) == "ContainerCreating"

    play(story)


def test_a_failed_pre_stop_hook_is_told_without_its_output(play: Play) -> None:
    async def story(node: Node) -> None:
        node.actions.answers["bye"] = False
        node.put(container(lifecycle={"preStop": hook("bye")}))
        await asyncio.sleep(1)
        node.delete()
        await asyncio.sleep(5)
        assert ("FailedPreStopHook", "PreStopHook failed") in node.events()
        assert node.is_gone

    play(story)


def test_a_shorter_grace_hastens_the_stop_and_runs_no_hook_twice(play: Play) -> None:
    async def story(node: Node) -> None:
        node.runtime.deaf.add("main")
        node.put(container(lifecycle={"preStop": hook("bye")}))
        await asyncio.sleep(1)
        node.delete(grace=300)
        await asyncio.sleep(10)
        assert not node.is_gone
        node.delete(grace=3)
        await asyncio.sleep(6)
        assert node.is_gone
        assert [word for word, _ in node.actions.ran] == ["bye"]
        assert node.reasons().count("Killing") == 1

    play(story)


def test_sidecars_wait_for_the_others_and_stop_in_turn(play: Play) -> None:
    async def story(node: Node) -> None:
        node.runtime.deaf.add("main")
        node.put(init=(sidecar("outer"), sidecar("inner")))
        await asyncio.sleep(1)
        node.delete(grace=10)
        await asyncio.sleep(20)
        assert [name for name, _ in node.runtime.stopped] == ["main", "inner", "outer"]
        assert dict(node.runtime.stopped)["outer"] == 2
        assert node.is_gone

    play(story)


def test_a_pod_deleted_during_a_long_hook_does_not_wait_for_it(play: Play) -> None:
    async def story(node: Node) -> None:
        node.put(container(lifecycle={"postStart": {"sleep": {"seconds": 10_000}}}))
        await asyncio.sleep(1)
        node.delete(grace=5)
        await asyncio.sleep(8)
        assert node.is_gone

    play(story)


def test_an_ephemeral_container_added_to_a_running_pod_runs_and_ends_with_it(play: Play) -> None:
    async def story(node: Node) -> None:
        before = node.put()
        await asyncio.sleep(1)
        added = {**before["spec"], "ephemeralContainers": [container("debugger", image="none")]}
        node.runtime.missing_images.add("none")
        node.client.put({**node.pod(), "spec": added})
        await asyncio.sleep(1)
        assert status_of(node.pod(), "debugger")["state"]["waiting"]["reason"] == "ErrImagePull"
        assert is_ready(node.pod())
        node.runtime.missing_images.clear()
        await asyncio.sleep(15)
        assert "running" in status_of(node.pod(), "debugger")["state"]
        node.delete()
        await asyncio.sleep(5)
        assert node.is_gone

    play(story)


def test_a_finished_pod_stays_until_it_is_deleted(play: Play) -> None:
    async def story(node: Node) -> None:
        node.runtime.lives["main"] = [(2, 0)]
        node.put(restartPolicy="Never")
        await asyncio.sleep(5)
        assert node.pod()["status"]["phase"] == "Succeeded"
        await asyncio.sleep(1000)
        assert node.pod()["status"]["phase"] == "Succeeded"
        node.delete()
        await asyncio.sleep(2)
        assert node.is_gone
        assert not node.runtime.containers()

    play(story)


def test_a_finalizer_keeps_the_object_and_nothing_else(play: Play) -> None:
    async def story(node: Node) -> None:
        node.put(metadata={"finalizers": ["example.com/wait"]})
        await asyncio.sleep(1)
        node.delete()
        await asyncio.sleep(5)
        assert not [each for each in node.runtime.containers() if each.finished is None]
        found = node.pod()
        node.client.put({**found, "metadata": {**found["metadata"], "finalizers": []}})
        await node.client.delete(PODS, "pod", "default", grace_period_seconds=0)
        await asyncio.sleep(5)
        assert not node.table.workers()

    play(story)


def test_a_pod_that_another_of_its_name_replaces_is_ended(play: Play) -> None:
    async def story(node: Node) -> None:
        node.put()
        await asyncio.sleep(1)
        node.put(metadata={"uid": "uid-other"})
        await asyncio.sleep(5)
        assert {each.pod.uid for each in node.runtime.containers()} == {"uid-other"}
        assert len(node.table.workers()) == 1

    play(story)


def test_somebody_elses_verdict_ends_a_pod(play: Play) -> None:
    async def story(node: Node) -> None:
        node.put()
        await asyncio.sleep(1)
        found = node.pod()
        node.client.put({**found, "status": {**found["status"], "phase": "Failed", "reason": "Evicted"}})
        await asyncio.sleep(5)
        assert [name for name, _ in node.runtime.stopped] == ["main"]
        assert node.pod()["status"]["phase"] == "Failed"
        assert node.pod()["status"]["reason"] == "Evicted"

    play(story)


# --- when the API server is not there ---


def test_a_status_that_is_not_taken_is_sent_again(play: Play) -> None:
    async def story(node: Node) -> None:
        failures = 3

        def refuse(verb: str, resource: Resource, subresource: str, obj: Any) -> None:
            nonlocal failures
            if subresource == "status" and failures:
                failures -= 1
                raise errors.ServiceUnavailable("not now")

        node.client.reactions.append(refuse)
        node.put()
        await asyncio.sleep(10)
        assert is_ready(node.pod())

    play(story)


def test_an_orphan_is_swept_away(play: Play) -> None:
    async def story(node: Node) -> None:
        stranger = PodIdentity("default", "stranger", "uid-stranger")
        await node.runtime.run_sandbox(SandboxConfig(stranger, 0, "stranger"))
        await node.table.sweep()
        assert not node.runtime.sandboxes()

    play(story)
