"""pods/resize from the API server to the processes of a node and back."""

from typing import Any

from node_story import NAMESPACE, NodeStory, shell

from dray.api.meta import Object
from dray.api.resources import PODS
from dray.client.protocol import PatchType

FOREVER = "trap 'exit 0' TERM; sleep 600 & wait"


def sized(**more: Any) -> Object:
    resources = {"requests": {"cpu": "10m", "memory": "8Mi"}, "limits": {"cpu": "1", "memory": "64Mi"}}
    return {**shell(FOREVER), "resources": resources, **more}


async def resize(story: NodeStory, name: str, container: str, **requests: str) -> Object:
    patch = {"spec": {"containers": [{"name": container, "resources": {"requests": requests}}]}}
    return await story.client.patch(
        PODS, name, patch, NAMESPACE, patch_type=PatchType.STRATEGIC, subresource="resize"
    )


def status_of(pod: Object) -> Object:
    status: Object = pod["status"]["containerStatuses"][0]
    return status


async def test_a_running_pod_is_resized_without_a_restart(story: NodeStory) -> None:
    await story.create_pod("app", sized())
    before = status_of(await story.until_ready("app"))
    resized = await resize(story, "app", before["name"], cpu="20m")
    after = await story.until(
        "app", lambda pod: status_of(pod).get("allocatedResources") == {"cpu": "20m", "memory": "8Mi"}
    )
    assert status_of(after)["resources"] == resized["spec"]["containers"][0]["resources"]
    assert status_of(after)["containerID"] == before["containerID"]
    assert after["status"]["observedGeneration"] == resized["metadata"]["generation"] == 2
    assert "ResizeCompleted" in [reason for reason, _ in await story.events("app")]


async def test_a_container_that_wants_it_is_started_again_with_what_it_asked_for(story: NodeStory) -> None:
    policy = [{"resourceName": "memory", "restartPolicy": "RestartContainer"}]
    await story.create_pod("app", sized(resizePolicy=policy))
    before = status_of(await story.until_ready("app"))
    await resize(story, "app", before["name"], memory="16Mi")
    after = await story.until("app", lambda pod: status_of(pod)["restartCount"] == 1)
    assert status_of(after)["allocatedResources"]["memory"] == "16Mi"
    assert await story.until_told("app", "Killing") == f"Container {before['name']} resize requires restart"
