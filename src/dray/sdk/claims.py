"""A ResourceClaim as one driver sees it: its own devices, and the configuration that applies to each.

Decides which allocation results and which opaque configurations belong to a driver, and in which order of precedence.
Pure; the claim comes from whoever fetched it.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from dray.api.meta import Object, name_of, namespace_of, uid_of
from dray.sdk.errors import ClaimError


@dataclasses.dataclass(frozen=True, slots=True)
class ClaimRef:
    """What the kubelet says of a claim; at unpreparing the object itself may be gone."""

    uid: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclasses.dataclass(frozen=True, slots=True)
class AllocatedDevice:
    """One allocation result of this driver."""

    request: str
    """As allocated: the request, or `request/subrequest` of a prioritized list."""
    pool: str
    device: str
    share_id: str = ""
    """Set when the device may be shared: the same device can then appear several times, with different ids."""
    admin_access: bool = False
    """The claim may look at the device but does not own it: do not reconfigure it."""
    consumed_capacity: Mapping[str, str] = dataclasses.field(default_factory=dict)
    raw: Object = dataclasses.field(default_factory=dict, compare=False)
    """The result as the API holds it."""

    @property
    def base_request(self) -> str:
        """The request without a sub-request; what the kubelet matches containers by."""
        return self.request.partition("/")[0]

    @property
    def id(self) -> str:
        """Unique among the devices of a claim, unless two pools share device names: `device[-share]`."""
        return f"{self.device}-{self.share_id}" if self.share_id else self.device

    @property
    def key(self) -> tuple[str, str, str]:
        return self.pool, self.device, self.share_id


@dataclasses.dataclass(frozen=True, slots=True)
class OpaqueConfig:
    """Parameters for this driver, from the device class or the claim."""

    source: str
    """FromClass or FromClaim."""
    requests: tuple[str, ...]
    """Empty means all requests."""
    parameters: Any

    def applies_to(self, device: AllocatedDevice) -> bool:
        return not self.requests or device.request in self.requests or device.base_request in self.requests


@dataclasses.dataclass(frozen=True, slots=True)
class Claim:
    """An allocated claim, reduced to what concerns one driver."""

    ref: ClaimRef
    devices: tuple[AllocatedDevice, ...]
    configs: tuple[OpaqueConfig, ...]
    """In order of precedence: the later one wins."""
    admin_access: bool
    """Whether any result of the claim, of whatever driver, has administrative access."""
    raw: Object

    @property
    def uid(self) -> str:
        return self.ref.uid

    def configs_for(self, device: AllocatedDevice) -> list[OpaqueConfig]:
        """The configurations that apply to `device`, the winning one last."""
        return [config for config in self.configs if config.applies_to(device)]


def claim_for_driver(obj: Object, driver: str, ref: ClaimRef) -> Claim:
    """What the claim `obj` holds for `driver`; no devices when it holds none.

    Raises ClaimError when the object is not the claim `ref` asks for, or is not allocated.
    """
    if uid_of(obj) != ref.uid:
        raise ClaimError(f"claim {ref} got replaced: it has UID {uid_of(obj)} now, not {ref.uid}")
    allocation = (obj.get("status") or {}).get("allocation")
    if not allocation:
        raise ClaimError(f"claim {ref} not allocated")
    devices = allocation.get("devices") or {}
    results = devices.get("results") or []
    return Claim(
        ref=ClaimRef(uid_of(obj), namespace_of(obj), name_of(obj)),
        devices=tuple(_device(result) for result in results if result["driver"] == driver),
        configs=tuple(_configs(devices.get("config") or [], driver)),
        admin_access=any(result.get("adminAccess") for result in results),
        raw=obj,
    )


def _device(result: Object) -> AllocatedDevice:
    return AllocatedDevice(
        request=result["request"],
        pool=result["pool"],
        device=result["device"],
        share_id=result.get("shareID") or "",
        admin_access=bool(result.get("adminAccess")),
        consumed_capacity=result.get("consumedCapacity") or {},
        raw=result,
    )


def _configs(configs: list[Object], driver: str) -> list[OpaqueConfig]:
    """Own configurations in the order of the allocation, which has class before claim."""
    own = []
    for config in configs:
        opaque = config.get("opaque")
        if opaque is not None and opaque.get("driver") == driver:
            requests = tuple(config.get("requests") or ())
            own.append(OpaqueConfig(config.get("source", ""), requests, opaque.get("parameters")))
    return own
