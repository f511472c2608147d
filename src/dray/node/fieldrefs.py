"""What a pod may ask about itself: the downward API's field and resource references. Pure.

Texts of errors are the kubelet's; they end up in events and waiting messages.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from dray.api.meta import Object, annotations_of, labels_of
from dray.api.quantity import Quantity, parse_quantity

_SUBSCRIPT = re.compile(r"^(metadata\.(?:labels|annotations))\['(.*)'\]$")
_PLAIN_RESOURCES = ("cpu", "memory", "ephemeral-storage")


class FieldError(ValueError):
    """The reference cannot be resolved."""


def field_value(pod: Mapping[str, Any], path: str, host_ips: Sequence[str], pod_ips: Sequence[str]) -> str:
    """The value of `fieldRef.fieldPath`. `host_ips`, `pod_ips`: the addresses known now, main one first."""
    if match := _SUBSCRIPT.match(path):
        values = labels_of(pod) if match[1] == "metadata.labels" else annotations_of(pod)
        return values.get(match[2], "")
    meta, spec = pod["metadata"], pod["spec"]
    match path:
        case "metadata.name" | "metadata.namespace" | "metadata.uid":
            return str(meta.get(path.removeprefix("metadata."), ""))
        case "metadata.labels":
            return format_map(labels_of(pod))
        case "metadata.annotations":
            return format_map(annotations_of(pod))
        case "spec.nodeName":
            return str(spec.get("nodeName", ""))
        case "spec.serviceAccountName":
            return str(spec.get("serviceAccountName", ""))
        case "status.hostIP":
            return host_ips[0] if host_ips else ""
        case "status.hostIPs":
            return ",".join(host_ips)
        case "status.podIP":
            return pod_ips[0] if pod_ips else ""
        case "status.podIPs":
            return ",".join(pod_ips)
    raise FieldError(f"unsupported fieldPath: {path}")


def format_map(values: Mapping[str, str]) -> str:
    """`key="value"` lines, sorted, as downward API files show labels and annotations."""
    return "\n".join(f'{key}="{_escape(values[key])}"' for key in sorted(values))


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")


def resource_value(
    pod: Mapping[str, Any],
    reference: Mapping[str, Any],
    allocatable: Mapping[str, str],
    container_name: str = "",
) -> str:
    """The value of a `resourceFieldRef`; limits that are not set count as the node's `allocatable`.

    `container_name` is the container that asks, where the reference names none.
    """
    container = _find_container(pod, reference.get("containerName") or container_name)
    resource = str(reference["resource"])
    kind, _, name = resource.partition(".")
    if kind not in ("limits", "requests") or not _is_known(name):
        raise FieldError(f"unsupported container resource : {resource}")
    resources = container.get("resources") or {}
    quantity = _quantity((resources.get(kind) or {}).get(name))
    if quantity is None and kind == "limits":
        quantity = _quantity(allocatable.get(name))
    elif quantity is None and kind == "requests":
        quantity = _quantity((resources.get("limits") or {}).get(name))
    return _divided(quantity or Quantity.of(0), str(reference.get("divisor") or "0"), is_cpu=name == "cpu")


def _is_known(name: str) -> bool:
    return name in _PLAIN_RESOURCES or name.startswith("hugepages-")


def _quantity(text: Any) -> Quantity | None:
    return parse_quantity(text) if text is not None else None


def _divided(quantity: Quantity, divisor: str, *, is_cpu: bool) -> str:
    by = parse_quantity(divisor)
    if is_cpu:
        milli = by.milli_value() or 1000
        return str(-(-quantity.milli_value() // milli))
    return str(-(-quantity.value() // (by.value() or 1)))


def _find_container(pod: Mapping[str, Any], name: str) -> Object:
    spec = pod["spec"]
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        if container["name"] == name:
            return dict(container)
    raise FieldError(f"container {name} not found")
