"""Whether the API server believes a kubelet that vouches for itself, as Kubernetes' kubelets do by default."""

import contextlib
import datetime as dt
import pathlib
import ssl
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from dray.api.resources import NODES, PODS, SERVICE_ACCOUNTS
from dray.apiserver.access import MASTERS
from dray.apiserver.registry.kind import User
from dray.cluster.api_server import ApiServerRole, ApiServerSettings
from dray.cluster.certificates import Authority
from dray.cluster.layout import Layout


@contextlib.asynccontextmanager
async def a_kubelet(directory: pathlib.Path) -> AsyncIterator[int]:
    """Its port; it shows a certificate of its own authority and has one line of every log."""

    async def log(request: web.Request) -> web.Response:
        return web.Response(text="hello\n")

    authority = Authority(directory, dt.datetime.now(dt.UTC))
    authority.server("kubelet", ["127.0.0.1"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(directory / "kubelet.crt", directory / "kubelet.key")
    app = web.Application()
    app.router.add_get("/containerLogs/{rest:.*}", log)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def log_of_a_pod(
    data: pathlib.Path, tokens: pathlib.Path, kubelet_port: int, *, verify: bool
) -> tuple[int, str]:
    """The answer to a request for the log of a pod on that kubelet's node."""
    settings = ApiServerSettings(token_file=tokens, verify_kubelets=verify)
    async with ApiServerRole(Layout(data), settings) as role:
        client = role.client(User("admin", (MASTERS,)), manager="test")
        address = {"type": "InternalIP", "address": "127.0.0.1"}
        endpoint = {"daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet_port}}, "addresses": [address]}
        await client.create(NODES, {"metadata": {"name": "n"}, "status": endpoint})
        await client.create(SERVICE_ACCOUNTS, {"metadata": {"name": "default"}}, "default")
        spec = {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}
        await client.create(PODS, {"metadata": {"name": "p"}, "spec": spec}, "default")
        trusted = ssl.create_default_context(cadata=role.authority.pem.decode())
        url = f"https://{role.server.address}{PODS.path('default', 'p', 'log')}"
        headers = {"Authorization": "Bearer secret"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.get(url, ssl=trusted) as answer,
        ):
            return answer.status, await answer.text()


@pytest.fixture
def tokens(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "tokens.csv"
    path.write_text('secret,admin,1,"system:masters"\n')
    return path


@pytest.mark.parametrize(("verify", "code"), [(True, 500), (False, 200)])
async def test_a_kubelet_of_another_authority_is_spoken_to_on_request_only(
    verify: bool, code: int, tokens: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    async with a_kubelet(tmp_path / "kubelet") as port:
        answered, text = await log_of_a_pod(tmp_path / "data", tokens, port, verify=verify)
    assert answered == code
    assert (text == "hello\n") is not verify
