"""Leader election through a Lease, as client-go elects: of several copies of a role one works, the others wait.

A candidate takes the lease when it is free, or when its holder has not renewed it for a lease duration *as this
candidate saw it* (clocks of different machines are never compared). The leader renews it every retry period and stops
its work when it could not for a renew deadline, which is shorter than the lease: two leaders never overlap, as long
as clocks run at similar speeds.

Kubernetes' own scheduler and controller manager understand the same lease, so dray may stand by for them or replace
them.
"""

import asyncio
import contextlib
import dataclasses
import logging
import uuid
from collections.abc import Awaitable, Callable

from dray.api import errors
from dray.api.meta import Object, format_micro_time
from dray.api.resources import LEASES
from dray.client.protocol import Client, Unreachable
from dray.kits.clock import Clock

log = logging.getLogger("dray.leader")


class LeadershipLost(Exception):
    """The lease went to somebody else, or could not be renewed in time; the work was cancelled."""


@dataclasses.dataclass(frozen=True, slots=True)
class LeaseTiming:
    """client-go's defaults."""

    lease_seconds: float = 15.0
    renew_deadline_seconds: float = 10.0
    retry_seconds: float = 2.0


def new_identity(host: str) -> str:
    """An identity as Kubernetes' components choose it: host and a random suffix."""
    return f"{host}_{uuid.uuid4()}"


class LeaderElector:
    def __init__(
        self,
        client: Client,
        name: str,
        identity: str,
        clock: Clock,
        *,
        namespace: str = "kube-system",
        timing: LeaseTiming | None = None,
    ) -> None:
        self.client = client
        self.name = name
        self.namespace = namespace
        self.identity = identity
        self.clock = clock
        self.timing = timing or LeaseTiming()
        self._seen_version = ""
        self._seen_at = 0.0
        self._renewed_at = 0.0

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Wait for the lease, then do `work` while holding it; the lease is given back when the work ends.

        Raises LeadershipLost after cancelling the work when the lease is lost; otherwise what `work` raises.
        """
        await self._acquire()
        log.info("%s became leader of %s/%s", self.identity, self.namespace, self.name)
        working = asyncio.ensure_future(work())
        renewing = asyncio.ensure_future(self._renew())
        try:
            await asyncio.wait({working, renewing}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                await working
            else:
                await renewing
        finally:
            for task in (working, renewing):
                task.cancel()
            await asyncio.gather(working, renewing, return_exceptions=True)
            await self._release()

    async def _acquire(self) -> None:
        held = await self._try()
        while not held:
            await asyncio.sleep(self.timing.retry_seconds)
            held = await self._try()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self.timing.retry_seconds)
            try:
                async with asyncio.timeout(self._seconds_left()):
                    held = await self._try()
            except TimeoutError:
                held = False
            if not held and self._seconds_left() <= 0:
                raise LeadershipLost(f"lease {self.namespace}/{self.name} was lost by {self.identity}")

    def _seconds_left(self) -> float:
        return self._renewed_at + self.timing.renew_deadline_seconds - self.clock.monotonic()

    async def _try(self) -> bool:
        """One attempt to take or renew the lease."""
        started = self.clock.monotonic()
        try:
            lease = await self.client.get(LEASES, self.name, self.namespace)
            if not self._may_take(lease):
                return False
            await self.client.update(LEASES, {**lease, "spec": self._spec(lease.get("spec") or {})})
        except errors.NotFound:
            if not await self._create():
                return False
        except (errors.StatusError, Unreachable) as error:
            log.info("Lease %s/%s was not taken or renewed: %s", self.namespace, self.name, error)
            return False
        self._renewed_at = started
        return True

    def _may_take(self, lease: Object) -> bool:
        spec = lease.get("spec") or {}
        version = lease["metadata"]["resourceVersion"]
        if version != self._seen_version:
            self._seen_version, self._seen_at = version, self.clock.monotonic()
        holder = spec.get("holderIdentity") or ""
        if holder in ("", self.identity):
            return True
        seconds = spec.get("leaseDurationSeconds") or self.timing.lease_seconds
        return self.clock.monotonic() - self._seen_at > float(seconds)

    def _spec(self, old: Object) -> Object:
        now = format_micro_time(self.clock.now())
        mine = old.get("holderIdentity") == self.identity
        transitions = int(old.get("leaseTransitions") or 0)
        return {
            **old,
            "holderIdentity": self.identity,
            "leaseDurationSeconds": int(self.timing.lease_seconds),
            "acquireTime": old.get("acquireTime") if mine else now,
            "renewTime": now,
            "leaseTransitions": transitions if mine else transitions + 1,
        }

    async def _create(self) -> bool:
        lease: Object = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": {**self._spec({}), "leaseTransitions": 0},
        }
        try:
            await self.client.create(LEASES, lease, self.namespace)
        except (errors.StatusError, Unreachable) as error:
            log.info("Lease %s/%s was not created: %s", self.namespace, self.name, error)
            return False
        return True

    async def _release(self) -> None:
        """Let the next candidate start at once. A failure costs only the wait for the lease to run out."""
        with contextlib.suppress(errors.StatusError, Unreachable):
            lease = await self.client.get(LEASES, self.name, self.namespace)
            if (lease.get("spec") or {}).get("holderIdentity") == self.identity:
                spec = {**lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
                await self.client.update(LEASES, {**lease, "spec": spec})
