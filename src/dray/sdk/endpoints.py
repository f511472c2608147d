"""The HTTP endpoints of a driver: /metrics for Prometheus, /healthz and /readyz for people and probes."""

import socket
from collections.abc import Callable
from typing import Final

from aiohttp import web

from dray.kits.metrics import Registry

_ANY: Final = "::"


class HttpEndpoints:
    """`ready` says "" when the driver is registered, else why not."""

    def __init__(self, host: str, port: int, metrics: Registry, ready: Callable[[], str]) -> None:
        self._host = host
        self._port = port
        self._metrics = metrics
        self._ready = ready
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port in use, once started."""
        if self._runner is None or not self._runner.addresses:
            return self._port
        return int(self._runner.addresses[0][1])

    async def start(self) -> None:
        """Raises OSError when the port is taken."""
        app = web.Application()
        app.router.add_get("/metrics", self._serve_metrics)
        app.router.add_get("/healthz", self._serve_health)
        app.router.add_get("/readyz", self._serve_ready)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.SockSite(self._runner, _listening(self._host, self._port)).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve_metrics(self, request: web.Request) -> web.Response:
        return web.Response(
            text=self._metrics.render(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    async def _serve_health(self, request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _serve_ready(self, request: web.Request) -> web.Response:
        reason = self._ready()
        return web.Response(text=reason or "ok", status=503 if reason else 200)


def _listening(host: str, port: int) -> socket.socket:
    """A listening socket; `::` hears both families, which asyncio's own sockets do not, and probes come over IPv4."""
    dual = host == _ANY and socket.has_dualstack_ipv6()
    if host == _ANY and not dual:
        host = "0.0.0.0"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Nodes that share a machine run the same driver with the same port.
    return socket.create_server((host, port), family=family, reuse_port=port != 0, dualstack_ipv6=dual)
