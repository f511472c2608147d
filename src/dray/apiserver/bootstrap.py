"""What an API server makes sure of when it starts: namespaces, priority classes, the access policy, the `kubernetes` service.

Objects that exist are left alone, so that what an administrator changed stays changed.
"""

import asyncio
from collections.abc import Iterable

from dray.api import errors
from dray.api.meta import Object
from dray.api.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
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
    )
}


async def bootstrap(core: Core, client: Client, *, service_ip: str = "", service_port: int = 0) -> None:
    """Create whatever is missing; `client` acts as a member of system:masters."""
    await _ensure(core, client, map(_namespace, NAMESPACE_NAMES))
    others = [*map(_priority_class, _PRIORITIES), *bootstrap_policy(core.features)]
    if service_ip:
        others.append(_kubernetes_service(service_ip, service_port))
    await _ensure(core, client, others)


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
