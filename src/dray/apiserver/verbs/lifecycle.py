"""Namespaces decide whether objects may come into being in them (the NamespaceLifecycle admission of Kubernetes)."""

from typing import Final

from dray.api import errors
from dray.api.meta import Object, is_deleting
from dray.api.resources import NAMESPACES
from dray.apiserver.core import Call

PROTECTED: Final = frozenset({"default", "kube-system", "kube-public"})
_EXEMPT_GROUPS: Final = frozenset({"authorization.k8s.io", "authentication.k8s.io"})


def check_create(call: Call, obj: Object) -> None:
    """Raises NotFound for a namespace that does not exist, Forbidden for one that is going.

    What is posted to an object that is there, as a binding to its pod, comes into being no less.
    """
    resource = call.kind.resource
    if not resource.namespaced or resource.group in _EXEMPT_GROUPS:
        return
    namespace = call.find(NAMESPACES, call.namespace)
    if namespace is None:
        raise errors.not_found("", "namespaces", call.namespace)
    if not is_deleting(namespace):
        return
    why = f"unable to create new content in namespace {call.namespace} because it is being terminated"
    meta = obj["metadata"]
    name = call.name or meta.get("name") or meta.get("generateName") or "Unknown"
    refused = errors.forbidden(resource.group, resource.plural, name, why)
    cause = {
        "reason": "NamespaceTerminating",
        "message": f"namespace {call.namespace} is being terminated",
        "field": "metadata.namespace",
    }
    refused.details = {**(refused.details or {}), "causes": [cause]}
    raise refused


def check_delete(call: Call) -> None:
    """Raises Forbidden for a namespace that the cluster needs."""
    if call.stored == NAMESPACES and call.name in PROTECTED:
        raise errors.forbidden("", "namespaces", call.name, "this namespace may not be deleted")
