"""Offers the hardware that the configuration chooses, and follows it as it comes and goes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final

from dray.drivers.host.config import FileError, HostConfig
from dray.drivers.host.inventory import find_hardware
from dray.drivers.host.shaping import Offer, offers
from dray.drivers.host.sysfs import Sysfs
from dray.sdk.claims import AllocatedDevice, Claim, ClaimRef
from dray.sdk.devices import Device
from dray.sdk.driver import Driver, PreparedDevice
from dray.sdk.errors import ClaimError

RESCAN_SECONDS: Final = 5.0


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
        self._published: list[Device] = []

    def offers(self) -> list[Offer]:
        """What the machine has now of what the configuration wants."""
        kinds = {group.kind for group in self._config.devices}
        found = {kind: find_hardware(self._sysfs, kind) for kind in kinds}
        return list(offers(self._config.devices, found))

    def discover(self) -> Sequence[Device]:
        self._published = [offer.device for offer in self.offers()]
        return self._published

    async def watch_hardware(self) -> AsyncIterator[None]:
        """Look again every few seconds: the kernel announces no changes in /sys to those who only watch files."""
        while True:
            await asyncio.sleep(self._rescan_seconds)
            present = await asyncio.to_thread(lambda: [offer.device for offer in self.offers()])
            if present != self._published:
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
