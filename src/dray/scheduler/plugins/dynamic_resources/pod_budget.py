"""Whether what a pod asks for as a whole covers its containers together with what their devices take of the node.

Only once devices are chosen can this be known; the API server has checked the containers alone. Texts are upstream's.
"""

from collections.abc import Mapping
from typing import Any

from dray.api.meta import Object
from dray.api.node_claims import parts_of_container, shares
from dray.api.pod_requests import (
    Amounts,
    add_amounts,
    amount_of,
    parse_amounts,
    requests_of_containers,
    sum_of_containers,
)

_HUGE_PAGES = "hugepages-"


def exceeded_request(placed: Object) -> str:
    """Why the pod-level requests are too small, or ""."""
    of_pod = parse_amounts((placed["spec"].get("resources") or {}).get("requests"))
    needed = requests_of_containers(placed) if of_pod else {}
    for name in sorted(of_pod):
        if needed.get(name, 0) > of_pod[name]:
            return (
                f"pod level request for {name} is insufficient to cover the aggregated container "
                "and node-allocatable DRA requests"
            )
    return ""


def exceeded_limit(placed: Object) -> str:
    """Why the pod-level limits are too small, or "": huge pages for all containers, anything else for each of them."""
    of_pod = parse_amounts((placed["spec"].get("resources") or {}).get("limits"))
    huge = {name for name in of_pod if name.startswith(_HUGE_PAGES)}
    if huge:
        needed = _limits_of_containers(placed)
        for name in sorted(huge):
            if needed.get(name, 0) > of_pod[name]:
                return (
                    f"pod level limit for {name} is insufficient to cover the aggregated container "
                    "and node-allocatable DRA limits"
                )
    for container in placed["spec"]["containers"] if of_pod else ():
        limits = _limits(container)
        given = _given(placed, container["name"])
        for name in sorted((limits.keys() & of_pod.keys()) - huge):
            if limits[name] + given.get(name, 0) > of_pod[name]:
                return (
                    f"pod level limit for {name} is insufficient to cover the limit and DRA overhead "
                    f"for container {container['name']}"
                )
    return ""


def _limits(container: Mapping[str, Any]) -> Amounts:
    return parse_amounts((container.get("resources") or {}).get("limits"))


def _given(placed: Object, container: str) -> Amounts:
    """What its devices give to a container, or cost it."""
    total: Amounts = {}
    for name, quantity in parts_of_container(placed, container):
        add_amounts(total, {name: amount_of(name, quantity)})
    return total


def _limits_of_containers(placed: Object) -> Amounts:
    """Of all containers, with what their devices take."""
    claimed: dict[str, Amounts] = {}
    for container, (name, quantity) in shares(placed):
        add_amounts(claimed.setdefault(container, {}), {name: amount_of(name, quantity)})

    def of(container: Mapping[str, Any]) -> Amounts:
        limits = _limits(container)
        add_amounts(limits, claimed.get(container["name"], {}))
        return limits

    total = sum_of_containers(placed["spec"], of)
    add_amounts(total, claimed.get("", {}))
    return total
