"""What an API server makes sure of when it starts: namespaces, priority classes, the access policy, the `kubernetes` service.

Objects that exist are left alone, so that what an administrator changed stays changed; only the authority that clients'
certificates come from is brought up to date.
"""

import asyncio
from collections.abc import Iterable

from dray.api import errors
from dray.api.meta import Object
from dray.api.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    NAMESPACES,
    PRIORITY_CLASSES,
    ROLE_BINDINGS,
    ROLES,
    SERVICES,
    Resource,
)
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
    )
}
_SYSTEM = "kube-system"
_AUTHENTICATION = "extension-apiserver-authentication"
_TOKEN_TRACKING = "kube-apiserver-legacy-service-account-token-tracking"


async def bootstrap(
    core: Core, client: Client, *, service_ip: str = "", service_port: int = 0, client_ca: str = ""
) -> None:
    """Create whatever is missing; `client` acts as a member of system:masters, `client_ca` is PEM."""
    await _ensure(core, client, map(_namespace, NAMESPACE_NAMES))
    others = [*map(_priority_class, _PRIORITIES), *bootstrap_policy(core.features)]
    others.append(_config_map(_TOKEN_TRACKING, {"since": core.clock.now().date().isoformat()}))
    if service_ip:
        others.append(_kubernetes_service(service_ip, service_port))
    if client_ca:
        others.append(_config_map(_AUTHENTICATION, {"client-ca-file": client_ca}))
    await _ensure(core, client, others)
    if client_ca:
        await _publish_authority(core, client, client_ca)


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


async def _publish_authority(core: Core, client: Client, client_ca: str) -> None:
    """Who else serves an API in the cluster reads here which certificates of clients to trust."""
    stored = core.find(CONFIG_MAPS, _AUTHENTICATION, _SYSTEM) or {}
    if (stored.get("data") or {}).get("client-ca-file") != client_ca:
        patch = {"data": {"client-ca-file": client_ca}}
        await client.patch(CONFIG_MAPS, _AUTHENTICATION, patch, _SYSTEM)


def _config_map(name: str, data: dict[str, str]) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": _SYSTEM},
        "data": data,
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


def _kubernetes_service(ip: str, port: int) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "type": "ClusterIP",
            "clusterIP": ip,
            "clusterIPs": [ip],
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "sessionAffinity": "None",
            "internalTrafficPolicy": "Cluster",
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": port}],
        },
    }
