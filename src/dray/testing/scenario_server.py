"""The API server that recorded scenarios run against: in memory, with the identities and policy of the recording."""

import contextlib
from collections.abc import AsyncIterator, Mapping

from dray.api.features import FeatureGates
from dray.apiserver.admission.chain import default_admission
from dray.apiserver.audit.events import Auditor
from dray.apiserver.authentication.chain import AuthenticatorChain
from dray.apiserver.authentication.tokens import TokenIssuer
from dray.apiserver.authorization.chain import AuthorizerChain
from dray.apiserver.bootstrap import bootstrap
from dray.apiserver.local import LocalClient
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.registry.kind import User
from dray.apiserver.reviews.dispatch import reviewers
from dray.apiserver.server import ApiServer
from dray.kits.clock import SystemClock
from dray.store.memory import MemoryStore

_ACCOUNT = "system:serviceaccount:kube-system:resource-claim-controller"
IDENTITIES = {
    "admin": User("admin", ("system:masters",), "u-admin"),
    "alice": User("alice", ("devs",), "u-alice"),
    "bob": User("bob", ("devs",), "u-bob"),
    "node-n1": User("system:node:n1", ("system:nodes",), "u-n1"),
    "scheduler": User("system:kube-scheduler", ("",), "u-sched"),
    "kcm": User("system:kube-controller-manager", ("",), "u-kcm"),
    "rcc": User(_ACCOUNT, ("system:serviceaccounts", "system:serviceaccounts:kube-system"), "u-rcc"),
}


@contextlib.asynccontextmanager
async def scenario_server(
    features: FeatureGates | None = None,
    *,
    identities: Mapping[str, User] = IDENTITIES,
    audit: Auditor | None = None,
) -> AsyncIterator[tuple[str, dict[str, str]]]:
    """A server on the loopback, without TLS: its URL, and a token for each identity."""
    store, clock = MemoryStore(), SystemClock()
    tokens = {alias: f"tok-{alias}" for alias in identities}
    issuer = TokenIssuer(_signing_key())
    authorizer = AuthorizerChain(store)
    authenticator = AuthenticatorChain(
        store, clock, issuer=issuer, static_tokens={tokens[alias]: user for alias, user in identities.items()}
    )
    server = ApiServer(
        store,
        catalog(),
        clock=clock,
        features=features,
        authenticator=authenticator,
        authorizer=authorizer,
        admission=default_admission(authorizer.rbac),
        reviewers=reviewers(authorizer, authenticator, issuer),
        audit=audit,
    )
    await server.start()
    try:
        await bootstrap(server.core, LocalClient(server.core))
        yield f"http://{server.address}", tokens
    finally:
        await server.stop()
        await store.close()


def _signing_key() -> bytes:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
