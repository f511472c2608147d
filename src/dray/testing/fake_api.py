"""A real API server for driver tests: in memory, over HTTP on the loopback, with faults that can be switched on.

    async with FakeApi(versions=["v1beta1"]) as api:
        kubeconfig = api.write_kubeconfig(tmp_path / "kubeconfig")
        ...start a driver with it...
        slices = await api.client.list(RESOURCE_SLICES)

The rules are those of `dray.apiserver`, everyone may do everything, and `client` sees all versions whatever is served.
"""

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dray.api.errors import ServiceUnavailable
from dray.api.features import FeatureGates
from dray.apiserver.access import ADMIN
from dray.apiserver.core import Core
from dray.apiserver.local import LocalClient
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.registry.kind import Kind, User
from dray.apiserver.server import ApiServer
from dray.store.memory import MemoryStore

if TYPE_CHECKING:
    from aiohttp import web

GROUP = "resource.k8s.io"


class Request(NamedTuple):
    method: str
    path: str
    """Without the query."""


class FakeApi:
    def __init__(self, *, versions: Sequence[str] = (), features: Mapping[str, bool] | None = None) -> None:
        """`versions` of resource.k8s.io to serve, all by default; `features` are gates that differ from 1.36's."""
        gates = FeatureGates(features or {})
        self._store = MemoryStore()
        self._core = Core(self._store, catalog(), features=gates)
        self.client = LocalClient(self._core)
        """The tests' own access: never delayed, refused or counted."""
        self.faults = Faults()
        kinds = [_restricted(kind, versions) for kind in catalog()]
        kinds = [kind for kind in kinds if kind.versions]
        self._server = ApiServer(self._store, kinds, features=gates, authenticator=self.faults)

    @property
    def url(self) -> str:
        return f"http://{self._server.address}"

    async def __aenter__(self) -> "FakeApi":
        await self._server.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.faults.clear()
        await self._server.stop()
        self._core.end_watches()
        await self._store.close()

    def end_watches(self) -> None:
        """Let every watch of the driver end, as servers do now and then."""
        self._server.core.end_watches()

    def write_kubeconfig(self, path: Path) -> Path:
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "clusters": [{"name": "fake", "cluster": {"server": self.url}}],
            "users": [{"name": "fake", "user": {"token": "any"}}],
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
        }
        path.write_text(json.dumps(config, indent=2))
        return path


def _restricted(kind: Kind, versions: Sequence[str]) -> Kind:
    if not versions or kind.resource.group != GROUP:
        return kind
    return dataclasses.replace(
        kind, versions=tuple(version for version in kind.versions if version in versions)
    )


class Faults:
    """What goes wrong between a client and the server; it sits where requests are authenticated."""

    def __init__(self) -> None:
        self.delay_seconds = 0.0
        """Before every answer."""
        self.down = False
        """Answer everything with 503."""
        self.requests: list[Request] = []
        """Every request that arrived, in order."""
        self._held: dict[str, asyncio.Event] = {}

    def clear(self) -> None:
        self.delay_seconds, self.down = 0.0, False
        for released in self._held.values():
            released.set()

    @contextlib.contextmanager
    def holding(self, part: str) -> Iterator[None]:
        """Requests whose path contains `part` get no answer until the end of the block."""
        self._held[part] = asyncio.Event()
        try:
            yield
        finally:
            self._held.pop(part).set()

    def count(self, part: str, methods: Sequence[str]) -> int:
        """How many requests with one of `methods` had `part` in their path."""
        return sum(part in request.path and request.method in methods for request in self.requests)

    async def authenticate(self, request: "web.BaseRequest") -> User:
        path = request.rel_url.path
        self.requests.append(Request(request.method, path))
        for part, released in list(self._held.items()):
            if part in path:
                await released.wait()
        if self.delay_seconds:
            await asyncio.sleep(self.delay_seconds)
        if self.down:
            raise ServiceUnavailable("the API server is down, says the test")
        return ADMIN
