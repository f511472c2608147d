"""The example driver: mock devices that do nothing but show, in a container's environment, that they were given.

It behaves as the Kubernetes example driver does, so that its tutorial, manifests and demos run unchanged. Where that
driver has known defects this one does better: configuration for a request also reaches its sub-requests, unknown
members are refused, and the CDI file of a prepared claim is restored (by the SDK).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dray.drivers.example.profiles.profile import Profile, variable_part
from dray.drivers.example.release import NEWEST, Release
from dray.sdk.claims import AllocatedDevice, Claim, ClaimRef
from dray.sdk.devices import Device, Pool
from dray.sdk.driver import DeviceHealth, DeviceStatus, Driver, Health, PreparedDevice
from dray.sdk.errors import ClaimError, ConfigError


class ExampleDriver(Driver):
    # As recorded. The kubelet then shows all devices of a claim as one row of health, which is why a driver that
    # reports health (HealthyExampleDriver) turns the order around.
    common_first = True

    def __init__(self, name: str, node_name: str, profile: Profile, release: Release = NEWEST) -> None:
        self.name = name
        self.cdi_class = profile.name
        self._node_name = node_name
        self._profile = profile
        self._release = release
        self._devices: dict[str, Device] = {}

    def discover(self) -> Sequence[Pool]:
        devices = self._profile.devices()
        self._devices = {device.name: device for device in devices}
        return [Pool(self._node_name, tuple(devices), self._profile.counter_sets())]

    def common_edits(self) -> Mapping[str, Any]:
        return {"env": [f"KUBERNETES_NODE_NAME={self._node_name}", f"DRA_RESOURCE_DRIVER_NAME={self.name}"]}

    async def prepare(self, claim: Claim) -> Sequence[PreparedDevice]:
        try:
            configs = [(config, self._profile.decode_config(config.parameters)) for config in claim.configs]
        except ConfigError as error:
            raise _failed(claim, error) from None
        prepared = []
        for device in claim.devices:
            if device.pool != self._node_name or device.device not in self._devices:
                raise _failed(claim, ClaimError(f"requested device is not allocatable: {device.device}"))
            applicable = [decoded for config, decoded in configs if config.applies_to(device)]
            config = applicable[-1] if applicable else self._profile.default_config()
            variables = [*self._claim_variables(claim, device), *self._profile.variables(device, config)]
            prepared.append(PreparedDevice(device, {"env": variables}))
        return prepared

    def _claim_variables(self, claim: Claim, device: AllocatedDevice) -> list[str]:
        kind = self._profile.name.upper()
        if not self._release.names_device_in_claim_variable:
            number = variable_part(device.device.partition("-")[2])
            return [f"{kind}_DEVICE_{number}_RESOURCE_CLAIM={claim.uid}"]
        return [
            f"{kind}_DEVICE_{variable_part(device.device)}_RESOURCE_CLAIM={claim.uid}",
            f"DRA_ADMIN_ACCESS={str(claim.admin_access).lower()}",
        ]

    async def unprepare(self, claim: ClaimRef, devices: Sequence[AllocatedDevice]) -> None:
        """Mock devices keep nothing."""

    async def device_status(self, claim: Claim, prepared: Sequence[PreparedDevice]) -> Sequence[DeviceStatus]:
        statuses = []
        for one in prepared:
            data = self._profile.status_data(self._devices[one.device.device])
            if data is not None:
                statuses.append(DeviceStatus(one.device, data))
        return statuses


class HealthyExampleDriver(ExampleDriver):
    """The example driver with device health, which somebody writes into a file."""

    common_first = False

    def __init__(
        self,
        name: str,
        node_name: str,
        profile: Profile,
        release: Release = NEWEST,
        *,
        health_file: Path,
        taint_unhealthy: bool = False,
    ) -> None:
        super().__init__(name, node_name, profile, release)
        self._health_file = health_file
        self.taint_unhealthy = taint_unhealthy

    health_interval_seconds = 2.0

    def health(self) -> list[DeviceHealth]:
        """Lines `<device> Healthy|Unhealthy|Unknown [message]`; devices that are not named are healthy."""
        states = {name: DeviceHealth(name, Health.HEALTHY) for name in self._devices}
        try:
            lines = self._health_file.read_text().splitlines()
        except FileNotFoundError:
            lines = []
        for line in lines:
            name, _, rest = line.strip().partition(" ")
            state, _, message = rest.partition(" ")
            if name in states:
                states[name] = DeviceHealth(name, _health(state), message)
        return list(states.values())


def _health(state: str) -> Health:
    return Health.__members__.get(state.upper(), Health.UNKNOWN)


def _failed(claim: Claim, error: ClaimError) -> ClaimError:
    return ClaimError(
        f"error preparing devices for claim {claim.uid}: prepare failed: {error}", retry=error.retry
    )
