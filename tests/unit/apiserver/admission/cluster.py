"""A server in memory with everything that judges a write, and short ways to configure it."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from dray.api import errors
from dray.api.meta import Object
from dray.api.resources import (
    CONFIG_MAPS,
    NAMESPACES,
    VALIDATING_ADMISSION_POLICIES,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
)
from dray.apiserver.admission.chain import default_admission
from dray.apiserver.authorization.chain import AuthorizerChain
from dray.apiserver.core import AdmissionRequest, Call, WriteOptions
from dray.apiserver.local import LocalClient
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.registry.kind import User
from dray.apiserver.server import ApiServer
from dray.store.memory import MemoryStore

GROUP = "admissionregistration.k8s.io"
ALL_WRITES = {
    "apiGroups": ["*"],
    "apiVersions": ["*"],
    "operations": ["*"],
    "resources": ["*/*"],
}
MAPS = {
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "operations": ["CREATE", "UPDATE"],
    "resources": ["configmaps"],
}
JANE = User("jane", ("devs", "system:authenticated"))


class Cluster:
    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.client = LocalClient(server.core)

    def acting_as(self, user: User) -> LocalClient:
        return LocalClient(self.server.core, user)

    async def policy(self, name: str = "p", *, bind: Any = None, match: Any = None, **spec: Any) -> None:
        """A policy about configmaps, and a binding that denies unless `bind` says otherwise."""
        rules = {"resourceRules": [MAPS], **(match or {})}
        policy = {"metadata": {"name": name}, "spec": {"matchConstraints": rules, **spec}}
        await self.client.create(VALIDATING_ADMISSION_POLICIES, policy)
        if bind is not False:
            await self.bind(name, **(bind or {}))

    async def bind(self, policy: str, name: str = "b", **spec: Any) -> None:
        whole = {"policyName": policy, "validationActions": ["Deny"], **spec}
        binding = {"metadata": {"name": name}, "spec": whole}
        await self.client.create(VALIDATING_ADMISSION_POLICY_BINDINGS, binding)

    async def write(self, name: str = "m", data: Any = None, **metadata: Any) -> Object:
        obj = {"metadata": {"name": name, **metadata}, "data": data or {}}
        return await self.client.create(CONFIG_MAPS, obj, "default")

    async def refusal(self, writing: Callable[[], Any]) -> errors.StatusError:
        try:
            await writing()
        except errors.StatusError as error:
            return error
        raise AssertionError("nothing was refused")


@contextlib.asynccontextmanager
async def new_cluster(**settings: Any) -> AsyncIterator[Cluster]:
    store = MemoryStore()
    authorizer = AuthorizerChain(store)
    server = ApiServer(
        store, catalog(), authorizer=authorizer, admission=default_admission(authorizer.rbac), **settings
    )
    cluster = Cluster(server)
    await cluster.client.create(NAMESPACES, {"metadata": {"name": "default", "labels": {"team": "a"}}})
    try:
        yield cluster
    finally:
        await server.stop()
        await store.close()


def rule(expression: str, **more: Any) -> dict[str, Any]:
    return {"expression": expression, **more}


NEVER = [rule("false")]
"""What no write can pass."""


def denied(message: str, name: str = "m") -> str:
    """The refusal of a configmap by policy and binding."""
    return f"configmaps \"{name}\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: {message}"


def claim() -> Object:
    exactly = {"deviceClassName": "gpu.example.com"}
    spec = {"devices": {"requests": [{"name": "r", "exactly": exactly}]}}
    return {"metadata": {"name": "c"}, "spec": spec}


async def judged(cluster: Cluster, *, dry_run: bool = False) -> Call:
    """The call of a write that admission has seen, both phases."""
    kind = cluster.server.core.kind_of(CONFIG_MAPS)
    call = Call(
        cluster.server.core, JANE, "create", kind, "v1", "default", options=WriteOptions(dry_run=dry_run)
    )
    obj: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"a": "1"}}
    request = AdmissionRequest(call, "CREATE", obj, None, "m")
    await cluster.server.core.admission.mutate(request)
    await cluster.server.core.admission.validate(request)
    return call
