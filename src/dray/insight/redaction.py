"""What leaves the cluster in a snapshot file: everything the answers need, nothing that may be secret.

Kept: names, labels, taints, requests, selectors, devices with their attributes, statuses, events. Dropped: environment,
commands and arguments, images' pull secrets, volumes but for the claims they mean, driver parameters, annotations and managed fields, addresses.
"""

from collections.abc import Callable, Mapping
from typing import Any

from dray.api.meta import Object
from dray.api.pods import EXTENDED_CLAIM_ANNOTATION, POD_CLAIM_ANNOTATION
from dray.insight.snapshot import Snapshot
from dray.insight.written import remembered

_KEPT_ANNOTATIONS = (POD_CLAIM_ANNOTATION, EXTENDED_CLAIM_ANNOTATION)

_POD_SPEC = (
    "nodeName", "nodeSelector", "affinity", "tolerations", "resourceClaims", "schedulingGates", "schedulerName",
    "priority", "priorityClassName", "overhead", "resources", "topologySpreadConstraints", "preemptionPolicy",
    "restartPolicy", "terminationGracePeriodSeconds", "hostNetwork", "schedulingGroup",
)  # fmt: skip
_CONTAINER = ("name", "image", "resources", "ports", "restartPolicy")
_WORKLOADS = (
    "daemonsets", "deployments", "jobs", "podtemplates", "replicasets", "replicationcontrollers", "statefulsets",
)  # fmt: skip
_NODE_STATUS = ("capacity", "allocatable", "conditions", "nodeInfo", "declaredFeatures")


def redact(snapshot: Snapshot) -> Snapshot:
    """The snapshot as it may be given to others."""
    objects = {plural: [_redact(plural, obj) for obj in items] for plural, items in snapshot.objects.items()}
    return Snapshot(snapshot.now, objects, snapshot.unknown, server=remembered(snapshot))


def _redact(plural: str, obj: Object) -> Object:
    clean = {**obj, "metadata": _metadata(obj["metadata"])}
    rule = _RULES.get(plural)
    return rule(clean) if rule else clean


def _metadata(meta: Mapping[str, Any]) -> Object:
    clean = {key: value for key, value in meta.items() if key not in ("managedFields", "annotations")}
    annotations = meta.get("annotations") or {}
    if kept := {key: annotations[key] for key in _KEPT_ANNOTATIONS if key in annotations}:
        clean["annotations"] = kept
    return clean


def _picked(obj: Mapping[str, Any], keys: tuple[str, ...]) -> Object:
    return {key: obj[key] for key in keys if key in obj}


def _pod_spec(spec: Mapping[str, Any]) -> Object:
    clean = _picked(spec, _POD_SPEC)
    if "volumes" in spec:
        clean["volumes"] = [_pod_volume(volume) for volume in spec["volumes"]]
    for field in ("containers", "initContainers"):
        if field in spec:
            clean[field] = [_picked(container, _CONTAINER) for container in spec[field]]
    return clean


def _pod_volume(volume: Mapping[str, Any]) -> Object:
    """Its name, and the claim it means: what decides where a pod can go."""
    clean = _picked(volume, ("name", "persistentVolumeClaim"))
    return {**clean, "ephemeral": {}} if "ephemeral" in volume else clean


def _pod(pod: Object) -> Object:
    status = {
        key: value
        for key, value in (pod.get("status") or {}).items()
        if not key.lower().endswith(("ip", "ips"))
    }
    return {**pod, "spec": _pod_spec(pod["spec"]), "status": status}


def _workload(obj: Object) -> Object:
    if "template" in obj:
        return {**obj, "template": _pod_template(obj["template"])}
    spec = obj.get("spec") or {}
    return {**obj, "spec": {**spec, "template": _pod_template(spec.get("template") or {})}}


def _pod_template(template: Mapping[str, Any]) -> Object:
    labels = {"labels": (template.get("metadata") or {}).get("labels") or {}}
    return {**template, "metadata": labels, "spec": _pod_spec(template.get("spec") or {})}


def _node(node: Object) -> Object:
    return {**node, "status": _picked(node.get("status") or {}, _NODE_STATUS)}


def _without_parameters(config: Mapping[str, Any]) -> Object:
    opaque = config.get("opaque")
    return (
        {**config, "opaque": {"driver": opaque.get("driver"), "parameters": {}}} if opaque else dict(config)
    )


def _configs(holder: Object) -> Object:
    """A holder of `config`: the devices of a claim's spec or of its allocation, or a class's spec."""
    if not holder.get("config"):
        return holder
    return {**holder, "config": [_without_parameters(config) for config in holder["config"]]}


def _claim_spec(spec: Object) -> Object:
    return {**spec, "devices": _configs(spec["devices"])} if spec.get("devices") else spec


def _claim(claim: Object) -> Object:
    clean = {**claim, "spec": _claim_spec(claim["spec"])}
    status = claim.get("status") or {}
    allocation = status.get("allocation")
    if status:
        # What drivers write about devices in use (network data and the like) explains nothing here.
        clean["status"] = {key: value for key, value in status.items() if key != "devices"}
    if conditions := [
        _picked(entry, ("driver", "pool", "device", "shareID", "conditions"))
        for entry in status.get("devices") or ()
    ]:
        clean["status"]["devices"] = conditions
    if allocation and allocation.get("devices"):
        clean["status"]["allocation"] = {**allocation, "devices": _configs(allocation["devices"])}
    return clean


def _template(template: Object) -> Object:
    inner = template["spec"]
    return {**template, "spec": {**inner, "spec": _claim_spec(inner["spec"])}}


def _class(obj: Object) -> Object:
    return {**obj, "spec": _configs(obj.get("spec") or {})}


def _namespace(obj: Object) -> Object:
    return {key: value for key, value in obj.items() if key in ("apiVersion", "kind", "metadata")}


def _volume(obj: Object) -> Object:
    """Where it may be used and by whom; not what it is."""
    spec = _picked(obj["spec"], ("accessModes", "claimRef", "nodeAffinity", "storageClassName"))
    return {**obj, "spec": spec, "status": _picked(obj.get("status") or {}, ("phase",))}


def _storage_class(obj: Object) -> Object:
    return {key: value for key, value in obj.items() if key not in ("parameters", "mountOptions")}


_RULES: Mapping[str, Callable[[Object], Object]] = {
    "pods": _pod,
    "nodes": _node,
    **dict.fromkeys(_WORKLOADS, _workload),
    "namespaces": _namespace,
    "persistentvolumes": _volume,
    "storageclasses": _storage_class,
    "resourceclaims": _claim,
    "resourceclaimtemplates": _template,
    "deviceclasses": _class,
}
