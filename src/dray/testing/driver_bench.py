"""A driver on the bench: one node without a cluster, for tests of a `Driver` in the test's own process.

    def test_a_lamp_is_named_in_the_container(kubelet):
        kubelet.start(Lamps())
        claim = kubelet.claim("lamp-0")
        assert kubelet.environment(kubelet.prepare(claim)) == {"LAMP": "lamp-0"}

Plain functions throughout; the event loop is in a thread. What the driver meets is real: a kubelet's calls over gRPC
sockets, an API server with Kubernetes' rules, CDI files.
"""

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dray.api.meta import Object, uid_of
from dray.api.resources import NAMESPACES, NODES, RESOURCE_CLAIMS, RESOURCE_SLICES
from dray.cdi.cache import CdiCache
from dray.sdk.driver import Driver
from dray.sdk.options import Options
from dray.sdk.plugin import KubeletPlugin
from dray.testing.background import Background
from dray.testing.fake_api import FakeApi
from dray.testing.fake_kubelet import FakeKubelet, Plugin

NODE = "node-1"
NAMESPACE = "default"


class DriverBench:
    """What the `kubelet` fixture gives. `api.faults` and `fake` (the FakeKubelet) switch faults on."""

    def __init__(self, background: Background, root: Path) -> None:
        self._background = background
        self.root = root
        self.api = background.enter(FakeApi())
        self.fake = background.enter(FakeKubelet(root))
        self.plugin: KubeletPlugin | None = None
        self._connection: Plugin | None = None
        background.run(self._furnish())

    async def _furnish(self) -> None:
        for kind, resource, name in (("Namespace", NAMESPACES, NAMESPACE), ("Node", NODES, NODE)):
            await self.api.client.create(
                resource, {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}
            )

    @property
    def cdi_root(self) -> Path:
        return self.fake.cdi_root

    def options(self, **more: Any) -> Options:
        """Options for a driver on this node."""
        return self.fake.options(NODE, **more)

    # --- the driver ---

    def start(self, driver: Driver, **more: Any) -> KubeletPlugin:
        """Run `driver` until it is registered and has published; `more` are Options.

        Raises what the start raised, and TimeoutError when the kubelet does not find the driver.
        """
        return self._background.run(self._start(driver, more))

    async def _start(self, driver: Driver, more: Mapping[str, Any]) -> KubeletPlugin:
        await self._stop()
        self.plugin = KubeletPlugin(driver, self.api.client, self.options(**more))
        try:
            await self.plugin.start()
            self._connection = await self.fake.plugin(driver.name)
            await self.plugin.publisher.published()
        except BaseException:
            await self._stop()
            raise
        return self.plugin

    def stop(self) -> None:
        """End the driver as SIGTERM would."""
        self._background.run(self._stop())

    async def _stop(self) -> None:
        if self.plugin is not None:
            name = self.plugin.driver.name
            await self.plugin.stop()
            await self.fake.gone(name)
        self.plugin = self._connection = None

    def reboot(self, driver: Driver) -> KubeletPlugin:
        """Lose what a reboot loses, CDI files among it, and start `driver` again."""
        self.stop()
        for path in self.cdi_root.iterdir():
            path.unlink()
        return self.start(driver, boot_id=str(uuid.uuid4()))

    def run(self, coroutine: Any) -> Any:
        """The result of a coroutine on the driver's event loop."""
        return self._background.run(coroutine)

    # --- the API ---

    def slices(self) -> list[Object]:
        """The published ResourceSlices."""
        return self._background.run(self.api.client.list(RESOURCE_SLICES)).items

    def devices(self) -> dict[str, Object]:
        """The published devices by name."""
        return {
            device["name"]: device for obj in self.slices() for device in obj["spec"].get("devices") or ()
        }

    def claim(
        self,
        *devices: str,
        parameters: Any = None,
        name: str = "",
        pool: str = NODE,
        shared: bool = False,
        consumed: Mapping[str, str] | None = None,
    ) -> Object:
        """A claim with `devices` allocated for the requests r0, r1, ...; `parameters` are its opaque configuration.

        `shared` makes each a share of its device, with `consumed` as its capacity.
        """
        return self._background.run(
            self._claim(devices, parameters, name or f"claim-{uuid.uuid4().hex[:8]}", pool, shared, consumed)
        )

    async def _claim(
        self,
        devices: Sequence[str],
        parameters: Any,
        name: str,
        pool: str,
        shared: bool,
        consumed: Mapping[str, str] | None,
    ) -> Object:
        driver = self._driver()
        requests = [
            {"name": f"r{index}", "exactly": {"deviceClassName": driver}} for index in range(len(devices))
        ]
        created = await self.api.client.create(
            RESOURCE_CLAIMS,
            {
                "apiVersion": RESOURCE_CLAIMS.api_version,
                "kind": RESOURCE_CLAIMS.kind,
                "metadata": {"name": name, "namespace": NAMESPACE},
                "spec": {"devices": {"requests": requests}},
            },
        )
        results = [
            {"request": f"r{index}", "driver": driver, "pool": pool, "device": device}
            | ({"shareID": str(uuid.uuid4())} if shared else {})
            | ({"consumedCapacity": dict(consumed)} if consumed else {})
            for index, device in enumerate(devices)
        ]
        allocation: Object = {"results": results}
        if parameters is not None:
            opaque = {"driver": driver, "parameters": parameters}
            allocation["config"] = [{"source": "FromClaim", "opaque": opaque}]
        allocated = {**created, "status": {"allocation": {"devices": allocation}}}
        return await self.api.client.update(RESOURCE_CLAIMS, allocated, subresource="status")

    def status(self, claim: Object) -> list[Object]:
        """`status.devices` of the claim as it is now."""
        name = claim["metadata"]["name"]
        found = self._background.run(self.api.client.get(RESOURCE_CLAIMS, name, NAMESPACE))
        return list(found["status"].get("devices") or [])

    # --- the kubelet ---

    def prepare(self, claim: Object) -> list[Any]:
        """The Device messages in the driver's answer. Raises PrepareError with the driver's text."""
        return self._background.run(self._plugin().prepare(claim))[uid_of(claim)]

    def unprepare(self, claim: Object) -> None:
        """Raises PrepareError with the driver's text."""
        self._background.run(self._plugin().unprepare(claim))

    def edits(self, devices: Sequence[Any]) -> dict[str, Any]:
        """What the CDI devices of an answer do to a container. Raises CdiError for those no runtime would find."""
        names = [name for device in devices for name in device.cdi_device_ids]
        return dict(CdiCache([self.cdi_root]).edits_for(names))

    def environment(self, devices: Sequence[Any]) -> dict[str, str]:
        """The variables that a container with these devices gets."""
        return dict(variable.split("=", 1) for variable in self.edits(devices).get("env") or ())

    def _plugin(self) -> Plugin:
        if self._connection is None:
            raise RuntimeError("no driver runs: call start(driver) first")
        return self._connection

    def _driver(self) -> str:
        return self._plugin().driver
