"""The description of a node: its conditions, what it has, which pods it runs and what they ask for."""

from collections.abc import Iterator, Mapping
from typing import Any

from dray.api import errors
from dray.api.meta import Object, labels_of, name_of, namespace_of
from dray.api.pod_requests import CPU, Amounts, parse_amounts, pod_requests
from dray.api.quantity import Format, Quantity
from dray.api.resources import EVENTS, LEASES, PODS
from dray.cli.kubectl.describe import (
    age_of,
    annotation_lines,
    event_lines,
    events_of,
    label_lines,
    listed,
    long_time,
)
from dray.cli.kubectl.session import Session
from dray.client.protocol import Selection

LEASE_NAMESPACE = "kube-node-lease"
_ROLE = "node-role.kubernetes.io/"
_STANDARD = (CPU, "memory", "ephemeral-storage")


async def node(session: Session, obj: Object) -> list[str]:
    name = name_of(obj)
    fields = f"spec.nodeName={name},status.phase!=Succeeded,status.phase!=Failed"
    pods = (await session.client.list(PODS, Selection(fields=fields))).items
    return [
        *_header_lines(obj),
        *await _lease(session, name),
        *_status_lines(obj["status"]),
        *_network_lines(obj["spec"]),
        *_pod_lines(pods, obj["status"].get("allocatable") or {}),
        *event_lines([*await events_of(session, obj), *await _kubelet_events(session, name)]),
    ]


def _header_lines(obj: Object) -> Iterator[str]:
    labels = labels_of(obj)
    roles = sorted(label.removeprefix(_ROLE) for label in labels if label.startswith(_ROLE))
    taints = [
        f"{taint['key']}{'=' if taint.get('value') else ''}{taint.get('value', '')}:{taint['effect']}"
        for taint in sorted(
            obj["spec"].get("taints") or (), key=lambda taint: f"{taint['effect']},{taint['key']}"
        )
    ]
    yield f"Name:\t{name_of(obj)}"
    yield f"Roles:\t{','.join(roles) or '<none>'}"
    yield from label_lines("Labels", labels)
    yield from annotation_lines(obj)
    yield f"CreationTimestamp:\t{long_time(obj['metadata']['creationTimestamp'])}"
    yield from listed("Taints", taints)
    yield f"Unschedulable:\t{str(bool(obj['spec'].get('unschedulable'))).lower()}"


async def _lease(session: Session, name: str) -> list[str]:
    try:
        lease = await session.client.get(LEASES, name, LEASE_NAMESPACE)
    except errors.StatusError as error:
        return [f"Lease:\tFailed to get lease: {error.message}"]
    return list(_lease_lines(lease.get("spec") or {}))


def _lease_lines(spec: Mapping[str, Any]) -> Iterator[str]:
    yield "Lease:"
    yield f"  HolderIdentity:\t{spec.get('holderIdentity', '<unset>')}"
    for title, field in (("AcquireTime", "acquireTime"), ("RenewTime", "renewTime")):
        yield f"  {title}:\t{long_time(spec[field]) if spec.get(field) else '<unset>'}"


def _status_lines(status: Object) -> Iterator[str]:
    if conditions := status.get("conditions"):
        yield "Conditions:"
        yield "  Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage"
        yield "  ----\t------\t-----------------\t------------------\t------\t-------"
        for each in conditions:
            times = "\t".join(
                f"{long_time(each[name])} " for name in ("lastHeartbeatTime", "lastTransitionTime")
            )
            told = f"{each.get('reason', '')} \t{each.get('message', '')}"
            yield f"  {each['type']} \t{each['status']} \t{times}\t{told}"
    yield "Addresses:"
    for address in status.get("addresses") or ():
        yield f"  {address['type']}:\t{address['address']}"
    for title in ("Capacity", "Allocatable"):
        if amounts := status.get(title.lower()):
            yield f"{title}:"
            yield from (f"  {resource}:\t{amount}" for resource, amount in sorted(amounts.items()))
    about = status.get("nodeInfo") or {}
    yield "System Info:"
    for title, field in _SYSTEM.items():
        yield f"  {title}:\t{about.get(field, '')}"


