"""The description of a Pod, in kubectl's order and words."""

from collections.abc import Iterator, Mapping
from typing import Any

from dray.api.meta import Object, labels_of, name_of, namespace_of
from dray.cli.kubectl.describe import annotation_lines, event_lines, events_of, label_lines, long_time
from dray.cli.kubectl.describe_template import container_sections, toleration_lines, volume_lines
from dray.cli.kubectl.session import Session


async def pod(session: Session, obj: Object) -> list[str]:
    return [*pod_lines(obj), *event_lines(await events_of(session, obj))]


def pod_lines(pod: Object) -> Iterator[str]:
    spec, status = pod["spec"], pod.get("status") or {}
    yield f"Name:\t{name_of(pod)}"
    yield f"Namespace:\t{namespace_of(pod)}"
    yield f"Priority:\t{spec.get('priority', 0)}"
    if spec.get("priorityClassName"):
        yield f"Priority Class Name:\t{spec['priorityClassName']}"
    yield f"Service Account:\t{spec.get('serviceAccountName', '')}"
    node = spec.get("nodeName")
    yield f"Node:\t{node}/{status.get('hostIP', '')}" if node else "Node:\t<none>"
    if status.get("startTime"):
        yield f"Start Time:\t{long_time(status['startTime'])}"
    yield from label_lines("Labels", labels_of(pod))
    yield from annotation_lines(pod)
    yield from _status_lines(pod, status)
    yield from container_sections(spec, status, _own_fields(pod))
    yield from _condition_lines(status)
    yield from volume_lines(spec.get("volumes") or [])
    yield f"QoS Class:\t{status.get('qosClass', '')}"
    yield from label_lines("Node-Selectors", spec.get("nodeSelector"))
    yield from toleration_lines(spec.get("tolerations") or [])


def _status_lines(pod: Object, status: Mapping[str, Any]) -> Iterator[str]:
    if pod["metadata"].get("deletionTimestamp"):
        yield f"Status:\tTerminating (lasts {'<invalid>'})"
        yield f"Termination Grace Period:\t{pod['metadata'].get('deletionGracePeriodSeconds', 0)}s"
    else:
        yield f"Status:\t{status.get('phase', '')}"
    for field in ("reason", "message"):
        if status.get(field):
            yield f"{field.title()}:\t{status[field]}"
    yield f"IP:\t{status.get('podIP', '')}"
    addresses = status.get("podIPs") or []
    yield "IPs:" if addresses else "IPs:\t<none>"
    for address in addresses:
        yield f"  IP:\t{address['ip']}"
    for owner in pod["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            yield f"Controlled By:\t{owner['kind']}/{owner['name']}"


def _own_fields(pod: Object) -> dict[str, str]:
    """Values of the downward API that kubectl shows: those that the object has itself."""
    return {f"metadata.{name}": str(pod["metadata"].get(name, "")) for name in ("name", "namespace", "uid")}


def _condition_lines(status: Mapping[str, Any]) -> Iterator[str]:
    conditions = status.get("conditions") or []
    if conditions:
        yield "Conditions:"
        yield "  Type\tStatus"
        for condition in conditions:
            yield f"  {condition['type']} \t{condition['status']} "
