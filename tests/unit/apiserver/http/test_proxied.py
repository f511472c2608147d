"""Requests passed on to pods, services and nodes over real sockets: answers and refusals as kube-apiserver 1.36.2 gave them."""

import asyncio
import datetime as dt
import gzip
import pathlib
import ssl
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from multidict import CIMultiDict

from dray.api.meta import Object
from dray.apiserver.access import Attributes, Decision
from dray.apiserver.core import AdmissionRequest
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.server import ApiServer
from dray.cluster.certificates import Authority
from dray.store.memory import MemoryStore

PODS = "/api/v1/namespaces/default/pods"
SERVICES = "/api/v1/namespaces/default/services"


class Backend:
    """Says what it was asked, and holds some answers back."""

    def __init__(self) -> None:
        self.port = 0
        self.go_on = asyncio.Event()
        self.left = asyncio.Event()
        self.begun = asyncio.Event()
        self.received = 0

    async def echo(self, request: web.Request) -> web.StreamResponse:
        body = (await request.read()).decode()
        asked = {"method": request.method, "path": request.raw_path, "body": body}
        return web.json_response({**asked, "headers": [*map(list, request.headers.items())]})

    async def slow(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"first")
        await self._wait()
        await response.write(b"last")
        return response

    async def silent(self, request: web.Request) -> web.StreamResponse:
        await self._wait()
        return web.Response()

    async def _wait(self) -> None:
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.left.set()
            raise

    async def taken(self, request: web.Request) -> web.StreamResponse:
        async for data in request.content.iter_any():
            self.received += len(data)
            self.begun.set()
        return web.Response(text=str(self.received))

    async def redirected(self, request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "/there/?a=1"})

    async def page(self, request: web.Request) -> web.StreamResponse:
        headers = {"Content-Type": "text/html", "Content-Encoding": "gzip"}
        return web.Response(body=gzip.compress(b"<a href=/x>x</a>"), headers=headers)

    async def headers(self, request: web.Request) -> web.StreamResponse:
        headers: CIMultiDict[str] = CIMultiDict()
        for name, value in (
            ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Access-Control-Allow-Origin", "*"), ("X-Own", "1"),
            ("Connection", "X-Own"), ("Cache-Control", "max-age=9"),
        ):  # fmt: skip
            headers.add(name, value)
        return web.Response(status=418, text="tea", headers=headers)

    async def breaks(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"abc")
        assert request.transport is not None
        request.transport.close()
        return response

    async def socket(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=["chat"])
        await socket.prepare(request)
        async for message in socket:
            await socket.send_bytes(message.data)
        return socket


async def serving(backend: Backend, context: ssl.SSLContext | None = None) -> web.AppRunner:
    app = web.Application(client_max_size=2**30)
    for path, handler in {
        "/slow": backend.slow, "/silent": backend.silent, "/redirected": backend.redirected, "/page": backend.page,
        "/headers": backend.headers, "/breaks": backend.breaks, "/socket": backend.socket,
    }.items():  # fmt: skip
        app.router.add_get(path, handler)
    app.router.add_post("/taken", backend.taken)
    app.router.add_route("*", "/{any:.*}", backend.echo)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    backend.port = runner.addresses[0][1]
    return runner


@pytest.fixture
async def backend() -> AsyncIterator[Backend]:
    backend = Backend()
    runner = await serving(backend)
    yield backend
    await runner.cleanup()


class Judge:
    """Allows everything that is not forbidden by name, and remembers what it was asked."""

    def __init__(self) -> None:
        self.forbidden: tuple[str, str] | None = None
        self.asked: list[tuple[str, str, str]] = []
        self.connections: list[Object] = []

    def authorize(self, attributes: Attributes) -> Decision:
        place = f"{attributes.resource}/{attributes.subresource}"
        self.asked.append((attributes.verb, place, attributes.name))
        return Decision((attributes.verb, place) != self.forbidden)

    async def mutate(self, request: AdmissionRequest) -> None:
        if request.operation == "CONNECT" and request.object is not None:
            self.connections.append(request.object)

    async def validate(self, request: AdmissionRequest) -> None:
        return None


