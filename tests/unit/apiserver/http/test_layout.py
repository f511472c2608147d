"""Who is answered with line breaks, and in which answers. As kube-apiserver 1.36.2 answered."""

from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest

from dray.apiserver.registry.catalog import catalog
from dray.apiserver.server import ApiServer
from dray.store.memory import MemoryStore

NAMESPACE = "/api/v1/namespaces/default"
MISSING = "/api/v1/namespaces/nope"


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    server = ApiServer(MemoryStore(), catalog())
    await server.start()
    async with aiohttp.ClientSession(f"http://{server.address}") as session:
        async with session.post("/api/v1/namespaces", json={"metadata": {"name": "default"}}) as answer:
            assert answer.status == 201
        yield session
    await server.stop()


async def lines_of(
    session: aiohttp.ClientSession, path: str, agent: str = "kubectl/v1.36.2", **more: str
) -> int:
    async with session.get(path, headers={"User-Agent": agent, **more}) as answer:
        text = (await answer.text()).strip()
        assert answer.content_length is None or answer.content_length >= 0
    return text.count("\n") + 1


@pytest.mark.parametrize(
    ("agent", "query", "laid_out"),
    [
        ("curl/8.5.0", "", True),
        ("Wget/1.21", "", True),
        ("Mozilla/5.0 (X11)", "", True),
        ("Mozilla/4.0", "", False),
        ("kubectl/v1.36.2", "", False),
        ("kubectl/v1.36.2", "?pretty=true", True),
        ("kubectl/v1.36.2", "?pretty=", False),
        ("curl/8.5.0", "?pretty=", True),
        ("curl/8.5.0", "?pretty=0", False),
        ("curl/8.5.0", "?pretty=yes", False),
        ("curl/8.5.0", "?pretty=false&pretty=true", False),
    ],
)
@pytest.mark.parametrize("path", [NAMESPACE, "/api/v1/namespaces", MISSING, "/api", "/apis/apps/v1"])
async def test_people_are_answered_with_line_breaks(
    session: aiohttp.ClientSession, agent: str, query: str, laid_out: bool, path: str
) -> None:
    assert (await lines_of(session, path + query, agent) > 1) == laid_out


async def test_layout_is_that_of_go(session: aiohttp.ClientSession) -> None:
    async with session.get(MISSING, headers={"User-Agent": "curl/8"}) as answer:
        text = await answer.text()
    assert text.startswith('{\n  "kind": "Status",\n  "apiVersion": "v1",\n  "metadata": {},\n')
    assert text.endswith('  "code": 404\n}')


async def test_tables_and_compressed_lists_are_laid_out(session: aiohttp.ClientSession) -> None:
    table = "application/json;as=Table;v=v1;g=meta.k8s.io"
    assert await lines_of(session, NAMESPACE, "curl/8", Accept=table) > 1
    for number in range(40):
        made = {"metadata": {"name": f"m{number}"}, "data": {"text": "x" * 4000}}
        async with session.post(f"{NAMESPACE}/configmaps", json=made) as answer:
            assert answer.status == 201
    headers = {"User-Agent": "curl/8", "Accept-Encoding": "gzip"}
    async with session.get(f"{NAMESPACE}/configmaps", headers=headers) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        body = await answer.read()
    assert body.startswith(b'{\n  "kind": "ConfigMapList",\n')
    assert len(orjson.loads(body)["items"]) == 40


async def test_streams_documents_and_yaml_stay_as_they_are(session: aiohttp.ClientSession) -> None:
    watch = "/api/v1/namespaces?watch=1&timeoutSeconds=1&resourceVersion=0"
    async with session.get(watch, headers={"User-Agent": "curl/8"}) as answer:
        events = [orjson.loads(line) async for line in answer.content]
    assert [event["object"]["metadata"]["name"] for event in events if event["type"] == "ADDED"] == [
        "default"
    ]
    assert await lines_of(session, "/openapi/v3/api/v1", "curl/8") == 1
    async with session.get(
        NAMESPACE, headers={"User-Agent": "curl/8", "Accept": "application/yaml"}
    ) as answer:
        assert (await answer.text()).startswith("apiVersion: v1\n")


@pytest.mark.parametrize("path", ["/version", "/", "/version?pretty=false"])
async def test_what_is_for_people_anyway_always_has_line_breaks(
    session: aiohttp.ClientSession, path: str
) -> None:
    assert await lines_of(session, path) > 10


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        (NAMESPACE, "*/*"),
        (NAMESPACE, "application/yaml"),
        ("/api/v1/namespaces", "*/*"),
        ("/api/v1/namespaces", "application/json;as=Table;v=v1;g=meta.k8s.io"),
        ("/api/v1/namespaces", "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"),
        (MISSING, "*/*"),
        ("/apis", "*/*"),
        ("/apis", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"),
    ],
)
async def test_other_answers_are_one_line_that_ends(
    session: aiohttp.ClientSession, path: str, accept: str
) -> None:
    async with session.get(path, headers={"Accept": accept}) as answer:
        body = await answer.read()
    assert body.endswith(b"\n")
    assert "yaml" in accept or body.count(b"\n") == 1
