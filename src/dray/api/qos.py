"""The quality of service class of a pod: what its requests and limits for CPU and memory say of it."""

from collections.abc import Iterable, Mapping
from typing import Any

from dray.api.meta import Object
from dray.api.quantity import parse_quantity

_COUNTED = ("cpu", "memory")


def qos_class(spec: Mapping[str, Any]) -> str:
    """`Guaranteed`, `Burstable` or `BestEffort`, of a pod's spec."""
    if spec.get("resources") is not None:
        parts: list[Object] = [spec["resources"]]
    else:
        containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
        parts = [(container or {}).get("resources") or {} for container in containers]
    requests = [_amounts(part.get("requests")) for part in parts]
    limits = [_amounts(part.get("limits")) for part in parts]
    if not any(requests) and not any(limits):
        return "BestEffort"
    complete = all(set(limit) == set(_COUNTED) for limit in limits)
    return "Guaranteed" if complete and _totals(requests) == _totals(limits) else "Burstable"


def _amounts(resources: Mapping[str, Any] | None) -> dict[str, int]:
    """Amounts above zero of the resources that count, in billionths."""
    found = {name: parse_quantity((resources or {}).get(name) or "0").nanos for name in _COUNTED}
    return {name: amount for name, amount in found.items() if amount > 0}


def _totals(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for part in parts:
        for name, amount in part.items():
            totals[name] = totals.get(name, 0) + amount
    return totals
