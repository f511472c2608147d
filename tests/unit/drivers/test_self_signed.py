"""A webhook that makes its own certificate: what it is good for, and whom the webhook tells."""

import base64
import datetime as dt
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509

from dray.api.meta import Object
from dray.api.resources import VALIDATING_WEBHOOK_CONFIGURATIONS
from dray.apiserver.local import LocalClient
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.server import ApiServer
from dray.drivers.example.self_signed import LIFETIME, SelfSigned, make_certificate
from dray.drivers.example.webhook import FLAGS, PROGRAM, certify
from dray.kits.clock import SystemClock
from dray.sdk.options import OptionError, parse

HOST = "hook.drivers.svc"


@pytest.fixture
async def client() -> AsyncIterator[LocalClient]:
    server = ApiServer.in_memory(catalog())
    yield LocalClient(server.core)
    await server.stop()


def hook(name: str, service: str, **more: Any) -> Object:
    return {
        "name": name,
        "clientConfig": {"service": {"name": service, "namespace": "drivers"}, **more},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }


async def configure(client: LocalClient, *hooks: Object) -> None:
    configuration = {"metadata": {"name": "hooks"}, "webhooks": list(hooks)}
    await client.create(VALIDATING_WEBHOOK_CONFIGURATIONS, configuration)


async def bundles(client: LocalClient) -> list[str]:
    found = await client.get(VALIDATING_WEBHOOK_CONFIGURATIONS, "hooks")
    return [each["clientConfig"].get("caBundle", "") for each in found["webhooks"]]


def test_the_certificate_is_for_the_service_and_does_not_last() -> None:
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    pem, _ = make_certificate(HOST, now)
    certificate = x509.load_pem_x509_certificate(pem)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [HOST]
    assert certificate.not_valid_after_utc == now + LIFETIME


async def test_only_webhooks_of_the_own_service_are_told(client: LocalClient) -> None:
    await configure(client, hook("a.example.com", "other"), hook("b.example.com", "hook", caBundle="b2xk"))
    own = SelfSigned(HOST, "hooks", client, SystemClock())
    assert await own.tell()
    other, ours = await bundles(client)
    assert other == ""
    assert b"BEGIN CERTIFICATE" in base64.b64decode(ours)


async def test_nobody_is_told_twice(client: LocalClient) -> None:
    await configure(client, hook("b.example.com", "hook"))
    own = SelfSigned(HOST, "hooks", client, SystemClock())
    assert await own.tell()
    before = await client.get(VALIDATING_WEBHOOK_CONFIGURATIONS, "hooks")
    assert await own.tell()
    assert await client.get(VALIDATING_WEBHOOK_CONFIGURATIONS, "hooks") == before


async def test_a_configuration_may_come_later(client: LocalClient) -> None:
    own = SelfSigned(HOST, "hooks", client, SystemClock())
    assert not await own.tell()
    await configure(client, hook("b.example.com", "hook"))
    assert await own.tell()


async def test_who_trusts_the_bundle_trusts_the_server(client: LocalClient) -> None:
    await configure(client, hook("b.example.com", "hook"))
    own = SelfSigned(HOST, "hooks", client, SystemClock())
    await own.tell()
    (bundle,) = await bundles(client)
    trusting = ssl.create_default_context(cadata=base64.b64decode(bundle).decode())

    async def answer(request: web.BaseRequest) -> web.Response:
        return web.Response(text="ok")

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=own.context).start()
    port = runner.addresses[0][1]
    async with aiohttp.ClientSession() as session:
        address = f"https://127.0.0.1:{port}/"
        async with session.get(address, ssl=trusting, server_hostname=HOST) as response:
            assert response.status == 200
    await runner.cleanup()


def test_who_is_to_be_told_must_be_said() -> None:
    values = parse(FLAGS, [f"--self-signed-for={HOST}"], {}, PROGRAM)
    with pytest.raises(OptionError, match="--self-signed-for needs --webhook-configuration"):
        certify(web.Application(), values)
