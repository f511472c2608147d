"""Claims of pods, prepared before the pods start and unprepared after they ended.

Decides, in the kubelet's three phases and with its words: (A) whether the pod may use its claims at all, asking the
API server; (B) what is put on record, on disk before any driver is called; (C) which drivers are called, one call a
driver for all claims of the pod. A claim that several pods share is prepared with the first and unprepared with the
last. Drivers must bear repeated calls; this never spares one at the price of losing track of a device.

Better than upstream, each noted where it is done: two pods never prepare one claim at the same time; a repeated
prepare replaces the devices on record; unprepare goes by the record and not by the pod's present status; only a pod
that is on record can be a claim's last user.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from typing import Any, Final

from dray.api import errors
from dray.api.meta import Object, name_of, namespace_of, uid_of
from dray.api.pod_groups import may_use, ownership_problem
from dray.api.pods import claims_of
from dray.api.resources import RESOURCE_CLAIMS
from dray.client.protocol import Client, Unreachable
from dray.node.dra.checkpoint import Checkpoint
from dray.node.dra.claiminfo import ClaimInfo, claim_info
from dray.node.metrics import NodeMetrics
from dray.node.plugins.connection import ClaimName, DriverFailure
from dray.node.plugins.drivers import Drivers

PREFIX: Final = "prepare dynamic resources: "


class PrepareFailure(Exception):
    """The pod cannot start yet; the text is for its event."""


class UnprepareFailure(Exception):
    """Claims of a pod that ended are still prepared. `drivers` are those that are not there."""

    def __init__(self, message: str, drivers: Collection[str] = ()) -> None:
        super().__init__(message)
        self.drivers = tuple(drivers)


class ClaimPreparation:
    def __init__(
        self,
        client: Client,
        drivers: Drivers,
        checkpoint: Checkpoint,
        metrics: NodeMetrics,
        *,
        with_groups: bool = False,
    ) -> None:
        """`with_groups`: pods may use what is made, or reserved, for their PodGroup."""
        self._with_groups = with_groups
        self._client = client
        self._drivers = drivers
        self._checkpoint = checkpoint
        self._metrics = metrics
        self._claims: dict[str, ClaimInfo] = {claim.uid: claim for claim in checkpoint.load()}
        self._locks: dict[str, asyncio.Lock] = {}
        metrics.claims_in_use = self._in_use

    def _in_use(self) -> Mapping[str, int]:
        counts: dict[str, int] = {"<any>": len(self._claims)}
        for claim in self._claims.values():
            for driver in claim.drivers:
                counts[driver] = counts.get(driver, 0) + 1
        return counts

    def claims(self) -> list[ClaimInfo]:
        """Everything on record."""
        return list(self._claims.values())

    def pods(self) -> set[str]:
        """UIDs of all pods that use a claim on record."""
        return {uid for claim in self._claims.values() for uid in claim.pods}

    def claims_of_pod(self, pod_uid: str) -> list[ClaimInfo]:
        return [claim for claim in self._claims.values() if pod_uid in claim.pods]

    def has_claims(self, pod_uid: str) -> bool:
        return any(pod_uid in claim.pods for claim in self._claims.values())

    def find(self, namespace: str, name: str) -> ClaimInfo | None:
        return next(
            (claim for claim in self._claims.values() if (claim.namespace, claim.name) == (namespace, name)),
            None,
        )

    async def prepare(self, pod: Object) -> None:
        """Raises PrepareFailure. Safe to repeat; claims that are prepared cost no call."""
        begun, failed = time.monotonic(), True
        try:
            claims = await self._permitted(pod)
            if claims:
                async with self._locked(uid_of(claim) for claim in claims):
                    await self._call_prepare(self._put_on_record(pod, claims))
            failed = False
        except (DriverFailure, PrepareFailure) as error:
            raise PrepareFailure(f"{PREFIX}{error}") from error
        finally:
            self._metrics.operation("PrepareResources", time.monotonic() - begun, failed=failed)

    async def _permitted(self, pod: Object) -> list[Object]:
        """Phase A: the pod's claims, all of which it may use and whose drivers are there."""
        claims = []
        for name, generated in _claim_names(pod):
            claim = await self._fetch(namespace_of(pod), name)
            if generated and (problem := ownership_problem(claim, pod, with_groups=self._with_groups)):
                raise PrepareFailure(problem)
            if not may_use(claim, pod, with_groups=self._with_groups):
                raise PrepareFailure(
                    f"pod {name_of(pod)} ({uid_of(pod)}) is not allowed to use ResourceClaim {name} ({uid_of(claim)})"
                )
            if not (claim.get("status") or {}).get("allocation"):
                raise PrepareFailure(f"ResourceClaim {name}: not allocated")
            for driver in claim_info(claim).drivers:
                self._drivers.find(driver)
            claims.append(claim)
        return claims

    async def _fetch(self, namespace: str, name: str) -> Object:
        try:
            return await self._client.get(RESOURCE_CLAIMS, name, namespace)
        except (errors.StatusError, Unreachable) as error:
            raise PrepareFailure(f"fetch ResourceClaim {name}: {error}") from error

    def _put_on_record(self, pod: Object, claims: Iterable[Object]) -> list[ClaimInfo]:
        """Phase B: the pod is a user of its claims, on disk, whatever happens next."""
        infos = []
        for claim in claims:
            old = self.find(namespace_of(claim), name_of(claim))
            if old is not None and old.uid != uid_of(claim):
                raise PrepareFailure(
                    f"old ResourceClaim with same name {old.name} and different UID {old.uid} still exists "
                    "(previous pod force-deleted?!)"
                )
            info = self._claims.setdefault(uid_of(claim), claim_info(claim))
            info.pods.add(uid_of(pod))
            self._save()
            infos.append(info)
        return infos

    async def _call_prepare(self, claims: list[ClaimInfo]) -> None:
        """Phase C: one call a driver. The first that fails ends it; what is prepared by then stays on record."""
        todo = [claim for claim in claims if not claim.prepared]
        for driver in sorted({driver for claim in todo for driver in claim.drivers}):
            mine = [claim for claim in todo if driver in claim.drivers]
            answers = await self._drivers.find(driver).prepare(map(_name, mine))
            for claim in mine:
                # Replaced, not appended: a repeated prepare must not list devices twice.
                claim.drivers[driver] = answers[claim.uid]
        for claim in todo:
            claim.prepared = True
        if todo:
            self._save()

    async def unprepare(self, pod_uid: str) -> None:
        """The pod uses no claim any more. Raises UnprepareFailure as long as a driver did not agree."""
        claims = self.claims_of_pod(pod_uid)
        if not claims:
            return
        begun, failed = time.monotonic(), True
        try:
            async with self._locked(claim.uid for claim in claims):
                last = []
                for claim in claims:
                    if claim.pods == {pod_uid}:
                        last.append(claim)
                    else:
                        claim.pods.discard(pod_uid)
                        self._save()
                await self._call_unprepare(last)
            failed = False
        finally:
            self._metrics.operation("UnprepareResources", time.monotonic() - begun, failed=failed)

    async def _call_unprepare(self, claims: list[ClaimInfo]) -> None:
        failures: list[str] = []
        missing: list[str] = []
        for driver in sorted({driver for claim in claims for driver in claim.drivers}):
            mine = [claim for claim in claims if driver in claim.drivers]
            try:
                await self._drivers.find(driver).unprepare(map(_name, mine))
            except DriverFailure as failure:
                failures.append(str(failure))
                if not self._drivers.is_registered(driver):
                    missing.append(driver)
                continue
            for claim in mine:
                del claim.drivers[driver]
        for claim in claims:
            claim.prepared = False
            if not claim.drivers:
                self._claims.pop(claim.uid, None)
                self._locks.pop(claim.uid, None)
        if claims:
            self._save()
        if failures:
            raise UnprepareFailure(f"unprepare dynamic resources: {'; '.join(failures)}", missing)

    def abandon(self, pod_uid: str, drivers: Collection[str]) -> list[ClaimInfo]:
        """Strike `drivers` from the record of the pod's claims, uncalled; returns the claims concerned.

        For drivers that will not come back: what they prepared can only be cleaned up by hand.
        """
        abandoned = []
        for claim in self.claims_of_pod(pod_uid):
            if claim.pods != {pod_uid} or not claim.drivers.keys() & set(drivers):
                continue
            abandoned.append(claim)
            claim.drivers = {name: devices for name, devices in claim.drivers.items() if name not in drivers}
            if not claim.drivers:
                self._claims.pop(claim.uid, None)
        if abandoned:
            self._save()
        return abandoned

    @contextlib.asynccontextmanager
    async def _locked(self, uids: Iterable[str]) -> AsyncIterator[None]:
        """One pod at a time per claim; locks are taken in one order, so that none waits in a circle."""
        async with contextlib.AsyncExitStack() as stack:
            for uid in sorted(set(uids)):
                await stack.enter_async_context(self._locks.setdefault(uid, asyncio.Lock()))
            yield

    def _save(self) -> None:
        self._checkpoint.save(self._claims.values())


def _claim_names(pod: Object) -> list[tuple[str, bool]]:
    """(claim name, made from a template) of every claim the pod uses. Raises PrepareFailure."""
    names: list[tuple[str, bool]] = []
    for entry in claims_of(pod):
        if not entry.is_resolved:
            raise PrepareFailure(f'pod "{namespace_of(pod)}/{name_of(pod)}": ResourceClaim not created yet')
        if entry.claim:
            names.append((entry.claim, entry.template is not None))
    extended: Mapping[str, Any] = (pod.get("status") or {}).get("extendedResourceClaimStatus") or {}
    if extended.get("resourceClaimName"):
        names.append((extended["resourceClaimName"], True))
    return names


def _name(claim: ClaimInfo) -> ClaimName:
    return ClaimName(claim.namespace, claim.name, claim.uid)
