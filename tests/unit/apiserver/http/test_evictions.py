"""pods/eviction: what a budget allows, and what the pod says before it goes. As kube-apiserver 1.36.2 answered."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from dray.api.meta import Object
from dray.api.pods import find_condition
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.server import ApiServer
from dray.store.memory import MemoryStore

PODS = "/api/v1/namespaces/default/pods"
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
MERGE = {"Content-Type": "application/merge-patch+json"}


class Api:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def __call__(self, method: str, path: str, body: Object | None = None) -> tuple[int, Object]:
        headers = MERGE if method == "PATCH" else {}
        async with self._session.request(method, path, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def pod(self, name: str, *, ready: bool, phase: str = "Running") -> None:
        spec = {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}
        await self("POST", PODS, {"metadata": {"name": name, "labels": {"app": "w"}}, "spec": spec})
        status = {"phase": phase, "conditions": [{"type": "Ready", "status": str(ready)}]}
        assert (await self("PATCH", f"{PODS}/{name}/status", {"status": status}))[0] == 200

    async def budget(self, **spec: object) -> None:
        whole = {"minAvailable": 1, "selector": {"matchLabels": {"app": "w"}}, **spec}
        assert (await self("POST", BUDGETS, {"metadata": {"name": "b"}, "spec": whole}))[0] == 201

    async def count(self, **status: int) -> None:
        body = {"status": {"observedGeneration": 1, "disruptionsAllowed": 0, "expectedPods": 2, **status}}
        assert (await self("PATCH", f"{BUDGETS}/b/status", body))[0] == 200

    async def evict(self, name: str, **more: object) -> tuple[int, Object]:
        return await self("POST", f"{PODS}/{name}/eviction", {"metadata": {"name": name}, **more})


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    server = ApiServer(MemoryStore(), catalog())
    await server.start()
    async with aiohttp.ClientSession(f"http://{server.address}") as session:
        api = Api(session)
        await api("POST", "/api/v1/namespaces", {"metadata": {"name": "default"}})
        yield api
    await server.stop()


async def test_a_pod_says_why_it_goes(api: Api) -> None:
    await api.pod("p", ready=True)
    assert (await api.evict("p"))[0] == 201
    pod = (await api("GET", f"{PODS}/p"))[1]
    assert pod["metadata"]["deletionGracePeriodSeconds"] == 30
    condition = find_condition(pod, "DisruptionTarget") or {}
    assert (condition["status"], condition["reason"]) == ("True", "EvictionByEvictionAPI")
    assert condition["message"] == "Eviction API: evicting"


async def test_a_dry_run_leaves_no_mark(api: Api) -> None:
    await api.pod("p", ready=True)
    assert (await api.evict("p", deleteOptions={"dryRun": ["All"]}))[0] == 201
    pod = (await api("GET", f"{PODS}/p"))[1]
    assert find_condition(pod, "DisruptionTarget") is None
    assert "deletionTimestamp" not in pod["metadata"]


async def test_a_failed_precondition_leaves_no_mark(api: Api) -> None:
    await api.pod("p", ready=True)
    pod = (await api("GET", f"{PODS}/p"))[1]
    for precondition in ({"uid": "x"}, {"resourceVersion": "1"}):
        code, status = await api.evict("p", deleteOptions={"preconditions": precondition})
        assert (code, status["reason"]) == (409, "Conflict")
    assert (await api("GET", f"{PODS}/p"))[1] == pod
    version = {"resourceVersion": pod["metadata"]["resourceVersion"]}
    assert (await api.evict("p", deleteOptions={"preconditions": version}))[0] == 201


async def test_pods_that_are_not_healthy_do_not_count_while_enough_are(api: Api) -> None:
    await api.budget()
    await api.pod("healthy", ready=True)
    await api.pod("ill", ready=False)
    await api.count(currentHealthy=0, desiredHealthy=1)
    assert (await api.evict("ill"))[0] == 429
    await api.count(currentHealthy=1, desiredHealthy=1)
    assert (await api.evict("healthy"))[0] == 429
    assert (await api.evict("ill"))[0] == 201
    assert "disruptedPods" not in (await api("GET", f"{BUDGETS}/b"))[1]["status"]


async def test_a_budget_may_let_go_of_all_that_are_not_healthy(api: Api) -> None:
    await api.budget(unhealthyPodEvictionPolicy="AlwaysAllow")
    await api.pod("healthy", ready=True)
    await api.pod("ill", ready=False)
    assert (await api.evict("healthy"))[0] == 429
    assert (await api.evict("ill"))[0] == 201


async def test_the_beta_of_evictions_is_still_taken(api: Api) -> None:
    await api.pod("p", ready=True)
    assert (await api.evict("p", kind="Eviction", apiVersion="policy/v1beta1"))[0] == 201
