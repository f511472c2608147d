"""What /metrics says of requests, watches and admission, under the labels that dashboards of Kubernetes ask for."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from dray.api.resources import CONFIG_MAPS, NAMESPACES
from dray.apiserver.admission.chain import default_admission
from dray.apiserver.admission.metrics import AdmissionMetrics
from dray.apiserver.authorization.chain import AuthorizerChain
from dray.apiserver.local import LocalClient
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.server import ApiServer
from dray.kits.metrics import Registry
from dray.store.memory import MemoryStore

MAPS = "/api/v1/namespaces/ns/configmaps"


class Served:
    def __init__(self, server: ApiServer, session: aiohttp.ClientSession) -> None:
        self.server, self.session = server, session
        self.client = LocalClient(server.core)

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> int:
        data = None if body is None else json.dumps(body)
        sent = {
            "Content-Type": "application/json",
            **{key.replace("_", "-"): headers[key] for key in headers},
        }
        url = f"http://{self.server.address}{path}"
        async with self.session.request(method, url, data=data, headers=sent) as answer:
            await answer.read()
            return answer.status

    def value(self, name: str, /, **labels: str) -> float:
        """The sum of the samples with these labels."""
        total = 0.0
        for line in self.server.metrics.render().splitlines():
            match = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if match is None or match[1] != name:
                continue
            found = dict(re.findall(r'(\w+)="([^"]*)"', match[2] or ""))
            if all(found.get(key) == value for key, value in labels.items()):
                total += float(match[3])
        return total


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    store, metrics = MemoryStore(), Registry()
    authorizer = AuthorizerChain(store)
    admission = default_admission(authorizer.rbac, metrics=AdmissionMetrics(metrics))
    server = ApiServer(store, catalog(), admission=admission, metrics=metrics)
    await server.start()
    async with aiohttp.ClientSession() as session:
        made = Served(server, session)
        await made.client.create(NAMESPACES, {"metadata": {"name": "ns"}})
        yield made
    await server.stop()


def config_map(name: str = "m") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}}


async def test_requests_are_told_apart_by_what_they_are_about(served: Served) -> None:
    assert await served.send("POST", f"{MAPS}?dryRun=All", config_map()) == 201
    assert await served.send("POST", MAPS, config_map()) == 201
    applying = {"Content_Type": "application/apply-patch+yaml"}
    assert await served.send("PATCH", f"{MAPS}/m?fieldManager=me&force=true", config_map(), **applying) == 200
    assert await served.send("GET", MAPS) == 200
    assert await served.send("GET", "/healthz") == 200
    of_maps = {"group": "", "version": "v1", "resource": "configmaps", "component": "apiserver"}
    created = {**of_maps, "verb": "POST", "scope": "resource", "code": "201"}
    assert served.value("apiserver_request_total", **created, dry_run="All") == 1
    assert served.value("apiserver_request_total", **created, dry_run="") == 1
    assert served.value("apiserver_request_total", **of_maps, verb="APPLY", code="200") == 1
    assert served.value("apiserver_request_total", **of_maps, verb="LIST", scope="namespace") == 1
    assert served.value("apiserver_request_total", subresource="/healthz", component="", verb="GET") == 1
    assert served.value("apiserver_request_duration_seconds_count", verb="POST", dry_run="All") == 1
    assert served.value("apiserver_request_sli_duration_seconds_count", verb="POST") == 2
    assert served.value("apiserver_response_sizes_count", verb="LIST", resource="configmaps") == 1
    assert served.value("apiserver_response_sizes_count", verb="POST") == 0
    assert served.value("apiserver_request_body_size_bytes_count", verb="create", resource="configmaps") == 2


async def test_events_of_watches_are_counted(served: Served) -> None:
    await served.client.create(CONFIG_MAPS, config_map(), "ns")
    assert await served.send("GET", f"{MAPS}?watch=1&timeoutSeconds=1") == 200
    place = {"group": "", "version": "v1", "resource": "configmaps"}
    assert served.value("apiserver_watch_events_total", **place) == 1
    assert served.value("apiserver_watch_events_sizes_count", **place) == 1


async def test_admission_is_timed_as_a_whole_and_by_plugin(served: Served) -> None:
    await served.client.create(CONFIG_MAPS, config_map(), "ns")
    pod: dict[str, Any] = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    assert (
        await served.send("POST", "/api/v1/namespaces/ns/pods", {"apiVersion": "v1", "kind": "Pod", **pod})
        == 403
    )
    step, controller = (
        f"apiserver_admission_{what}_admission_duration_seconds_count" for what in ("step", "controller")
    )
    assert served.value(step, operation="CREATE", type="validate", rejected="false") == 2
    assert served.value(step, operation="CREATE", type="admit", rejected="true") == 1
    assert served.value(controller, name="ServiceAccount", type="admit", rejected="true") == 1
    assert served.value(controller, name="ResourceQuota", type="validate", rejected="false") == 2


async def test_objects_and_the_process_are_told_of(served: Served) -> None:
    await served.client.create(CONFIG_MAPS, config_map(), "ns")
    assert served.value("apiserver_resource_objects", group="", resource="configmaps") == 1
    assert served.value("apiserver_storage_objects", resource="configmaps") == 1
    assert served.value("kubernetes_build_info", major="1", minor="36") == 1
    assert served.value("process_resident_memory_bytes") > 1e6
    assert served.value("process_cpu_seconds_total") > 0
