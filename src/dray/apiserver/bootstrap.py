"""What an API server makes sure of when it starts: namespaces, priority classes, the access policy, the `kubernetes` service.

Objects that exist are left alone, so that what an administrator changed stays changed; only where the server is reached, and
the authority that clients' certificates come from, are brought up to date. Roles and bindings get what they lack of the
policy: a gate or a release that was turned on since lets its components do more.
"""

import asyncio
from collections.abc import Iterable, Mapping

from dray.api import errors
from dray.api.meta import Object, annotations_of
from dray.api.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    ENDPOINT_SLICES,
    ENDPOINTS,
    NAMESPACES,
    PRIORITY_CLASSES,
    ROLE_BINDINGS,
    ROLES,
    SERVICES,
    Resource,
)
from dray.apiserver import kubernetes_service
from dray.apiserver.authorization.bootstrap import bootstrap_policy
from dray.apiserver.core import Core
from dray.client.protocol import Client

NAMESPACE_NAMES = ("default", "kube-system", "kube-public", "kube-node-lease")
_RESOURCES = {
    resource.kind: resource
    for resource in (
        NAMESPACES,
        PRIORITY_CLASSES,
        CLUSTER_ROLES,
        CLUSTER_ROLE_BINDINGS,
        ROLES,
        ROLE_BINDINGS,
        SERVICES,
        CONFIG_MAPS,
        ENDPOINTS,
        ENDPOINT_SLICES,
    )
}
_GROWING: Mapping[str, str] = {
    "ClusterRole": "rules",
    "Role": "rules",
    "ClusterRoleBinding": "subjects",
    "RoleBinding": "subjects",
}
_AUTO_UPDATE = "rbac.authorization.kubernetes.io/autoupdate"
_SYSTEM = "kube-system"
_AUTHENTICATION = "extension-apiserver-authentication"
_TOKEN_TRACKING = "kube-apiserver-legacy-service-account-token-tracking"


async def bootstrap(
    core: Core,
    client: Client,
    *,
    service_ip: str = "",
    service_port: int = 0,
    reached_at: str = "",
    authentication: Mapping[str, str] | None = None,
) -> None:
    """Create whatever is missing; `client` acts as a member of system:masters.

    `reached_at` is the server's address for other machines, if they reach it; `authentication` is what other
    servers read of how this one knows its clients.
    """
    await _ensure(core, client, map(_namespace, NAMESPACE_NAMES))
    others = [*map(_priority_class, _PRIORITIES), *bootstrap_policy(core.features)]
    others.append(_config_map(_TOKEN_TRACKING, {"since": core.clock.now().date().isoformat()}))
    if service_ip:
        others.append(kubernetes_service.service(service_ip, service_port))
    current: list[Object] = []
    if reached_at:
        current += kubernetes_service.addresses(reached_at, service_port)
    if authentication:
        current.append(_config_map(_AUTHENTICATION, authentication))
    await _ensure(core, client, [*others, *current])
    for obj in others:
        if field := _GROWING.get(obj["kind"]):
            await _complete(core, client, obj, field)
    for obj in current:
        await _bring_up_to_date(core, client, obj)


async def _ensure(core: Core, client: Client, objects: Iterable[Object]) -> None:
    missing = [obj for obj in objects if _find(core, obj) is None]
    await asyncio.gather(*(_create(client, obj) for obj in missing))


def _find(core: Core, obj: Object) -> Object | None:
    meta = obj["metadata"]
    return core.find(_RESOURCES[obj["kind"]], meta["name"], meta.get("namespace", ""))


async def _create(client: Client, obj: Object) -> None:
    resource: Resource = _RESOURCES[obj["kind"]]
    try:
        await client.create(resource, obj, obj["metadata"].get("namespace", ""))
    except errors.AlreadyExists:
        return


async def _complete(core: Core, client: Client, obj: Object, field: str) -> None:
    """Add what the stored object lacks, and take nothing away, unless an administrator keeps it as it is."""
    stored = _find(core, obj) or {}
    if annotations_of(stored).get(_AUTO_UPDATE) == "false" or obj.get("aggregationRule"):
        return
    present = stored.get(field) or []
    if missing := [each for each in obj.get(field) or () if each not in present]:
        meta = obj["metadata"]
        change = {field: [*present, *missing]}
        await client.patch(_RESOURCES[obj["kind"]], meta["name"], change, meta.get("namespace", ""))


async def _bring_up_to_date(core: Core, client: Client, obj: Object) -> None:
    stored = _find(core, obj) or {}
    content = {key: obj[key] for key in obj if key not in ("apiVersion", "kind", "metadata")}
    if any(stored.get(key) != value for key, value in content.items()):
        meta = obj["metadata"]
        await client.patch(_RESOURCES[obj["kind"]], meta["name"], content, meta["namespace"])


def _config_map(name: str, data: Mapping[str, str]) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": _SYSTEM},
        "data": dict(data),
    }


def _namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


_PRIORITIES = (
    (
        "system-cluster-critical",
        2000000000,
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    ),
    (
        "system-node-critical",
        2000001000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
)


def _priority_class(entry: tuple[str, int, str]) -> Object:
    name, value, description = entry
    return {
        "apiVersion": PRIORITY_CLASSES.api_version,
        "kind": PRIORITY_CLASSES.kind,
        "metadata": {"name": name},
        "value": value,
        "description": description,
    }
