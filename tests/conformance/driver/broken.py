"""A driver that is made to break one rule: `BROKEN=<way> python broken.py`."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import grpc

import dray.sdk.claims
import dray.sdk.program
import dray.sdk.service
from dray.api.resources import RESOURCE_CLAIMS, RESOURCE_SLICES
from dray.sdk import (
    AllocatedDevice,
    Claim,
    ClaimRef,
    Device,
    DeviceHealth,
    Driver,
    Health,
    PreparedDevice,
    env,
    run,
)
from dray.sdk.claimcdi import ClaimCdi
from dray.sdk.errors import ClaimError
from dray.sdk.journal import Journal
from dray.sdk.overlap import OverlapGuard
from dray.sdk.plugin import KubeletPlugin
from dray.sdk.publisher import Publisher
from dray.sdk.registration import Registrar
from dray.sdk.service import DraService
from dray.wire.rpc import RpcFailure


class Lamps(Driver):
    name = "lamps.example.com"

    def __init__(self) -> None:
        self.names = ["lamp-0", "lamp-1", "lamp-2"]
        self.wattage = 5

    async def discover(self) -> Sequence[Device]:
        return [Device(name, {"watts": self.wattage}) for name in self.names]

    async def prepare(self, claim: Claim) -> Sequence[PreparedDevice]:
        for device in claim.devices:
            if device.device not in self.names:
                raise ClaimError(f"there is no lamp {device.device}")
        return [PreparedDevice(device, env(LAMP=device.device)) for device in claim.devices]

    async def unprepare(self, claim: ClaimRef, devices: Sequence[AllocatedDevice]) -> None:
        pass

    async def health(self) -> Sequence[DeviceHealth]:
        return [DeviceHealth(name, Health.HEALTHY) for name in self.names]


def none(driver: Lamps) -> None:
    """The good one."""


def late_get_info(driver: Lamps) -> None:
    original = Registrar._get_info

    def late(self: Registrar, request: Any) -> Any:
        time.sleep(1.5)
        return original(self, request)

    Registrar._get_info = late  # type: ignore[method-assign]


def short_versions(driver: Lamps) -> None:
    original = Registrar.__init__

    def short(self: Registrar, path: Any, name: str, endpoint: Any, supported: Any, calls: Any) -> None:
        original(self, path, name, endpoint, [one.partition(".")[0] for one in supported], calls)

    Registrar.__init__ = short  # type: ignore[method-assign]


def only_v1(driver: Lamps) -> None:
    original = KubeletPlugin.__init__

    def init(self: KubeletPlugin, *arguments: Any, **more: Any) -> None:
        original(self, *arguments, **{**more, "dra_versions": ["v1"]})

    KubeletPlugin.__init__ = init  # type: ignore[method-assign]


def no_answer_for_nothing(driver: Lamps) -> None:
    original = DraService.prepare

    async def prepare(self: DraService, refs: Any, call: Any) -> Any:
        return {uid: outcome for uid, outcome in (await original(self, refs, call)).items() if outcome}

    DraService.prepare = prepare  # type: ignore[method-assign]


def one_failure_for_all(driver: Lamps) -> None:
    original = DraService.prepare

    async def prepare(self: DraService, refs: Any, call: Any) -> Any:
        outcomes = await original(self, refs, call)
        for outcome in outcomes.values():
            if isinstance(outcome, ClaimError):
                raise RpcFailure(grpc.StatusCode.INTERNAL, str(outcome))
        return outcomes

    DraService.prepare = prepare  # type: ignore[method-assign]


def whole_request_names(driver: Lamps) -> None:
    AllocatedDevice.base_request = property(lambda self: self.request)  # type: ignore[assignment, method-assign]


def cdi_once(driver: Lamps) -> None:
    original = ClaimCdi.write

    def write(self: ClaimCdi, uid: str, spec: Any) -> None:
        marker = self.directory.parent / f"written-{uid}"
        if not marker.exists():
            marker.touch()
            original(self, uid, spec)

    ClaimCdi.write = write  # type: ignore[method-assign]


def forgets_when_killed(driver: Lamps) -> None:
    def write(self: Journal, changes: Any) -> None:
        self._apply(changes)  # never on disk

    async def prepare(claim: Claim) -> Sequence[PreparedDevice]:
        return [PreparedDevice(device, cdi_ids=(f"x.com/x=p{os.getpid()}",)) for device in claim.devices]

    Journal.write = write  # type: ignore[method-assign]
    driver.prepare = prepare  # type: ignore[method-assign]
    vendor = Path(os.environ["CDI_ROOT"], "x.yaml")
    vendor.write_text(
        json.dumps(
            {
                "cdiVersion": "0.5.0",
                "kind": "x.com/x",
                "devices": [{"name": f"p{os.getpid()}", "containerEdits": {"env": ["X=1"]}}],
            }
        )
    )


def unprepare_asks_the_api(driver: Lamps) -> None:
    original = DraService.unprepare

    async def unprepare(self: DraService, refs: Any, call: Any) -> Any:
        for ref in refs:
            await self._client.get(RESOURCE_CLAIMS, ref.name, ref.namespace)
        return await original(self, refs, call)

    DraService.unprepare = unprepare  # type: ignore[method-assign]


def trusts_names(driver: Lamps) -> None:
    original = dray.sdk.claims.claim_for_driver

    def claim(obj: Any, name: str, ref: ClaimRef) -> Claim:
        return original({**obj, "metadata": {**obj["metadata"], "uid": ref.uid}}, name, ref)

    dray.sdk.service.claim_for_driver = claim


def dies_on_sigterm(driver: Lamps) -> None:
    original = dray.sdk.program.serve

    async def serve(*arguments: Any, **more: Any) -> int:
        task = asyncio.ensure_future(original(*arguments, **more))
        await asyncio.sleep(0)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: os._exit(0))
        return await task

    dray.sdk.program.serve = serve


def deletes_slices(driver: Lamps) -> None:
    original = Publisher.stop

    async def stop(self: Publisher) -> None:
        await original(self)
        for obj in (await self._client.list(RESOURCE_SLICES)).items:
            await self._client.delete(RESOURCE_SLICES, obj["metadata"]["name"])

    Publisher.stop = stop  # type: ignore[method-assign]


def never_repairs(driver: Lamps) -> None:
    Publisher._changed_by_others = lambda self, obj, expected: None  # type: ignore[method-assign]


def publishes_all_the_time(driver: Lamps) -> None:
    async def watch() -> AsyncIterator[None]:
        while True:
            await asyncio.sleep(0.5)
            driver.wattage += 1
            yield

    driver.watch_hardware = watch  # type: ignore[method-assign]


def lends_twice(driver: Lamps) -> None:
    OverlapGuard.check = lambda self, claim, entries: None  # type: ignore[method-assign]


def half_of_the_health(driver: Lamps) -> None:
    async def health() -> Sequence[DeviceHealth]:
        return [DeviceHealth("lamp-0", Health.HEALTHY)]

    driver.health = health  # type: ignore[method-assign]


def ignores_pod_uid(driver: Lamps) -> None:
    del os.environ["POD_UID"]


if __name__ == "__main__":
    lamps = Lamps()
    globals()[os.environ.get("BROKEN", "none").replace("-", "_")](lamps)
    run(lamps)
