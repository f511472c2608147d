"""One daemon pod on every node that may have one, replaced node by node when the template changes."""

import re
from collections.abc import Awaitable, Callable

from dray.api import errors
from dray.api.meta import Object, replace_at
from dray.api.resources import CONTROLLER_REVISIONS, DAEMON_SETS, EVENTS, NODES, PODS
from dray.controllers.daemon_sets import DaemonSets
from dray.testing.memory_client import MemoryClient
from dray.testing.virtual import run
from tests.unit.controllers.harness import controllers, obj, settle


def node(name: str, *, labels: dict[str, str] | None = None, taints: list[Object] | None = None) -> Object:
    return obj("Node", name, metadata={"labels": labels or {}}, spec={"taints": taints or []})


def daemon_set(image: str = "v1", **pod_spec: object) -> Object:
    template = {
        "metadata": {"labels": {"app": "d"}},
        "spec": {"containers": [{"name": "c", "image": image}], **pod_spec},
    }
    spec = {
        "selector": {"matchLabels": {"app": "d"}},
        "template": template,
        "updateStrategy": {"type": "RollingUpdate"},
    }
    return obj(
        "DaemonSet", "d", "ns", api_version="apps/v1", metadata={"generation": 1, "uid": "ds"}, spec=spec
    )


def scenario(client: MemoryClient, *steps: Callable[[], Awaitable[object]]) -> None:
    async def play() -> None:
        async with controllers(client, DaemonSets):
            await settle()
            for step in steps:
                await step()
                await settle()

    run(play())


def pinned_node(pod: Object) -> str:
    terms = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
        "nodeSelectorTerms"
    ]
    return str(terms[0]["matchFields"][0]["values"][0])


def nodes_with_pods(client: MemoryClient) -> list[str]:
    return sorted(pinned_node(pod) for pod in client.all(PODS))


def make_ready(client: MemoryClient) -> Callable[[], Awaitable[None]]:
    async def step() -> None:
        for pod in client.all(PODS):
            conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]
            patch = {"status": {"phase": "Running", "conditions": conditions}}
            await client.patch(PODS, pod["metadata"]["name"], patch, "ns", subresource="status")

    return step


def test_every_node_gets_one_pod_pinned_to_it_and_told_by_an_event() -> None:
    client = MemoryClient(node("n1"), node("n2"), daemon_set())
    scenario(client)
    assert nodes_with_pods(client) == ["n1", "n2"]
    created = [event["message"] for event in client.all(EVENTS)]
    assert sorted(created) == sorted(f"Created pod: {pod['metadata']['name']}" for pod in client.all(PODS))


def test_nodes_that_the_template_does_not_match_or_tolerate_get_none() -> None:
    gpu_taint = {"key": "gpu", "effect": "NoSchedule"}
    client = MemoryClient(
        node("plain"),
        node("labelled", labels={"disk": "ssd"}),
        node("tainted", labels={"disk": "ssd"}, taints=[gpu_taint]),
        daemon_set(nodeSelector={"disk": "ssd"}),
    )
    scenario(client)
    assert nodes_with_pods(client) == ["labelled"]


def test_a_node_that_is_not_ready_gets_its_pod_nevertheless() -> None:
    taint = {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}
    client = MemoryClient(node("n1", taints=[taint]), daemon_set())
    scenario(client)
    assert nodes_with_pods(client) == ["n1"]


def test_a_node_that_joins_later_gets_its_pod() -> None:
    client = MemoryClient(node("n1"), daemon_set())

    async def join() -> None:
        client.put(node("n2"))

    scenario(client, join)
    assert nodes_with_pods(client) == ["n1", "n2"]


def test_the_status_counts_as_kubernetes_counts() -> None:
    client = MemoryClient(node("n1"), node("n2"), daemon_set())
    scenario(client, make_ready(client))
    stored = client.find(DAEMON_SETS, "d", "ns")
    assert stored is not None
    assert stored["status"] == {
        "currentNumberScheduled": 2,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 2,
        "numberReady": 2,
        "observedGeneration": 1,
        "updatedNumberScheduled": 2,
        "numberAvailable": 2,
    }


