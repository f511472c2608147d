"""Nodes begin tainted, and a kubelet touches only what is its own (NodeRestriction).

Source: kubernetes plugin/pkg/admission/{nodetaint,noderestriction}, 1.36.
"""

from collections.abc import Callable, Mapping
from typing import Final

from dray.api import errors
from dray.api.meta import Object, annotations_of, name_of
from dray.api.resources import NODES, PODS
from dray.apiserver.access import AdmissionRequest
from dray.apiserver.authorization.node import node_of
from dray.apiserver.pod_references import config_map_names, has_volume, secret_names

NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
MIRROR_ANNOTATION = "kubernetes.io/config.mirror"
RESERVED_LABEL_SUFFIXES = ("kubernetes.io", "k8s.io")
NODE_LABEL_PREFIXES = ("kubelet.kubernetes.io", "node.kubernetes.io")
ALLOWED_LABELS = frozenset(
    {
        "kubernetes.io/hostname",
        "kubernetes.io/arch",
        "kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/instance-type",
        "node.kubernetes.io/instance-type",
        "failure-domain.beta.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
    }
)


POD_REFERENCES: Final[Mapping[str, Callable[[Object], object]]] = {
    "a service account": lambda pod: pod["spec"].get("serviceAccountName"),
    "secrets": secret_names,
    "configmaps": config_map_names,
    "persistentvolumeclaims": lambda pod: has_volume(pod, "persistentVolumeClaim"),
    "clustertrustbundles": lambda pod: has_volume(pod, "clusterTrustBundle"),
    "resourceclaims": lambda pod: pod["spec"].get("resourceClaims"),
}
"""What the pods that a kubelet creates may not use, in the order in which it is noticed."""


class NodeTaint:
    """A new node takes no pods until its first Ready status was seen."""

    async def mutate(self, request: AdmissionRequest) -> None:
        node = request.object
        if node is None or request.operation != "CREATE" or request.call.subresource:
            return
        taints = (node.get("spec") or {}).get("taints") or []
        if NOT_READY not in taints:
            node["spec"] = {**(node.get("spec") or {}), "taints": [*taints, dict(NOT_READY)]}

    async def validate(self, request: AdmissionRequest) -> None:
        return None


