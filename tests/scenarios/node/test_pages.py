"""Pages of the node's server about the node and what runs on it."""

from typing import Any

import aiohttp
from node_story import NAMESPACE, NODE, NodeStory, eventually, shell

BUSY = "trap 'exit 0' TERM; while true; do :; done"


async def fetch(story: NodeStory, path: str, method: str = "GET") -> tuple[int, str]:
    assert story.agent is not None
    url = f"http://127.0.0.1:{story.agent.port}{path}"
    async with aiohttp.ClientSession() as session, session.request(method, url) as answer:
        return answer.status, await answer.text()


async def summary(story: NodeStory) -> dict[str, Any]:
    assert story.agent is not None
    url = f"http://127.0.0.1:{story.agent.port}/stats/summary"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        found: dict[str, Any] = await answer.json()
        return found


async def test_statistics_tell_what_each_container_uses(story: NodeStory) -> None:
    await story.create_pod("app", shell(BUSY))
    await story.until_ready("app")

    async def has_worked() -> bool:
        (pod,) = (await summary(story))["pods"]
        return any(each["cpu"]["usageCoreNanoSeconds"] > 0 for each in pod["containers"])

    await eventually(has_worked, "the container has used the cpu")
    found = await summary(story)
    (pod,) = found["pods"]
    (container,) = pod["containers"]
    assert (pod["podRef"]["name"], pod["podRef"]["namespace"]) == ("app", NAMESPACE)
    assert container["name"] == "main"
    assert pod["memory"]["workingSetBytes"] >= container["memory"]["workingSetBytes"] > 0
    assert found["node"]["nodeName"] == NODE
    assert found["node"]["memory"]["workingSetBytes"] > 0
    status, metrics = await fetch(story, "/metrics/resource")
    assert status == 200
    labels = f'{{container="main",namespace="{NAMESPACE}",pod="app"}}'
    (line,) = [
        line for line in metrics.splitlines() if line.startswith(f"container_cpu_usage_seconds_total{labels}")
    ]
    assert float(line.split()[-1]) > 0
    assert "resource_scrape_error 0" in metrics.splitlines()


async def test_a_pod_that_does_not_run_uses_nothing(story: NodeStory) -> None:
    await story.create_pod("job", shell("true"), restartPolicy="Never")
    await story.until_phase("job", "Succeeded")
    (pod,) = (await summary(story))["pods"]
    assert pod["containers"] == []
    assert "cpu" not in pod


async def test_the_configuration_is_the_kubelets(story: NodeStory) -> None:
    status, text = await fetch(story, "/configz")
    assert status == 200
    assert '"nodeLeaseDurationSeconds": 40' in text


async def test_checkpoints_are_not_taken_and_that_is_said(story: NodeStory) -> None:
    await story.create_pod("app", shell(BUSY))
    await story.until_ready("app")
    status, text = await fetch(story, f"/checkpoint/{NAMESPACE}/app/main", "POST")
    assert (status, text) == (404, "the runtime dray takes no checkpoints of containers")
