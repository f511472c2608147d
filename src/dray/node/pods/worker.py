"""One pod on this node, from its first sight to its last: a loop that looks, acts as its stage demands, and reports.

The worker owns nothing that it could not read back: containers are the runtime's, prepared claims the checkpoint's,
the pod the API server's. It may be stopped and begun anew at any point. What a stage does may be interrupted by what
moves the pod to the next: nobody waits for a hook, or a driver, of a pod that is being deleted.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Any, Final

from dray.api import errors
from dray.api.meta import Object, format_time, is_deleting, name_of, namespace_of, parse_time, uid_of
from dray.api.pods import is_terminal
from dray.api.resources import PODS
from dray.client.protocol import Unreachable
from dray.kits.backoff import Backoff
from dray.node.dra.preparation import UnprepareFailure
from dray.node.pods.grace import grace_seconds
from dray.node.pods.observation import newest_sandbox, observe, sandboxes_of
from dray.node.pods.plan import Plan, plan_pod
from dray.node.pods.provisions import RESYNC_SECONDS, RETRY_SECONDS, PodProvisions
from dray.node.pods.release import release_claims
from dray.node.pods.resizer import Resizer
from dray.node.pods.services import NodeServices, Peers
from dray.node.pods.stages import Cause, Stage, next_stage
from dray.node.pods.starting import ContainerStarter
from dray.node.pods.status import Circumstances, Failure, pod_status
from dray.node.pods.stopping import ContainerStopper
from dray.node.pods.view import ContainerView, container_specs, format_pod, identity_of
from dray.node.probes.prober import Prober
from dray.node.runtime.protocol import RuntimeFailure, Sandbox, SandboxState

log = logging.getLogger("dray.node.pods")

PATIENCE_SECONDS: Final = 0.2
"""Between two looks whether others still need this pod."""
SHOWN_SECONDS: Final = 0.5
"""How long a restart waits at most for the report of the end before it to be sent."""
DEADLINE_EXCEEDED: Final = Failure(
    "DeadlineExceeded", "Pod was active on the node longer than the specified deadline"
)


class PodWorker:
    def __init__(self, services: NodeServices, peers: Peers, pod: Object) -> None:
        self.pod = pod
        self.stage: Stage = Stage.RUNNING
        self.was_admitted: bool = False
        self._services = services
        self._peers = peers
        self._stopper = ContainerStopper(services)
        self._provisions = PodProvisions(services)
        self._starter = ContainerStarter(services, self._stopper, self._provisions.set_up_volumes)
        self._prober = Prober(services.actions, services.clock, self.wake, self._warn)
        self._woken = asyncio.Event()
        self._interruption: asyncio.Timeout | None = None
        self._backoff = Backoff(*RETRY_SECONDS)
        self._delete_at = 0.0
        self._seen_at = services.clock.monotonic()
        self._stop_by = float("inf")
        self._failure: Failure | None = None
        self._is_removed = False
        self._had_ended = is_terminal(pod)
        """Before this agent looked: what its status says is final."""
        self._resizer = Resizer(pod, peers, self._tell)
        self._start_time = (pod.get("status") or {}).get("startTime") or format_time(services.clock.now())

    @property
    def granted(self) -> Object:
        """The pod with the resources that the node grants it by now."""
        return self._resizer.granted(self.pod)

    @property
    def waits_for_room(self) -> bool:
        return self._resizer.waits_for_room

    # --- what others tell it ---

    def update(self, pod: Object) -> None:
        self.pod = pod
        if is_deleting(pod):
            self._take(Cause.DELETED)
            self._hurry()
        self.wake()

    def removed(self) -> None:
        """The API object is gone: deleted by force, or after all was done."""
        self._is_removed = True
        self._take(Cause.REMOVED)
        self._hurry()
        self.wake()

    def driver_changed(self) -> None:
        """A driver came or went: what waits for one need not wait longer."""
        self._provisions.hurry()
        self.wake()

    def wake(self) -> None:
        self._woken.set()

    def _take(self, cause: Cause) -> None:
        stage = next_stage(self.stage, cause)
        if stage is self.stage:
            return
        if self.stage is Stage.RUNNING and cause in (Cause.DELETED, Cause.REMOVED):
            self._interrupt()
        self.stage = stage
        self._backoff.forget(self)

    def _hurry(self) -> None:
        """There may be less time to stop than before."""
        if self.stage is Stage.STOPPING and self._deadline() < self._stop_by:
            self._interrupt()

    def _interrupt(self) -> None:
        if self._interruption is not None and not self._interruption.expired():
            self._interruption.reschedule(asyncio.get_running_loop().time())

    # --- the loop ---

    async def run(self) -> None:
        """Until the pod is gone from the node."""
        try:
            while self.stage is not Stage.GONE:
                self._woken.clear()
                delay = await self._step_or_interruption()
                if delay > 0:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(delay):
                            await self._woken.wait()
            await self._clean_up()
        finally:
            await self._prober.stop()

    async def _step_or_interruption(self) -> float:
        """Seconds until the next look, unless something happens before."""
        try:
            async with asyncio.timeout(None) as self._interruption:
                return await self._step()
        except TimeoutError:
            return 0
        finally:
            self._interruption = None

    async def _step(self) -> float:
        act = {
            Stage.RUNNING: self._advance,
            Stage.STOPPING: self._stop,
            Stage.RELEASING: self._release,
            Stage.FINISHED: self._rest,
            Stage.DELETING: self._delete,
        }[self.stage]
        try:
            delay = await act()
        except (errors.StatusError, Unreachable) as error:
            log.warning("Pod %s: %s", format_pod(self.pod), error)
        except RuntimeFailure as failure:
            self._tell("Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {failure}")
        except Exception:
            log.exception("Pod %s could not be synced; it is tried again", format_pod(self.pod))
        else:
            return delay
        return self._backoff.next_delay(self)

    # --- running ---

    async def _advance(self) -> float:
        if is_deleting(self.pod) or is_terminal(self.pod):
            self._take(Cause.DELETED if is_deleting(self.pod) else Cause.OVER)
            return 0
        failure = self._refusal()
        left = self._active_seconds_left()
        if failure is None and left <= 0:
            failure = DEADLINE_EXCEEDED
        if failure is not None:
            return self._fail(failure)
        self._resizer.follow(self.pod, await self._observe())
        views = await self._observe()
        plan = plan_pod(self.granted, self._sandbox(), views, self._prober.failures(), self._resizer.outgrown)
        if plan.over:
            self._report(views)
            self._take(Cause.OVER)
            return 0
        return min(left, await self._follow_plan(plan, views))

    def _refusal(self) -> Failure | None:
        """Why the node will not have the pod. One that runs already was admitted by an agent before this one."""
        if not self.was_admitted and self._sandbox() is None:
            failure = self._peers.admission_failure(self.pod)
            if failure is not None:
                return failure
        self.was_admitted = True
        return None

    def _fail(self, failure: Failure) -> float:
        kind: Any = "Normal" if failure is DEADLINE_EXCEEDED else "Warning"
        self._tell(kind, failure.reason, failure.message.removeprefix("Pod was rejected: "))
        self._failure = failure
        self._take(Cause.FAILED)
        return 0

    def _active_seconds_left(self) -> float:
        limit = self.pod["spec"].get("activeDeadlineSeconds")
        if limit is None:
            return float("inf")
        active = (self._services.clock.now() - parse_time(self._start_time)).total_seconds()
        return float(limit) - active

    async def _follow_plan(self, plan: Plan, views: list[ContainerView]) -> float:
        if plan.cause is not None and (left := self._starter.crash_delay(self.pod, plan.cause)):
            self._report(await self._observe())
            return left
        if plan.new_sandbox:
            self._report(views)
            if plan.cause is not None:
                self._starter.restarted(plan.cause)
            return await self._make_room()
        sandbox = self._sandbox()
        assert sandbox is not None
        if any(view.exited and view.waiting is None for view in plan.start):
            await self._show_ends(views)
        if any((view.spec.get("lifecycle") or {}).get("postStart") for view in plan.start):
            # It may take its time, and the pod has its address already.
            self._report(views)
        if self._resizer.outgrown:
            # So may its end.
            self._report(views)
        await self._provisions.remember_claims(self.pod)
        await asyncio.gather(
            *(
                self._stopper.stop_one(
                    self.pod, kill.container, sandbox.ip, self._grace(kill.probe), kill.message
                )
                for kill in plan.kill
            )
        )
        delays = [await self._starter.start(self.granted, view, sandbox) for view in plan.start]
        await self._provisions.refresh_volumes(self.granted)
        self._report(await self._observe())
        if plan.kill:
            return 0
        return min([RESYNC_SECONDS, *delays])

    async def _make_room(self) -> float:
        """A sandbox with all that the pod needs: 0 when it is there, else the seconds until the next try."""
        delay = await self._provisions.make_ready(self.pod)
        if delay > 0:
            return delay
        if await self._provisions.run_sandbox(self.pod):
            self._services.metrics.pod_start.observe(self._services.clock.monotonic() - self._seen_at)
        return 0

    # --- looking and telling ---

    def _sandbox(self) -> Sandbox | None:
        return newest_sandbox(self._services.runtime, uid_of(self.pod))

    async def _observe(self) -> list[ContainerView]:
        """The pod's containers; probes are brought in step with those that run."""
        pod = self.granted
        specs = [spec for _, spec in container_specs(pod)]
        sandbox = self._sandbox()
        views = observe(self._services, pod, self._prober, self._starter.waiting)
        current = {view.name: view.current for view in views}
        await self._prober.follow(
            [(spec, current[spec["name"]]) for spec in specs], sandbox.ip if sandbox is not None else ""
        )
        views = observe(self._services, pod, self._prober, self._starter.waiting)
        return self._resizer.seen(self.pod, views)

    def _report(
        self, views: list[ContainerView], *, terminated: bool = False, released: bool = False
    ) -> None:
        if self._had_ended or self._is_removed:
            return
        pod, sandbox = self._services.reporter.newest(self.pod), self._sandbox()
        facts = Circumstances(
            now=format_time(self._services.clock.now()),
            start_time=self._start_time,
            host_ip=self._services.config.address,
            pod_ip=sandbox.ip if sandbox is not None else "",
            has_sandbox=sandbox is not None and sandbox.state is SandboxState.READY,
            terminated=terminated,
            released=released,
            failure=self._failure,
            passing=self._resizer.conditions(),
        )
        self._services.reporter.report(pod, pod_status(pod, views, facts))

    async def _show_ends(self, views: list[ContainerView]) -> None:
        """Whoever watches the pod sees that containers ended, and how, before they see them waiting or run again."""
        self._report(views)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SHOWN_SECONDS):
                await self._services.reporter.settled(uid_of(self.pod))

    def _tell(self, kind: Any, reason: str, message: str) -> None:
        self._services.tell(self.pod, kind, reason, message)

    def _warn(self, container: str, message: str) -> None:
        self._services.tell(self.pod, "Warning", "Unhealthy", message, container)

    # --- ending ---

    def _grace(self, probe: Mapping[str, Any] | None = None) -> float:
        """Seconds from now that the pod has to stop; a probe that failed may grant its own."""
        return 0 if self._is_removed else grace_seconds(self.pod, self._services.clock.now(), probe)

    def _deadline(self) -> float:
        """When everything must have stopped, in the loop's time."""
        return asyncio.get_running_loop().time() + self._grace()

    async def _stop(self) -> float:
        self._prober.stop_killing()
        views = await self._observe()
        self._report(views)
        if is_deleting(self.pod) and not self._is_removed and self._peers.must_outlive_others(self.pod):
            return PATIENCE_SECONDS
        self._stop_by = min(self._stop_by, self._deadline())
        sandbox = self._sandbox()
        await self._stopper.stop_all(
            self.pod, views, sandbox.ip if sandbox is not None else "", self._stop_by
        )
        if not any(view.is_running for view in await self._observe()):
            self._take(Cause.STOPPED)
        return 0

    async def _release(self) -> float:
        self._report(await self._observe(), terminated=True)
        try:
            for text in await release_claims(self._services, self._peers, uid_of(self.pod)):
                self._tell("Warning", "AbandonedDynamicResources", text)
        except UnprepareFailure as failure:
            message = f"Failed to unprepare dynamic resources: {failure}"
            self._tell("Warning", "FailedUnprepareDynamicResources", message)
            return self._backoff.next_delay(self)
        for sandbox in sandboxes_of(self._services.runtime, uid_of(self.pod)):
            await self._services.runtime.stop_sandbox(sandbox.id)
        self._report(await self._observe(), terminated=True, released=True)
        self._services.volumes.tear_down(uid_of(self.pod))
        self._take(Cause.RELEASED)
        return 0

    async def _rest(self) -> float:
        if self._is_removed:
            self._take(Cause.REMOVED)
            return 0
        if is_deleting(self.pod):
            self._take(Cause.DELETED)
            return 0
        return RESYNC_SECONDS

    async def _delete(self) -> float:
        await self._services.reporter.settled(uid_of(self.pod))
        now = self._services.clock.monotonic()
        if now < self._delete_at:
            return self._delete_at - now
        try:
            await self._services.client.delete(
                PODS, name_of(self.pod), namespace_of(self.pod), grace_period_seconds=0, uid=uid_of(self.pod)
            )
        except (errors.NotFound, errors.Conflict):
            self._take(Cause.REMOVED)
            return 0
        # Whoever holds a finalizer on it may take long to let go, and may change it on the way.
        self._delete_at = now + RESYNC_SECONDS
        return RESYNC_SECONDS

    async def _clean_up(self) -> None:
        """Remove everything of the pod from this node."""
        identity = identity_of(self.pod)
        self._services.reporter.forget(identity.uid)
        for sandbox in sandboxes_of(self._services.runtime, identity.uid):
            await self._services.runtime.remove_sandbox(sandbox.id)
        self._services.volumes.remove(identity)