_SYSTEM = {
    "Machine ID": "machineID",
    "System UUID": "systemUUID",
    "Boot ID": "bootID",
    "Kernel Version": "kernelVersion",
    "OS Image": "osImage",
    "Operating System": "operatingSystem",
    "Architecture": "architecture",
    "Container Runtime Version": "containerRuntimeVersion",
    "Kubelet Version": "kubeletVersion",
    "Kube-Proxy Version": "kubeProxyVersion",
}


def _network_lines(spec: Object) -> Iterator[str]:
    if spec.get("podCIDR"):
        yield f"PodCIDR:\t{spec['podCIDR']}"
        yield f"PodCIDRs:\t{','.join(spec.get('podCIDRs') or ())}"
    if spec.get("providerID"):
        yield f"ProviderID:\t{spec['providerID']}"


def _pod_lines(pods: list[Object], allocatable: Mapping[str, Any]) -> Iterator[str]:
    has = parse_amounts(allocatable)
    yield f"Non-terminated Pods:\t({len(pods)} in total)"
    yield "  Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge"
    yield "  ---------\t----\t\t------------\t----------\t---------------\t-------------\t---"
    wanted: Amounts = {}
    limits: Amounts = {}
    for pod in pods:
        asks, bounds = pod_requests(pod), pod_requests(_by_limits(pod))
        cells = [_part(amounts, name, has) for name in (CPU, "memory") for amounts in (asks, bounds)]
        yield f"  {namespace_of(pod)}\t{name_of(pod)}\t\t" + "\t".join(
            [*cells, age_of(pod["metadata"]["creationTimestamp"])]
        )
        for total, amounts in ((wanted, asks), (limits, bounds)):
            for name, amount in amounts.items():
                total[name] = total.get(name, 0) + amount
    yield "Allocated resources:"
    yield "  (Total limits may be over 100 percent, i.e., overcommitted.)"
    yield "  Resource\tRequests\tLimits"
    yield "  --------\t--------\t------"
    for name in _STANDARD:
        yield f"  {name}\t{_part(wanted, name, has)}\t{_part(limits, name, has)}"
    for name in sorted(set(allocatable) - {*_STANDARD, "pods"}):
        if name.startswith("hugepages-"):
            yield f"  {name}\t{_part(wanted, name, has)}\t{_part(limits, name, has)}"
        else:
            yield f"  {name}\t{wanted.get(name, 0)}\t{limits.get(name, 0)}"


def _by_limits(pod: Object) -> Object:
    """A pod that asks for what this one may use at most."""

    def bounded(owner: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**owner, "resources": {"requests": (owner.get("resources") or {}).get("limits")}}

    spec = {**bounded(pod["spec"])}
    for field in ("containers", "initContainers"):
        spec[field] = [bounded(container) for container in spec.get(field) or ()]
    return {"metadata": pod["metadata"], "spec": spec}


def _part(amounts: Amounts, name: str, has: Amounts) -> str:
    """An amount, and how much of the node it is."""
    amount = amounts.get(name, 0)
    percent = int(amount / has[name] * 100) if has.get(name) else 0
    return f"{_shown(name, amount)} ({percent}%)"


def _shown(name: str, amount: int) -> str:
    if name == CPU:
        return str(amount // 1000) if amount % 1000 == 0 else f"{amount}m"
    return str(Quantity.of(amount, Format.BINARY_SI)) if amount else "0"


async def _kubelet_events(session: Session, name: str) -> list[Object]:
    """Kubelets tell of their node by its name where others tell of it by its UID."""
    fields = f"involvedObject.name={name},involvedObject.namespace=,involvedObject.uid={name}"
    return (await session.client.list(EVENTS, Selection(fields=fields))).items
