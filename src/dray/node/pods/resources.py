"""What a pod as a whole asks for and may use: `status.resources` and `status.allocatedResources`. Pure.

Main containers and sidecars run together, so their amounts add up; an init container runs beside the sidecars before it
only, so the pod needs whichever is more. Source: kubernetes component-helpers/resource, 1.36.
"""

from collections.abc import Sequence
from typing import Literal

from dray.api.meta import Object
from dray.api.quantity import Quantity, parse_quantity
from dray.node.pods.view import ContainerView, Role

_Amounts = dict[str, Quantity]


def pod_resources(containers: Sequence[ContainerView]) -> Object:
    """The two fields; the second is left out by pods that ask for nothing."""
    requests, limits = _total(containers, "requests"), _total(containers, "limits")
    named = {"limits": limits, "requests": requests}
    fields: Object = {"resources": {key: amounts for key, amounts in named.items() if amounts}}
    if requests:
        fields["allocatedResources"] = requests
    return fields


def _total(containers: Sequence[ContainerView], kind: Literal["requests", "limits"]) -> dict[str, str]:
    running: _Amounts = {}
    peak: _Amounts = {}
    for view in containers:
        amounts = (view.spec.get("resources") or {}).get(kind) or {}
        own = {name: parse_quantity(text) for name, text in amounts.items()}
        if view.role is Role.INIT:
            peak = _larger(peak, _sum(running, own))
        else:
            running = _sum(running, own)
    return {name: str(amount) for name, amount in sorted(_larger(peak, running).items())}


def _sum(left: _Amounts, right: _Amounts) -> _Amounts:
    return left | {name: left[name] + amount if name in left else amount for name, amount in right.items()}


def _larger(left: _Amounts, right: _Amounts) -> _Amounts:
    return left | {
        name: max(left[name], amount) if name in left else amount for name, amount in right.items()
    }
