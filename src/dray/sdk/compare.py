"""When two API values mean the same: quantities by value, nothing and emptiness alike, taints but for their time.

A publisher that took `80Gi` and `85899345920` for different would update its slices for ever.
"""

from collections.abc import Mapping
from typing import Any, Final

from dray.api.meta import Object, parse_time
from dray.api.quantity import InvalidQuantity, parse_quantity

_TIME_TOLERANCE_SECONDS: Final = 1.0


def same(stored: Any, desired: Any, key: str = "") -> bool:
    """Whether `stored` (by the server) says what `desired` says; `key` is the member they are found under."""
    if stored in (None, [], {}) and desired in (None, [], {}):
        return True
    if isinstance(stored, Mapping) and isinstance(desired, Mapping):
        return all(
            _same_time(stored.get(name), desired.get(name))
            if name == "timeAdded"
            else same(stored.get(name), desired.get(name), name)
            for name in stored.keys() | desired.keys()
        )
    if isinstance(stored, (list, tuple)) and isinstance(desired, (list, tuple)):
        return len(stored) == len(desired) and all(
            same(one, other, key) for one, other in zip(stored, desired, strict=True)
        )
    if type(stored) is not type(desired):
        return False
    return stored == desired or (isinstance(stored, str) and _same_quantity(key, stored, desired))


_QUANTITY_MEMBERS: Final = frozenset(
    {
        *("value", "default", "min", "max", "step", "validValues"),
        *("allocationMultiplier", "capacityMultiplier", "deviceMultiplier", "perPod", "perContainer"),
    }
)


def _same_quantity(key: str, stored: str, desired: str) -> bool:
    # A taint's value is a plain string under the same key; two different texts that are equal quantities ("1" and
    # "1.0") are not worth an update there either.
    if key not in _QUANTITY_MEMBERS:
        return False
    try:
        return parse_quantity(stored) == parse_quantity(desired)
    except InvalidQuantity:
        return False


def _same_time(stored: Any, desired: Any) -> bool:
    """A taint without a time gets one from the server, so "no time" equals any."""
    if stored is None or desired is None:
        return True
    difference = parse_time(stored) - parse_time(desired)
    return abs(difference.total_seconds()) <= _TIME_TOLERANCE_SECONDS


def keep_time_added(stored: Object, desired: Object) -> Object:
    """`desired` with the server's time for every taint that it already had.

    A taint that got a new time would start the tolerations of running pods over.
    """
    times = {
        (device["name"], taint["key"], taint.get("value", ""), taint["effect"]): taint["timeAdded"]
        for device in stored.get("devices") or ()
        for taint in device.get("taints") or ()
        if taint.get("timeAdded")
    }
    if not times:
        return desired
    devices = []
    for device in desired.get("devices") or ():
        taints = [
            taint
            if taint.get("timeAdded") or not (known := times.get(_taint_key(device, taint)))
            else {**taint, "timeAdded": known}
            for taint in device.get("taints") or ()
        ]
        devices.append({**device, "taints": taints} if taints else device)
    return {**desired, "devices": devices}


def _taint_key(device: Object, taint: Object) -> tuple[str, str, str, str]:
    return device["name"], taint["key"], taint.get("value", ""), taint["effect"]
