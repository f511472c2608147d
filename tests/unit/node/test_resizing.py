"""A pod that asks for other resources is granted them as soon as there is room, and says so as a kubelet does."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from dray.api.meta import Object
from dray.api.pods import find_condition
from dray.api.resources import PODS
from dray.node.pods.resizing import Grant, summary
from dray.testing import virtual
from tests.unit.node.builders import container, pod
from tests.unit.node.harness import Node, status_of

Story = Callable[[Node], Awaitable[None]]
RESTART = [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]


def sized(cpu: str, name: str = "main", **more: Any) -> Object:
    return container(name, resources={"requests": {"cpu": cpu}, "limits": {"cpu": "4"}}, **more)


def other(cpu: str) -> Object:
    return pod(sized(cpu), metadata={"name": "other", "uid": "uid-other"})


def resize(node: Node, cpu: str) -> None:
    found = node.pod()
    spec = json.loads(json.dumps(found["spec"]))
    spec["containers"][0]["resources"]["requests"]["cpu"] = cpu
    generation = (found["metadata"].get("generation") or 1) + 1
    node.client.put({**found, "metadata": {**found["metadata"], "generation": generation}, "spec": spec})


def granted(node: Node) -> tuple[str, str]:
    """(what the container has, what it is to have)"""
    status = status_of(node.pod())
    return status["resources"]["requests"]["cpu"], status["allocatedResources"]["cpu"]


def resizes(node: Node) -> list[str]:
    return [reason for reason in node.reasons() if reason.startswith("Resize")]


def play(path: Path, story: Story) -> None:
    async def whole() -> None:
        async with Node(path).running() as node:
            await story(node)

    virtual.run(whole())


def test_what_there_is_room_for_is_granted_at_once(tmp_path: Path) -> None:
    async def story(node: Node) -> None:
        node.put(sized("1"))
        await asyncio.sleep(2)
        resize(node, "2")
        await asyncio.sleep(2)
        assert granted(node) == ("2", "2")
        assert status_of(node.pod())["restartCount"] == 0
        assert find_condition(node.pod(), "PodResizeInProgress") is None
        assert resizes(node) == ["ResizeStarted", "ResizeCompleted"]
        (message,) = [text for reason, text in node.events() if reason == "ResizeStarted"]
        prefix, _, told = message.partition(": ")
        assert prefix == "Pod resize started"
        resources = {"limits": {"cpu": "4"}, "requests": {"cpu": "2"}}
        assert json.loads(told) == {"containers": [{"name": "main", "resources": resources}], "generation": 2}

    play(tmp_path, story)


def test_a_container_that_wants_it_begins_anew(tmp_path: Path) -> None:
    async def story(node: Node) -> None:
        node.runtime.deaf.add("main")
        node.put(sized("1", resizePolicy=RESTART), terminationGracePeriodSeconds=10)
        await asyncio.sleep(2)
        resize(node, "2")
        await asyncio.sleep(2)
        assert granted(node) == ("1", "2"), "it still runs with what it had"
        condition = find_condition(node.pod(), "PodResizeInProgress")
        assert condition is not None
        assert (condition["status"], condition["observedGeneration"]) == ("True", 2)
        assert resizes(node) == ["ResizeStarted"]
        await asyncio.sleep(15)
        assert granted(node) == ("2", "2")
        assert status_of(node.pod())["restartCount"] == 1
        assert find_condition(node.pod(), "PodResizeInProgress") is None
        assert resizes(node) == ["ResizeStarted", "ResizeCompleted"]
        assert ("Killing", "Container main resize requires restart") in node.events()

    play(tmp_path, story)


def test_without_room_it_waits_until_another_pod_is_gone(tmp_path: Path) -> None:
    async def story(node: Node) -> None:
        node.client.put(other("2"))
        node.put(sized("1"))
        await asyncio.sleep(2)
        resize(node, "3")
        await asyncio.sleep(2)
        assert granted(node) == ("1", "1")
        condition = find_condition(node.pod(), "PodResizePending")
        assert condition is not None
        text = "Node didn't have enough resource: cpu, requested: 3000, used: 2000, capacity: 4000"
        told = (
            condition["status"],
            condition["reason"],
            condition["message"],
            condition["observedGeneration"],
        )
        assert told == ("True", "Deferred", text, 2)
        await asyncio.sleep(60)
        (message,) = [text for reason, text in node.events() if reason == "ResizeDeferred"]
        assert message.startswith('Pod resize OutOfcpu: {"containers":[{"name":"main",')
        assert json.loads(message.partition(": ")[2])["error"] == text
        await node.client.delete(PODS, "other", "default", grace_period_seconds=0)
        await asyncio.sleep(5)
        assert granted(node) == ("3", "3")
        assert find_condition(node.pod(), "PodResizePending") is None
        assert resizes(node) == ["ResizeDeferred", "ResizeStarted", "ResizeCompleted"]

    play(tmp_path, story)


def test_a_resize_taken_back_leaves_nothing_behind(tmp_path: Path) -> None:
    async def story(node: Node) -> None:
        node.client.put(other("2"))
        node.put(sized("1"))
        await asyncio.sleep(2)
        resize(node, "3")
        await asyncio.sleep(2)
        resize(node, "1000m")
        await asyncio.sleep(2)
        assert find_condition(node.pod(), "PodResizePending") is None
        assert resizes(node) == ["ResizeDeferred"]

    play(tmp_path, story)


def test_a_new_pod_is_weighed_against_what_others_were_granted(tmp_path: Path) -> None:
    async def story(node: Node) -> None:
        node.client.put(other("2"))
        node.put(sized("1"))
        await asyncio.sleep(2)
        resize(node, "3")
        await asyncio.sleep(2)
        node.client.put(pod(sized("1"), metadata={"name": "third", "uid": "uid-third"}))
        await asyncio.sleep(2)
        third = node.client.find(PODS, "third", "default")
        assert third is not None
        assert third["status"]["phase"] == "Running"

    play(tmp_path, story)


def test_an_agent_that_starts_anew_goes_on_with_what_was_granted() -> None:
    running = {"name": "main", "state": {"running": {}}, "resources": {"requests": {"cpu": "1"}}}
    found = pod(sized("3"), status={"containerStatuses": [running]})
    assert Grant.told(found).containers["main"] == {"requests": {"cpu": "1"}}
    ended = {**running, "state": {"terminated": {}}}
    found = pod(sized("3"), status={"containerStatuses": [ended]})
    assert Grant.told(found).is_same(Grant.asked(found))


@pytest.mark.parametrize(("one", "same"), [("1000m", True), ("1.0", True), ("2", False)])
def test_amounts_are_compared_by_what_they_mean(one: str, same: bool) -> None:
    assert Grant.asked(pod(sized("1"))).is_same(Grant.asked(pod(sized(one)))) is same


def test_a_grant_keeps_claims_and_resources_of_the_pod_as_a_whole() -> None:
    claims = [{"name": "gpu"}]
    before = pod(
        container(resources={"requests": {"cpu": "1"}, "claims": claims}),
        resources={"requests": {"cpu": "2"}},
    )
    after = pod(
        container(resources={"requests": {"cpu": "9"}, "claims": claims}),
        resources={"requests": {"cpu": "9"}},
    )
    spec = Grant.asked(before).applied(after)["spec"]
    assert spec["containers"][0]["resources"] == {"claims": claims, "requests": {"cpu": "1"}}
    assert spec["resources"] == {"requests": {"cpu": "2"}}
    assert summary(before) == (
        '{"containers":[{"name":"main","resources":{"requests":{"cpu":"1"}}}],"generation":0}'
    )
