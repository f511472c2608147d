"""What one pod's containers need around them: volumes, devices, a sandbox.

All of it can be asked for again: volumes are brought up to date, drivers answer as before. What fails is told in an
event and tried again later; nothing here ends a pod.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dray.api.meta import Object, name_of, uid_of
from dray.kits.backoff import Backoff
from dray.node.dra.preparation import PrepareFailure
from dray.node.pods.observation import newest_sandbox, sandboxes_of
from dray.node.pods.services import NodeServices
from dray.node.pods.view import identity_of
from dray.node.runtime.protocol import SandboxConfig
from dray.node.volumes.content import VolumeFailure, is_made_from_objects

RESYNC_SECONDS: Final = 30.0
REFRESH_SECONDS: Final = 60.0
"""How old the content of a running pod's volumes may get."""
RETRY_SECONDS: Final = (1.0, 10.0)
HOSTNAME_LENGTH: Final = 63


class PodProvisions:
    """Of one pod, which each call is given as it is now."""

    def __init__(self, services: NodeServices) -> None:
        self._services = services
        self._backoff = Backoff(*RETRY_SECONDS)
        self._prepare_at = 0.0
        self._refreshed_at = services.clock.monotonic()

    def hurry(self) -> None:
        """Drivers have changed: what failed is worth another try now."""
        self._prepare_at = 0.0

    async def make_ready(self, pod: Object) -> float:
        """Volumes, then devices: 0 when the pod has all, else the seconds until the next try; failures are told."""
        left = self._prepare_at - self._services.clock.monotonic()
        if left > 0:
            return left
        try:
            await self.set_up_volumes(pod)
            await self._services.claims.prepare(pod)
        except VolumeFailure as failure:
            self._tell_unmounted(pod, failure)
        except PrepareFailure as failure:
            self._tell_unprepared(pod, failure)
        else:
            self._backoff.forget(self)
            return 0
        delay = self._backoff.next_delay(self)
        self._prepare_at = self._services.clock.monotonic() + delay
        return delay

    async def remember_claims(self, pod: Object) -> None:
        """A running pod whose claims are not on record: the record was lost, and asking the drivers again makes it."""
        uses_claims = bool(pod["spec"].get("resourceClaims"))
        if not uses_claims or self._services.claims.has_claims(uid_of(pod)):
            return
        if self._prepare_at > self._services.clock.monotonic():
            return
        self._prepare_at = self._services.clock.monotonic() + RESYNC_SECONDS
        try:
            await self._services.claims.prepare(pod)
        except PrepareFailure as failure:
            self._tell_unprepared(pod, failure)

    async def set_up_volumes(self, pod: Object) -> Mapping[str, Path]:
        """Volume name -> where it lies, with fresh content. Raises VolumeFailure."""
        sandbox = newest_sandbox(self._services.runtime, uid_of(pod))
        return await self._services.volumes.set_up(
            pod,
            host_ips=[self._services.config.address],
            pod_ips=[sandbox.ip] if sandbox is not None else [],
            allocatable=self._services.allocatable,
        )

    async def refresh_volumes(self, pod: Object) -> None:
        """Configuration that changed, tokens that are about to end."""
        volumes = pod["spec"].get("volumes") or ()
        if self._services.clock.monotonic() - self._refreshed_at < REFRESH_SECONDS:
            return
        self._refreshed_at = self._services.clock.monotonic()
        if any(is_made_from_objects(volume) for volume in volumes):
            try:
                await self.set_up_volumes(pod)
            except VolumeFailure as failure:
                self._tell_unmounted(pod, failure)

    async def run_sandbox(self, pod: Object) -> bool:
        """Whether it is the pod's first. Older ones are stopped and kept as long as they hold a container that is
        still worth a look."""
        runtime, old = self._services.runtime, sandboxes_of(self._services.runtime, uid_of(pod))
        for sandbox in old:
            await runtime.stop_sandbox(sandbox.id)
        for sandbox in old[1:]:
            await runtime.remove_sandbox(sandbox.id)
        attempt = old[0].attempt + 1 if old else 0
        config = SandboxConfig(
            identity_of(pod),
            attempt,
            self._hostname(pod),
            host_network=bool(pod["spec"].get("hostNetwork")),
            address=old[0].ip if old else "",
        )
        await runtime.run_sandbox(config)
        return not old

    def _hostname(self, pod: Object) -> str:
        name = self._services.config.name if pod["spec"].get("hostNetwork") else name_of(pod)
        return str(pod["spec"].get("hostname") or name)[:HOSTNAME_LENGTH].rstrip("-.")

    def _tell_unmounted(self, pod: Object, failure: VolumeFailure) -> None:
        self._services.tell(pod, "Warning", "FailedMount", str(failure))

    def _tell_unprepared(self, pod: Object, failure: PrepareFailure) -> None:
        message = f"Failed to prepare dynamic resources: {failure}"
        self._services.tell(pod, "Warning", "FailedPrepareDynamicResources", message)
