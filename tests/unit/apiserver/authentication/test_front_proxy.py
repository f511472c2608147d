"""Over real TLS: a proxy's certificate names users in headers, and makes nobody a user itself."""

import datetime as dt
import pathlib
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest

from dray.apiserver.access import User
from dray.apiserver.authentication.certificates import ClientCertificates
from dray.apiserver.authentication.chain import AuthenticatorChain
from dray.apiserver.authentication.front_proxy import FrontProxy
from dray.apiserver.authorization.chain import AuthorizerChain
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.reviews.dispatch import reviewers
from dray.apiserver.server import ApiServer
from dray.cluster.certificates import Authority
from dray.kits.clock import SystemClock
from dray.store.memory import MemoryStore

BOB = {
    "X-Remote-User": "bob",
    "X-Remote-Group": "g1",
    "X-Remote-Extra-Acme.com%2fFoo": "v",
    "X-Remote-Uid": "42",
}
REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
PATH = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


class Asker:
    def __init__(self, url: str, users: Authority, proxies: Authority) -> None:
        self.url, self.authorities = url, {"users": users, "proxies": proxies}

    async def who(self, certificate: tuple[str, str] | None, headers: Mapping[str, str] | None = None) -> Any:
        """What the server says of who asks; the status code where it does not say."""
        context = ssl.create_default_context(cadata=self.authorities["users"].pem.decode())
        if certificate is not None:
            authority = self.authorities[certificate[0]]
            authority.client(f"of-{certificate[1]}", certificate[1], ["devs"])
            path = authority.directory / f"of-{certificate[1]}"
            context.load_cert_chain(path.with_suffix(".crt"), path.with_suffix(".key"))
        connector = aiohttp.TCPConnector(ssl=context)
        url = f"{self.url}{PATH}"
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.post(url, json=REVIEW, headers=headers or {}) as answer,
        ):
            return (await answer.json())["status"]["userInfo"] if answer.status == 201 else answer.status


@pytest.fixture
async def asker(tmp_path: pathlib.Path) -> AsyncIterator[Asker]:
    now = dt.datetime.now(dt.UTC)
    users, proxies = Authority(tmp_path / "users", now), Authority(tmp_path / "proxies", now)
    users.server("server", ["localhost", "127.0.0.1"])
    store, clock = MemoryStore(), SystemClock()
    proxy = FrontProxy(proxies.pem, uid_headers=("X-Remote-Uid",))
    authenticator = AuthenticatorChain(
        store,
        clock,
        static_tokens={"good": User("admin", ("system:masters",))},
        certificates=ClientCertificates(users.pem, proxy),
    )
    server = ApiServer(
        store,
        catalog(),
        authenticator=authenticator,
        reviewers=reviewers(AuthorizerChain(store), authenticator),
    )
    await server.start(ssl_context=users.server_context("server", proxies.pem))
    yield Asker(f"https://localhost:{server.port}", users, proxies)
    await server.stop()
    await store.close()


async def test_headers_of_a_proxy_name_the_user(asker: Asker) -> None:
    assert await asker.who(("proxies", "front-proxy-client"), BOB) == {
        "username": "bob",
        "uid": "42",
        "groups": ["g1", "system:authenticated"],
        "extra": {"acme.com/foo": ["v"]},
    }


@pytest.mark.parametrize(
    ("certificate", "headers"),
    [
        (("proxies", "front-proxy-client"), {}),
        (("proxies", "someone"), BOB),
        (("proxies", "system:masters"), {}),
        (("proxies", "front-proxy-client"), {"Authorization": "Bearer bad"}),
    ],
)
async def test_a_proxys_certificate_makes_nobody_a_user(asker: Asker, certificate, headers) -> None:
    assert await asker.who(certificate, headers) == 401


@pytest.mark.parametrize(
    "headers", [{}, BOB, {"Authorization": "Bearer good"}, {"Authorization": "Bearer bad"}]
)
async def test_who_shows_a_users_certificate_is_that_user_whatever_else_is_sent(
    asker: Asker, headers
) -> None:
    assert (await asker.who(("users", "jane"), headers))["username"] == "jane"


async def test_headers_without_a_certificate_name_nobody(asker: Asker) -> None:
    assert (await asker.who(None, BOB))["username"] == "system:anonymous"


async def test_a_good_token_counts_beside_a_certificate_that_does_not(asker: Asker) -> None:
    known = await asker.who(("proxies", "front-proxy-client"), {"Authorization": "Bearer good"})
    assert known["username"] == "admin"


def test_what_is_published_is_what_other_servers_read() -> None:
    assert FrontProxy(b"PEM").published() == {
        "requestheader-allowed-names": '["front-proxy-client"]',
        "requestheader-client-ca-file": "PEM",
        "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
        "requestheader-group-headers": '["X-Remote-Group"]',
        "requestheader-username-headers": '["X-Remote-User"]',
    }
