"""Defaults of what a claim asks: how many devices, and how a toleration compares."""

from typing import Any

from dray.api.conversion.resource import FLAT
from dray.api.meta import Object


def default_claim_spec(spec: Object | None, version: str) -> None:
    for request in ((spec or {}).get("devices") or {}).get("requests") or ():
        if not request:
            continue
        if version == FLAT:
            if request.get("deviceClassName"):
                _default_selection(request)
            else:
                default_tolerations(request.get("tolerations"))
        elif request.get("exactly") is not None:
            _default_selection(request["exactly"])
        for alternative in request.get("firstAvailable") or ():
            if alternative is not None:
                _default_selection(alternative)


def default_claim_status(status: Object | None) -> None:
    allocation = (status or {}).get("allocation") or {}
    for result in (allocation.get("devices") or {}).get("results") or ():
        default_tolerations((result or {}).get("tolerations"))


def default_tolerations(tolerations: Any) -> None:
    for toleration in tolerations or ():
        if toleration is not None and not toleration.get("operator"):
            toleration["operator"] = "Equal"


def _default_selection(selection: Object) -> None:
    if not selection.get("allocationMode"):
        selection["allocationMode"] = "ExactCount"
    if selection["allocationMode"] == "ExactCount" and not selection.get("count"):
        selection["count"] = 1
    default_tolerations(selection.get("tolerations"))
