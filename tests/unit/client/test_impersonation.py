"""A client that acts as somebody else says so, groups included, with each of its requests."""

import asyncio

from aiohttp import web

from dray.client.config import ClientConfig
from dray.client.http import HttpClient


def test_user_and_every_group_are_told() -> None:
    async def scenario() -> list[tuple[str, list[str]]]:
        seen: list[tuple[str, list[str]]] = []

        async def answer(request: web.Request) -> web.Response:
            headers = request.headers
            seen.append((headers["Impersonate-User"], headers.getall("Impersonate-Group")))
            return web.json_response({})

        app = web.Application()
        app.router.add_get("/x", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        config = ClientConfig(
            f"http://127.0.0.1:{runner.addresses[0][1]}", impersonate="u", impersonate_groups=("a", "b")
        )
        async with HttpClient(config) as client:
            for _ in range(2):
                await client.request("GET", "/x")
        await runner.cleanup()
        return seen

    assert asyncio.run(scenario()) == [("u", ["a", "b"])] * 2