def test_a_failed_pod_is_replaced() -> None:
    client = MemoryClient(node("n1"), daemon_set())

    async def fail() -> None:
        (pod,) = client.all(PODS)
        await client.patch(
            PODS, pod["metadata"]["name"], {"status": {"phase": "Failed"}}, "ns", subresource="status"
        )

    scenario(client, fail)
    (pod,) = client.all(PODS)
    assert pod.get("status", {}).get("phase") != "Failed"
    (told,) = [event for event in client.all(EVENTS) if event["reason"] == "FailedDaemonPod"]
    assert re.fullmatch(r"Found failed daemon pod ns/d-\w+ on node n1, will try to kill it", told["message"])


def test_a_new_template_replaces_ready_pods_one_at_a_time() -> None:
    client = MemoryClient(node("n1"), node("n2"), node("n3"), daemon_set())

    async def change_image() -> None:
        stored = client.find(DAEMON_SETS, "d", "ns")
        assert stored is not None
        containers = [{"name": "c", "image": "v2"}]
        await client.update(
            DAEMON_SETS, replace_at(stored, ("spec", "template", "spec", "containers"), containers)
        )

    def images() -> list[str]:
        return sorted(pod["spec"]["containers"][0]["image"] for pod in client.all(PODS))

    async def look_half_way() -> None:
        assert images() == ["v1", "v1", "v2"]

    ready = make_ready(client)
    scenario(client, ready, change_image, look_half_way, ready, ready, ready)
    assert images() == ["v2", "v2", "v2"]
    assert sorted(each["revision"] for each in client.all(CONTROLLER_REVISIONS)) == [1, 2]


def changing_image(client: MemoryClient, image: str) -> Callable[[], Awaitable[object]]:
    async def step() -> None:
        stored = client.find(DAEMON_SETS, "d", "ns")
        assert stored is not None
        containers = [{"name": "c", "image": image}]
        path = ("spec", "template", "spec", "containers")
        await client.update(DAEMON_SETS, replace_at(stored, path, containers))

    return step


def test_with_surge_the_old_pod_stays_until_the_new_one_beside_it_is_available() -> None:
    rolling = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    surging = replace_at(daemon_set(), ("spec", "updateStrategy"), rolling)
    client = MemoryClient(node("n1"), node("n2"), surging)
    seen: list[list[str]] = []

    async def look() -> None:
        seen.append(sorted(pod["spec"]["containers"][0]["image"] for pod in client.all(PODS)))

    ready = make_ready(client)
    scenario(client, ready, changing_image(client, "v2"), look, ready, look, ready, look)
    assert seen == [["v1", "v1", "v2"], ["v1", "v2", "v2"], ["v2", "v2"]]


def test_old_templates_are_forgotten_beyond_the_limit() -> None:
    limited = replace_at(daemon_set(), ("spec", "revisionHistoryLimit"), 1)
    client = MemoryClient(node("n1"), limited)
    scenario(client, *(changing_image(client, f"v{number}") for number in range(2, 5)))
    assert sorted(each["revision"] for each in client.all(CONTROLLER_REVISIONS)) == [3, 4]


def test_going_back_to_a_template_makes_its_revision_the_newest() -> None:
    client = MemoryClient(node("n1"), daemon_set())

    scenario(client, changing_image(client, "v2"), changing_image(client, "v1"))
    numbers = {
        each["data"]["spec"]["template"]["spec"]["containers"][0]["image"]: each["revision"]
        for each in client.all(CONTROLLER_REVISIONS)
    }
    assert numbers == {"v1": 3, "v2": 2}


def test_a_namespace_that_ends_refuses_new_pods_without_an_alarm() -> None:
    client = MemoryClient(node("n1"), daemon_set())

    def refuse(verb: str, resource: object, subresource: str, created: Object) -> None:
        if verb == "create" and resource is PODS:
            details = {"causes": [{"reason": "NamespaceTerminating"}]}
            raise errors.Forbidden("pods is forbidden: namespace ns is being terminated", details=details)

    client.reactions.append(refuse)
    scenario(client)
    assert client.all(EVENTS) == []
    assert client.all(NODES) != []
