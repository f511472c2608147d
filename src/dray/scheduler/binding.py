"""The second half of scheduling a pod, in the background: promise the node, write the claims, wait, bind.

    nominate (only pods with claims) -> commit claims -> wait for binding conditions -> bind -> tell

Whatever fails is undone in reverse, and the scheduling task hears of it (`Outcome`) to forget what it assumed. Many
bindings run at once; only a bounded number of them writes at any moment, and a long wait holds no place.
"""

import asyncio
import dataclasses
import logging
from collections.abc import Callable

from dray.api import errors
from dray.api.meta import Object, key_of, uid_of
from dray.api.resources import PODS
from dray.client.protocol import Client, Unreachable
from dray.kits.clock import Clock
from dray.scheduler.assume import allocation_of
from dray.scheduler.event_log import EventLog
from dray.scheduler.happenings import DYNAMIC_RESOURCES
from dray.scheduler.metrics import SchedulerMetrics
from dray.scheduler.plugins.dynamic_resources import conditions
from dray.scheduler.plugins.dynamic_resources.commit import CommitError, Committer, Reservation
from dray.scheduler.plugins.dynamic_resources.plan import Settings
from dray.scheduler.queue import QueuedPod
from dray.scheduler.verdict import PodGone

log = logging.getLogger("dray.scheduler")

WRITERS = 64
"""Bindings that write at the same time."""
ASK_AGAIN_SECONDS = 1.0


class BindingFailed(Exception):
    """The pod was not bound; the text is upstream's."""


@dataclasses.dataclass(slots=True, eq=False)
class Binding:
    item: QueuedPod
    reservation: Reservation
    gone: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    """Set when the pod was deleted."""
    committed: bool = False
    """The claims are written; what was assumed about their devices is settled."""


