"""A role's own small HTTP endpoint: /healthz, /livez, /readyz, /metrics, /statusz and /flagz, on loopback unless told otherwise."""

import asyncio
import functools
from collections.abc import Mapping

from aiohttp import web

from dray.api import errors, zpages
from dray.api.features import FeatureGates
from dray.cluster.layout import ClusterError
from dray.kits.clock import SystemClock
from dray.kits.metrics import Registry


class HealthServer:
    """Use as an async context manager. Ready means that `ready` is set; alive, that the process answers."""

    def __init__(
        self,
        ready: asyncio.Event,
        metrics: Registry | None,
        *,
        name: str = "dray",
        features: FeatureGates | None = None,
        flags: Mapping[str, str] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """`name` is the component's; `flags` are what it was started with, for /flagz."""
        self._ready = ready
        self._metrics = metrics
        self._features = features or FeatureGates()
        self._clock = SystemClock()
        self._zpages = [page for page, gate in zpages.GATES.items() if self._features.enabled(gate)]
        paths = tuple(sorted(f"/{path}" for path in ("healthz", "livez", "metrics", "readyz", *self._zpages)))
        release = self._features.release
        self._component = zpages.Component(name, self._clock.now(), release, paths, flags or {})
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> "HealthServer":
        app = web.Application()
        app.router.add_get("/healthz", _alive)
        app.router.add_get("/livez", _alive)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._show_metrics)
        for page in self._zpages:
            app.router.add_get(f"/{page}", functools.partial(self._show_zpage, page))
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

    async def _show_zpage(self, page: zpages.ZPage, request: web.Request) -> web.Response:
        accept = request.headers.get("Accept", "")
        try:
            found = zpages.answer(page, self._component, self._clock.now(), accept)
        except errors.NotAcceptable as error:
            return web.json_response(error.status, status=error.status_code)
        response = web.Response(body=found.body, headers={"Content-Type": found.content_type})
        for text in found.warnings:
            response.headers.add("Warning", f'299 - "{text}"')
        return response


async def _alive(request: web.Request) -> web.Response:
    return web.Response(text="ok")
