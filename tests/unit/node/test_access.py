"""Who may ask a node's server for what."""

import asyncio
from collections.abc import Sequence

import pytest
from aiohttp.test_utils import make_mocked_request

from dray.node.config import Caller, Verdict
from dray.node.serving.access import needed, refusal


@pytest.mark.parametrize(
    ("path", "subresources"),
    [
        ("/stats/summary", ("stats",)),
        ("/metrics", ("metrics",)),
        ("/metrics/resource", ("metrics",)),
        ("/logs/", ("log",)),
        ("/checkpoint/ns/pod/main", ("checkpoint",)),
        ("/pods", ("pods", "proxy")),
        ("/healthz", ("healthz", "proxy")),
        ("/configz", ("configz", "proxy")),
        ("/containerLogs/ns/pod/main", ("proxy",)),
        ("/anything", ("proxy",)),
    ],
)
def test_each_page_has_its_own_permission_or_falls_back_to_proxy(
    path: str, subresources: tuple[str, ...]
) -> None:
    assert needed("GET", path) == ("get", subresources)


@pytest.mark.parametrize("path", ["/exec/ns/pod/main", "/attach/ns/pod/main", "/portForward/ns/pod"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_running_a_program_is_never_reading(path: str, method: str) -> None:
    assert needed(method, path) == ("create", ("proxy",))


def test_the_verb_follows_the_method() -> None:
    assert needed("POST", "/checkpoint/ns/pod/main")[0] == "create"


class WithoutCertificate(asyncio.Transport):
    """A connection whose client has shown none."""


async def answer(verdict: Verdict) -> tuple[int, str] | None:
    asked: list[tuple[str, Sequence[str]]] = []

    async def authorize(caller: Caller, verb: str, subresources: Sequence[str]) -> Verdict:
        assert caller.token == "secret"
        asked.append((verb, subresources))
        return verdict

    headers = {"Authorization": "Bearer secret"}
    request = make_mocked_request("GET", "/pods?x=1", headers=headers, transport=WithoutCertificate())
    refused = await refusal(request, authorize)
    assert asked == [("get", ("pods", "proxy"))]
    return None if refused is None else (refused.status, refused.text or "")


async def test_who_may_is_let_in() -> None:
    assert await answer(Verdict("ann", allowed=True)) is None


async def test_who_may_not_is_told_what_is_needed() -> None:
    text = "Forbidden (user=ann, verb=get, resource=nodes, subresource(s)=[pods proxy])\n"
    assert await answer(Verdict("ann")) == (403, text)


async def test_whom_nobody_knows_is_told_that() -> None:
    assert await answer(Verdict()) == (401, "Unauthorized")
