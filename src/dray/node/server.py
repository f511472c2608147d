"""The node's own HTTPS server: logs of containers, programs run in them, health.

Who may ask is decided by the configuration's authorizer, from the client certificate. exec and attach speak Kubernetes'
WebSocket protocol (v5.channel.k8s.io, and v4): the first byte of a message is its channel.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, Final, Protocol

from aiohttp import WSMsgType, web

from dray.api.meta import name_of, namespace_of
from dray.node.config import Caller, NodeConfig
from dray.node.logs import LogOptions, LogUnavailable, read_log
from dray.node.runtime.protocol import Container, ContainerState, Runtime, RuntimeFailure, Session

PROTOCOLS: Final = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255


class Agent(Protocol):
    config: NodeConfig
    runtime: Runtime
    workers: Any


class NodeServer:
    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self) -> None:
        app = web.Application(middlewares=[self._authorize])
        app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._logs)
        for verb in ("exec", "attach"):
            app.router.add_get(f"/{verb}/{{namespace}}/{{pod}}/{{container}}", getattr(self, f"_{verb}"))
        app.router.add_get("/healthz", _healthz)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        config = self._agent.config
        await web.TCPSite(
            self._runner, config.bind_address, config.port, ssl_context=config.server_ssl
        ).start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _authorize(self, request: web.Request, handler: Any) -> web.StreamResponse:
        authorize = self._agent.config.authorize
        if request.path != "/healthz" and authorize is not None:
            verb = "get" if request.path.startswith("/containerLogs") else "create"
            if not await authorize(_caller(request), verb, "proxy"):
                return web.Response(status=403, text="Forbidden")
        response: web.StreamResponse = await handler(request)
        return response

    def _containers(self, request: web.Request) -> list[Container]:
        """Attempts of the container, newest first."""
        wanted = request.match_info
        for worker in self._agent.workers.values():
            if (namespace_of(worker.pod), name_of(worker.pod)) == (wanted["namespace"], wanted["pod"]):
                found = [
                    each
                    for each in self._agent.runtime.containers(worker.pod["metadata"]["uid"])
                    if each.name == wanted["container"]
                ]
                return sorted(found, key=lambda each: each.attempt, reverse=True)
        raise web.HTTPNotFound(text=f'pod "{wanted["pod"]}" not found')

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        options = LogOptions.from_query(request.query)
        attempts = self._containers(request)
        index = 1 if options.previous else 0
        name, pod = request.match_info["container"], request.match_info["pod"]
        if len(attempts) <= index:
            if options.previous:
                raise web.HTTPBadRequest(
                    text=f'previous terminated container "{name}" in pod "{pod}" not found'
                )
            raise web.HTTPBadRequest(
                text=f'container "{name}" in pod "{pod}" is waiting to start: ContainerCreating'
            )
        container = attempts[index]
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)

        def is_running() -> bool:
            current = next(
                (
                    each
                    for each in self._agent.runtime.containers(container.pod.uid)
                    if each.id == container.id
                ),
                None,
            )
            return current is not None and current.state is not ContainerState.EXITED

        with contextlib.suppress(LogUnavailable, ConnectionError):
            async for chunk in read_log(container.log_path, options, is_running):
                await response.write(chunk)
        await response.write_eof()
        return response

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        container = self._running(request)
        stdin, terminal = _flag(request, "input", "stdin"), _flag(request, "tty")
        try:
            command = request.query.getall("command")
            session = await self._agent.runtime.execute(container.id, command, stdin=stdin, terminal=terminal)
        except RuntimeFailure as failure:
            return await _stream(request, None, failure=str(failure))
        return await _stream(request, session)

    async def _attach(self, request: web.Request) -> web.StreamResponse:
        container = self._running(request)
        try:
            session = await self._agent.runtime.attach(container.id, stdin=_flag(request, "input", "stdin"))
        except RuntimeFailure as failure:
            return await _stream(request, None, failure=str(failure))
        return await _stream(request, session)

    def _running(self, request: web.Request) -> Container:
        attempts = self._containers(request)
        if not attempts:
            raise web.HTTPNotFound(text=f'container not found ("{request.match_info["container"]}")')
        return attempts[0]


def _flag(request: web.Request, *names: str) -> bool:
    return any(request.query.get(name, "").lower() in ("1", "true") for name in names)


def _caller(request: web.Request) -> Caller:
    ssl_object = request.get_extra_info("ssl_object")
    certificate = ssl_object.getpeercert() if ssl_object is not None else None
    names: dict[str, list[str]] = {}
    for part in (certificate or {}).get("subject", ()):
        for key, value in part:
            names.setdefault(key, []).append(value)
    return Caller(next(iter(names.get("commonName", ())), ""), tuple(names.get("organizationName", ())))


async def _healthz(request: web.Request) -> web.Response:
    return web.Response(text="ok")


async def _stream(request: web.Request, session: Session | None, failure: str = "") -> web.WebSocketResponse:
    socket = web.WebSocketResponse(protocols=PROTOCOLS)
    await socket.prepare(request)
    if session is None:
        status: Any = {
            "metadata": {},
            "status": "Failure",
            "reason": "InternalError",
            "message": f"error executing command in container: {failure}",
        }
        await socket.send_bytes(bytes([ERROR]) + json.dumps(status).encode())
        await socket.close()
        return socket
    reading = asyncio.create_task(_read(socket, session))
    try:
        await asyncio.gather(_send(socket, STDOUT, session.stdout()), _send(socket, STDERR, session.stderr()))
        await socket.send_bytes(bytes([ERROR]) + json.dumps(_exit_status(await session.wait())).encode())
    except ConnectionError:
        pass
    finally:
        reading.cancel()
        await session.close()
        await socket.close()
    return socket


async def _send(socket: web.WebSocketResponse, channel: int, chunks: AsyncIterator[bytes]) -> None:
    async for chunk in chunks:
        await socket.send_bytes(bytes([channel]) + chunk)


async def _read(socket: web.WebSocketResponse, session: Session) -> None:
    async for message in socket:
        if message.type is not WSMsgType.BINARY or not message.data:
            continue
        channel, data = message.data[0], message.data[1:]
        if channel == STDIN:
            await session.write(data)
        elif channel == RESIZE:
            with contextlib.suppress(ValueError, KeyError):
                size = json.loads(data)
                session.resize(size["Width"], size["Height"])
        elif channel == CLOSE and data[:1] == bytes([STDIN]):
            session.close_stdin()


def _exit_status(code: int) -> Any:
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    causes = [{"reason": "ExitCode", "message": str(code)}]
    return {
        "metadata": {},
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "details": {"causes": causes},
    }