class Api:
    def __init__(self, url: str, session: aiohttp.ClientSession, judge: Judge) -> None:
        self.url = url
        self.session = session
        self.judge = judge

    async def make(self, path: str, obj: Object) -> None:
        async with self.session.post(self.url + path, json=obj) as answer:
            assert answer.status == 201, await answer.text()

    async def patch_status(self, path: str, status: Object) -> None:
        headers = {"Content-Type": "application/merge-patch+json"}
        body = {"status": status}
        async with self.session.patch(f"{self.url}{path}/status", json=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()

    async def node(self, name: str, address: str, port: int) -> None:
        await self.make("/api/v1/nodes", {"metadata": {"name": name}})
        addresses = [{"type": "InternalIP", "address": address}]
        daemons = {"kubeletEndpoint": {"Port": port}}
        await self.patch_status(f"/api/v1/nodes/{name}", {"addresses": addresses, "daemonEndpoints": daemons})

    async def pod(self, name: str, address: str, port: int, node: str = "here") -> None:
        ports = [{"containerPort": port}] if port else []
        spec = {"nodeName": node, "containers": [{"name": "main", "image": "i", "ports": ports}]}
        await self.make(PODS, {"metadata": {"name": name}, "spec": spec})
        if address:
            await self.patch_status(f"{PODS}/{name}", {"podIPs": [{"ip": address}], "phase": "Running"})

    async def refusal(self, path: str, method: str = "GET") -> tuple[int, str]:
        async with self.session.request(method, self.url + path) as answer:
            status = await answer.json()
            return answer.status, status["message"]


@pytest.fixture
async def api(backend: Backend) -> AsyncIterator[Api]:
    """With a node on this machine, the pod `web` there and the service `web` before it."""
    judge = Judge()
    server = ApiServer(MemoryStore(), catalog(), authorizer=judge, admission=judge)
    await server.start()
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        api = Api(f"http://{server.address}", session, judge)
        await api.make("/api/v1/namespaces", {"metadata": {"name": "default"}})
        await api.node("here", "127.0.0.1", backend.port)
        await api.pod("web", "127.0.0.1", backend.port)
        ports = [{"name": "http", "port": 80}, {"name": "other", "port": 81}]
        await api.make(SERVICES, {"metadata": {"name": "web"}, "spec": {"ports": ports}})
        target = {"kind": "Pod", "namespace": "default", "name": "web"}
        subset = {
            "addresses": [{"ip": "127.0.0.1", "targetRef": target}],
            "ports": [{"name": "http", "port": backend.port}],
        }
        await api.make(
            "/api/v1/namespaces/default/endpoints", {"metadata": {"name": "web"}, "subsets": [subset]}
        )
        yield api
    await server.stop()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_every_method_passes_with_query_and_body(api: Api, method: str) -> None:
    url = f"{api.url}{PODS}/web/proxy/a/b?c=d&e"
    headers = {"X-Own": "1", "Authorization": "Bearer secret", "Te": "trailers", "Keep-Alive": "5"}
    async with api.session.request(method, url, data=b"hello", headers=headers) as answer:
        seen = await answer.json()
        assert answer.headers["Cache-Control"] == "no-cache, private"
    assert (seen["method"], seen["path"], seen["body"]) == (method, "/a/b?c=d&e", "hello")
    told = {name.lower(): value for name, value in seen["headers"]}
    assert told["x-own"] == "1"
    assert told["te"] == "trailers"
    assert told["host"] == api.url.removeprefix("http://")
    assert told["x-forwarded-for"] == "127.0.0.1"
    assert told["x-forwarded-uri"] == f"{PODS}/web/proxy/a/b"
    assert not told.keys() & {"authorization", "keep-alive"}


async def test_a_path_without_its_slash_leads_to_the_one_with_it(api: Api) -> None:
    url = f"{api.url}{PODS}/web/proxy?q=1"
    async with api.session.get(url, allow_redirects=False) as answer:
        assert (answer.status, await answer.read()) == (301, b"")
        assert answer.headers["Location"] == f"{PODS}/web/proxy/?q=1"
    async with api.session.post(f"{api.url}{PODS}/web/proxy") as answer:
        assert (await answer.json())["path"] == "/"


@pytest.mark.parametrize(
    "place",
    ["pods/web", "pods/web:{}", "pods/http:web:{}", "pods/:web:{}", "pods/web:", "services/web:80",
     "services/web:http", "services/http:web:80", "services/http:web:http"],
)  # fmt: skip
async def test_names_may_have_a_scheme_and_a_port(api: Api, backend: Backend, place: str) -> None:
    path = f"/api/v1/namespaces/default/{place.format(backend.port)}/proxy/x"
    async with api.session.get(api.url + path) as answer:
        assert (await answer.json())["path"] == "/x"


@pytest.mark.parametrize(
    ("place", "code", "message"),
    [
        ("pods/nope", 404, 'pods "nope" not found'),
        ("pods/nope:1", 404, 'pods "nope" not found'),
        ("pods/http:web", 404, 'pods "http" not found'),
        ("pods/ftp:web:1", 400, 'invalid pod request "ftp:web:1"'),
        ("pods/a:b:c:d", 400, 'invalid pod request "a:b:c:d"'),
        ("pods/web:99999", 503, "error trying to reach service: dial tcp: address 99999: invalid port"),
        (
            "pods/web:0",
            503,
            "error trying to reach service: dial tcp 127.0.0.1:0: connect: connection refused",
        ),
        ("services/web", 503, 'no endpoints available for service "web"'),
        ("services/web:81", 503, 'no endpoints available for service "web:81"'),
        ("services/web:82", 503, 'no service port 82 found for service "web"'),
        ("services/web:08", 503, 'no service port 8 found for service "web"'),
        ("services/nope", 404, 'services "nope" not found'),
        ("services/nope:80", 404, 'services "nope" not found'),
        ("services/x:web:80", 400, 'invalid service request "x:web:80"'),
    ],
)
async def test_what_cannot_be_reached_is_refused_in_kubernetes_words(
    api: Api, place: str, code: int, message: str
) -> None:
    assert await api.refusal(f"/api/v1/namespaces/default/{place}/proxy/") == (code, message)


async def test_services_lead_to_pods_alone(api: Api, backend: Backend) -> None:
    target = {"kind": "Pod", "namespace": "default", "name": "web"}
    for name, address in {
        "unnamed": {"ip": "127.0.0.1"},
        "wrong": {"ip": "192.0.2.7", "targetRef": target},
        "elsewhere": {"ip": "127.0.0.1", "targetRef": {**target, "namespace": "other"}},
    }.items():
        await api.make(SERVICES, {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}})
        subset = {"addresses": [address], "ports": [{"port": backend.port}]}
        await api.make(
            "/api/v1/namespaces/default/endpoints", {"metadata": {"name": name}, "subsets": [subset]}
        )
        expected = (503, f'no endpoints available for service "{name}:80"')
        assert await api.refusal(f"{SERVICES}/{name}:80/proxy/") == expected


