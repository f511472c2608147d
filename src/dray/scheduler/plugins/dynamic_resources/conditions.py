"""Binding conditions: devices that must be made ready after they were chosen and before the pod is bound.

Drivers report in `status.devices`. A failure condition counts before success. The wait is measured from the claim's
`allocationTimestamp`, so that a restarted scheduler does not start over.
"""

import datetime as dt
from collections.abc import Iterator

from dray.api.meta import Object, parse_time
from dray.scheduler.assume import allocation_of


class BindingConditionFailed(Exception):
    """A device reports that it will not become ready."""


def conditional_results(claim: Object) -> Iterator[Object]:
    """The allocated devices that ask for conditions."""
    allocation = allocation_of(claim) or {}
    for result in (allocation.get("devices") or {}).get("results") or ():
        if result.get("bindingConditions"):
            yield result


def has_conditions(claim: Object) -> bool:
    return next(conditional_results(claim), None) is not None


def is_ready(claim: Object) -> bool:
    """Whether all conditional devices are ready. Raises BindingConditionFailed when one never will be."""
    # A failure of any device must be seen, so every device is looked at.
    ready = [_device_is_ready(claim, result) for result in conditional_results(claim)]
    return all(ready)


def has_failed(claim: Object) -> bool:
    try:
        is_ready(claim)
    except BindingConditionFailed:
        return True
    return False


def _device_is_ready(claim: Object, result: Object) -> bool:
    status = _status_of_device(claim, result)
    conditions = {each["type"]: each for each in (status or {}).get("conditions") or ()}
    for name in result.get("bindingFailureConditions") or ():
        condition = conditions.get(name)
        if condition is not None and condition.get("status") == "True":
            raise BindingConditionFailed(
                f"device binding failed: claim={claim['metadata']['name']}, "
                f'reason={condition.get("reason", "")}, message="{condition.get("message", "")}"'
            )
    return all((conditions.get(name) or {}).get("status") == "True" for name in result["bindingConditions"])


def _status_of_device(claim: Object, result: Object) -> Object | None:
    identity = (result["driver"], result["pool"], result["device"])
    for status in (claim.get("status") or {}).get("devices") or ():
        if (status["driver"], status["pool"], status["device"]) == identity:
            found: Object = status
            return found
    return None


def seconds_left(claim: Object, now: dt.datetime, timeout_seconds: float) -> float:
    """How long the claim's devices may still take; negative when they took too long."""
    started = (allocation_of(claim) or {}).get("allocationTimestamp")
    if started is None:
        return timeout_seconds
    return timeout_seconds - (now - parse_time(started)).total_seconds()