class Binder:
    """`find_claim` reads the newest claim known; the `on_*` callbacks hand results to the scheduling task."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        settings: Settings,
        events: EventLog,
        metrics: SchedulerMetrics,
        *,
        find_claim: Callable[[Object], Object | None],
        on_committed: Callable[[Binding], object],
        on_bound: Callable[[Binding], object],
        on_failed: Callable[[Binding, str], object],
    ) -> None:
        self._client = client
        self._clock = clock
        self._settings = settings
        self._events = events
        self._metrics = metrics
        self._committer = Committer(client, clock, settings)
        self._find_claim = find_claim
        self._on_committed = on_committed
        self._on_bound = on_bound
        self._on_failed = on_failed
        self._writers = asyncio.Semaphore(WRITERS)
        self._bindings: dict[str, Binding] = {}
        self._waiting: dict[str, set[asyncio.Event]] = {}

    def __len__(self) -> int:
        return len(self._bindings)

    def pod_is_gone(self, uid: str) -> None:
        """Stop waiting for a pod that was deleted."""
        binding = self._bindings.get(uid)
        if binding is not None:
            binding.gone.set()

    def claim_changed(self, claim: Object) -> None:
        """Whoever waits for this claim should look again."""
        for event in self._waiting.get(uid_of(claim), ()):
            event.set()

    async def bind(self, item: QueuedPod, reservation: Reservation) -> None:
        """See the module. Ends in exactly one of `on_bound` and `on_failed`."""
        binding = self._bindings[item.uid] = Binding(item, reservation)
        try:
            await self._steps(binding)
        except (CommitError, BindingFailed, PodGone) as error:
            await self._committer.undo(reservation)
            self._on_failed(binding, "" if isinstance(error, PodGone) else _words(error))
        except Exception as error:
            # A mistake in here must not leave the pod between two places for ever.
            log.exception("Binding pod %s failed in an unexpected way", reservation.pod.key)
            await self._committer.undo(reservation)
            self._on_failed(binding, f"{type(error).__name__}: {error}")
        else:
            self._on_bound(binding)
        finally:
            del self._bindings[item.uid]

    async def _steps(self, binding: Binding) -> None:
        reservation = binding.reservation
        if reservation.needs_writing:
            started = self._clock.monotonic()
            async with self._writers:
                await self._nominate(reservation)
                await self._commit(binding)
            await self._wait_for_conditions(binding)
            self._metrics.ran("PreBind", self._clock.monotonic() - started)
        if binding.gone.is_set():
            raise PodGone
        started = self._clock.monotonic()
        async with self._writers:
            await self._post_binding(reservation)
        self._metrics.ran("Bind", self._clock.monotonic() - started)

    async def _nominate(self, reservation: Reservation) -> None:
        """Show where the pod is going while its claims are written. Only a hint: a failure is no reason to stop."""
        pod = reservation.pod
        if pod.nominated_node == reservation.node:
            return
        try:
            await self._committer.patch_pod(pod, {"nominatedNodeName": reservation.node})
        except CommitError as error:
            if isinstance(error.__cause__, errors.NotFound):
                raise PodGone from error
            log.info("Pod %s was not nominated to %s: %s", pod.key, reservation.node, error)

    async def _commit(self, binding: Binding) -> None:
        reservation = binding.reservation
        creates = reservation.choice.special is not None
        try:
            await self._committer.commit(reservation)
        finally:
            if creates:
                status = "success" if reservation.created is not None else "failure"
                self._metrics.claim_creates.inc(status=status)
        binding.committed = True
        self._on_committed(binding)

    async def _wait_for_conditions(self, binding: Binding) -> None:
        claims = binding.reservation.claims
        if not self._settings.binding_conditions or not any(map(conditions.has_conditions, claims)):
            return
        node = binding.reservation.node
        note = f"waiting for binding conditions for device on node {node}"
        self._events.record(binding.item.pod, "Normal", "BindingConditionsPending", "Scheduling", note)
        drivers = [result["driver"] for claim in claims for result in conditions.conditional_results(claim)]
        started = self._clock.monotonic()
        status = "error"
        try:
            status = await self._until_ready(binding)
        except conditions.BindingConditionFailed as error:
            status = "failure"
            raise BindingFailed(_prebind(str(error))) from error
        finally:
            self._metrics.waited(drivers, status, self._clock.monotonic() - started)
        if status == "timeout":
            claim = min(binding.reservation.claims, key=self._seconds_left)
            raise BindingFailed(_prebind(f"device binding timeout: claim={claim['metadata']['name']}"))

    async def _until_ready(self, binding: Binding) -> str:
        """`success` or `timeout`. Raises BindingConditionFailed, BindingFailed, PodGone."""
        reservation = binding.reservation
        changed = asyncio.Event()
        uids = [uid_of(claim) for claim in reservation.claims]
        for uid in uids:
            self._waiting.setdefault(uid, set()).add(changed)
        try:
            while True:
                changed.clear()
                claims = self._refresh(reservation)
                ready = [conditions.is_ready(claim) for claim in claims]
                if all(ready):
                    return "success"
                left = min(map(self._seconds_left, claims))
                if left < 0:
                    return "timeout"
                await _first_of(changed, binding.gone, timeout_seconds=left + 0.001)
                if binding.gone.is_set():
                    raise PodGone
        finally:
            for uid in uids:
                self._waiting[uid].discard(changed)
                if not self._waiting[uid]:
                    del self._waiting[uid]

    def _refresh(self, reservation: Reservation) -> list[Object]:
        """The claims as they are now; all still have to be allocated."""
        for claim in reservation.claims:
            found = self._find_claim(claim)
            if found is not None and int(found["metadata"]["resourceVersion"]) > int(
                claim["metadata"]["resourceVersion"]
            ):
                reservation.written[uid_of(claim)] = found
                if allocation_of(found) is None:
                    raise BindingFailed(
                        _prebind(f"claim {key_of(claim)} got deallocated elsewhere in the meantime")
                    )
        return reservation.claims

    def _seconds_left(self, claim: Object) -> float:
        if not conditions.has_conditions(claim):
            return self._settings.binding_timeout_seconds
        return conditions.seconds_left(claim, self._clock.now(), self._settings.binding_timeout_seconds)

    async def _post_binding(self, reservation: Reservation) -> None:
        pod = reservation.pod
        body: Object = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": pod.key.name, "namespace": pod.key.namespace, "uid": pod.uid},
            "target": {"kind": "Node", "name": reservation.node},
        }
        try:
            await self._client.create(PODS, body, pod.key.namespace, name=pod.key.name, subresource="binding")
        except Unreachable as error:
            await self._find_out(reservation, error)
        except errors.NotFound as error:
            raise PodGone from error
        except errors.StatusError as error:
            raise BindingFailed(f'running Bind plugin "DefaultBinder": {error}') from error

    async def _find_out(self, reservation: Reservation, cause: Unreachable) -> None:
        """No answer told whether the pod was bound, and either guess could hurt: ask until somebody knows."""
        pod = reservation.pod
        while True:
            try:
                found = await self._client.get(PODS, pod.key.name, pod.key.namespace)
                break
            except errors.NotFound as error:
                raise PodGone from error
            except (errors.StatusError, Unreachable) as error:
                log.info("Pod %s could not be read, asking again: %s", pod.key, error)
                await asyncio.sleep(ASK_AGAIN_SECONDS)
        if uid_of(found) != pod.uid:
            raise PodGone
        if found["spec"].get("nodeName") != reservation.node:
            raise BindingFailed(f'running Bind plugin "DefaultBinder": {cause}') from cause


def _prebind(text: str) -> str:
    return f'running PreBind plugin "{DYNAMIC_RESOURCES}": {text}'


def _words(error: Exception) -> str:
    return _prebind(str(error)) if isinstance(error, CommitError) else str(error)


async def _first_of(*events: asyncio.Event, timeout_seconds: float) -> None:
    tasks = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