async def test_addresses_that_are_no_pods_are_not_spoken_to(api: Api, backend: Backend) -> None:
    await api.node("far", "192.0.2.9", 10250)
    await api.pod("local", "127.0.0.1", backend.port, node="far")
    await api.pod("metadata", "169.254.169.254", 80)
    await api.pod("new", "", 80)
    for name in ("local", "metadata", "new"):
        assert await api.refusal(f"{PODS}/{name}/proxy/") == (400, "address not allowed")


async def test_of_a_node_on_this_machine_only_the_kubelet_is_reached(api: Api, backend: Backend) -> None:
    async with api.session.get(f"{api.url}/api/v1/nodes/here/proxy/metrics?a=1") as answer:
        assert (await answer.json())["path"] == "/metrics?a=1"
    async with api.session.post(f"{api.url}/api/v1/nodes/here:{backend.port}/proxy/run") as answer:
        assert (await answer.json())["method"] == "POST"
    assert await api.refusal("/api/v1/nodes/here:22/proxy/") == (400, "address not allowed")
    assert await api.refusal("/api/v1/nodes/nope/proxy/") == (404, 'nodes "nope" not found')
    await api.make("/api/v1/nodes", {"metadata": {"name": "silent"}})
    text = "no preferred addresses found; known addresses: []"
    assert await api.refusal("/api/v1/nodes/silent/proxy/") == (500, text)


async def test_redirections_and_links_lead_through_the_proxy(api: Api) -> None:
    base = f"{PODS}/web/proxy"
    async with api.session.get(f"{api.url}{base}/redirected", allow_redirects=False) as answer:
        assert answer.headers["Location"] == f"{base}/there/?a=1"
    async with api.session.get(f"{api.url}{base}/page") as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(await answer.read()) == f'<a href="{base}/x">x</a>'.encode()


async def test_headers_of_the_backend_pass_but_those_of_its_connection(api: Api) -> None:
    async with api.session.get(f"{api.url}{PODS}/web/proxy/headers") as answer:
        assert (answer.status, await answer.text()) == (418, "tea")
        assert answer.headers.getall("Set-Cookie") == ["a=1", "b=2"]
        assert answer.headers.getall("Cache-Control") == ["no-cache, private", "max-age=9"]
        assert "X-Own" not in answer.headers
        assert "Access-Control-Allow-Origin" not in answer.headers
    async with api.session.get(f"{api.url}{PODS}/web/proxy/x") as answer:
        assert "cookie" not in {name.lower() for name, _ in (await answer.json())["headers"]}


async def test_answers_are_not_held_back(api: Api, backend: Backend) -> None:
    async with asyncio.timeout(5), api.session.get(f"{api.url}{PODS}/web/proxy/slow") as answer:
        assert await answer.content.readany() == b"first"
        backend.go_on.set()
        assert await answer.content.read() == b"last"


async def test_bodies_are_not_held_back(api: Api, backend: Backend) -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield bytes(65536)
        async with asyncio.timeout(5):
            await backend.begun.wait()
        yield b"end"

    async with api.session.post(f"{api.url}{PODS}/web/proxy/taken", data=body()) as answer:
        assert await answer.text() == str(64 * 65536 + 3)


