"""A webhook over real TLS whose answers a test chooses."""

import base64
import datetime as dt
import json
import pathlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

from dray.api.resources import Resource
from dray.cluster.certificates import Authority
from tests.unit.apiserver.admission.cluster import MAPS, Cluster, new_cluster

NAMES = ("localhost", "127.0.0.1", "hook.default.svc")


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with new_cluster() as made:
        yield made


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(pathlib.Path(tmp_path_factory.mktemp("pki")), dt.datetime.now(dt.UTC))
    made.server("hook", NAMES)
    return made


class Hook:
    """Answers with `reply(request)`, which gives the members of the response; keeps the reviews it was sent."""

    def __init__(self, authority: Authority, port: int) -> None:
        self.port = port
        self.bundle = base64.b64encode(authority.pem).decode()
        self.reviews: list[dict[str, Any]] = []
        self.connections: list[object] = []
        """On which each review came."""
        self.drops = 0
        """How many of the next connections are closed in place of an answer."""
        self.reply: Callable[[dict[str, Any]], Any] = lambda request: {"allowed": True}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        review = await request.json()
        self.connections.append(request.transport)
        if self.drops and request.transport is not None:
            self.drops -= 1
            request.transport.close()
        self.reviews.append(review)
        said = self.reply(review["request"])
        if isinstance(said, web.StreamResponse):
            return said
        if hasattr(said, "__await__"):
            said = await said
        response = {"uid": review["request"]["uid"], **said}
        return web.json_response(
            {"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response}
        )

    def client(self) -> dict[str, Any]:
        return {"url": f"https://localhost:{self.port}/review", "caBundle": self.bundle}

    def webhook(self, name: str = "hook.example.com", **more: Any) -> dict[str, Any]:
        return {
            "name": name,
            "clientConfig": self.client(),
            "rules": [MAPS],
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            **more,
        }

    async def register(
        self, cluster: Cluster, resource: Resource, *webhooks: dict[str, Any], name: str = "h"
    ) -> None:
        configuration = {"metadata": {"name": name}, "webhooks": list(webhooks) or [self.webhook()]}
        await cluster.client.create(resource, configuration)


@pytest.fixture
async def hook(authority: Authority) -> AsyncIterator[Hook]:
    application = web.Application()
    runner = web.AppRunner(application)
    made = Hook(authority, 0)
    application.add_routes([web.post("/review", made.answer)])
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=authority.server_context("hook")).start()
    made.port = runner.addresses[0][1]
    yield made
    await runner.cleanup()


def patch_of(*operations: dict[str, Any]) -> dict[str, Any]:
    patch = base64.b64encode(json.dumps(operations).encode()).decode()
    return {"allowed": True, "patchType": "JSONPatch", "patch": patch}
