"""Probes: one try over real sockets, and what many tries add up to, on virtual time."""

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from aiohttp import web

from dray.api.meta import Object
from dray.kits.clock import LoopClock
from dray.node.probes.actions import Outcome, ProbeActions, ProbeError, Target
from dray.node.probes.prober import Prober
from dray.testing import virtual
from dray.wire.kubelet import GRPC_HEALTH
from dray.wire.rpc import RpcFailure, TcpServer, service_handler
from tests.unit.node.builders import container, running

CLOSED = 1
"""A port where nobody listens."""


async def attempt(handler: Object, port: int, timeout: float = 2.0, *, is_hook: bool = False) -> Outcome:
    runtime: Any = None
    actions = ProbeActions(runtime)
    run = actions.run_hook if is_hook else actions.run
    try:
        return await run(handler, Target("c", "127.0.0.1", {"web": port}), timeout)
    finally:
        await actions.close()


# --- one try ---


async def http(
    status: int, path: str = "/ok", handler: Object | None = None, *, is_hook: bool = False
) -> tuple[Outcome, web.BaseRequest]:
    seen: list[web.BaseRequest] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        seen.append(request)
        return web.Response(status=status, text="hello", headers={"Location": "/elsewhere"})

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        handler = handler or {"httpGet": {"port": "web", "path": path}}
        outcome = await attempt(handler, runner.addresses[0][1], is_hook=is_hook)
    finally:
        await runner.cleanup()
    return outcome, seen[0]


@pytest.mark.parametrize(
    ("status", "success"), [(200, True), (304, True), (399, True), (404, False), (503, False)]
)
async def test_http_succeeds_from_200_to_399(status: int, success: bool) -> None:
    outcome, request = await http(status)
    assert outcome.success is success
    assert request.path == "/ok"
    if not success:
        assert outcome.output == f"HTTP probe failed with statuscode: {status}"


async def redirected(location: str) -> tuple[Outcome, int]:
    """Outcome and number of requests, where /ok leads to `location`, whose page has an error."""
    asked = 0

    async def answer(request: web.BaseRequest) -> web.Response:
        nonlocal asked
        asked += 1
        target = location.format(port=request.url.port)
        return (
            web.Response(status=302, headers={"Location": target})
            if request.path == "/ok"
            else web.Response(status=500)
        )

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        outcome = await attempt({"httpGet": {"port": "web", "path": "/ok"}}, runner.addresses[0][1])
    finally:
        await runner.cleanup()
    return outcome, asked


async def test_http_follows_where_its_own_host_sends_it() -> None:
    assert await redirected("/broken") == (
        Outcome(False, "HTTP probe failed with statuscode: 500", answered=True),
        2,
    )


async def test_http_goes_to_no_other_host() -> None:
    outcome, asked = await redirected("http://localhost:{port}/broken")
    assert (outcome.success, asked) == (True, 1)


async def test_http_gives_up_a_circle_of_redirects() -> None:
    outcome, asked = await redirected("/ok")
    assert (outcome.success, asked) == (False, 10)
    assert outcome.output.endswith("stopped after 10 redirects")


@pytest.mark.parametrize("status", [200, 500])
async def test_a_hook_has_succeeded_when_a_server_was_told(status: int) -> None:
    handler = {"httpGet": {"port": "web", "path": "/bye"}}
    outcome, request = await http(status, handler=handler, is_hook=True)
    assert outcome.success
    assert request.headers["User-Agent"].startswith("kube-lifecycle/")


async def test_a_hook_that_reaches_nobody_has_failed() -> None:
    assert not (await attempt({"httpGet": {"port": CLOSED, "path": "/x"}}, 0, is_hook=True)).success


async def test_http_says_who_asks_and_sends_what_the_pod_wants() -> None:
    handler = {"httpGet": {"port": "web", "httpHeaders": [{"name": "X-Who", "value": "me"}]}}
    _, request = await http(200, handler=handler)
    assert request.headers["User-Agent"].startswith("kube-probe/")
    assert request.headers["X-Who"] == "me"


async def test_refused_connections_read_as_in_go() -> None:
    assert (await attempt({"tcpSocket": {"port": CLOSED}}, 0)).output == (
        "dial tcp 127.0.0.1:1: connect: connection refused"
    )
    assert (await attempt({"httpGet": {"port": CLOSED, "path": "/x"}}, 0)).output == (
        'Get "http://127.0.0.1:1/x": dial tcp 127.0.0.1:1: connect: connection refused'
    )


async def test_tcp_succeeds_when_somebody_accepts() -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert (await attempt({"tcpSocket": {"port": port}}, 0)).success


