"""What a kubelet may read: only what the pods bound to its node need. Texts and rules as upstream's node authorizer.

The questions are answered from the store itself: the pods of a node are few, so no graph is kept beside them.
"""

import functools
from collections.abc import Callable, Iterable, Mapping

from dray.api.meta import Object
from dray.api.pods import claim_names_of
from dray.api.resources import PODS, RESOURCE_SLICES
from dray.api.selectors import SelectorError, parse_field_selector
from dray.apiserver.access import ALLOWED, Attributes, Decision
from dray.apiserver.authorization.bootstrap import node_rules
from dray.apiserver.authorization.rules import Rule, rule_allows
from dray.apiserver.pod_references import config_map_names, secret_names
from dray.apiserver.registry.kind import User
from dray.store.backend import Store

NODES_GROUP = "system:nodes"
NODE_PREFIX = "system:node:"


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

    def _read_named(
        self, node: str, attributes: Attributes, names: Callable[[Object], Iterable[str]]
    ) -> Decision:
        if attributes.subresource:
            return _no("cannot get subresource")
        if attributes.verb not in ("get", "list", "watch"):
            return _no("can only read resources of this type")
        if not attributes.name or not attributes.namespace:
            return _no("can only read namespaced object of this type")
        return self._related(node, attributes, names)

    def _claim(self, node: str, attributes: Attributes) -> Decision:
        if attributes.verb != "get" or attributes.subresource:
            return _no("can only get individual resources of this type")
        return self._related(node, attributes, claim_names_of)

    def _related(
        self, node: str, attributes: Attributes, names: Callable[[Object], Iterable[str]]
    ) -> Decision:
        for record in self._store.page(PODS.qualified, f"{attributes.namespace}/").records:
            pod = record.obj
            if pod["spec"].get("nodeName") == node and attributes.name in names(pod):
                return ALLOWED
        return _no(f"no relationship found between node '{node}' and this object")

    def _token(self, node: str, attributes: Attributes) -> Decision:
        if attributes.subresource == "token":
            if attributes.verb != "create":
                return _no("only create is allowed")
            return self._related(node, attributes, lambda pod: [pod["spec"].get("serviceAccountName", "")])
        if attributes.verb == "get" and not attributes.subresource:
            return self._related(node, attributes, lambda pod: [pod["spec"].get("serviceAccountName", "")])
        return _no("can only create tokens for individual service accounts")

    def _lease(self, node: str, attributes: Attributes) -> Decision:
        if attributes.verb not in ("get", "create", "update", "patch", "delete"):
            return _no("can only get, create, update, patch, or delete a node lease")
        if attributes.namespace != "kube-node-lease":
            return _no('can only access leases in the "kube-node-lease" system namespace')
        if attributes.verb != "create" and attributes.name != node:
            return _no("can only access node lease with the same name as the requesting node")
        return ALLOWED

    def _slice(self, node: str, attributes: Attributes) -> Decision:
        if attributes.subresource:
            return _no("cannot access subresources of ResourceSlices")
        match attributes.verb:
            case "create":
                return ALLOWED
            case "get" | "update" | "patch" | "delete":
                record = self._store.get(RESOURCE_SLICES.qualified, attributes.name)
                if record is not None and record.obj["spec"].get("nodeName") == node:
                    return ALLOWED
                return _no(f"no relationship found between node '{node}' and this object")
            case "list" | "watch" | "deletecollection":
                if _selected_node(attributes.fields) == node:
                    return ALLOWED
                return _no("can only list/watch/deletecollection resourceslices with nodeName field selector")
            case _:
                return _no(
                    "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection"
                )

    def _csi_node(self, node: str, attributes: Attributes) -> Decision:
        if attributes.name != node and attributes.verb != "create":
            return _no("can only access CSINode with the same name as the requesting node")
        return ALLOWED


_JUDGES: Mapping[tuple[str, str], Callable[[NodeAuthorizer, str, Attributes], Decision]] = {
    ("", "secrets"): NodeAuthorizer._secret,
    ("", "configmaps"): NodeAuthorizer._config_map,
    ("resource.k8s.io", "resourceclaims"): NodeAuthorizer._claim,
    ("resource.k8s.io", "resourceslices"): NodeAuthorizer._slice,
    ("", "serviceaccounts"): NodeAuthorizer._token,
    ("coordination.k8s.io", "leases"): NodeAuthorizer._lease,
    ("storage.k8s.io", "csinodes"): NodeAuthorizer._csi_node,
}


def _selected_node(fields: str) -> str:
    try:
        return parse_field_selector(fields).required("spec.nodeName") or ""
    except SelectorError:
        return ""
