"""Pods that do not exist yet, with the claims that would be made for them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from dray.api.meta import Object, ObjectKey, labels_of, name_of, namespace_of
from dray.api.pods import claims_of
from dray.api.resources import RESOURCE_CLAIM_TEMPLATES, RESOURCE_CLAIMS
from dray.insight.snapshot import Snapshot


class Made(NamedTuple):
    pod: Object
    claims: tuple[Object, ...]
    """Those that are the pod's own."""


def like(snapshot: Snapshot, pod: Object, name: str, *, node: str = "", pin: str = "") -> Made:
    """One more pod like one that exists. `node`: it is there at once; `pin`: it may only go to that node."""
    spec = {key: value for key, value in pod["spec"].items() if key != "nodeName"}
    if pin:
        spec = pinned(spec, pin)
    if node:
        spec["nodeName"] = node
    meta = {k: v for k, v in pod["metadata"].items() if k in ("namespace", "labels", "ownerReferences")}
    return _with_claims(
        {"kind": "Pod", "metadata": {**meta, "name": name}, "spec": spec}, _specs(snapshot, pod)
    )


def of_template(
    snapshot: Snapshot, owner: Object, template: Mapping[str, Any], name: str, *, pin: str = ""
) -> Made:
    """A pod as `owner` would make it."""
    spec = _with_requests(template.get("spec") or {})
    if pin:
        spec = pinned(spec, pin)
    reference = {"controller": True, "kind": owner["kind"], "name": name_of(owner), "uid": ""}
    meta = {
        "name": name, "namespace": namespace_of(owner), "labels": labels_of(template) if template.get("metadata") else {},
        "ownerReferences": [reference],
    }  # fmt: skip
    pod: Object = {"kind": "Pod", "metadata": meta, "spec": spec}
    return _with_claims(pod, _specs(snapshot, pod))


def _with_requests(spec: Mapping[str, Any]) -> Object:
    """A pod asks for its limits where it does not say otherwise; its template need not say so yet."""
    found = dict(spec)
    for field in ("initContainers", "containers"):
        if spec.get(field):
            found[field] = list(map(_asking_for_limits, spec[field]))
    return found


def _asking_for_limits(container: Object) -> Object:
    resources = container.get("resources") or {}
    if not resources.get("limits"):
        return container
    requests = {**resources["limits"], **(resources.get("requests") or {})}
    return {**container, "resources": {**resources, "requests": requests}}


def _specs(snapshot: Snapshot, pod: Object) -> dict[str, Object]:
    """The specs of the claims that would be made anew for a pod, by the entry's name: as the template has them now."""
    found = {}
    for entry in claims_of(pod):
        if entry.template is None:
            continue
        template = snapshot.find(RESOURCE_CLAIM_TEMPLATES, entry.template, namespace_of(pod))
        if template is not None:
            found[entry.name] = template["spec"]["spec"]
        elif entry.claim and (claim := snapshot.find(RESOURCE_CLAIMS, entry.claim, namespace_of(pod))):
            found[entry.name] = claim["spec"]
    return found


def _with_claims(pod: Object, specs: Mapping[str, Object]) -> Made:
    namespace, name = namespace_of(pod), name_of(pod)
    uid = f"new pod {namespace}/{name}"
    owner = [{"controller": True, "kind": "Pod", "name": name, "uid": uid}]
    claims, statuses = [], []
    for entry, spec in specs.items():
        meta = {
            "name": f"{name}-{entry}", "namespace": namespace, "ownerReferences": owner,
            "uid": f"new claim {namespace}/{name}-{entry}",
        }  # fmt: skip
        claims.append({"kind": "ResourceClaim", "metadata": meta, "spec": spec, "status": {}})
        statuses.append({"name": entry, "resourceClaimName": meta["name"]})
    made = {
        **pod, "metadata": {**pod["metadata"], "uid": uid},
        "status": {"resourceClaimStatuses": statuses} if statuses else {},
    }  # fmt: skip
    return Made(made, tuple(claims))


def pinned(spec: Mapping[str, Any], node: str) -> Object:
    """A pod spec that only one node suits, as daemon pods have it."""
    pin = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    affinity = dict(spec.get("affinity") or {})
    affinity["nodeAffinity"] = {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [pin]}
    }
    return {**spec, "affinity": affinity}


def template_names(pod: Object) -> dict[ObjectKey, str]:
    """Of a pod's claims those made from a template, by key: the template's name."""
    namespace = namespace_of(pod)
    return {
        ObjectKey(namespace, entry.claim): entry.template
        for entry in claims_of(pod)
        if entry.template is not None and entry.claim
    }
