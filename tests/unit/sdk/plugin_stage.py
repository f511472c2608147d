"""A small driver of lamps, and the stage on which tests run it: a kubelet and an API."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from dray.api.meta import Object
from dray.sdk import (
    AllocatedDevice,
    Claim,
    ClaimRef,
    Device,
    DeviceHealth,
    Driver,
    Health,
    KubeletPlugin,
    PreparedDevice,
    env,
)
from dray.sdk.errors import BackgroundError
from dray.testing.fake_kubelet import FakeKubelet, allocated_claim
from dray.testing.memory_client import MemoryClient

NAME = "lamps.example.com"
NODE: Object = {"kind": "Node", "metadata": {"name": "node", "uid": "node-uid"}}


class Lamps(Driver):
    name = NAME

    def __init__(self) -> None:
        self.lamps = ["lamp-0", "lamp-1"]
        self.failure: Exception | None = None
        self.errors: list[BackgroundError] = []
        self.gate: asyncio.Event | None = None
        self.began = asyncio.Event()
        self.plugged = asyncio.Event()

    async def discover(self) -> Sequence[Device]:
        return [Device(name, {"watts": 5}) for name in self.lamps]

    async def prepare(self, claim: Claim) -> Sequence[PreparedDevice]:
        self.began.set()
        if self.failure is not None:
            raise self.failure
        if self.gate is not None:
            await self.gate.wait()
        return [PreparedDevice(device, env(LAMP=device.device)) for device in claim.devices]

    async def unprepare(self, claim: ClaimRef, devices: Sequence[AllocatedDevice]) -> None:
        if self.failure is not None:
            raise self.failure

    async def watch_hardware(self) -> AsyncIterator[None]:
        while True:
            await self.plugged.wait()
            self.plugged.clear()
            yield

    def handle_error(self, error: BackgroundError) -> None:
        self.errors.append(error)


class Fragile(Lamps):
    health_interval_seconds = 0.01
    taint_unhealthy = True

    def __init__(self) -> None:
        super().__init__()
        self.broken = ""

    async def health(self) -> list[DeviceHealth]:
        return [
            DeviceHealth(name, Health.UNHEALTHY, "burnt out")
            if name == self.broken
            else DeviceHealth(name, Health.HEALTHY)
            for name in self.lamps
        ]


class Stage:
    """A kubelet, an API and the means to start drivers on them."""

    def __init__(self, kubelet: FakeKubelet) -> None:
        self.kubelet = kubelet
        self.client = MemoryClient(NODE)

    def plugin(self, driver: Driver | None = None, **more: Any) -> KubeletPlugin:
        settings = {
            key: more.pop(key)
            for key in ("dra_versions", "sync_delay_seconds", "answer_within_seconds")
            if key in more
        }
        return KubeletPlugin(driver or Lamps(), self.client, self.kubelet.options(**more), **settings)

    def claim(self, name: str, *results: Object, **more: Any) -> Object:
        obj = allocated_claim(name, *(results or ({"device": "lamp-0"},)), driver=NAME, **more)
        return self.client.put(obj)

    def sockets(self) -> list[str]:
        return sorted(path.name for path in self.kubelet.root.rglob("*.sock"))
