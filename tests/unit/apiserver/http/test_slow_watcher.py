"""A client that opens a watch and never reads is cut off; it costs the server next to nothing, and others nothing."""

import asyncio
import itertools
import socket

import aiohttp
import orjson
import pytest

from dray.apiserver.http import watching
from dray.testing.scenario_server import scenario_server

PATH = "/api/v1/namespaces/default/configmaps"
VALUE = "x" * 60_000
WRITES = 400
SENT = WRITES * len(VALUE)
"""Bytes of changes: many times what the buffers of a connection and of the kernel hold."""


async def silent_watcher(url: str, token: str) -> socket.socket:
    """A connection that has asked for a watch, with the smallest buffer there is."""
    host, port = url.removeprefix("http://").split(":")
    silent = socket.socket()
    silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    silent.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(silent, (host, int(port)))
    request = f"GET {PATH}?watch=1 HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
    await loop.sock_sendall(silent, request.encode())
    await loop.sock_recv(silent, 10)  # it is being served
    return silent


async def rest_of(silent: socket.socket) -> int:
    """How many bytes were still on their way; returns when the server has cut the connection."""
    loop, size = asyncio.get_running_loop(), 0
    try:
        while data := await loop.sock_recv(silent, 1 << 16):
            size += len(data)
    except ConnectionResetError:
        pass
    return size


async def next_names(response: aiohttp.ClientResponse, count: int) -> list[str]:
    return [
        orjson.loads(await response.content.readline())["object"]["metadata"]["name"] for _ in range(count)
    ]


async def test_a_client_that_never_reads_is_cut_off_while_others_are_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "STALLED_SECONDS", 0.2)
    async with scenario_server() as (url, tokens), aiohttp.ClientSession(read_bufsize=2**20) as session:
        headers = {"Authorization": f"Bearer {tokens['admin']}"}
        silent = await silent_watcher(url, tokens["admin"])
        async with session.get(f"{url}{PATH}?watch=1", headers=headers) as reader:
            names = []
            for number in range(WRITES):
                body = {"metadata": {"name": f"c{number}"}, "data": {"v": VALUE}}
                await session.post(url + PATH, json=body, headers=headers)
                names += await next_names(reader, 1)
            assert names == [f"c{number}" for number in range(WRITES)]
            async with asyncio.timeout(5):
                assert await rest_of(silent) < SENT / 4
            await session.post(url + PATH, json={"metadata": {"name": "after"}}, headers=headers)
            assert await next_names(reader, 1) == ["after"]
        silent.close()


async def test_a_watch_that_always_has_something_to_tell_ends_in_time_all_the_same() -> None:
    async with scenario_server() as (url, tokens), aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {tokens['admin']}"}

        async def write_on() -> None:
            for number in itertools.count():
                await session.post(url + PATH, json={"metadata": {"name": f"c{number}"}}, headers=headers)

        writing = asyncio.create_task(write_on())
        async with asyncio.timeout(20):
            async with session.get(f"{url}{PATH}?watch=1&timeoutSeconds=1", headers=headers) as reader:
                lines = (await reader.read()).splitlines()
        writing.cancel()
        assert [orjson.loads(line)["type"] for line in lines] == ["ADDED"] * len(lines)
        assert lines


async def test_bookmarks_come_from_time_to_time_also_between_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "BOOKMARK_SECONDS", 0.05)
    async with scenario_server() as (url, tokens), aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {tokens['admin']}"}
        query = "?watch=1&allowWatchBookmarks=true"
        async with asyncio.timeout(20), session.get(f"{url}{PATH}{query}", headers=headers) as reader:
            types = []
            for name in ("a", "b"):
                await session.post(url + PATH, json={"metadata": {"name": name}}, headers=headers)
                while types[-2:] != ["BOOKMARK", "BOOKMARK"] or types.count("ADDED") < (name == "b") + 1:
                    types.append(orjson.loads(await reader.content.readline())["type"])
        assert types.count("ADDED") == 2
