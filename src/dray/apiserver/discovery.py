"""What the server serves, as documents for clients: aggregated discovery and the older document per group version.

Built from the kinds alone. Both forms have the same order: groups by Kubernetes' priority, resources by name.
"""

import base64
import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

from dray.api.meta import Object
from dray.apiserver.index import Group, KindIndex
from dray.apiserver.registry.kind import Kind

WHOLE_OBJECT: Final = ("get", "patch", "update")
PROXIED: Final = ("create", "delete", "get", "patch", "update")


@dataclasses.dataclass(frozen=True, slots=True)
class Subresource:
    name: str
    verbs: tuple[str, ...]
    kind: str
    """Of what it takes or gives."""
    group: str = ""
    version: str = ""
    """Empty: those of the resource."""


_CONNECTIONS: Final = {
    "exec": "PodExecOptions",
    "attach": "PodAttachOptions",
    "portforward": "PodPortForwardOptions",
}
_OF_OTHER_GROUPS: Final[Mapping[str, Subresource]] = {
    "scale": Subresource("scale", WHOLE_OBJECT, "Scale", "autoscaling", "v1"),
    "eviction": Subresource("eviction", ("create",), "Eviction", "policy", "v1"),
    "token": Subresource("token", ("create",), "TokenRequest", "authentication.k8s.io", "v1"),
    "binding": Subresource("binding", ("create",), "Binding"),
}


def subresources_of(kind: Kind) -> list[Subresource]:
    names = {*kind.subresources, *kind.updatable, *(("status",) if kind.status is not None else ())}
    return [_subresource(kind, name) for name in sorted(names)]


def _subresource(kind: Kind, name: str) -> Subresource:
    if name in _OF_OTHER_GROUPS:
        return _OF_OTHER_GROUPS[name]
    if name in _CONNECTIONS:
        return Subresource(name, ("create", "get"), _CONNECTIONS[name])
    if name == "log":
        return Subresource(name, ("get",), kind.resource.kind)
    if name == "proxy":
        return Subresource(name, PROXIED, f"{kind.resource.kind}ProxyOptions")
    verbs = ("update",) if name == "finalize" else WHOLE_OBJECT
    return Subresource(name, verbs, kind.resource.kind)


# --- aggregated


def aggregated(index: KindIndex, groups: Sequence[Group]) -> Object:
    """APIGroupDiscoveryList v2."""
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [_aggregated_group(index, group) for group in groups],
    }


def _aggregated_group(index: KindIndex, group: Group) -> Object:
    versions = [
        {
            "version": version,
            "resources": [_aggregated_resource(kind) for kind in index.in_version(group.name, version)],
            "freshness": "Current",
        }
        for version in group.versions
    ]
    return {"metadata": {"name": group.name} if group.name else {}, "versions": versions}


def _aggregated_resource(kind: Kind) -> Object:
    resource: Object = {
        "resource": kind.resource.plural,
        "responseKind": {"group": "", "version": "", "kind": kind.resource.kind},
        "scope": "Namespaced" if kind.resource.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": sorted(kind.verbs),
    }
    if kind.short_names:
        resource["shortNames"] = list(kind.short_names)
    if kind.categories:
        resource["categories"] = list(kind.categories)
    subresources = [
        {
            "subresource": part.name,
            "responseKind": {"group": part.group, "version": part.version, "kind": part.kind},
            "verbs": list(part.verbs),
        }
        for part in subresources_of(kind)
    ]
    if subresources:
        resource["subresources"] = subresources
    return resource


# --- one document per group version


def resource_list(index: KindIndex, group: str, version: str) -> Object:
    """APIResourceList; that of the core group has never had an apiVersion."""
    resources = [
        entry for kind in index.in_version(group, version) for entry in _resource_entries(kind, version)
    ]
    return {
        "kind": "APIResourceList",
        **({"apiVersion": "v1"} if group else {}),
        "groupVersion": group_version(group, version),
        "resources": resources,
    }


def _resource_entries(kind: Kind, version: str) -> list[Object]:
    resource = kind.resource
    entry: Object = {
        "name": resource.plural,
        "singularName": kind.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": sorted(kind.verbs),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    if not (kind.virtual or kind.told):
        entry["storageVersionHash"] = storage_version_hash(kind)
    parts: list[Object] = [entry]
    for part in subresources_of(kind):
        named: Object = {
            "name": f"{resource.plural}/{part.name}",
            "singularName": "",
            "namespaced": resource.namespaced,
        }
        if part.group:
            named |= {"group": part.group, "version": part.version}
        parts.append(named | {"kind": part.kind, "verbs": list(part.verbs)})
    return parts


def storage_version_hash(kind: Kind) -> str:
    """A token that changes when the objects are stored in another version."""
    stored = kind.stored
    text = f"{stored.group}/{stored.version}/{stored.kind}"
    return base64.b64encode(hashlib.sha256(text.encode()).digest()[:8]).decode()


def group_document(group: Group) -> Object:
    """APIGroup."""
    return {"kind": "APIGroup", "apiVersion": "v1", **_group_entry(group)}


def group_list(groups: Sequence[Group]) -> Object:
    """APIGroupList."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group_entry(group) for group in groups]}


def _group_entry(group: Group) -> Object:
    versions = [
        {"groupVersion": group_version(group.name, version), "version": version} for version in group.versions
    ]
    return {"name": group.name, "versions": versions, "preferredVersion": versions[0]}


def core_versions(address: str) -> Object:
    """APIVersions, the document at /api."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def group_version(group: str, version: str) -> str:
    return f"{group}/{version}" if group else version