class NodeRestriction:
    """Refuses what a kubelet's identity may not write, though RBAC lets all kubelets write the resource."""

    async def mutate(self, request: AdmissionRequest) -> None:
        node = node_of(request.call.user)
        if not node:
            return
        judge = {
            "nodes": self._node,
            "pods": self._pod,
            "resourceslices": self._slice,
            "serviceaccounts": self._token,
            "leases": self._lease,
        }.get(request.call.kind.resource.plural)
        if judge is not None:
            judge(request, node)

    async def validate(self, request: AdmissionRequest) -> None:
        return None

    def _node(self, request: AdmissionRequest, node: str) -> None:
        name = request.call.name or (name_of(request.object) if request.object else "")
        if name != node:
            raise _refused(request, f'node "{node}" is not allowed to modify node "{name}"')
        if request.object is None:
            return
        old_labels = (request.old or {"metadata": {}})["metadata"].get("labels") or {}
        labels = request.object["metadata"].get("labels") or {}
        changed = {key for key in {*labels, *old_labels} if labels.get(key) != old_labels.get(key)}
        if forbidden := sorted(key for key in changed if _is_reserved_label(key)):
            raise _refused(request, f"is not allowed to modify labels: {', '.join(forbidden)}", node)
        if request.operation == "UPDATE" and _taints(request.object) != _taints(request.old or {}):
            raise _refused(request, f'node "{node}" is not allowed to modify taints')

    def _pod(self, request: AdmissionRequest, node: str) -> None:
        pod = (
            request.object if request.operation == "CREATE" and not request.call.subresource else request.old
        )
        if request.operation == "CREATE" and not request.call.subresource:
            self._mirror_pod(request, node)
            return
        if pod is None and request.call.subresource == "eviction":
            pod = request.call.find(PODS, request.call.name, request.call.namespace)
        if pod is not None and pod["spec"].get("nodeName") != node:
            verb = {"DELETE": "delete pods with", "UPDATE": "update pod status for pods with"}.get(
                request.operation, "evict pods with"
            )
            raise _refused(request, f'node "{node}" can only {verb} spec.nodeName set to itself')
        if request.operation == "UPDATE" and request.object is not None and request.old is not None:
            self._pod_status(request, node)

    def _mirror_pod(self, request: AdmissionRequest, node: str) -> None:
        pod = request.object or {}
        if MIRROR_ANNOTATION not in annotations_of(pod):
            raise _refused(
                request,
                f'pod does not have "{MIRROR_ANNOTATION}" annotation, node "{node}" can only create mirror pods',
            )
        if pod["spec"].get("nodeName") != node:
            raise _refused(request, f'node "{node}" can only create pods with spec.nodeName set to itself')
        self._owned_by_node(request, pod, node)
        for what, references in POD_REFERENCES.items():
            if references(pod):
                raise _refused(request, f'node "{node}" can not create pods that reference {what}')

    def _owned_by_node(self, request: AdmissionRequest, pod: Object, node: str) -> None:
        owners = pod["metadata"].get("ownerReferences") or []
        if len(owners) > 1:
            raise _refused(
                request, f'node "{node}" can only create pods with a single owner reference set to itself'
            )
        owner = owners[0] if owners else {}
        if (owner.get("apiVersion"), owner.get("kind"), owner.get("name")) != ("v1", "Node", node):
            raise _refused(
                request, f'node "{node}" can only create pods with an owner reference set to itself'
            )
        if not owner.get("controller"):
            why = f'node "{node}" can only create pods with a controller owner reference set to itself'
            raise _refused(request, why)
        if owner.get("blockOwnerDeletion"):
            raise _refused(request, f'node "{node}" must not set blockOwnerDeletion on an owner reference')
        found = request.call.find(NODES, node)
        if found is None:
            raise errors.not_found("", "nodes", node)
        if owner.get("uid") != (uid := found["metadata"]["uid"]):
            raise _refused(request, f"node {node} UID mismatch: expected {owner.get('uid')} got {uid}")

    def _pod_status(self, request: AdmissionRequest, node: str) -> None:
        old, new = (request.old or {}).get("status") or {}, (request.object or {}).get("status") or {}
        if (request.old or {})["metadata"].get("labels") != (request.object or {})["metadata"].get("labels"):
            raise _refused(request, f'node "{node}" cannot update labels through pod status')
        if old.get("resourceClaimStatuses") != new.get("resourceClaimStatuses"):
            raise _refused(request, f'node "{node}" cannot update resource claim statues')
        if old.get("extendedResourceClaimStatus") != new.get("extendedResourceClaimStatus"):
            raise _refused(request, f'node "{node}" cannot update extended resource claim status')

    def _slice(self, request: AdmissionRequest, node: str) -> None:
        if request.operation == "CREATE" and (request.object or {})["spec"].get("nodeName") != node:
            raise _refused(
                request, "can only create ResourceSlice with the same NodeName as the requesting node"
            )
        if request.operation == "DELETE" and (request.old or {}).get("spec", {}).get("nodeName") != node:
            raise _refused(
                request, "can only delete ResourceSlice with the same NodeName as the requesting node"
            )

    def _token(self, request: AdmissionRequest, node: str) -> None:
        if request.call.subresource != "token" or request.object is None:
            return
        bound = (request.object.get("spec") or {}).get("boundObjectRef") or {}
        if bound.get("kind") != "Pod":
            raise _refused(request, "node requested token not bound to a pod")
        pod = request.call.find(PODS, bound.get("name", ""), request.call.namespace)
        if pod is None or (bound.get("uid") and pod["metadata"]["uid"] != bound["uid"]):
            raise _refused(request, "node requested token bound to a pod that does not exist")
        if pod["spec"].get("nodeName") != node:
            raise _refused(request, "node requested token bound to a pod scheduled on a different node")
        if pod["spec"].get("serviceAccountName") != request.call.name:
            raise _refused(request, "node requested token for a service account that its pod does not use")

    def _lease(self, request: AdmissionRequest, node: str) -> None:
        if request.call.namespace != "kube-node-lease":
            return
        name = request.call.name or (name_of(request.object) if request.object else "")
        if name != node:
            raise _refused(request, "can only access node lease with the same name as the requesting node")


def _taints(node: Object) -> list[Object]:
    return (node.get("spec") or {}).get("taints") or []


def _is_reserved_label(key: str) -> bool:
    domain = key.partition("/")[0] if "/" in key else ""
    if not any(domain == suffix or domain.endswith(f".{suffix}") for suffix in RESERVED_LABEL_SUFFIXES):
        return False
    if key in ALLOWED_LABELS:
        return False
    return not any(domain == prefix or domain.endswith(f".{prefix}") for prefix in NODE_LABEL_PREFIXES)


def _refused(request: AdmissionRequest, why: str, node: str = "") -> errors.Forbidden:
    call = request.call
    name = call.name or str((request.object or {}).get("metadata", {}).get("name") or "")
    prefix = f'node "{node}" ' if node else ""
    return errors.forbidden(call.kind.resource.group, call.kind.resource.plural, name, prefix + why)
