"""A role's own small HTTP endpoint: /healthz, /livez, /readyz and /metrics, on loopback unless told otherwise."""

import asyncio

from aiohttp import web

from dray.cluster.layout import ClusterError
from dray.kits.metrics import Registry


class HealthServer:
    """Use as an async context manager. Ready means that `ready` is set; alive, that the process answers."""

    def __init__(
        self, ready: asyncio.Event, metrics: Registry | None, *, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self._ready = ready
        self._metrics = metrics
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> "HealthServer":
        app = web.Application()
        app.router.add_get("/healthz", _alive)
        app.router.add_get("/livez", _alive)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._show_metrics)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise ClusterError(
                f"cannot serve health and metrics on {self._host}:{self._port}: {error.strerror}; choose another --health-port"
            ) from error
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def port(self) -> int:
        assert self._runner is not None
        return int(self._runner.addresses[0][1])

    async def _readyz(self, request: web.Request) -> web.Response:
        if self._ready.is_set():
            return web.Response(text="ok")
        return web.Response(status=503, text="not ready: still reading the cluster's state\n")

    async def _show_metrics(self, request: web.Request) -> web.Response:
        text = self._metrics.render() if self._metrics is not None else ""
        return web.Response(text=text, content_type="text/plain")


async def _alive(request: web.Request) -> web.Response:
    return web.Response(text="ok")
