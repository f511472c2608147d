"""The node's own HTTPS server: logs of containers, programs run in them, ports forwarded, pages about the node.

Which attempt of a container a log is of is decided here; how it is read is `logs`, how streams go over the wire is
`streams`, what the pages about the node say is `pages`, and who may ask for what is `access`.
"""

import functools
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from dray.api.meta import Object, name_of, uid_of
from dray.node.config import NodeConfig
from dray.node.pods.observation import newest_sandbox
from dray.node.pods.table import PodTable
from dray.node.pods.view import attempts_of
from dray.node.runtime.protocol import Container, ContainerState, Runtime, SandboxState
from dray.node.serving import portforward, streams
from dray.node.serving.access import refusal
from dray.node.serving.logs import LogOptions, read_log
from dray.node.serving.pages import Pages

STATUS_LISTS: Final = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")


class NodeServer:
    def __init__(self, config: NodeConfig, runtime: Runtime, pods: PodTable, pages: Pages) -> None:
        self._config = config
        self._runtime = runtime
        self._pods = pods
        self._pages = pages
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self) -> None:
        app = web.Application(middlewares=[self._authorize])
        app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._logs)
        for method in ("GET", "POST"):
            app.router.add_route(method, "/exec/{namespace}/{pod}/{container}", self._exec)
            app.router.add_route(method, "/attach/{namespace}/{pod}/{container}", self._attach)
            app.router.add_route(method, "/portForward/{namespace}/{pod}", self._forward)
        app.router.add_post("/checkpoint/{namespace}/{pod}/{container}", self._checkpoint)
        self._pages.add_to(app.router)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        config = self._config
        await web.TCPSite(
            self._runner, config.bind_address, config.port, ssl_context=config.server_ssl
        ).start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _authorize(self, request: web.Request, handler: Any) -> web.StreamResponse:
        authorize = self._config.authorize
        if authorize is not None and (refused := await refusal(request, authorize)) is not None:
            return refused
        response: web.StreamResponse = await handler(request)
        return response

    def _pod(self, request: web.Request) -> Object:
        namespace, name = request.match_info["namespace"], request.match_info["pod"]
        pod = self._pods.find(namespace, name)
        if pod is None:
            raise web.HTTPNotFound(text=f'pod "{name}" not found in namespace "{namespace}"')
        return pod

    def _attempts(self, pod: Object, name: str) -> list[Container]:
        """Of one container, newest first."""
        return attempts_of(name, self._runtime.containers(uid_of(pod)))

    # --- logs ---

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        try:
            options = LogOptions.from_query(request.query)
        except ValueError as error:
            raise web.HTTPBadRequest(text=f"the log options cannot be read: {error}") from None
        container = self._logged(self._pod(request), request.match_info["container"], options)
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        try:
            async for chunk in read_log(container.log_path, options, lambda: self._is_running(container)):
                await response.write(chunk)
            await response.write_eof()
        except ConnectionError:
            # Whoever read it has gone.
            pass
        return response

    def _logged(self, pod: Object, name: str, options: LogOptions) -> Container:
        """The attempt whose log is meant: the newest that has one."""
        attempts = self._attempts(pod, name)
        ended = [each for each in attempts if each.state is ContainerState.EXITED]
        pod_name = pod["metadata"]["name"]
        if options.previous:
            previous = [each for each in ended if each is not attempts[0]] or (
                ended if _is_waiting(pod, name) else []
            )
            if not previous:
                raise web.HTTPBadRequest(
                    text=f'previous terminated container "{name}" in pod "{pod_name}" not found'
                )
            return previous[0]
        if not attempts:
            raise web.HTTPBadRequest(text=_not_started(pod, name))
        return attempts[0]

    def _is_running(self, container: Container) -> bool:
        now = (each for each in self._runtime.containers(container.pod.uid) if each.id == container.id)
        return any(each.state is not ContainerState.EXITED for each in now)

    # --- exec and attach ---

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        container = self._running(request)
        stdin = streams.is_set(request, "input", "stdin")
        terminal = streams.is_set(request, "tty")
        command = request.query.getall("command", [])
        if not command:
            raise web.HTTPBadRequest(text="you must specify at least 1 command for the container")
        start = functools.partial(
            self._runtime.execute, container.id, command, stdin=stdin, terminal=terminal
        )
        return await streams.serve(request, start, "error executing command in container")

    async def _attach(self, request: web.Request) -> web.StreamResponse:
        container = self._running(request)
        stdin = streams.is_set(request, "input", "stdin")
        start = functools.partial(self._runtime.attach, container.id, stdin=stdin)
        return await streams.serve(request, start, "error attaching to container")

    def _running(self, request: web.Request) -> Container:
        name = request.match_info["container"]
        attempts = self._attempts(self._pod(request), name)
        if not attempts or attempts[0].state is not ContainerState.RUNNING:
            raise web.HTTPNotFound(text=f'container not found ("{name}")')
        return attempts[0]

    # --- port-forward ---

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        pod = self._pod(request)
        sandbox = newest_sandbox(self._runtime, uid_of(pod))
        if sandbox is None or sandbox.state is not SandboxState.READY:
            raise web.HTTPNotFound(text=f'pod "{name_of(pod)}" is not running')
        named = f"{name_of(pod)}, uid {uid_of(pod)}"
        return await portforward.serve(request, named, functools.partial(self._runtime.dial, sandbox.id))

    # --- checkpoint ---

    async def _checkpoint(self, request: web.Request) -> web.Response:
        self._running(request)
        raise web.HTTPNotFound(text=f"the runtime {self._runtime.name} takes no checkpoints of containers")


def _waiting_state(pod: Object, name: str) -> Mapping[str, Any]:
    """Why a container of the pod waits, as its status says; empty when it does not."""
    status = pod.get("status") or {}
    entries = (entry for key in STATUS_LISTS for entry in status.get(key) or ())
    found: Mapping[str, Any] = next((entry for entry in entries if entry["name"] == name), {})
    waiting: Mapping[str, Any] = (found.get("state") or {}).get("waiting") or {}
    return waiting


def _not_started(pod: Object, name: str) -> str:
    reason = _waiting_state(pod, name).get("reason") or "ContainerCreating"
    about = f'container "{name}" in pod "{pod["metadata"]["name"]}"'
    if reason in ("ErrImagePull", "ImagePullBackOff", "InvalidImageName"):
        return f"{about} is waiting to start: image can't be pulled"
    return f"{about} is waiting to start: {reason}"


def _is_waiting(pod: Object, name: str) -> bool:
    return bool(_waiting_state(pod, name))
