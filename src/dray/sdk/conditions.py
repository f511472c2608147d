"""What `status.devices` says of a device in the forms of the API: conditions, and network data.

Decides when a condition has changed: its transition time moves only with its status. Pure.
"""

import dataclasses
import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from dray.api.meta import Object, format_time


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a device; `reason` is one CamelCase word, `message` is for people."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str = ""

    def to_api(self, previous: Iterable[Mapping[str, Any]], now: dt.datetime) -> Object:
        """The API's form, with the transition time of an equal condition among `previous`."""
        since = format_time(now)
        for condition in previous:
            if condition.get("type") == self.type and condition.get("status") == self.status:
                since = condition.get("lastTransitionTime") or since
        return {
            "type": self.type,
            "status": self.status,
            "reason": self.reason,
            "message": self.message,
            "lastTransitionTime": since,
        }


@dataclasses.dataclass(frozen=True, slots=True)
class NetworkData:
    """How a network device shows in the pod. `ips` are in CIDR form, e.g. "10.0.0.5/24"."""

    interface_name: str = ""
    ips: tuple[str, ...] = ()
    hardware_address: str = ""

    def to_api(self) -> Object:
        members = {
            "interfaceName": self.interface_name,
            "ips": list(self.ips),
            "hardwareAddress": self.hardware_address,
        }
        return {key: value for key, value in members.items() if value}
