"""What every answer says of itself."""

import uuid
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from dray.apiserver.authentication.tokens import TokenIssuer
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.server import ApiServer
from dray.cluster.certificates import service_account_key
from dray.store.memory import MemoryStore


@pytest.fixture
async def url(tmp_path) -> AsyncIterator[str]:
    server = ApiServer(MemoryStore(), catalog(), issuer=TokenIssuer(service_account_key(tmp_path)))
    await server.start()
    yield f"http://{server.address}"
    await server.stop()


async def headers_of(url: str, **headers: str) -> dict[str, str]:
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        await answer.read()
        return dict(answer.headers)


@pytest.mark.parametrize(
    "path",
    ["/api/v1/namespaces", "/api/v1/namespaces?watch=1&timeoutSeconds=1", "/nope", "/healthz", "/api/v1/nodes/x", "/openapi/v3/x"],
)  # fmt: skip
async def test_each_answer_has_the_id_of_its_request(url: str, path: str) -> None:
    made_up = await headers_of(url + path)
    assert uuid.UUID(made_up["Audit-Id"]).version == 4
    assert (await headers_of(url + path, **{"Audit-ID": "mine"}))["Audit-Id"] == "mine"
    assert "Server" not in made_up


async def test_tokens_can_be_verified_by_what_is_published(url: str, tmp_path) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/.well-known/openid-configuration") as answer:
            assert answer.headers["Cache-Control"] == "public, max-age=3600"
            document = await answer.json()
        assert document == {
            "issuer": "https://kubernetes.default.svc",
            "jwks_uri": f"https://{url.removeprefix('http://')}/openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        }
        async with session.get(f"{url}/openid/v1/jwks") as answer:
            assert answer.content_type == "application/jwk-set+json"
            (key,) = (await answer.json(content_type=None))["keys"]
    issuer = TokenIssuer(service_account_key(tmp_path))
    assert key == issuer.public_key()
    assert {name: key[name] for name in ("use", "kty", "crv", "alg")} == {
        "use": "sig", "kty": "EC", "crv": "P-256", "alg": "ES256"
    }  # fmt: skip


@pytest.mark.parametrize("path", ["/", "/api", "/apis", "/version", "/metrics", "/healthz", "/openapi/v2"])
async def test_a_server_that_publishes_keys_answers_everything_else_as_well(url: str, path: str) -> None:
    async with aiohttp.ClientSession() as session, session.get(url + path) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    "accept", ["application/json", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"]
)
async def test_documents_that_a_client_has_are_not_sent_again(url: str, accept: str) -> None:
    async with aiohttp.ClientSession(headers={"Accept": accept}) as session:
        async with session.get(f"{url}/openapi/v2") as answer:
            assert answer.status == 200
            tag = answer.headers["ETag"]
        async with session.get(f"{url}/openapi/v2", headers={"If-None-Match": tag}) as answer:
            assert (answer.status, answer.headers["ETag"], await answer.read()) == (304, tag, b"")


@pytest.mark.parametrize("path", ["/api/v1/namespaces/default/configmaps", "/api/v1/componentstatuses"])
async def test_the_ways_to_ask_for_json_are_answered_with_the_same_bytes(url: str, path: str) -> None:
    made = {"data": {"b": "<&>", "a": "1"}, "metadata": {"labels": {"z": "1", "b": "2"}, "name": "m"}}
    async with aiohttp.ClientSession(url, skip_auto_headers=["Accept"]) as session:
        for collection, obj in (
            ("/api/v1/namespaces", {"metadata": {"name": "default"}}),
            ("/api/v1/namespaces/default/configmaps", made),
        ):
            async with session.post(collection, json=obj) as answer:
                assert answer.status == 201
        found = set()
        for headers in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}):
            async with session.get(path, headers=headers) as answer:
                found.add(await answer.read())
    assert len(found) == 1


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("limit=", 'strconv.ParseInt: parsing "": invalid syntax'),
        ("timeoutSeconds=", 'strconv.ParseInt: parsing "": invalid syntax'),
        ("timeout=abc", 'invalid timeout specified in the request URL - time: invalid duration "abc"'),
        ("timeout=1", 'invalid timeout specified in the request URL - time: missing unit in duration "1"'),
        (
            "resourceVersion=99999999999999999999",
            'invalid resource version: resourceVersion: Invalid value: "99999999999999999999": strconv.ParseUint: '
            'parsing "99999999999999999999": value out of range',
        ),
        (
            "resourceVersion=1&continue=abc",
            "invalid continue token: continue key is not valid: invalid character 'i' looking for beginning of value",
        ),
        ("labelSelector=l%20notin", "unable to parse requirement: found '' expected: '('"),
        (
            "resourceVersionMatch=x&resourceVersion=1&sendInitialEvents=true",
            'ListOptions.meta.k8s.io "" is invalid: [resourceVersionMatch: Unsupported value: "x": supported values: '
            '"Exact", "NotOlderThan", "", sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list]',
        ),
    ],
)
async def test_what_a_list_is_asked_wrongly_is_told_in_kubernetes_words(
    url: str, query: str, complaint: str
) -> None:
    """As kube-apiserver 1.36.2 answered."""
    async with aiohttp.request("GET", f"{url}/api/v1/configmaps?{query}") as answer:
        assert (await answer.json())["message"] == complaint


