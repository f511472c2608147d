"""Kinds that are never stored: how components are, and bindings posted beside the pods. As kube-apiserver 1.36.2 answered."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from dray.api.meta import Object
from dray.apiserver.access import Attributes, Decision
from dray.apiserver.components import Unhealthy, checked, component_status, probed
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.server import ApiServer
from dray.store.memory import MemoryStore

COMPONENTS = "/api/v1/componentstatuses"
BINDINGS = "/api/v1/namespaces/default/bindings"
POD = "/api/v1/namespaces/default/pods/app"


class Noted:
    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def authorize(self, attributes: Attributes) -> Decision:
        self.asked.append((attributes.verb, attributes.resource))
        return Decision(True)


class Api:
    def __init__(self, session: aiohttp.ClientSession, noted: Noted) -> None:
        self._session = session
        self.noted = noted
        self.warning = ""

    async def __call__(self, method: str, path: str, body: Object | None = None) -> tuple[int, Object]:
        async with self._session.request(method, path, json=body) as answer:
            self.warning = answer.headers.get("Warning", "")
            return answer.status, await answer.json()


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """With the pod `app`, a scheduler that is not ready, and a controller manager that answers."""
    noted = Noted()
    server = ApiServer(MemoryStore(), catalog(), authorizer=noted)

    async def failing() -> str:
        raise Unhealthy("not ready")

    server.core.components["scheduler"] = failing
    server.core.components["controller-manager"] = checked(lambda: None)
    await server.start()
    async with aiohttp.ClientSession(f"http://{server.address}") as session:
        api = Api(session, noted)
        await api("POST", "/api/v1/namespaces", {"metadata": {"name": "default"}})
        spec = {"containers": [{"name": "main", "image": "i"}]}
        await api("POST", "/api/v1/namespaces/default/pods", {"metadata": {"name": "app"}, "spec": spec})
        yield api
    await server.stop()


async def test_each_component_is_asked_when_it_is_read(api: Api) -> None:
    code, listed = await api("GET", COMPONENTS)
    assert (code, listed["kind"], listed["metadata"]) == (200, "ComponentStatusList", {})
    assert api.warning == '299 - "v1 ComponentStatus is deprecated in v1.19+"'
    told = {item["metadata"]["name"]: item["conditions"] for item in listed["items"]}
    assert told == {
        "etcd-0": [{"type": "Healthy", "status": "True", "message": "ok"}],
        "controller-manager": [{"type": "Healthy", "status": "True", "message": "ok"}],
        "scheduler": [{"type": "Healthy", "status": "False", "message": "not ready"}],
    }
    code, one = await api("GET", f"{COMPONENTS}/scheduler")
    assert one["metadata"] == {"name": "scheduler"}
    assert one["conditions"] == told["scheduler"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?fieldSelector=metadata.name%3Dscheduler", ["scheduler"]),
        ("?labelSelector=a%3Db", []),
        ("?limit=1", ["controller-manager", "etcd-0", "scheduler"]),
    ],
)
async def test_components_are_selected_and_never_paged(api: Api, query: str, names: list[str]) -> None:
    _, listed = await api("GET", COMPONENTS + query)
    assert sorted(item["metadata"]["name"] for item in listed["items"]) == names


@pytest.mark.parametrize(
    ("method", "path", "code", "message"),
    [
        ("GET", f"{COMPONENTS}/nope", 404, 'componentstatus "nope" not found'),
        (
            "GET",
            f"{COMPONENTS}?watch=1",
            405,
            'watch is not supported on resources of kind "componentstatuses"',
        ),
        (
            "GET",
            "/api/v1/watch/componentstatuses",
            404,
            "the server could not find the requested resource",
        ),
        ("DELETE", COMPONENTS, 405, "the server does not allow this method on the requested resource"),
        (
            "DELETE",
            f"{COMPONENTS}/etcd-0",
            405,
            "the server does not allow this method on the requested resource",
        ),
        (
            "GET",
            f"{COMPONENTS}?fieldSelector=foo%3Db",
            400,
            '"foo" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
        ("GET", BINDINGS, 405, "the server does not allow this method on the requested resource"),
        ("GET", f"{BINDINGS}/app", 404, "the server could not find the requested resource"),
        ("GET", "/api/v1/bindings", 404, "the server could not find the requested resource"),
    ],
)
async def test_nothing_else_can_be_done_with_them(
    api: Api, method: str, path: str, code: int, message: str
) -> None:
    status, body = await api(method, path)
    assert (status, body["message"]) == (code, message)


async def test_a_component_on_a_port_is_asked_with_tls_or_without() -> None:
    answers = iter([web.Response(text="ok"), web.Response(status=500, text="no")])

    async def healthz(request: web.Request) -> web.Response:
        return next(answers)

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    conditions = [(await component_status("x", probed(port)))["conditions"][0] for _ in range(2)]
    await runner.cleanup()
    conditions.append((await component_status("x", probed(port)))["conditions"][0])
    assert [(each["status"], each["message"]) for each in conditions] == [
        ("True", "ok"),
        ("False", "HTTP probe failed with statuscode: 500"),
        (
            "False",
            f'Get "https://127.0.0.1:{port}/healthz": dial tcp 127.0.0.1:{port}: connect: connection refused',
        ),
    ]


async def test_a_pod_is_bound_by_a_binding_of_its_name(api: Api) -> None:
    wanted = {"metadata": {"name": "app", "uid": "made up"}, "target": {"name": "n1"}}
    code, status = await api("POST", f"{BINDINGS}?dryRun=All", wanted)
    assert (code, status["status"]) == (201, "Success")
    assert "nodeName" not in (await api("GET", POD))[1]["spec"]
    assert (await api("POST", BINDINGS, wanted))[0] == 201
    assert ("create", "bindings") in api.noted.asked
    assert (await api("GET", POD))[1]["spec"]["nodeName"] == "n1"
    code, status = await api("POST", BINDINGS, wanted)
    text = 'Operation cannot be fulfilled on pods/binding "app": pod app is already assigned to node "n1"'
    assert (code, status["message"]) == (409, text)


@pytest.mark.parametrize(
    ("binding", "code", "message"),
    [
        ({"metadata": {"name": "nope"}, "target": {"name": "n"}}, 404, 'pods "nope" not found'),
        ({"metadata": {}, "target": {"name": "n"}}, 400, "Name parameter required."),
        ({"metadata": {"name": "app"}, "target": {}}, 500, "target.name: Required value"),
        (
            {"metadata": {"name": "app", "namespace": "other"}, "target": {"name": "n"}},
            400,
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
    ],
)
async def test_a_binding_of_no_pod_is_refused(api: Api, binding: Object, code: int, message: str) -> None:
    status, body = await api("POST", BINDINGS, binding)
    assert (status, body["message"]) == (code, message)


async def test_a_binding_into_no_namespace_is_refused(api: Api) -> None:
    body = {"metadata": {"name": "app"}, "target": {"name": "n"}}
    status, answer = await api("POST", "/api/v1/namespaces/nope/bindings", body)
    assert (status, answer["message"]) == (404, 'namespaces "nope" not found')
