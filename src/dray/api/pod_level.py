"""Resources of a pod as a whole beside those of its containers: what its containers need together, and by which names."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from dray.api.pod_requests import sum_of_containers
from dray.api.quantity import Quantity, parse_quantity

HUGE_PAGES: Final = "hugepages-"
SHARED: Final = ("cpu", "memory")
"""What containers may use more of together than they asked for each."""


def is_of_pod(name: str) -> bool:
    """A resource that a pod as a whole can have."""
    return name in SHARED or name.startswith(HUGE_PAGES)


def together(spec: Mapping[str, Any], part: Literal["requests", "limits"]) -> dict[str, Quantity]:
    """What the containers of a pod need at once, by resource, in the order of their names."""

    def amounts_of(container: Mapping[str, Any]) -> dict[str, Quantity]:
        amounts = (container.get("resources") or {}).get(part) or {}
        return {name: parse_quantity(text) for name, text in amounts.items()}

    return dict(sorted(sum_of_containers(spec, amounts_of).items()))


def default_requests(spec: dict[str, Any]) -> None:
    """Complete what a pod as a whole is limited to: pages as its containers have them, requests as those ask together.

    Of what no container asks for, the limit is asked for.
    """
    resources = spec.get("resources") or {}
    if not (resources.get("limits") or resources.get("requests")):
        return
    limits, requests = dict(resources.get("limits") or {}), dict(resources.get("requests") or {})
    for name, amount in together(spec, "limits").items():
        if name.startswith(HUGE_PAGES) and name not in limits and name not in requests:
            limits[name] = str(amount)
    if not limits:
        return
    resources["limits"] = limits
    for name, amount in together(spec, "requests").items():
        if name in SHARED:
            requests.setdefault(name, str(amount))
    for name, text in limits.items():
        if is_of_pod(name):
            requests.setdefault(name, text)
    if requests:
        resources["requests"] = requests
