"""What a kubelet may read: only what the pods bound to its node need. Texts and rules as upstream's node authorizer.

The questions are answered from the store itself: the pods of a node are few, so no graph is kept beside them.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

from dray.api.meta import Object, annotations_of
from dray.api.pods import claim_names_of
from dray.api.resources import PERSISTENT_VOLUME_CLAIMS, PODS, RESOURCE_SLICES
from dray.api.selectors import SelectorError, parse_field_selector
from dray.apiserver.access import ALLOWED, Attributes, Decision
from dray.apiserver.authorization.bootstrap import node_rules
from dray.apiserver.authorization.rules import Rule, rule_allows
from dray.apiserver.pod_references import (
    MIRROR_ANNOTATION,
    config_map_names,
    secret_names,
    volume_claim_names,
)
from dray.apiserver.registry.kind import User
from dray.apiserver.registry.volume_attachment import VOLUME_ATTACHMENTS
from dray.store.backend import Store

NODES_GROUP = "system:nodes"
NODE_PREFIX = "system:node:"
_READS = ("get", "list", "watch")
_SINGLE = ("get", "create", "update", "patch", "delete")

_Names: TypeAlias = Callable[[Object], Iterable[str]]


def node_of(user: User) -> str:
    """The node whose kubelet this user is, or "" for anyone else."""
    if NODES_GROUP in user.groups and user.name.startswith(NODE_PREFIX):
        return user.name[len(NODE_PREFIX) :]
    return ""


def _no(reason: str) -> Decision:
    return Decision(False, reason)


@functools.cache
def _node_rules() -> tuple[Rule, ...]:
    return tuple(node_rules())


class NodeAuthorizer:
    def __init__(self, store: Store) -> None:
        self._store = store

    def authorize(self, attributes: Attributes) -> Decision | None:
        """None: no opinion, another authorizer decides."""
        node = node_of(attributes.user)
        if not node:
            return None
        judge = _JUDGES.get((attributes.group, attributes.resource))
        if judge is not None:
            return judge(self, node, attributes)
        # Everything else that kubelets do is the same for all of them, and bound to no one by RBAC.
        return ALLOWED if any(rule_allows(rule, attributes) for rule in _node_rules()) else None

    def _secret(self, node: str, attributes: Attributes) -> Decision:
        return self._read_named(node, attributes, secret_names)

    def _config_map(self, node: str, attributes: Attributes) -> Decision:
        return self._read_named(node, attributes, config_map_names)

    def _read_named(self, node: str, attributes: Attributes, names: _Names) -> Decision:
        if attributes.verb not in _READS:
            return _no("can only read resources of this type")
        if attributes.subresource:
            return _no("cannot read subresource")
        if not attributes.namespace:
            return _no("can only read namespaced object of this type")
        return self._related(node, attributes, names)

    def _claim(self, node: str, attributes: Attributes) -> Decision:
        return _not_single_read(attributes) or self._related(node, attributes, claim_names_of)

    def _volume_claim(self, node: str, attributes: Attributes) -> Decision:
        if attributes.subresource != "status":
            return _not_single_read(attributes) or self._related(node, attributes, volume_claim_names)
        if attributes.verb not in ("update", "patch"):
            return _no("can only get/update/patch this type")
        return self._related(node, attributes, volume_claim_names)

    def _volume(self, node: str, attributes: Attributes) -> Decision:
        if refused := _not_single_read(attributes) or _nameless(attributes):
            return refused
        for pod in self._pods_of(node, ""):
            for claim in volume_claim_names(pod):
                record = self._store.get(
                    PERSISTENT_VOLUME_CLAIMS.qualified, f"{pod['metadata']['namespace']}/{claim}"
                )
                if record is not None and record.obj["spec"].get("volumeName") == attributes.name:
                    return ALLOWED
        return _unrelated(node)

    def _attachment(self, node: str, attributes: Attributes) -> Decision:
        if refused := _not_single_read(attributes) or _nameless(attributes):
            return refused
        record = self._store.get(VOLUME_ATTACHMENTS.qualified, attributes.name)
        is_own = record is not None and record.obj["spec"].get("nodeName") == node
        return ALLOWED if is_own else _unrelated(node)

    def _related(self, node: str, attributes: Attributes, names: _Names) -> Decision:
        """Whether a pod of the node names the object; pods that the kubelet made itself lend it nothing."""
        if refused := _nameless(attributes):
            return refused
        pods = self._pods_of(node, f"{attributes.namespace}/")
        is_named = any(
            attributes.name in names(pod) for pod in pods if MIRROR_ANNOTATION not in annotations_of(pod)
        )
        return ALLOWED if is_named else _unrelated(node)

    def _pods_of(self, node: str, prefix: str) -> Iterator[Object]:
        for record in self._store.page(PODS.qualified, prefix).records:
            if record.obj["spec"].get("nodeName") == node:
                yield record.obj

    def _own_pod(self, node: str, attributes: Attributes) -> Decision:
        if refused := _nameless(attributes):
            return refused
        record = self._store.get(PODS.qualified, f"{attributes.namespace}/{attributes.name}")
        is_own = record is not None and record.obj["spec"].get("nodeName") == node
        return ALLOWED if is_own else _unrelated(node)

    def _token(self, node: str, attributes: Attributes) -> Decision:
        is_read = attributes.verb == "get" and not attributes.subresource
        if not is_read:
            if attributes.verb != "create" or not attributes.name:
                return _no("can only create tokens for individual service accounts")
            if attributes.subresource != "token":
                return _no("can only create token subresource of serviceaccount")
        return self._related(node, attributes, lambda pod: [pod["spec"].get("serviceAccountName", "")])

    def _lease(self, node: str, attributes: Attributes) -> Decision:
        if attributes.verb not in _SINGLE:
            return _no("can only get, create, update, patch, or delete a node lease")
        if attributes.namespace != "kube-node-lease":
            return _no('can only access leases in the "kube-node-lease" system namespace')
        if attributes.verb != "create" and attributes.name != node:
            return _no("can only access node lease with the same name as the requesting node")
        return ALLOWED

    def _slice(self, node: str, attributes: Attributes) -> Decision:
        if attributes.subresource:
            return _no("cannot authorize ResourceSlice subresources")
        match attributes.verb:
            case "create":
                return ALLOWED
            case "get" | "update" | "patch" | "delete":
                if refused := _nameless(attributes):
                    return refused
                record = self._store.get(RESOURCE_SLICES.qualified, attributes.name)
                if record is not None and record.obj["spec"].get("nodeName") == node:
                    return ALLOWED
                return _unrelated(node)
            case "list" | "watch" | "deletecollection":
                if _selected_node(attributes.fields) == node:
                    return ALLOWED
                return _no("can only list/watch/deletecollection resourceslices with nodeName field selector")
            case _:
                return _no(
                    "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection"
                )

    def _csi_node(self, node: str, attributes: Attributes) -> Decision:
        if attributes.verb not in _SINGLE:
            return _no("can only get, create, update, patch, or delete a CSINode")
        if attributes.subresource:
            return _no("cannot authorize CSINode subresources")
        if attributes.name != node and attributes.verb != "create":
            return _no("can only access CSINode with the same name as the requesting node")
        return ALLOWED

    def _node(self, node: str, attributes: Attributes) -> Decision:
        match attributes.subresource, attributes.verb:
            case "", "create" | "update" | "patch":
                return ALLOWED
            case "", "get" | "list" | "watch":
                if attributes.name == node:
                    return ALLOWED
                whose = f"'{attributes.name}'" if attributes.name else "all nodes"
                return _no(f"node '{node}' cannot read {whose}, only its own Node object")
            case "status", "update" | "patch":
                return ALLOWED
        return _no("")

    def _pod(self, node: str, attributes: Attributes) -> Decision:
        match attributes.subresource, attributes.verb:
            case "", "get":
                return self._own_pod(node, attributes)
            case "", "list" | "watch":
                if _selected_node(attributes.fields) == node:
                    return ALLOWED
                if attributes.name:
                    return self._own_pod(node, attributes)
                return _no("can only list/watch pods with spec.nodeName field selector")
            case ("", "create" | "delete") | ("status", "update" | "patch") | ("eviction", "create"):
                return ALLOWED
        return _no("")


def _not_single_read(attributes: Attributes) -> Decision | None:
    if attributes.verb != "get":
        return _no("can only get individual resources of this type")
    return _no("cannot get subresource") if attributes.subresource else None


def _nameless(attributes: Attributes) -> Decision | None:
    return None if attributes.name else _no("No Object name found")


def _unrelated(node: str) -> Decision:
    return _no(f"no relationship found between node '{node}' and this object")


_JUDGES: Mapping[tuple[str, str], Callable[[NodeAuthorizer, str, Attributes], Decision]] = {
    ("", "secrets"): NodeAuthorizer._secret,
    ("", "configmaps"): NodeAuthorizer._config_map,
    ("resource.k8s.io", "resourceclaims"): NodeAuthorizer._claim,
    ("resource.k8s.io", "resourceslices"): NodeAuthorizer._slice,
    ("", "serviceaccounts"): NodeAuthorizer._token,
    ("coordination.k8s.io", "leases"): NodeAuthorizer._lease,
    ("storage.k8s.io", "csinodes"): NodeAuthorizer._csi_node,
    ("storage.k8s.io", "volumeattachments"): NodeAuthorizer._attachment,
    ("", "persistentvolumeclaims"): NodeAuthorizer._volume_claim,
    ("", "persistentvolumes"): NodeAuthorizer._volume,
    ("", "nodes"): NodeAuthorizer._node,
    ("", "pods"): NodeAuthorizer._pod,
}


def _selected_node(fields: str) -> str:
    try:
        return parse_field_selector(fields).required("spec.nodeName") or ""
    except SelectorError:
        return ""
