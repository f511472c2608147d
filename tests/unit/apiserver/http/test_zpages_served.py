"""The server's /statusz and /flagz: behind their gates, and only for whom they are served to."""

from typing import Any

import aiohttp
import pytest

from dray.api.features import FeatureGates
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.server import ApiServer
from dray.store.memory import MemoryStore


async def asked(features: FeatureGates, path: str, accept: str = "*/*") -> tuple[int, Any]:
    server = ApiServer(MemoryStore(), catalog(), features=features, flags={"port": "6443"})
    await server.start()
    try:
        url = f"http://{server.address}{path}"
        async with aiohttp.request("GET", url, headers={"Accept": accept}) as answer:
            is_json = "json" in answer.headers["Content-Type"]
            return answer.status, await (answer.json(content_type=None) if is_json else answer.text())
    finally:
        await server.stop()


async def test_server_tells_its_flags_and_what_it_serves() -> None:
    code, text = await asked(FeatureGates(), "/flagz")
    assert (code, text.splitlines()[-1]) == (200, "port:6443")
    code, text = await asked(FeatureGates(), "/statusz")
    assert text.splitlines()[-1] == "Paths: /flagz /healthz /livez /metrics /readyz /statusz /version"
    code, root = await asked(FeatureGates(), "/")
    assert {"/flagz", "/statusz"} <= set(root["paths"])


async def test_pages_are_gone_without_their_gates() -> None:
    off = FeatureGates({"ComponentStatusz": False, "ComponentFlagz": False})
    assert [(await asked(off, f"/{page}"))[0] for page in ("statusz", "flagz")] == [404, 404]
    assert not {"/flagz", "/statusz"} & set((await asked(off, "/"))[1]["paths"])
    only_status = FeatureGates({"ComponentFlagz": False})
    assert "Paths: /healthz /livez" in (await asked(only_status, "/statusz"))[1]


@pytest.mark.parametrize("path", ["/statusz/", "/statusz/x", "/flagz/port"])
async def test_there_is_nothing_below_them(path: str) -> None:
    assert await asked(FeatureGates(), path) == (404, "404 page not found\n")


async def test_refusal_of_a_form_is_a_status() -> None:
    code, status = await asked(FeatureGates(), "/statusz", "application/json")
    assert (code, status["reason"]) == (406, "NotAcceptable")
