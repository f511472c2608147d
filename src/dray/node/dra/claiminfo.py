"""What the node knows of a claim that its pods use: whose it is, and what its drivers prepared."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from dray.api.meta import ObjectKey, key_of, uid_of


@dataclasses.dataclass(frozen=True, slots=True)
class PreparedDevice:
    """One device as its driver answered NodePrepareResources."""

    pool: str
    device: str
    requests: tuple[str, ...] = ()
    """Base names of the requests it is for; empty means all of the claim."""
    cdi_ids: tuple[str, ...] = ()
    share_id: str | None = None

    def serves(self, request: str) -> bool:
        """Whether a container that asks for `request` of the claim ("" for all) gets this device."""
        return not request or not self.requests or request in self.requests

    def resource_id(self, driver: str) -> str:
        """How the pod's status names the device."""
        return self.cdi_ids[0] if self.cdi_ids else f"{driver}/{self.pool}/{self.device}"


@dataclasses.dataclass(slots=True)
class ClaimInfo:
    uid: str
    name: str
    namespace: str
    drivers: dict[str, tuple[PreparedDevice, ...]]
    """Driver -> its devices, from the moment the driver may have been asked to prepare."""
    pods: set[str] = dataclasses.field(default_factory=set)
    """UIDs of the pods of this node that use the claim."""
    prepared: bool = False
    """All drivers have prepared it since this agent started; not kept on disk, as the kubelet does not."""

    @property
    def key(self) -> ObjectKey:
        return ObjectKey(self.namespace, self.name)

    def devices(self) -> Iterable[tuple[str, PreparedDevice]]:
        for driver, devices in sorted(self.drivers.items()):
            for device in devices:
                yield driver, device


def claim_info(claim: Mapping[str, Any]) -> ClaimInfo:
    """A fresh record of an allocated claim. No driver has prepared anything yet."""
    results = claim["status"]["allocation"].get("devices", {}).get("results") or ()
    key = key_of(claim)
    drivers: dict[str, tuple[PreparedDevice, ...]] = {
        result["driver"]: () for result in results if not skips_node_operations(result)
    }
    return ClaimInfo(uid_of(claim), key.name, key.namespace, drivers)


def skips_node_operations(result: Mapping[str, Any]) -> bool:
    """Whether the device's driver asked (Kubernetes 1.37) not to be called on the node."""
    skipped = result.get("skipNodeOperations") or ()
    return "*" in skipped or "NodePrepareResources" in skipped