async def test_grpc_asks_for_the_service_by_name() -> None:
    async def check(request: Any) -> Any:
        if request.service == "missing":
            raise RpcFailure(grpc.StatusCode.NOT_FOUND, "unknown service")
        response = GRPC_HEALTH.message("HealthCheckResponse")()
        response.status = 1 if request.service == "good" else 2
        return response

    server = TcpServer("127.0.0.1", 0, [service_handler(GRPC_HEALTH, "Health", {"Check": check})])
    await server.start()
    try:

        async def ask(service: str) -> Outcome:
            return await attempt({"grpc": {"port": server.port, "service": service}}, 0)

        assert (await ask("good")).success
        assert (await ask("bad")).output == 'service unhealthy (responded with "NOT_SERVING")'
        assert (await ask("missing")).output == "error: health rpc probe failed: unknown service"
    finally:
        await server.stop()


async def test_a_port_that_the_container_does_not_name_is_an_error_not_a_failure() -> None:
    with pytest.raises(ProbeError, match=r'strconv\.Atoi: parsing "other": invalid syntax'):
        await attempt({"tcpSocket": {"port": "other"}}, 0)


# --- many tries ---


class Script:
    """Stands for ProbeActions: answers by the time since the start."""

    def __init__(self, answer: Callable[[str, float], bool]) -> None:
        self._answer = answer
        self.asked: list[tuple[str, float]] = []

    async def run(self, handler: Object, target: Target, timeout: float | None) -> Outcome:
        now = asyncio.get_running_loop().time()
        kind = handler["exec"]["command"][0]
        self.asked.append((kind, now))
        return Outcome(self._answer(kind, now), "said so")


def probe(kind: str, **more: Any) -> Object:
    return {"exec": {"command": [kind]}, "periodSeconds": 1, **more}


def watch(
    spec: Object, answer: Callable[[str, float], bool], at: list[float]
) -> tuple[list[tuple[bool, bool, str]], list[str], Script]:
    """(started, ready, failed probe) at each of the times; what was told; what was asked."""
    told: list[str] = []
    script = Script(answer)
    seen: list[tuple[bool, bool, str]] = []

    async def story() -> None:
        clock = LoopClock()
        current = dataclasses.replace(running(), started=clock.now())
        actions: Any = script
        prober = Prober(actions, clock, lambda: None, lambda name, message: told.append(message))
        await prober.follow([(spec, current)], "10.0.0.1")
        for moment in at:
            await asyncio.sleep(moment - asyncio.get_running_loop().time())
            failed = prober.failures().get("main", ("", {}))[0]
            seen.append((prober.has_started(current.id), prober.is_ready(current.id), failed))
        await prober.stop()

    virtual.run(story())
    return seen, told, script


def test_without_probes_a_container_is_ready_when_it_runs() -> None:
    seen, _, _ = watch(container(), lambda kind, now: False, [0.1])
    assert seen == [(True, True, "")]


def test_readiness_follows_its_thresholds_both_ways() -> None:
    spec = container(readinessProbe=probe("ready", successThreshold=2, failureThreshold=3))
    seen, told, _ = watch(spec, lambda kind, now: 2 <= now < 10, [1.5, 2.5, 3.5, 11.5, 12.5])
    assert [ready for _, ready, _ in seen] == [False, False, True, True, False]
    assert told[0] == "Readiness probe failed: said so"


def test_liveness_fails_only_after_its_threshold_and_is_then_not_asked_again() -> None:
    spec = container(livenessProbe=probe("alive", failureThreshold=3, initialDelaySeconds=5))
    seen, told, script = watch(spec, lambda kind, now: now < 8, [4.5, 9.5, 10.5, 60])
    assert [failed for *_, failed in seen] == ["", "", "liveness", "liveness"]
    assert script.asked[0] == ("alive", 5.0)
    assert len(told) == 3
    assert max(now for _, now in script.asked) <= 10


def test_one_success_between_failures_counts_from_the_beginning() -> None:
    spec = container(livenessProbe=probe("alive", failureThreshold=2))
    seen, _, _ = watch(spec, lambda kind, now: int(now) % 2 == 0, [30])
    assert seen == [(True, True, "")]


def test_nothing_else_is_asked_before_the_startup_probe_has_succeeded() -> None:
    spec = container(
        startupProbe=probe("up", failureThreshold=30),
        livenessProbe=probe("alive"),
        readinessProbe=probe("ready"),
    )
    seen, _, script = watch(spec, lambda kind, now: now >= 10, [9.5, 12])
    assert seen == [(False, False, ""), (True, True, "")]
    assert {kind for kind, now in script.asked if now < 10} == {"up"}
    assert {kind for kind, now in script.asked if now > 10.5} == {"alive", "ready"}


def test_a_startup_probe_that_never_succeeds_kills() -> None:
    spec = container(startupProbe=probe("up", failureThreshold=4))
    seen, _, _ = watch(spec, lambda kind, now: False, [2.5, 3.5])
    assert [failed for *_, failed in seen] == ["", "startup"]
