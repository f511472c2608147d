"""The end of containers: told to stop, given their time, ended.

Main containers stop together; sidecars stop after them, the last listed first. The grace period is one for the whole
pod and includes the preStop hooks; however short it is, every container has two seconds between TERM and KILL, so
that even a pod that is deleted by force is not torn in the middle of a write.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dray.api.meta import Object
from dray.node.pods.services import NodeServices
from dray.node.pods.view import ContainerView, Role
from dray.node.probes.actions import Outcome, ProbeError, Target, named_ports

log = logging.getLogger("dray.node.pods")

MINIMUM_SECONDS: Final = 2.0


class ContainerStopper:
    """Stops containers of one pod. Calls may be cancelled and made again with less time left."""

    def __init__(self, services: NodeServices) -> None:
        self._services = services
        self._announced: set[str] = set()
        self._hooked: set[str] = set()

    async def stop_all(
        self, pod: Object, containers: Sequence[ContainerView], address: str, deadline: float
    ) -> None:
        """`deadline`: in the event loop's time, for all together. Returns when none runs any more."""
        running = [view for view in containers if view.is_running]
        main = [view for view in running if view.role is not Role.SIDECAR]
        for view in running:
            self._announce(pod, view, f"Stopping container {view.name}")
        await asyncio.gather(*(self._stop(pod, view, address, deadline) for view in main))
        for view in reversed([view for view in running if view.role is Role.SIDECAR]):
            await self._stop(pod, view, address, deadline)

    async def stop_one(
        self, pod: Object, view: ContainerView, address: str, grace_seconds: float, message: str
    ) -> None:
        """`message`: why, for the event."""
        self._announce(pod, view, message)
        await self._stop(pod, view, address, asyncio.get_running_loop().time() + grace_seconds)

    def _announce(self, pod: Object, view: ContainerView, message: str) -> None:
        assert view.current is not None
        if view.current.id not in self._announced:
            self._announced.add(view.current.id)
            self._services.tell(pod, "Normal", "Killing", message, view.name)

    async def _stop(self, pod: Object, view: ContainerView, address: str, deadline: float) -> None:
        assert view.current is not None
        time = asyncio.get_running_loop().time
        container, hook = view.current.id, (view.spec.get("lifecycle") or {}).get("preStop")
        if hook and container not in self._hooked and deadline > time():
            self._hooked.add(container)
            await self._run_hook(pod, view, hook, address, deadline - time())
        await self._services.runtime.stop_container(container, max(MINIMUM_SECONDS, deadline - time()))

    async def _run_hook(
        self, pod: Object, view: ContainerView, hook: Mapping[str, Any], address: str, seconds: float
    ) -> None:
        assert view.current is not None
        target = Target(view.current.id, address, named_ports(view.spec))
        try:
            async with asyncio.timeout(seconds):
                outcome = await self._services.actions.run_hook(hook, target, seconds)
        except TimeoutError:
            outcome = Outcome(False, f"it took longer than {seconds:.0f} s")
        except ProbeError as error:
            outcome = Outcome(False, str(error))
        if not outcome.success:
            log.warning("The preStop hook of container %s failed: %s", view.name, outcome.output)
            # No more than that: a hook's output may hold secrets, and events are widely read.
            self._services.tell(pod, "Warning", "FailedPreStopHook", "PreStopHook failed", view.name)
