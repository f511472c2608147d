"""Which pods stand behind a service, where each is reached, and at which ports: pure, shared by the loops that write it down."""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from dray.api.meta import Object, is_deleting, labels_of, name_of, namespace_of, uid_of
from dray.api.pods import addresses_of, is_ready, is_terminal

HEADLESS: Final = "service.kubernetes.io/headless"


def is_followed(service: Object) -> bool:
    """Whether its addresses are worked out, and not written by somebody else."""
    spec = service["spec"]
    return bool(spec.get("selector")) and spec.get("type") != "ExternalName"


def selects_pod(service: Object, pod: Object) -> bool:
    return is_followed(service) and service["spec"]["selector"].items() <= labels_of(pod).items()


def pods_behind(service: Object, pods: Iterable[Object]) -> Iterator[Object]:
    """Those that have an address and may still answer."""
    for pod in pods:
        if selects_pod(service, pod) and addresses_of(pod) and not is_terminal(pod):
            yield pod


def is_served(service: Object, pod: Object) -> bool:
    """Whether requests may be sent to the pod."""
    if service["spec"].get("publishNotReadyAddresses"):
        return True
    return is_ready(pod) and not is_deleting(pod)


def families(service: Object) -> list[str]:
    return list(service["spec"].get("ipFamilies") or ("IPv4",))


def address_in(pod: Object, family: str) -> str:
    """Empty where the pod has none of that family."""
    return next((each for each in addresses_of(pod) if family_of(each) == family), "")


def family_of(address: str) -> str:
    try:
        return f"IPv{ipaddress.ip_address(address).version}"
    except ValueError:
        return "FQDN"


def ports_at(service: Object, pod: Object) -> list[Object]:
    """The service's ports as the pod has them; those that the pod does not name are left out."""
    found = []
    for port in service["spec"].get("ports") or ():
        number = _number(port, pod)
        if number is not None:
            parts = {
                "name": port.get("name") or "",
                "port": number,
                "protocol": port.get("protocol") or "TCP",
                "appProtocol": port.get("appProtocol"),
            }
            found.append({key: value for key, value in parts.items() if value is not None})
    return found


def _number(port: Mapping[str, Any], pod: Object) -> int | None:
    target = port.get("targetPort") or port.get("port") or 0
    if isinstance(target, int):
        return target
    protocol = port.get("protocol") or "TCP"
    spec = pod["spec"]
    sidecars = [each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"]
    for container in (*(spec.get("containers") or ()), *sidecars):
        for each in container.get("ports") or ():
            if each.get("name") == target and (each.get("protocol") or "TCP") == protocol:
                return int(each["containerPort"])
    return None


def reference_to(pod: Object) -> Object:
    return {"kind": "Pod", "name": name_of(pod), "namespace": namespace_of(pod), "uid": uid_of(pod)}


def hostname_in(service: Object, pod: Object) -> str:
    """The name that the pod has below the service's."""
    spec = pod["spec"]
    is_below = spec.get("subdomain") == name_of(service)
    return str(spec.get("hostname") or "") if is_below else ""


def labels_for(service: Object, *reserved: str) -> dict[str, str]:
    """What is written down carries the service's labels, but for those that tell of the writer."""
    labels = {key: text for key, text in labels_of(service).items() if key not in (HEADLESS, *reserved)}
    if service["spec"].get("clusterIP") in (None, "", "None"):
        labels[HEADLESS] = ""
    return labels
