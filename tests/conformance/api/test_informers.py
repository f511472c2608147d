"""Every informer of the real scheduler, controller manager, kubelet and proxy gets in sync with this server."""

import asyncio
import pathlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import quote

import aiohttp
from go_client import INITIAL_EVENTS_END, GoClient, assert_decodes, metadata_of

from dray.api.resources import Resource
from dray.apiserver.registry.catalog import catalog
from dray.testing.scenario_server import scenario_server

CORPUS = pathlib.Path(__file__).parents[2] / "corpus" / "api" / "informers.txt"
INFORMERS = [line for line in CORPUS.read_text().splitlines() if not line.startswith("#")]
TIMES = "timeout=7m12s&timeoutSeconds=432"
PATIENCE_SECONDS = 20
SERVED = [kind for kind in catalog() if not kind.served_with]
"""Without any gate turned on."""
Clients = Callable[[str], GoClient]


async def unsynced(subjects: Iterable[Any], check: Callable[[Any, Clients], Awaitable[None]]) -> list[str]:
    """`check` every subject at the same time, with a way to get a component's client; what failed, and how."""
    async with scenario_server() as (url, tokens), aiohttp.ClientSession() as session:

        def client(who: str) -> GoClient:
            return GoClient(session, url, tokens["admin"], who)

        async def tried(subject: Any) -> str:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await check(subject, client)
            except (AssertionError, TimeoutError) as error:
                return f"{subject}: {error!r}"
            return ""

        return [found for found in await asyncio.gather(*map(tried, subjects)) if found]


def address(line: str) -> tuple[str, str, str]:
    """Who asks, the path, and the selector as a query parameter with its `&`."""
    who, version, resource, *selector = line.split()
    path = f"/{'apis' if '/' in version else 'api'}/{version}/{resource}"
    if not selector:
        return who, path, ""
    key, _, value = selector[0].partition("=")
    return who, path, f"{key}={quote(value, safe='')}&"


async def initial_version(
    client: GoClient, path: str, selector: str, *, accept: str = "", kind: str = ""
) -> str:
    """The version at which a streamed list is complete; every object of it is checked."""
    query = "allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&sendInitialEvents=true"
    options = {"accept": accept} if accept else {}
    async for event in client.watch(f"{path}?{selector}{query}&{TIMES}&watch=true", **options):
        obj = event["object"]
        if kind:
            assert obj["kind"] == kind
        if event["type"] == "BOOKMARK":
            assert obj["metadata"]["annotations"] == {INITIAL_EVENTS_END: "true"}
            return str(obj["metadata"]["resourceVersion"])
        assert event["type"] == "ADDED"
        if not kind:
            assert_decodes(obj)
    raise AssertionError(f"{path}: the list did not end")


async def test_every_informer_streams_its_list_and_goes_on_from_there() -> None:
    async def check(line: str, client: Clients) -> None:
        who, path, selector = address(line)
        version = await initial_version(client(who), path, selector)
        assert int(version) > 0
        query = f"allowWatchBookmarks=true&{selector}resourceVersion={version}&timeoutSeconds=1&watch=true"
        async for event in client(who).watch(f"{path}?{query}"):
            assert event["type"] == "BOOKMARK"

    assert await unsynced(INFORMERS, check) == []


async def test_every_informer_may_list_in_pages_and_watch_from_there() -> None:
    async def check(line: str, client: Clients) -> None:
        who, path, selector = address(line)
        listed = await client(who).ask("GET", f"{path}?{selector}limit=500&resourceVersion=0")
        assert listed.code == 200, listed
        assert listed.body["kind"].endswith("List")
        assert int(listed.body["metadata"]["resourceVersion"]) > 0
        kind = listed.body["kind"].removesuffix("List")
        for item in listed.body["items"] or ():
            assert_decodes({**item, "apiVersion": listed.body["apiVersion"], "kind": kind})

    assert await unsynced(INFORMERS, check) == []


async def test_garbage_collector_gets_the_metadata_of_every_kind() -> None:
    async def check(resource: Resource, client: Clients) -> None:
        collector, path = client("controller-manager"), resource.path()
        streamed = metadata_of("PartialObjectMetadata")
        await initial_version(collector, path, "", accept=streamed, kind="PartialObjectMetadata")
        listed = metadata_of("PartialObjectMetadataList")
        answer = await collector.ask("GET", f"{path}?limit=500", accept=listed)
        assert (answer.code, answer.body["kind"]) == (200, "PartialObjectMetadataList"), answer
        assert all(item["kind"] == "PartialObjectMetadata" for item in answer.body["items"] or ())

    kinds = [kind for kind in SERVED if "watch" in kind.verbs]
    assert await unsynced([kind.resource for kind in kinds], check) == []


async def test_namespace_controller_empties_a_namespace_of_every_kind() -> None:
    async def check(resource: Resource, client: Clients) -> None:
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        answer = await client("namespace-controller").send("DELETE", resource.path("default"), options)
        assert answer.code == 200, answer

    kinds = [kind for kind in SERVED if "deletecollection" in kind.verbs and kind.resource.namespaced]
    assert len(kinds) > 20
    assert await unsynced([kind.resource for kind in kinds], check) == []
