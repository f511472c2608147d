"""Who may ask a node's server, as the cluster's API server says."""

import pathlib
from collections.abc import AsyncIterator

import pytest

from dray.api.meta import Object
from dray.api.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES
from dray.apiserver.access import MASTERS
from dray.apiserver.registry.kind import User
from dray.client.protocol import Client
from dray.cluster.api_server import ApiServerRole, ApiServerSettings
from dray.cluster.layout import Layout
from dray.cluster.node_access import webhook_authorizer
from dray.node.config import Authorizer, Caller, Verdict

PODS = ("pods", "proxy")


@pytest.fixture
async def role(tmp_path: pathlib.Path) -> AsyncIterator[ApiServerRole]:
    tokens = tmp_path / "tokens.csv"
    tokens.write_text("secret,ann,1\n")
    async with ApiServerRole(Layout(tmp_path / "data"), ApiServerSettings(token_file=tokens)) as role:
        yield role


@pytest.fixture
def authorize(role: ApiServerRole) -> Authorizer:
    """As the node itself may ask."""
    return webhook_authorizer(role.client(User("system:node:n", ("system:nodes",)), manager="kubelet"), "n")


async def allow(client: Client, user: str, *resources: str) -> None:
    rule: Object = {"apiGroups": [""], "resources": list(resources), "verbs": ["get"]}
    subject = {"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
    ref = {"kind": "ClusterRole", "name": "pages", "apiGroup": "rbac.authorization.k8s.io"}
    await client.create(CLUSTER_ROLES, {"metadata": {"name": "pages"}, "rules": [rule]})
    await client.create(
        CLUSTER_ROLE_BINDINGS, {"metadata": {"name": "pages"}, "roleRef": ref, "subjects": [subject]}
    )


@pytest.mark.parametrize("resource", ["nodes/pods", "nodes/proxy"])
async def test_either_permission_will_do(role: ApiServerRole, authorize: Authorizer, resource: str) -> None:
    await allow(role.client(User("admin", (MASTERS,)), manager="test"), "ann", resource)
    by_certificate, by_token = Caller("ann"), Caller(token="secret")
    for caller in (by_certificate, by_token):
        assert await authorize(caller, "get", PODS) == Verdict("ann", allowed=True)
        assert await authorize(caller, "get", ("stats",)) == Verdict("ann")
        assert await authorize(caller, "create", ("proxy",)) == Verdict("ann")


async def test_whom_nobody_knows_may_nothing(authorize: Authorizer) -> None:
    assert await authorize(Caller(), "get", PODS) == Verdict()
    assert await authorize(Caller(token="guessed"), "get", PODS) == Verdict()
