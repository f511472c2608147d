"""What a driver author writes: one class with a few methods.

    class Lamps(Driver):
        name = "lamps.example.com"

        def discover(self):
            return [Device("lamp-0", {"watts": 5})]

        def prepare(self, claim):
            return [PreparedDevice(device, env(LAMP=device.device)) for device in claim.devices]

        def unprepare(self, claim, devices):
            pass

    run(Lamps())

Every method may be `async def` or a plain function; plain ones run in a thread, so that slow hardware never keeps the
kubelet waiting for an answer. `prepare` and `unprepare` may be called again for what is done already and must then
succeed. Everything between these methods and Kubernetes is in `dray.sdk.plugin`.
"""

import asyncio
import dataclasses
import enum
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from dray.sdk.claims import AllocatedDevice, Claim, ClaimRef
from dray.sdk.conditions import Condition, NetworkData
from dray.sdk.devices import AttributeValue, Device, Pool, Taint
from dray.sdk.errors import BackgroundError

log = logging.getLogger("dray.sdk.driver")

Result = TypeVar("Result")

Edits = Mapping[str, Any]
"""CDI container edits: {env[], deviceNodes[], mounts[], hooks[], ...} (dray.cdi.spec)."""


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceMetadata:
    """What containers can read about their device in a file (dray.sdk.metadata)."""

    attributes: Mapping[str, AttributeValue] = dataclasses.field(default_factory=dict)
    network_data: NetworkData | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class PreparedDevice:
    """How containers get at one allocated device.

    `edits` become a CDI device of the claim; `cdi_ids` names devices that are defined elsewhere. Both may be empty
    when the device reaches the container by other means. `metadata` is written when the driver has `metadata_versions`.
    """

    device: AllocatedDevice
    edits: Edits = dataclasses.field(default_factory=dict)
    cdi_ids: tuple[str, ...] = ()
    metadata: DeviceMetadata | None = None


def env(**variables: object) -> dict[str, Any]:
    """Edits that set environment variables."""
    return {"env": [f"{name}={value}" for name, value in variables.items()]}


class Health(enum.IntEnum):
    UNKNOWN = 0
    HEALTHY = 1
    UNHEALTHY = 2


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceHealth:
    device: str
    health: Health
    message: str = ""
    """At most 1024 bytes reach the pod."""
    pool: str = ""
    """"" means the pool of the driver's node."""
    timeout_seconds: int = 30
    """The kubelet takes the device for unknown when it hears nothing for that long."""


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceStatus:
    """An entry of `status.devices` of a claim, for one of its devices."""

    device: AllocatedDevice
    data: Mapping[str, Any] | None = None
    conditions: tuple[Condition | Mapping[str, Any], ...] = ()
    """A Condition, or the API's own form with its transition time."""
    network_data: NetworkData | Mapping[str, Any] | None = None


class Driver:
    """Subclass this. `name` is the DNS name that ResourceSlices and DeviceClasses use."""

    name: str = ""
    cdi_class: str = "claim"
    """Second half of the CDI kind `k8s.<name>/<cdi_class>`."""
    common_first: bool = False
    """Put the id of the common CDI device before the device's own; the kubelet shows health under the first id."""
    taint_unhealthy: bool = False
    """Also keep claims away from unhealthy devices, by a taint `<name>/unhealthy` in the ResourceSlice."""
    health_interval_seconds: float = 10.0
    metadata_versions: tuple[str, ...] = ()
    """API versions of device metadata files to write, e.g. ("v1beta1", "v1alpha1"); none by default."""

    def discover(self) -> "Discovered | Awaitable[Discovered]":
        """The devices to publish: either Devices, for one pool named after the node, or whole Pools."""
        raise NotImplementedError

    def prepare(self, claim: Claim) -> "Prepared | Awaitable[Prepared]":
        """Make the devices of `claim` ready for containers. Raise ClaimError with a text a user can act on.

        After an error `unprepare` is called, to undo what was half done.
        """
        raise NotImplementedError

    def unprepare(self, claim: ClaimRef, devices: Sequence[AllocatedDevice]) -> "Awaitable[None] | None":
        """Take the devices back. `devices` is empty when nothing is known of the claim any more."""
        raise NotImplementedError

    def common_edits(self) -> Edits:
        """Edits for every container with a device of this driver; {} for none."""
        return {}

    def health(self) -> "Iterable[DeviceHealth] | Awaitable[Iterable[DeviceHealth]]":
        """The health of all devices; asked every `health_interval_seconds`. Override it to report health at all."""
        raise NotImplementedError

    def watch_hardware(self) -> AsyncIterator[None]:
        """Yield whenever `discover` should be asked again; usually an `async def` with `yield`."""
        return _nothing()

    def device_status(
        self, claim: Claim, prepared: Sequence[PreparedDevice]
    ) -> "Sequence[DeviceStatus] | Awaitable[Sequence[DeviceStatus]]":
        """What to write to `status.devices` of a claim that was just prepared."""
        return ()

    def handle_error(self, error: BackgroundError) -> None:
        """Told of problems that no call of the kubelet can report. A fatal one also stops the plugin."""
        log.log(logging.CRITICAL if error.fatal else logging.ERROR, "%s", error)

    @property
    def reports_health(self) -> bool:
        return type(self).health is not Driver.health

    @property
    def cdi_kind(self) -> str:
        # A DNS name may begin with a digit, a CDI vendor may not.
        return f"k8s.{self.name}/{self.cdi_class}"

    @property
    def unhealthy_taint(self) -> Taint:
        return Taint(f"{self.name}/unhealthy", effect="NoSchedule")


Discovered = Sequence[Device] | Sequence[Pool]
Prepared = Sequence[PreparedDevice]


async def _nothing() -> AsyncIterator[None]:
    for _ in ():
        yield


async def call(function: Callable[..., "Result | Awaitable[Result]"], *args: Any) -> Result:
    """Call a driver's method, on the loop when it is async and in a thread otherwise."""
    if inspect.iscoroutinefunction(function):
        awaited: Result = await function(*args)
        return awaited
    plain: Any = await asyncio.to_thread(function, *args)
    result: Result = await plain if inspect.isawaitable(plain) else plain
    return result


def as_pools(discovered: Discovered, node_name: str) -> list[Pool]:
    """What `discover` returned, as pools. Raises TypeError for a mixture."""
    pools = [item for item in discovered if isinstance(item, Pool)]
    devices = [item for item in discovered if isinstance(item, Device)]
    if (pools and devices) or len(pools) + len(devices) != len(discovered):
        raise TypeError("discover() must return either Devices or Pools")
    return pools or [Pool(node_name, tuple(devices))]
