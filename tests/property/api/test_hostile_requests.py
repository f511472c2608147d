"""Whatever bytes come in a body, a header or a URL: the server answers with a code below 500 and goes on serving."""

import asyncio
import contextlib
import io
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from dray.testing.scenario_server import scenario_server

CLAIMS = "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims"
PODS = "/api/v1/namespaces/default/pods"
CLAIM = {
    "apiVersion": "resource.k8s.io/v1",
    "kind": "ResourceClaim",
    "metadata": {"name": "c"},
    "spec": {"devices": {"requests": [{"name": "g", "exactly": {"deviceClassName": "x"}}]}},
}
BODY_TYPES = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"]
PATCH_TYPES = [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
]
FEW = settings(max_examples=60)

words = st.sampled_from(
    [
        "",
        "metadata",
        "name",
        "spec",
        "devices",
        "requests",
        "$patch",
        "$retainKeys",
        "/",
        "-",
        "~1",
        "delete",
        "op",
    ]
) | st.text(max_size=6)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)
operations = st.lists(
    st.fixed_dictionaries(
        {
            "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "nope"]),
            "path": st.sampled_from(
                ["", "/", "/spec/devices/requests/-", "/spec/devices/requests/9", "/metadata"]
            ),
        },
        optional={"from": words, "value": trees},
    ),
    max_size=4,
)


DELIBERATE = (
    "unknown patch type", "invalid patch format", "cannot merge lists", "list element types are", "lists of lists are", "merging lists cannot yet",
    "does not contain declared merge key", "expected a list of elements",
)  # fmt: skip
"""What Kubernetes says with code 500 of a strategic merge patch that is wrong in itself; so do we."""


class Prober:
    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def code(self, method: str, target: str, body: bytes = b"", content_type: str = "") -> int:
        headers = {"Authorization": "Bearer tok-admin", "User-Agent": "probe/1"}
        if content_type:
            headers["Content-Type"] = content_type
        url = URL(self._url + target, encoded=True)
        async with self._session.request(
            method, url, data=io.BytesIO(body), headers=headers, allow_redirects=False
        ) as answer:
            text = await answer.text(errors="replace")
            if answer.status == 500 and any(words in text for words in DELIBERATE):
                return 400
            return answer.status


@contextlib.asynccontextmanager
async def _prober() -> AsyncIterator[Prober]:
    async with scenario_server() as (url, _), aiohttp.ClientSession() as session:
        prober = Prober(session, url)
        await prober.code("POST", CLAIMS, json.dumps(CLAIM).encode(), "application/json")
        yield prober


@pytest.fixture(scope="module")
def ask() -> Any:
    """Runs one conversation with a server that lives as long as this module's tests."""
    loop = asyncio.new_event_loop()
    logging.getLogger("dray.apiserver").setLevel(logging.CRITICAL)
    context = _prober()
    prober = loop.run_until_complete(context.__aenter__())

    def run(conversation: Callable[[Prober], Awaitable[int]]) -> int:
        return loop.run_until_complete(asyncio.wait_for(conversation(prober), 10))

    yield run
    loop.run_until_complete(context.__aexit__(None, None, None))
    loop.close()


@FEW
@given(body=st.binary(max_size=200), content_type=st.sampled_from(BODY_TYPES))
def test_any_bytes_as_a_new_object(ask: Any, body: bytes, content_type: str) -> None:
    assert ask(lambda prober: prober.code("POST", CLAIMS, body, content_type)) < 500


@FEW
@given(tail=st.binary(max_size=120))
def test_any_bytes_behind_the_protobuf_mark(ask: Any, tail: bytes) -> None:
    assert ask(lambda prober: prober.code("POST", PODS, b"k8s\0" + tail, BODY_TYPES[2])) < 500


@FEW
@given(spec=trees, metadata=trees, path=st.sampled_from([CLAIMS, PODS]))
def test_any_tree_in_the_place_of_a_spec(ask: Any, spec: Any, metadata: Any, path: str) -> None:
    kind = {"kind": "Pod", "apiVersion": "v1"} if path == PODS else {"kind": "ResourceClaim"}
    body = json.dumps({**CLAIM, **kind, "spec": spec, "metadata": metadata}).encode()
    assert ask(lambda prober: prober.code("POST", path, body, "application/json")) < 500


@FEW
@given(patch=trees | operations, content_type=st.sampled_from(PATCH_TYPES[:3]))
def test_any_tree_as_a_patch(ask: Any, patch: Any, content_type: str) -> None:
    target = f"{CLAIMS}/c?dryRun=All"
    assert ask(lambda prober: prober.code("PATCH", target, json.dumps(patch).encode(), content_type)) < 500


@FEW
@given(
    path=st.lists(words, max_size=5),
    query=st.dictionaries(
        st.sampled_from(
            [
                "watch",
                "limit",
                "continue",
                "labelSelector",
                "fieldSelector",
                "timeoutSeconds",
                "dryRun",
                "fieldValidation",
            ]
        ),
        words,
        max_size=3,
    ),
)
def test_any_path_and_query(ask: Any, path: list[str], query: dict[str, str]) -> None:
    from urllib.parse import quote, urlencode

    query = {**query, "timeoutSeconds": "1"} | ({"watch": "false"} if "watch" in query else {})
    target = "/" + "/".join(["apis", *(quote(part, safe="") for part in path)]) + "?" + urlencode(query)
    assert ask(lambda prober: prober.code("GET", target)) < 500
    listed = f"{CLAIMS}?{urlencode(query)}"
    assert ask(lambda prober: prober.code("GET", listed)) < 500


@pytest.mark.parametrize("content_type", [*BODY_TYPES, *PATCH_TYPES])
def test_deep_nesting_is_refused_not_followed(ask: Any, content_type: str) -> None:
    body = b'{"spec":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    method, target = ("PATCH", f"{CLAIMS}/c") if "patch" in content_type else ("POST", CLAIMS)
    code = ask(lambda prober: prober.code(method, target, body, content_type))
    assert 400 <= code < 500


@pytest.mark.parametrize("content_type", PATCH_TYPES)
@pytest.mark.parametrize("depth", [240, 500, 900, 1020])
def test_nesting_that_can_just_be_read_is_applied_or_refused(ask: Any, content_type: str, depth: int) -> None:
    nested = '{"a":' * depth + "1" + "}" * depth
    tree = json.dumps({**CLAIM, "metadata": {"name": "d"}, "spec": 0}).replace(
        '"spec": 0',
        f'"spec":{{"devices":{{"config":[{{"opaque":{{"driver":"a.b","parameters":{nested}}}}}]}}}}',
    )
    if "json-patch" in content_type:
        tree = f'[{{"op":"add","path":"/metadata/labels","value":{nested}}}]'
    target = f"{CLAIMS}/{'d' if 'apply' in content_type else 'c'}?fieldManager=f&dryRun=All"
    assert ask(lambda prober: prober.code("PATCH", target, tree.encode(), content_type)) < 500


def test_yaml_that_multiplies_itself_is_refused(ask: Any) -> None:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    lines += [f"{b}: &{b} [{','.join(['*' + a] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    body = "\n".join(lines).encode()
    assert 400 <= ask(lambda prober: prober.code("POST", CLAIMS, body, "application/yaml")) < 500


def test_a_body_beyond_the_limit_is_refused(ask: Any) -> None:
    body = b'{"a":"' + b"x" * (4 * 1024 * 1024) + b'"}'
    assert ask(lambda prober: prober.code("POST", CLAIMS, body, "application/json")) == 413
