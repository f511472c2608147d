"""Discovery, tables and headers have the shape that they have with kube-apiserver 1.36.2, kind by kind.

`discovery.json` and `tables.json` hold what was recorded there, by `group/version resource`: a kind's entry in aggregated
discovery (subresource: kind, then verbs), and its columns (name, type, format, priority).
"""

import json
import pathlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest

from dray.api.meta import Object
from dray.testing.scenario_server import scenario_server

CORPUS = pathlib.Path(__file__).parents[2] / "corpus" / "api"
DISCOVERY: Mapping[str, Object] = json.loads((CORPUS / "discovery.json").read_text())
TABLES: Mapping[str, list[list[Any]]] = json.loads((CORPUS / "tables.json").read_text())
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"

_NO_CUSTOM = "custom resources and aggregation are not served"
_NO_FAIRNESS = "requests are not queued by priority"
NOT_SERVED = {
    "apiextensions.k8s.io/v1 customresourcedefinitions": _NO_CUSTOM,
    "apiregistration.k8s.io/v1 apiservices": _NO_CUSTOM,
    "flowcontrol.apiserver.k8s.io/v1 flowschemas": _NO_FAIRNESS,
    "flowcontrol.apiserver.k8s.io/v1 prioritylevelconfigurations": _NO_FAIRNESS,
}
"""Recorded kinds that are missing here, and why."""


@pytest.fixture
async def server() -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    async with scenario_server() as (url, tokens):
        headers = {"Authorization": f"Bearer {tokens['admin']}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            yield session, url


async def read(server: tuple[aiohttp.ClientSession, str], path: str, accept: str) -> Object:
    session, url = server
    async with session.get(url + path, headers={"Accept": accept}) as response:
        assert response.status == 200, await response.text()
        body: Object = await response.json()
        return body


async def discovered(server: tuple[aiohttp.ClientSession, str]) -> dict[str, Object]:
    found = {}
    for root in ("/api", "/apis"):
        for group in (await read(server, root, AGGREGATED))["items"]:
            for version in group["versions"]:
                place = "/".join(filter(None, (group["metadata"].get("name"), version["version"])))
                for entry in version["resources"]:
                    found[f"{place} {entry['resource']}"] = condensed(entry)
    return found


def condensed(entry: Object) -> Object:
    parts = {
        part["subresource"]: [part["responseKind"]["kind"], *part["verbs"]]
        for part in entry.get("subresources", ())
    }
    more = {
        "short": entry.get("shortNames"),
        "categories": entry.get("categories"),
        "subresources": parts,
    }
    return {
        "kind": entry["responseKind"]["kind"],
        "scope": entry["scope"],
        "singular": entry["singularResource"],
        "verbs": entry["verbs"],
        **{key: value for key, value in more.items() if value},
    }


async def test_every_kind_is_discovered_as_it_was_recorded(
    server: tuple[aiohttp.ClientSession, str],
) -> None:
    found = await discovered(server)
    missing = {key for key in DISCOVERY if key not in found}
    shared = DISCOVERY.keys() & found.keys()
    differ = {key: found[key] for key in shared if found[key] != DISCOVERY[key]}
    assert missing == NOT_SERVED.keys()
    assert differ == {}


async def test_every_table_has_the_recorded_columns(server: tuple[aiohttp.ClientSession, str]) -> None:
    differ = {}
    for key, recorded in TABLES.items():
        if key in NOT_SERVED:
            continue
        version, resource = key.split()
        root = "apis" if "/" in version else "api"
        table = await read(server, f"/{root}/{version}/{resource}", TABLE)
        columns = [
            [column[part] for part in ("name", "type", "format", "priority")]
            for column in table["columnDefinitions"]
        ]
        if columns != recorded:
            differ[key] = columns
    assert differ == {}


async def test_only_the_core_group_lists_its_resources_without_an_api_version(
    server: tuple[aiohttp.ClientSession, str],
) -> None:
    assert list(await read(server, "/api/v1", "application/json")) == ["kind", "groupVersion", "resources"]
    assert list(await read(server, "/apis/apps/v1", "application/json"))[:2] == ["kind", "apiVersion"]


async def test_endpoints_are_deprecated_but_stay(server: tuple[aiohttp.ClientSession, str]) -> None:
    session, url = server
    async with session.get(f"{url}/api/v1/endpoints") as response:
        assert response.headers["Warning"] == (
            '299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"'
        )
