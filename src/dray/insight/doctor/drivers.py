"""Drivers: DaemonSets that run nowhere, drivers that are gone while their devices are in use, drivers that fail to prepare."""

from collections import Counter
from collections.abc import Callable, Iterator

from dray.api.meta import Object, is_deleting, key_of, labels_of, name_of
from dray.api.pods import is_terminal
from dray.api.resources import NODES, RESOURCE_SLICES
from dray.insight.claim_state import read_claims
from dray.insight.doctor.driver_pods import is_driver, log_command
from dray.insight.doctor.finding import ERROR, Finding
from dray.insight.doctor.holdings import drivers_of
from dray.insight.node_fit import NodeFit
from dray.insight.snapshot import Snapshot

_NODES_SHOWN = 3


def driver_findings(snapshot: Snapshot) -> Iterator[Finding]:
    for obj in snapshot.daemon_sets:
        if is_driver(obj):
            yield from _daemon_set(snapshot, obj)
    yield from _lost(snapshot)
    yield from _failing(snapshot)


def _daemon_set(snapshot: Snapshot, obj: Object) -> Iterator[Finding]:
    status = obj.get("status") or {}
    namespace, name = key_of(obj)
    subject = f"DaemonSet {namespace}/{name}"
    desired, ready = status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
    if desired == 0:
        yield Finding(
            ERROR, subject, "wants 0 pods, so its driver publishes no device anywhere",
            "status.desiredNumberScheduled is 0. " + _why_nowhere(snapshot, obj),
            _admitting(snapshot, obj) or f"kubectl -n {namespace} get ds {name} -o yaml",
            "label or untaint nodes for it, or correct its nodeSelector, affinity and tolerations. A chart's default "
            "affinity stays where values say `affinity: {}`; `affinity: null` takes it away",
        )  # fmt: skip
    elif ready < desired:
        yield Finding(
            ERROR, subject, f"{ready} of {desired} pods are ready", "status.numberReady, status.desiredNumberScheduled",
            f"kubectl -n {namespace} describe ds {name}",
        )  # fmt: skip


def _why_nowhere(snapshot: Snapshot, obj: Object) -> str:
    """What each node lacks for the DaemonSet's pods."""
    if not snapshot.knows(NODES):
        return "The nodes could not be read"
    if not snapshot.nodes:
        return "There are no nodes"
    against = _against(snapshot, obj)
    found = Counter("; ".join(against(node)) for node in snapshot.nodes)
    shown = [
        f"{count} nodes: {text or 'nothing is against it'}" for text, count in found.most_common(_NODES_SHOWN)
    ]
    return ". ".join(shown)


def _admitting(snapshot: Snapshot, obj: Object) -> str:
    """A command that labels the first node which lacks nothing but labels of the DaemonSet's nodeSelector."""
    spec = (obj["spec"].get("template") or {}).get("spec") or {}
    wanted = spec.get("nodeSelector") or {}
    against = _against(snapshot, obj)
    for node in snapshot.nodes if wanted else ():
        labels = labels_of(node)
        lacking = {key: value for key, value in wanted.items() if labels.get(key) != value}
        if lacking and len(against(node)) == len(lacking):
            given = " ".join(f"{key}={value}" for key, value in lacking.items())
            return f"kubectl label node {name_of(node)} {given} --overwrite"
    return ""


def _against(snapshot: Snapshot, obj: Object) -> Callable[[Object], list[str]]:
    """What is against a node for pods of a DaemonSet."""
    template = obj["spec"].get("template") or {}
    spec = template.get("spec") or {}
    # DaemonSets tolerate cordons and the taints of troubled nodes by themselves.
    tolerations = [
        *(spec.get("tolerations") or ()),
        *({"key": key, "operator": "Exists"} for key in _TOLERATED),
    ]
    pod = {
        "kind": "Pod", "metadata": {**obj["metadata"], **(template.get("metadata") or {}), "name": name_of(obj)},
        "spec": {**spec, "tolerations": tolerations},
    }  # fmt: skip
    return NodeFit(snapshot, pod, (), {}).reasons


_TOLERATED = tuple(
    f"node.kubernetes.io/{name}"
    for name in ("not-ready", "unreachable", "disk-pressure", "memory-pressure", "pid-pressure", "unschedulable", "network-unavailable")
)  # fmt: skip


def _lost(snapshot: Snapshot) -> Iterator[Finding]:
    if not snapshot.knows(RESOURCE_SLICES):
        return
    publishing = {obj["spec"]["driver"] for obj in snapshot.slices}
    held: dict[str, list[str]] = {}
    for claim in snapshot.claims:
        for driver in drivers_of(claim):
            held.setdefault(driver, []).append(str(key_of(claim)))
    for driver, claims in held.items():
        if driver not in publishing:
            yield Finding(
                ERROR, f"driver {driver}", "publishes nothing any more, and its devices are in use: pods that use them cannot start or end",
                f"no ResourceSlice of {driver}; {len(claims)} claims hold its devices: {', '.join(claims[:3])}",
                "kubectl get ds,pods -A | grep -i dra", "start the driver again before its pods are deleted",
            )  # fmt: skip


def _failing(snapshot: Snapshot) -> Iterator[Finding]:
    """Pods that wait for a driver on their node, by node and by what the kubelet says."""
    waiting: dict[tuple[str, str], list[Object]] = {}
    for pod in snapshot.pods:
        status = pod.get("status") or {}
        node = pod["spec"].get("nodeName")
        if not node or is_deleting(pod) or is_terminal(pod) or status.get("phase") == "Running":
            continue
        texts = [
            str(event.get("message", ""))
            for event in snapshot.events_of(pod)
            if event.get("reason") == "FailedPrepareDynamicResources"
        ]
        if texts:
            waiting.setdefault((node, texts[-1]), []).append(pod)
    for (node, text), pods in waiting.items():
        driver = _driver_in(text) or ", ".join(_drivers_of(snapshot, pods[0]))
        names = ", ".join(str(key_of(pod)) for pod in pods[:3])
        what = (
            "does not know driver"
            if "is not registered" in text
            else "cannot have devices prepared by driver"
        )
        yield Finding(
            ERROR, f"node {node}", f"the kubelet {what} {driver}; {len(pods)} pods wait: {names}",
            f"event FailedPrepareDynamicResources: {text}", log_command(snapshot, node, driver),
            f"correct what the driver complains about (its log says more); the kubelet on {node} tries again by itself",
        )  # fmt: skip


def _drivers_of(snapshot: Snapshot, pod: Object) -> list[str]:
    """The drivers of the devices that a pod has."""
    return sorted({d for claim in read_claims(snapshot, pod).allocated for d in drivers_of(claim)})


def _driver_in(text: str) -> str:
    """`... DRA driver gpu.example.com is not registered`."""
    after = text.partition("DRA driver ")[2] or text.partition("driver ")[2]
    return after.split(" ")[0].strip(":,") if after else ""
