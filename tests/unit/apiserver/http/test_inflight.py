"""More requests at once than are answered are told to come again; administrators and what lasts are not counted."""

import asyncio
import contextlib

import aiohttp
import pytest

from dray.apiserver.access import AUTHENTICATED, MASTERS, AllowEveryone
from dray.apiserver.http.inflight import Inflight, InflightLimits, TooManyInflight
from dray.apiserver.http.request_info import RequestInfo, parse
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.registry.kind import User
from dray.apiserver.server import ApiServer
from dray.store.memory import MemoryStore

JANE = User("jane", (AUTHENTICATED,))
ADMIN = User("admin", (MASTERS, AUTHENTICATED))
PODS = "/api/v1/namespaces/default/pods"
READ, WRITE = parse("GET", PODS), parse("POST", PODS)


def enter(stack: contextlib.ExitStack, inflight: Inflight, info: RequestInfo, user: User = JANE) -> None:
    stack.enter_context(inflight.admitted(info, user))


def test_reads_and_writes_are_counted_apart_and_leave() -> None:
    inflight = Inflight(InflightLimits(reads=2, writes=1))
    with contextlib.ExitStack() as stack:
        enter(stack, inflight, READ)
        enter(stack, inflight, READ)
        enter(stack, inflight, WRITE)
        for info in (READ, WRITE):
            with pytest.raises(TooManyInflight):
                enter(stack, inflight, info)
    assert (inflight.reads, inflight.writes) == (0, 0)


@pytest.mark.parametrize(
    "info",
    [
        parse("GET", PODS, watch=True),
        parse("GET", f"{PODS}/a/log"),
        parse("POST", f"{PODS}/a/exec"),
        parse("GET", f"{PODS}/a/proxy/x"),
    ],
    ids=["watch", "log", "exec", "proxy"],
)
def test_what_lasts_is_not_counted(info: RequestInfo) -> None:
    inflight = Inflight(InflightLimits(reads=1, writes=1))
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            enter(stack, inflight, info)
        enter(stack, inflight, READ)
        enter(stack, inflight, WRITE)


def test_administrators_are_always_answered() -> None:
    inflight = Inflight(InflightLimits(reads=1, writes=1))
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            enter(stack, inflight, WRITE, ADMIN)


async def test_the_answer_is_429_with_the_time_to_wait() -> None:
    server = ApiServer(
        MemoryStore(), catalog(), authenticator=AllowEveryone(JANE), limits=InflightLimits(reads=1, writes=1)
    )
    await server.start()
    try:
        host, _, port = server.address.partition(":")
        _, slow = await asyncio.open_connection(host, int(port))
        slow.write(
            f"POST {PODS} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n".encode()
        )
        async with aiohttp.ClientSession() as session, asyncio.timeout(5):
            url = f"http://{server.address}{PODS}"
            while (answer := await session.post(url, json={})).status != 429:
                await answer.read()
            assert answer.headers["Retry-After"] == "1"
            assert await answer.text() == "Too many requests, please try again later.\n"
            assert (await session.get(url)).status == 200
        slow.close()
    finally:
        await server.stop()