@pytest.mark.parametrize(
    ("method", "query", "complaint"),
    [
        ("GET", "export=1", "the export parameter, deprecated since v1.14, is no longer supported"),
        ("GET", "timeout=x", 'invalid timeout specified in the request URL - time: invalid duration "x"'),
        ("DELETE", "gracePeriodSeconds=", 'strconv.ParseInt: parsing "": invalid syntax'),
        (
            "DELETE",
            "propagationPolicy=",
            'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "": '
            'supported values: "Foreground", "Background", "Orphan", "nil"',
        ),
    ],
)
async def test_what_is_asked_wrongly_of_an_object_is_told_in_kubernetes_words(
    url: str, method: str, query: str, complaint: str
) -> None:
    async with aiohttp.request(method, f"{url}/api/v1/namespaces/x?{query}") as answer:
        assert (await answer.json())["message"] == complaint


async def test_a_version_that_no_store_counted_to_does_not_keep_an_object_from_creation(url: str) -> None:
    for number, version in enumerate(("²", "9" * 5000)):
        made = {"metadata": {"name": f"n{number}", "resourceVersion": version}}
        async with aiohttp.request("POST", f"{url}/api/v1/namespaces", json=made) as answer:
            assert answer.status == 201, await answer.text()


async def test_a_rule_that_is_put_where_there_was_none_is_answered_like_one_that_is_posted(url: str) -> None:
    async with aiohttp.ClientSession(url) as session:
        async with session.post("/api/v1/namespaces", json={"metadata": {"name": "ns"}}) as answer:
            assert answer.status == 201
        roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/ns/roles"
        role = {"metadata": {"name": "r"}, "rules": []}
        found = []
        for method, path in (("POST", roles), ("PUT", f"{roles}/r")):
            async with session.request(method, f"{path}?dryRun=All", json=role) as answer:
                assert answer.status == 201
                found.append((await answer.json())["rules"])
    assert found == [[], []]


async def test_a_watch_whose_client_left_before_its_answer_began_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = ApiServer(MemoryStore(), catalog())
    await server.start()

    async def gone(response: web.StreamResponse, request: web.BaseRequest) -> None:
        raise aiohttp.ClientConnectionResetError

    monkeypatch.setattr(web.StreamResponse, "prepare", gone)
    with pytest.raises(aiohttp.ClientError):
        async with aiohttp.request("GET", f"http://{server.address}/api/v1/namespaces?watch=1"):
            pass
    assert not server.core.watches
    await server.stop()
