"""One try of a probe or hook: run a command, ask over HTTP, connect, ask over gRPC.

Decides what counts as success and how a failure reads; the words are those of the kubelet's probers, which people
search for. Knows nothing of thresholds.
"""

import asyncio
import errno
import json
import os
import ssl
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urljoin, urlsplit

import aiohttp
import grpc
import grpc.aio

from dray.node.runtime.protocol import Runtime, RuntimeFailure, Session
from dray.wire.kubelet import GRPC_HEALTH
from dray.wire.rpc import Stub

OUTPUT_LIMIT: Final = 10 * 1024
MAX_REDIRECTS: Final = 10
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
USER_AGENT: Final = "kube-probe/1.36"


class Outcome(NamedTuple):
    success: bool
    output: str = ""
    answered: bool = False
    """A server answered, whatever it said."""


class ProbeError(Exception):
    """The probe itself could not be run: it says nothing about the container."""


class Target(NamedTuple):
    """The container a probe is about."""

    container_id: str
    address: str
    """Of the pod."""
    ports: Mapping[str, int]
    """Name -> number."""


class ProbeActions:
    """Runs handlers against containers of `runtime`. Close it when done."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def run(self, handler: Mapping[str, Any], target: Target, timeout: float | None) -> Outcome:
        """`handler` has one of `exec`, `httpGet`, `tcpSocket`, `grpc`, `sleep`. Raises ProbeError.

        `timeout` in seconds, None for none; a sleep takes the time it says in any case.
        """
        if (action := handler.get("exec")) is not None:
            return await self._exec(action.get("command") or [], target, timeout)
        if (action := handler.get("httpGet")) is not None:
            return await self._http(action, target, timeout)
        if (action := handler.get("tcpSocket")) is not None:
            return await _tcp(action.get("host") or target.address, _port(action["port"], target), timeout)
        if (action := handler.get("grpc")) is not None:
            address = f"{target.address}:{_port(action['port'], target)}"
            return await _grpc(address, action.get("service") or "", timeout)
        if (action := handler.get("sleep")) is not None:
            await asyncio.sleep(float(action["seconds"]))
            return Outcome(True)
        raise ProbeError("missing probe handler")

    async def run_hook(self, hook: Mapping[str, Any], target: Target, timeout: float | None) -> Outcome:
        """As `run`, for a lifecycle hook: there, whatever a server answers, it has been told. Raises ProbeError."""
        if (action := hook.get("httpGet")) is None:
            return await self.run(hook, target, timeout)
        outcome = await self._http(action, target, timeout, agent="kube-lifecycle/1.36")
        return Outcome(True, outcome.output) if outcome.answered else outcome

    async def _exec(self, command: list[str], target: Target, timeout: float | None) -> Outcome:
        session: Session | None = None
        try:
            async with asyncio.timeout(timeout):
                session = await self._runtime.execute(target.container_id, command)
                output = b"".join(
                    await asyncio.gather(_collect(session.stdout()), _collect(session.stderr()))
                )
                code = await session.wait()
        except TimeoutError:
            shown = json.dumps(" ".join(command))
            return Outcome(False, f"command timed out: {shown} timed out after {_duration(timeout)}")
        except RuntimeFailure as failure:
            raise ProbeError(str(failure)) from failure
        finally:
            if session is not None:
                await session.close()
        return Outcome(code == 0, output[:OUTPUT_LIMIT].decode(errors="replace"))

    async def _http(
        self, action: Mapping[str, Any], target: Target, timeout: float | None, *, agent: str = USER_AGENT
    ) -> Outcome:
        host, port = action.get("host") or target.address, _port(action["port"], target)
        path = action.get("path") or "/"
        url = f"{(action.get('scheme') or 'HTTP').lower()}://{host}:{port}/{path.removeprefix('/')}"
        headers = {"User-Agent": agent, "Accept": "*/*", "Connection": "close"}
        headers.update((entry["name"], entry["value"]) for entry in action.get("httpHeaders") or ())
        try:
            async with asyncio.timeout(timeout):
                status, body = await self._get(url, headers)
        except TimeoutError:
            why = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
            return Outcome(False, f'Get "{url}": {why}')
        except (aiohttp.ClientError, ssl.SSLError, OSError) as error:
            return Outcome(False, f'Get "{url}": {_dial_text(host, port, error)}')
        if 200 <= status < 400:
            return Outcome(True, body.decode(errors="replace"), answered=True)
        return Outcome(False, f"HTTP probe failed with statuscode: {status}", answered=True)

    async def _get(self, url: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Status and body, after redirects that lead to the same host; one that leads elsewhere is an answer itself."""
        place = url
        for _ in range(MAX_REDIRECTS):
            async with self._client().get(place, headers=headers, allow_redirects=False, ssl=False) as answer:
                location = answer.headers.get("Location")
                following = urljoin(place, location) if location and answer.status in REDIRECTS else ""
                if urlsplit(following).hostname != urlsplit(url).hostname:
                    return answer.status, await answer.content.read(OUTPUT_LIMIT)
                place = following
        raise aiohttp.ClientError(f"stopped after {MAX_REDIRECTS} redirects")

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))
        return self._session


