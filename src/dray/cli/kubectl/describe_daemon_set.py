"""The description of a DaemonSet."""

from collections import Counter
from collections.abc import Iterable, Iterator

from dray.api.meta import Object, name_of, namespace_of, uid_of
from dray.api.resources import PODS
from dray.cli.kubectl.describe import annotation_lines, event_lines, events_of, label_lines
from dray.cli.kubectl.describe_template import container_sections, toleration_lines, volume_lines
from dray.cli.kubectl.session import Session
from dray.client.protocol import Selection


async def daemon_set(session: Session, obj: Object) -> list[str]:
    spec, status = obj["spec"], obj.get("status") or {}
    selector = _selector_text(spec["selector"])
    pods = (await session.client.list(PODS, Selection(namespace_of(obj), selector))).items
    counts = [
        ("Desired Number of Nodes Scheduled", "desiredNumberScheduled"),
        ("Current Number of Nodes Scheduled", "currentNumberScheduled"),
        ("Number of Nodes Scheduled with Up-to-date Pods", "updatedNumberScheduled"),
        ("Number of Nodes Scheduled with Available Pods", "numberAvailable"),
        ("Number of Nodes Misscheduled", "numberMisscheduled"),
    ]
    return [
        f"Name:\t{name_of(obj)}",
        f"Selector:\t{selector}",
        *label_lines("Node-Selector", spec["template"]["spec"].get("nodeSelector")),
        *label_lines("Labels", obj["metadata"].get("labels")),
        *annotation_lines(obj),
        *(f"{title}: {status.get(field, 0)}" for title, field in counts),
        f"Pods Status:\t{_pods_status(pod for pod in pods if _is_controlled(pod, obj))}",
        *_template_lines(spec["template"]),
        *event_lines(await events_of(session, obj)),
    ]


def _selector_text(selector: Object) -> str:
    terms = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for each in selector.get("matchExpressions") or ():
        values = ",".join(sorted(each.get("values") or ()))
        terms.append(
            {
                "In": f"{each['key']} in ({values})",
                "NotIn": f"{each['key']} notin ({values})",
                "Exists": each["key"],
                "DoesNotExist": f"!{each['key']}",
            }[each["operator"]]
        )
    return ",".join(sorted(terms))


def _is_controlled(pod: Object, owner: Object) -> bool:
    references = pod["metadata"].get("ownerReferences") or ()
    return any(each.get("controller") and each["uid"] == uid_of(owner) for each in references)


def _pods_status(pods: Iterable[Object]) -> str:
    phases = Counter((pod.get("status") or {}).get("phase", "") for pod in pods)
    shown = {"Running": "Running", "Waiting": "Pending", "Succeeded": "Succeeded", "Failed": "Failed"}
    return " / ".join(f"{phases[phase]} {title}" for title, phase in shown.items())


def _template_lines(template: Object) -> Iterator[str]:
    spec = template["spec"]
    yield "Pod Template:"
    yield from label_lines("Labels", template["metadata"].get("labels"), "  ")
    if template["metadata"].get("annotations"):
        yield from annotation_lines(template, "  ")
    if spec.get("serviceAccountName"):
        yield f"  Service Account:\t{spec['serviceAccountName']}"
    yield from container_sections(spec, {}, {}, "  ")
    yield from volume_lines(spec.get("volumes") or [], "  ")
    if spec.get("priorityClassName"):
        yield f"  Priority Class Name:\t{spec['priorityClassName']}"
    yield from label_lines("Node-Selectors", spec.get("nodeSelector"), "  ")
    yield from toleration_lines(spec.get("tolerations") or [], "  ")