async def test_a_packed_body_arrives_as_it_was_sent(api: Api) -> None:
    headers = {"Content-Encoding": "gzip"}
    data = gzip.compress(b"hello")
    async with api.session.post(f"{api.url}{PODS}/web/proxy/x", data=data, headers=headers) as answer:
        seen = await answer.json()
    assert seen["body"] == "hello"  # the backend unpacks it
    assert ["content-encoding", "gzip"] in [[name.lower(), value] for name, value in seen["headers"]]


@pytest.mark.parametrize("path", ["slow", "silent"])
async def test_the_backend_is_left_when_the_client_leaves(api: Api, backend: Backend, path: str) -> None:
    host, _, port = api.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {PODS}/web/proxy/{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    async with asyncio.timeout(5):
        if path == "slow":
            await reader.readuntil(b"first")
        else:
            await asyncio.sleep(0.1)
        writer.close()
        await backend.left.wait()


async def test_an_answer_that_breaks_off_is_cut(api: Api) -> None:
    with pytest.raises(aiohttp.ClientPayloadError):
        async with asyncio.timeout(5), api.session.get(f"{api.url}{PODS}/web/proxy/breaks") as answer:
            await answer.read()


@pytest.mark.parametrize("place", [f"{PODS}/web", f"{SERVICES}/web:http", "/api/v1/nodes/here"])
async def test_websockets_pass(api: Api, place: str) -> None:
    url = f"{api.url}{place}/proxy/socket"
    async with asyncio.timeout(5), api.session.ws_connect(url, protocols=["chat"]) as socket:
        assert socket.protocol == "chat"
        await socket.send_bytes(b"hello")
        assert (await socket.receive()).data == b"hello"


async def test_a_refused_upgrade_is_answered_as_the_backend_did(api: Api) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "websocket"}
    async with api.session.get(f"{api.url}{PODS}/web/proxy/headers", headers=headers) as answer:
        assert (answer.status, await answer.text()) == (418, "tea")
    async with api.session.get(f"{api.url}{PODS}/web/proxy/x", headers=headers) as answer:
        assert answer.status == 500
        assert (await answer.json())["message"] == "invalid upgrade response: status code 200"


@pytest.mark.parametrize(
    ("method", "verb"),
    [("GET", "get"), ("HEAD", "get"), ("POST", "create"), ("PUT", "update"), ("PATCH", "patch"),
     ("DELETE", "delete"), ("OPTIONS", "")],
)  # fmt: skip
async def test_the_method_says_which_right_is_needed(api: Api, method: str, verb: str) -> None:
    api.judge.forbidden = (verb, "services/proxy")
    async with api.session.request(method, f"{api.url}{SERVICES}/http:web:80/proxy/x") as answer:
        assert answer.status == 403
    assert api.judge.asked[-1] == (verb, "services/proxy", "http:web:80")


async def test_a_websocket_to_a_kubelet_needs_create(api: Api) -> None:
    api.judge.forbidden = ("create", "nodes/proxy")
    with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
        await api.session.ws_connect(f"{api.url}/api/v1/nodes/here/proxy/socket")
    assert raised.value.status == 403


async def test_other_methods_and_dry_runs_are_refused(api: Api) -> None:
    assert (await api.refusal(f"{PODS}/web/proxy/x", "TRACE"))[0] == 405
    assert await api.refusal(f"{PODS}/web/proxy/x?dryRun=All") == (400, "dryRun is not supported")
    assert await api.refusal(f"{PODS}/web/exec?dryRun=All&command=x") == (400, "dryRun is not supported")
    assert (await api.refusal("/api/v1/watch/namespaces/default/pods/web/proxy/a"))[0] == 404


async def test_admission_is_asked_about_the_path(api: Api) -> None:
    async with api.session.get(f"{api.url}{PODS}/web/proxy/a/b/?q=1") as answer:
        assert answer.status == 200
    options = {"kind": "PodProxyOptions", "apiVersion": "v1"}
    assert api.judge.connections[-1] == {**options, "path": "/a/b/"}


async def test_pods_are_reached_by_tls_whatever_their_certificate(api: Api, tmp_path: pathlib.Path) -> None:
    Authority(tmp_path, dt.datetime.now(dt.UTC)).server("pod", ("elsewhere.example",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pod.crt", tmp_path / "pod.key")
    secure = Backend()
    runner = await serving(secure, context)
    await api.pod("secure", "127.0.0.1", secure.port)
    try:
        async with api.session.get(f"{api.url}{PODS}/https:secure:{secure.port}/proxy/x") as answer:
            assert (await answer.json())["path"] == "/x"
    finally:
        await runner.cleanup()