async def _collect(stream: Any) -> bytes:
    """The whole stream; only its beginning is kept."""
    kept = b""
    async for piece in stream:
        if len(kept) < OUTPUT_LIMIT:
            kept += piece
    return kept


async def _tcp(host: str, port: int, timeout: float | None) -> Outcome:
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return Outcome(False, f"dial tcp {host}:{port}: i/o timeout")
    except OSError as error:
        return Outcome(False, _dial_text(host, port, error))
    writer.close()
    return Outcome(True)


async def _grpc(address: str, service: str, timeout: float | None) -> Outcome:
    async with grpc.aio.insecure_channel(
        address, options=(("grpc.use_local_subchannel_pool", 1),)
    ) as channel:
        stub = Stub(channel, GRPC_HEALTH, "Health")
        try:
            answer = await stub.call("Check", stub.new_request("Check", service=service), timeout=timeout)
        except grpc.aio.AioRpcError as error:
            return Outcome(False, _grpc_failure(error, address, timeout))
    status = GRPC_HEALTH.file.enums["ServingStatus"][answer.status]
    if status == "SERVING":
        return Outcome(True, "service healthy")
    return Outcome(False, f'service unhealthy (responded with "{status}")')


def _grpc_failure(error: grpc.aio.AioRpcError, address: str, timeout: float | None) -> str:
    if error.code() is grpc.StatusCode.UNIMPLEMENTED:
        return (
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): "
            f"{error.details()}"
        )
    if error.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE):
        return (
            f'timeout: failed to connect service "{address}" within {_duration(timeout)}: '
            "context deadline exceeded"
        )
    return f"error: health rpc probe failed: {error.details()}"


def _port(port: Any, target: Target) -> int:
    if isinstance(port, int):
        return port
    if port in target.ports:
        return target.ports[port]
    if str(port).isdigit():
        return int(port)
    raise ProbeError(f'strconv.Atoi: parsing "{port}": invalid syntax')


def _dial_text(host: str, port: int, error: BaseException) -> str:
    """As Go words it."""
    cause: BaseException | None = error
    while cause is not None:
        number = getattr(cause, "errno", None)
        if isinstance(number, int) and number in errno.errorcode:
            return f"dial tcp {host}:{port}: connect: {os.strerror(number).lower()}"
        cause = getattr(cause, "os_error", None) or cause.__cause__
    return str(error) or type(error).__name__


def _duration(seconds: float | None) -> str:
    return f"{seconds or 0:g}s"


def named_ports(container: Mapping[str, Any]) -> dict[str, int]:
    return {
        port["name"]: int(port["containerPort"]) for port in container.get("ports") or () if port.get("name")
    }
