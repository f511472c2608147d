"""Nodes begin tainted, and a kubelet touches only what is its own (NodeRestriction).

Source: kubernetes plugin/pkg/admission/{nodetaint,noderestriction}, 1.36.
"""

from dray.api import errors
from dray.api.certificates.request import RequestError
from dray.api.meta import Object, annotations_of, name_of
from dray.api.resources import NODES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS
from dray.apiserver.admission.certificates import read_request
from dray.apiserver.authorization.node import node_of
from dray.apiserver.core import AdmissionRequest
from dray.apiserver.pod_references import MIRROR_ANNOTATION, first_reference
from dray.apiserver.registry.csi import CSI_DRIVERS

NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
CSR_SIGNERS = ("kubernetes.io/kubelet-serving", "kubernetes.io/kube-apiserver-client-kubelet")
"""Of the certificates that say of their holder that it is a node."""
RESIZING = ("capacity", "conditions", "allocatedResourceStatuses", "allocatedResources")
"""What a kubelet may say about a PersistentVolumeClaim."""
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
            "persistentvolumeclaims": self._volume_claim,
            "resourceslices": self._slice,
            "serviceaccounts": self._token,
            "leases": self._lease,
            "csinodes": self._csi_node,
            "certificatesigningrequests": self._certificate,
        }.get(request.call.kind.resource.plural)
        if judge is not None:
            judge(request, node)

    async def validate(self, request: AdmissionRequest) -> None:
        return None

    def _node(self, request: AdmissionRequest, node: str) -> None:
        if (name := _target(request)) != node:
            raise _refused(request, f'node "{node}" is not allowed to modify node "{name}"')
        new, old = request.object, request.old or {"metadata": {}}
        if new is None:
            return
        source, old_source = (_spec(each).get("configSource") for each in (new, old))
        forbidden = ", ".join(_reserved_changes(new, old))
        if request.operation == "CREATE":
            if source is not None:
                raise _refused(
                    request, f'node "{node}" is not allowed to create pods with a non-nil configSource'
                )
            if forbidden:
                why = f'node "{node}" is not allowed to set the following labels: {forbidden}'
                raise _refused(request, why)
            return
        if source is not None and source != old_source:
            why = f'node "{node}" is not allowed to update configSource to a new non-nil configSource'
            raise _refused(request, why)
        if (_spec(new).get("taints") or []) != (_spec(old).get("taints") or []):
            raise _refused(request, f'node "{node}" is not allowed to modify taints')
        if (new["metadata"].get("ownerReferences") or []) != (old["metadata"].get("ownerReferences") or []):
            raise _refused(request, f'node "{node}" is not allowed to modify ownerReferences')
        if forbidden:
            raise _refused(request, f"is not allowed to modify labels: {forbidden}")

    def _pod(self, request: AdmissionRequest, node: str) -> None:
        match request.call.subresource, request.operation:
            case "", "CREATE":
                self._mirror_pod(request, node)
            case "", "DELETE":
                if _spec(request.old or {}).get("nodeName") != node:
                    raise _refused(
                        request, f'node "{node}" can only delete pods with spec.nodeName set to itself'
                    )
            case "", operation:
                why = f'unexpected operation "{operation}", node "{node}" can only create and delete mirror pods'
                raise _refused(request, why)
            case "status", _:
                self._pod_status(request, node)
            case "eviction", _:
                pod = request.call.find(PODS, request.call.name, request.call.namespace)
                if pod is None:
                    raise errors.not_found("", "pods", request.call.name)
                if pod["spec"].get("nodeName") != node:
                    raise _refused(
                        request, f"node {node} can only evict pods with spec.nodeName set to itself"
                    )
            case subresource, _:
                why = (
                    f"unexpected pod subresource \"{subresource}\", only 'status' and 'eviction' are allowed"
                )
                raise _refused(request, why)

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
        if what := first_reference(pod):
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
        if _spec(request.old or {}).get("nodeName") != node:
            why = f'node "{node}" can only update pod status for pods with spec.nodeName set to itself'
            raise _refused(request, why)
        old, new = (request.old or {}).get("status") or {}, (request.object or {}).get("status") or {}
        labels, old_labels = (
            (each or {"metadata": {}})["metadata"].get("labels") or {}
            for each in (request.object, request.old)
        )
        if labels != old_labels:
            raise _refused(request, f'node "{node}" cannot update labels through pod status')
        if old.get("resourceClaimStatuses") != new.get("resourceClaimStatuses"):
            raise _refused(request, f'node "{node}" cannot update resource claim statues')
        if old.get("extendedResourceClaimStatus") != new.get("extendedResourceClaimStatus"):
            raise _refused(request, f'node "{node}" cannot update extended resource claim status')

    def _slice(self, request: AdmissionRequest, node: str) -> None:
        if request.operation == "CREATE" and _spec(request.object or {}).get("nodeName") != node:
            raise _refused(
                request, "can only create ResourceSlice with the same NodeName as the requesting node"
            )
        if request.operation == "DELETE" and _spec(request.old or {}).get("nodeName") != node:
            raise _refused(
                request, "can only delete ResourceSlice with the same NodeName as the requesting node"
            )

    def _volume_claim(self, request: AdmissionRequest, node: str) -> None:
        if request.call.subresource != "status":
            raise _refused(request, "may only update PVC status")
        if _but_resizing(request.object or {}) != _but_resizing(request.old or {}):
            what = "fields other than status.quantity and status.conditions"
            raise _refused(request, f'node "{node}" is not allowed to update {what}: ')

    def _token(self, request: AdmissionRequest, node: str) -> None:
        if request.call.subresource != "token" or request.object is None:
            return
        bound = _spec(request.object).get("boundObjectRef") or {}
        name, uid = bound.get("name"), bound.get("uid")
        if (bound.get("apiVersion"), bound.get("kind")) != ("v1", "Pod") or not name:
            raise _refused(request, "node requested token not bound to a pod")
        if not uid:
            raise _refused(request, "node requested token with a pod binding without a uid")
        pod = request.call.find(PODS, name, request.call.namespace)
        if pod is None:
            raise errors.not_found("", "pods", name)
        if pod["metadata"]["uid"] != uid:
            why = f"the UID in the bound object reference ({uid}) does not match the UID in record. The object might have been deleted and then recreated"
            raise _refused(request, why)
        if pod["spec"].get("nodeName") != node:
            raise _refused(request, "node requested token bound to a pod scheduled on a different node")
        if request.call.features.enabled("ServiceAccountNodeAudienceRestriction"):
            self._audience(request, pod)

    def _audience(self, request: AdmissionRequest, pod: Object) -> None:
        """A kubelet gets tokens for those audiences that the pod asks for, or that it is granted beyond them."""
        call = request.call
        wanted = _spec(request.object or {}).get("audiences") or [""]
        if len(wanted) > 1:
            raise _refused(request, "node may only request 0 or 1 audiences")
        if wanted[0] in _audiences(request, pod):
            return
        may, _ = call.authorize(
            verb="request-serviceaccounts-token-audience",
            group="",
            resource=wanted[0],
            namespace=call.namespace,
            name=call.name,
        )
        if not may:
            why = f'audience "{wanted[0]}" not found in pod spec volume, {call.user.name} is not authorized to request tokens for this audience'
            raise _refused(request, why)

    def _lease(self, request: AdmissionRequest, node: str) -> None:
        if request.call.namespace != "kube-node-lease":
            raise _refused(request, 'can only access leases in the "kube-node-lease" system namespace')
        if _target(request) != node:
            raise _refused(request, "can only access node lease with the same name as the requesting node")

    def _csi_node(self, request: AdmissionRequest, node: str) -> None:
        if _target(request) != node:
            raise _refused(request, "can only access CSINode with the same name as the requesting node")

    def _certificate(self, request: AdmissionRequest, node: str) -> None:
        if request.operation != "CREATE" or request.object is None:
            return
        if _spec(request.object).get("signerName") not in CSR_SIGNERS:
            return
        try:
            common_name = read_request(request.object).subject.common_name
        except RequestError as error:
            raise _refused(request, f"unable to parse csr: {error}") from None
        if common_name != (own := f"system:node:{node}"):
            raise _refused(request, f"can only create a node CSR with CN={own}")


