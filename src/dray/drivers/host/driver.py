"""Offers the hardware that the configuration chooses, and follows it as it comes and goes."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from dray.drivers.host.config import FileError, HostConfig
from dray.drivers.host.inventory import SUBSYSTEMS, find_hardware
from dray.drivers.host.shaping import Offer, offers
from dray.drivers.host.sysfs import Sysfs
from dray.sdk.claims import AllocatedDevice, Claim, ClaimRef
from dray.sdk.devices import Device
from dray.sdk.driver import Driver, PreparedDevice
from dray.sdk.errors import ClaimError
from dray.sdk.uevents import hardware_changes

RESCAN_SECONDS: Final = 30.0


class HostDriver(Driver):
    cdi_class = "device"

    def __init__(
        self,
        config: HostConfig,
        sysfs: Sysfs | None = None,
        *,
        rescan_seconds: float = RESCAN_SECONDS,
    ) -> None:
        self.name = config.driver
        self._config = config
        self._sysfs = sysfs or Sysfs()
        self._rescan_seconds = rescan_seconds

    def offers(self) -> list[Offer]:
        """What the machine has now of what the configuration wants."""
        kinds = {group.kind for group in self._config.devices}
        found = {kind: find_hardware(self._sysfs, kind) for kind in kinds}
        return list(offers(self._config.devices, found))

    def discover(self) -> Sequence[Device]:
        return [offer.device for offer in self.offers()]

    async def watch_hardware(self) -> AsyncIterator[None]:
        subsystems = {name for group in self._config.devices for name in SUBSYSTEMS[group.kind]}
        async for _ in hardware_changes(*subsystems, every_seconds=self._rescan_seconds):
            yield

    def prepare(self, claim: Claim) -> Sequence[PreparedDevice]:
        if claim.configs:
            raise ClaimError(
                f"{self.name} takes no configuration in claims; it has its own on the node", retry=False
            )
        present = {offer.hardware.name: offer for offer in self.offers()}
        return [self._prepared(device, present.get(device.device)) for device in claim.devices]

    def _prepared(self, device: AllocatedDevice, offer: Offer | None) -> PreparedDevice:
        if offer is None:
            raise ClaimError(f"{device.device} is no longer on this machine, or no longer offered")
        try:
            return PreparedDevice(device, offer.edits())
        except FileError as error:
            raise ClaimError(f"configuration of the driver on this node: inject: {error}") from None

    def unprepare(self, claim: ClaimRef, devices: Sequence[AllocatedDevice]) -> None:
        """The machine's devices keep nothing of a claim."""
