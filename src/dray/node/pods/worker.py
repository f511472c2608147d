"""One pod on this node, from its first sight to its last: a loop that looks, acts as its stage demands, and reports.

The worker owns nothing that it could not read back: containers are the runtime's, prepared claims the checkpoint's,
the pod the API server's. It may be stopped and begun anew at any point. What a stage does may be interrupted by what
moves the pod to the next: nobody waits for a hook, or a driver, of a pod that is being deleted.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from dray.api import errors
from dray.api.meta import Object, format_time, is_deleting, name_of, namespace_of, parse_time, uid_of
from dray.api.pods import is_terminal
from dray.api.resources import PODS
from dray.client.protocol import Unreachable
from dray.kits.backoff import Backoff
from dray.node.dra.preparation import PrepareFailure, UnprepareFailure
from dray.node.pods.observation import newest_sandbox, observe, sandboxes_of
from dray.node.pods.plan import Plan, plan_pod
from dray.node.pods.release import release_claims
from dray.node.pods.services import NodeServices, Peers
from dray.node.pods.stages import Cause, Stage, next_stage
from dray.node.pods.starting import ContainerStarter
from dray.node.pods.status import Circumstances, Failure, pod_status
from dray.node.pods.stopping import ContainerStopper
from dray.node.pods.view import ContainerView, container_specs, format_pod, identity_of
from dray.node.probes.prober import Prober
from dray.node.runtime.protocol import RuntimeFailure, Sandbox, SandboxConfig, SandboxState
from dray.node.volumes.content import VolumeFailure, is_made_from_objects

log = logging.getLogger("dray.node.pods")

RESYNC_SECONDS: Final = 30.0
REFRESH_SECONDS: Final = 60.0
"""How old the content of a running pod's volumes may get."""
PATIENCE_SECONDS: Final = 0.2
"""Between two looks whether others still need this pod."""
RETRY_SECONDS: Final = (1.0, 10.0)
DEFAULT_GRACE_SECONDS: Final = 30
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
        self._starter = ContainerStarter(services, self._stopper, self._set_up_volumes)
        self._prober = Prober(services.actions, services.clock, self.wake, self._warn)
        self._woken = asyncio.Event()
        self._interruption: asyncio.Timeout | None = None
        self._backoff = Backoff(*RETRY_SECONDS)
        self._prepare_at = 0.0
        self._delete_at = 0.0
        self._refreshed_at = services.clock.monotonic()
        self._seen_at = services.clock.monotonic()
        self._stop_by = float("inf")
        self._failure: Failure | None = None
        self._is_removed = False
        self._had_ended = is_terminal(pod)
        """Before this agent looked: what its status says is final."""
        self._start_time = (pod.get("status") or {}).get("startTime") or format_time(services.clock.now())

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
        self._prepare_at = 0.0
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
        views = await self._observe()
        plan = plan_pod(self.pod, self._sandbox(), views, self._prober.failures())
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
        if plan.new_sandbox:
            self._report(views)
            delay = await self._make_ready()
            if delay > 0:
                return delay
            await self._run_sandbox()
            return 0
        sandbox = self._sandbox()
        assert sandbox is not None
        await self._remember_claims()
        await asyncio.gather(
            *(
                self._stopper.stop_one(
                    self.pod, kill.container, sandbox.ip, self._grace(kill.probe), kill.message
                )
                for kill in plan.kill
            )
        )
        delays = [await self._starter.start(self.pod, view, sandbox) for view in plan.start]
        await self._refresh_volumes()
        self._report(await self._observe())
        if plan.kill:
            return 0
        return min([RESYNC_SECONDS, *delays])

    async def _make_ready(self) -> float:
        """Volumes, then devices: 0 when the pod has all, else the seconds until the next try; failures are told."""
        left = self._prepare_at - self._services.clock.monotonic()
        if left > 0:
            return left
        try:
            await self._set_up_volumes()
            await self._services.claims.prepare(self.pod)
        except VolumeFailure as failure:
            self._tell("Warning", "FailedMount", str(failure))
        except PrepareFailure as failure:
            self._tell_unprepared(failure)
        else:
            self._backoff.forget(self)
            return 0
        delay = self._backoff.next_delay(self)
        self._prepare_at = self._services.clock.monotonic() + delay
        return delay

    def _tell_unprepared(self, failure: PrepareFailure) -> None:
        message = f"Failed to prepare dynamic resources: {failure}"
        self._tell("Warning", "FailedPrepareDynamicResources", message)

    async def _remember_claims(self) -> None:
        """A running pod whose claims are not on record: the record was lost, and asking the drivers again makes it."""
        uses_claims = bool(self.pod["spec"].get("resourceClaims"))
        if not uses_claims or self._services.claims.has_claims(uid_of(self.pod)):
            return
        if self._prepare_at > self._services.clock.monotonic():
            return
        self._prepare_at = self._services.clock.monotonic() + RESYNC_SECONDS
        try:
            await self._services.claims.prepare(self.pod)
        except PrepareFailure as failure:
            self._tell_unprepared(failure)

    async def _set_up_volumes(self) -> Mapping[str, Path]:
        sandbox = self._sandbox()
        return await self._services.volumes.set_up(
            self.pod,
            host_ips=[self._services.config.address],
            pod_ips=[sandbox.ip] if sandbox is not None else [],
            allocatable=self._services.allocatable,
        )

    async def _refresh_volumes(self) -> None:
        """Configuration that changed, tokens that are about to end."""
        volumes = self.pod["spec"].get("volumes") or ()
        if self._services.clock.monotonic() - self._refreshed_at < REFRESH_SECONDS:
            return
        self._refreshed_at = self._services.clock.monotonic()
        if any(is_made_from_objects(volume) for volume in volumes):
            try:
                await self._set_up_volumes()
            except VolumeFailure as failure:
                self._tell("Warning", "FailedMount", str(failure))

    async def _run_sandbox(self) -> None:
        """Older sandboxes are stopped and kept as long as they hold a container that is still worth a look."""
        spec, old = self.pod["spec"], sandboxes_of(self._services.runtime, uid_of(self.pod))
        for sandbox in old:
            await self._services.runtime.stop_sandbox(sandbox.id)
        for sandbox in old[1:]:
            await self._services.runtime.remove_sandbox(sandbox.id)
        host_network = bool(spec.get("hostNetwork"))
        name = self._services.config.name if host_network else name_of(self.pod)
        hostname = str(spec.get("hostname") or name)[:63].rstrip("-.")
        attempt = old[0].attempt + 1 if old else 0
        config = SandboxConfig(identity_of(self.pod), attempt, hostname, host_network)
        await self._services.runtime.run_sandbox(config)
        if not old:
            self._services.metrics.pod_start.observe(self._services.clock.monotonic() - self._seen_at)

    # --- looking and telling ---

    def _sandbox(self) -> Sandbox | None:
        return newest_sandbox(self._services.runtime, uid_of(self.pod))

    async def _observe(self) -> list[ContainerView]:
        """The pod's containers; probes are brought in step with those that run."""
        specs = [spec for _, spec in container_specs(self.pod)]
        sandbox = self._sandbox()
        views = observe(self._services, self.pod, self._prober, self._starter.waiting)
        current = {view.name: view.current for view in views}
        await self._prober.follow(
            [(spec, current[spec["name"]]) for spec in specs], sandbox.ip if sandbox is not None else ""
        )
        return observe(self._services, self.pod, self._prober, self._starter.waiting)

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
        )
        self._services.reporter.report(pod, pod_status(pod, views, facts))

    def _tell(self, kind: Any, reason: str, message: str) -> None:
        self._services.tell(self.pod, kind, reason, message)

    def _warn(self, container: str, message: str) -> None:
        self._services.tell(self.pod, "Warning", "Unhealthy", message, container)

    # --- ending ---

    def _grace(self, probe: Mapping[str, Any] | None = None) -> float:
        """Seconds from now that the pod has to stop; a probe that failed may grant its own."""
        if self._is_removed:
            return 0
        own = self.pod["spec"].get("terminationGracePeriodSeconds")
        if probe is not None and probe.get("terminationGracePeriodSeconds") is not None:
            own = probe["terminationGracePeriodSeconds"]
        grace = float(DEFAULT_GRACE_SECONDS if own is None else own)
        if not is_deleting(self.pod):
            return grace
        granted = self.pod["metadata"].get("deletionGracePeriodSeconds")
        grace = float(grace if granted is None else granted)
        # deletionTimestamp is when the grace ends: an agent that was away grants only the rest.
        end = parse_time(self.pod["metadata"]["deletionTimestamp"])
        left = (end - self._services.clock.now()).total_seconds()
        return max(0.0, min(grace, left + 1))

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
