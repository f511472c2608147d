"""pods/resize over HTTP: what a write through it keeps, and which nodes refuse it. As kube-apiserver 1.36.2 answered."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from dray.api.meta import Object
from dray.testing.scenario_server import scenario_server

PODS = "/api/v1/namespaces/default/pods"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


class Api:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def __call__(
        self, method: str, path: str, body: Object | None = None, content_type: str = "application/json"
    ) -> tuple[int, Object]:
        headers = {"Content-Type": content_type} if body is not None else {}
        async with self.session.request(method, path, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def node(self, name: str, declared: list[str] | None = None, system: str = "linux") -> None:
        labels = {"kubernetes.io/os": system}
        await self("POST", "/api/v1/nodes", {"metadata": {"name": name, "labels": labels}})
        amounts = {"cpu": "1", "memory": "1Gi", "pods": "10"}
        status: Object = {"capacity": amounts, "allocatable": amounts}
        if declared:
            status["declaredFeatures"] = declared
        code, body = await self("PATCH", f"/api/v1/nodes/{name}/status", {"status": status}, MERGE)
        assert code == 200, body

    async def pod(self, name: str, node: str = "", init: bool = False) -> Object:
        resources = {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "2", "memory": "2Gi"}}
        spec: Object = {"containers": [{"name": "c", "image": "i", "resources": resources}]}
        if init:
            spec["initContainers"] = [{"name": "a", "image": "i", "resources": resources}]
        if node:
            spec["nodeName"] = node
        code, made = await self("POST", PODS, {"metadata": {"name": name}, "spec": spec})
        assert code == 201, made
        return made

    async def resized(self, name: str, field: str = "containers", **requests: str) -> tuple[int, Object]:
        container = {"name": "a" if field == "initContainers" else "c", "resources": {"requests": requests}}
        return await self("PATCH", f"{PODS}/{name}/resize", {"spec": {field: [container]}}, STRATEGIC)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with scenario_server() as (url, tokens):
        headers = {"Authorization": f"Bearer {tokens['admin']}", "User-Agent": "test/1"}
        async with aiohttp.ClientSession(url, headers=headers) as session:
            api = Api(session)
            await api("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
            yield api


async def test_a_resize_is_a_new_generation_and_keeps_all_else(api: Api) -> None:
    pod = await api.pod("p")
    pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "150m"
    pod["spec"]["containers"][0]["image"] = "other"
    pod["spec"]["activeDeadlineSeconds"] = 5
    pod["metadata"]["labels"] = {"a": "b"}
    pod["status"]["phase"] = "Failed"
    code, resized = await api("PUT", f"{PODS}/p/resize", pod)
    assert code == 200
    container = resized["spec"]["containers"][0]
    assert container["resources"]["requests"] == {"cpu": "150m", "memory": "64Mi"}
    assert container["image"] == "i"
    assert "activeDeadlineSeconds" not in resized["spec"]
    assert "labels" not in resized["metadata"]
    assert resized["status"]["phase"] == "Pending"
    assert resized["metadata"]["generation"] == 2
    assert [entry.get("subresource") for entry in resized["metadata"]["managedFields"]] == [None, "resize"]
    assert (await api("GET", f"{PODS}/p/resize"))[1] == resized


async def test_every_sort_of_patch_resizes(api: Api) -> None:
    await api.pod("p")
    container = {"name": "c", "resources": {"requests": {"cpu": "120m"}}}
    config = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": [container]},
    }
    path = f"{PODS}/p/resize?fieldManager=me"
    code, resized = await api("PATCH", f"{path}&force=true", config, APPLY)
    assert (code, resized["spec"]["containers"][0]["resources"]["requests"]["cpu"]) == (200, "120m")
    code, resized = await api.resized("p", cpu="130m")
    assert (code, resized["spec"]["containers"][0]["resources"]["requests"]["cpu"]) == (200, "130m")
    operations = [{"op": "replace", "path": "/spec/containers/0/resources/requests/cpu", "value": "140m"}]
    code, resized = await api("PATCH", path, operations, "application/json-patch+json")  # type: ignore[arg-type]
    assert (code, resized["metadata"]["generation"]) == (200, 4)


async def test_the_pod_itself_takes_no_other_resources(api: Api) -> None:
    await api.pod("p")
    container = {"name": "c", "resources": {"requests": {"cpu": "120m"}}}
    code, status = await api("PATCH", f"{PODS}/p", {"spec": {"containers": [container]}}, STRATEGIC)
    assert code == 422
    assert "pod updates may not change fields other than" in status["message"]


@pytest.mark.parametrize(
    ("node", "requests", "message", "cause"),
    [
        (
            "here",
            {"cpu": "1500m", "memory": "2Gi"},
            "node didn't have enough allocatable resources: cpu, requested: 1500, allocatable: 1000; "
            "memory, requested: 2147483648, allocatable: 1073741824",
            "NodeCapacity",
        ),
        (
            "other",
            {"cpu": "150m"},
            'pod resize is only supported on linux nodes, node "other" is "windows"',
            "UnsupportedPlatform",
        ),
        ("gone", {"cpu": "150m"}, 'node "gone" not found', ""),
    ],
)
async def test_what_the_node_can_never_grant_is_forbidden(
    api: Api, node: str, requests: dict[str, str], message: str, cause: str
) -> None:
    await api.node("here")
    await api.node("other", system="windows")
    await api.pod("p", node)
    code, status = await api.resized("p", **requests)
    assert (code, status["message"]) == (403, f'pods "p" is forbidden: {message}')
    assert status["details"].get("causes") == ([{"reason": cause}] if cause else None)


async def test_a_node_must_declare_that_it_resizes_init_containers(api: Api) -> None:
    await api.node("plain")
    await api.node("able", declared=["InPlacePodVerticalScalingInitContainers"])
    await api.pod("p", "plain", init=True)
    code, status = await api.resized("p", "initContainers", cpu="150m")
    feature = "InPlacePodVerticalScalingInitContainers"
    text = f'pod update requires features {feature} which are not available on node "plain"'
    assert (code, status["message"]) == (403, f'pods "p" is forbidden: {text}')
    await api.pod("q", "able", init=True)
    assert (await api.resized("q", "initContainers", cpu="150m"))[0] == 200


async def test_a_resize_is_never_shown_as_a_table(api: Api) -> None:
    await api.pod("p")
    headers = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    for part in ("resize", "ephemeralcontainers"):
        async with api.session.get(f"{PODS}/p/{part}", headers=headers) as answer:
            assert answer.status == 406