def _spec(obj: Object) -> Object:
    return obj.get("spec") or {}


def _target(request: AdmissionRequest) -> str:
    meta = request.object["metadata"] if request.object else {}
    return request.call.name or str(meta.get("name") or "")


def _reserved_changes(new: Object, old: Object) -> list[str]:
    """Labels that differ and that no kubelet may touch."""
    labels, old_labels = new["metadata"].get("labels") or {}, old["metadata"].get("labels") or {}
    changed = (key for key in {*labels, *old_labels} if labels.get(key) != old_labels.get(key))
    return sorted(key for key in changed if _is_reserved_label(key))


def _but_resizing(claim: Object) -> Object:
    meta = {key: value for key, value in claim["metadata"].items() if key not in _OF_EVERY_WRITE}
    status = {key: value for key, value in (claim.get("status") or {}).items() if key not in RESIZING}
    return {**claim, "metadata": meta, "status": status}


_OF_EVERY_WRITE = ("resourceVersion", "managedFields")


def _audiences(request: AdmissionRequest, pod: Object) -> set[str]:
    """For which the volumes of a pod want tokens, themselves or through their driver."""
    found: set[str] = set()
    for volume in pod["spec"].get("volumes") or ():
        for source in (volume.get("projected") or {}).get("sources") or ():
            if token := source.get("serviceAccountToken"):
                found.add(token.get("audience") or "")
        if driver := _driver(request, pod, volume):
            known = request.call.find(CSI_DRIVERS, driver) or {}
            found |= {each.get("audience") or "" for each in _spec(known).get("tokenRequests") or ()}
    return found


def _driver(request: AdmissionRequest, pod: Object, volume: Object) -> str:
    """The CSI driver behind a volume, "" if none."""
    if volume.get("csi"):
        return str(volume["csi"].get("driver") or "")
    claim_name = (volume.get("persistentVolumeClaim") or {}).get("claimName")
    if volume.get("ephemeral"):
        claim_name = f"{name_of(pod)}-{volume['name']}"
    claim = (
        request.call.find(PERSISTENT_VOLUME_CLAIMS, claim_name, request.call.namespace)
        if claim_name
        else None
    )
    bound = _spec(claim or {}).get("volumeName")
    found = request.call.find(PERSISTENT_VOLUMES, bound) if bound else None
    return str((_spec(found or {}).get("csi") or {}).get("driver") or "")


def _is_reserved_label(key: str) -> bool:
    domain = key.partition("/")[0] if "/" in key else ""
    if not any(domain == suffix or domain.endswith(f".{suffix}") for suffix in RESERVED_LABEL_SUFFIXES):
        return False
    if key in ALLOWED_LABELS:
        return False
    return not any(domain == prefix or domain.endswith(f".{prefix}") for prefix in NODE_LABEL_PREFIXES)


def _refused(request: AdmissionRequest, why: str) -> errors.Forbidden:
    call = request.call
    meta = (request.object or {}).get("metadata") or {}
    name = call.name or str(meta.get("name") or meta.get("generateName") or "Unknown")
    return errors.forbidden(call.kind.resource.group, call.kind.resource.plural, name, why)
