"""The DRAPlugin service: what the kubelet asks, in v1 and v1beta1, translated to claims and back.

Every claim of a call gets its own answer. Claims are read from the API at each call, never from a cache that may lag.
Work goes on when a caller gives up after its 45 seconds, and its next attempt finds the result.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from dray.api import resources
from dray.api.errors import NotFound, StatusError
from dray.client.protocol import Client, Unreachable
from dray.kits.klog import kv
from dray.sdk.calls import Call, CallLog
from dray.sdk.checkpoint import ReturnedDevice
from dray.sdk.claims import Claim, ClaimRef, claim_for_driver
from dray.sdk.errors import ClaimError
from dray.sdk.metrics import DriverMetrics
from dray.sdk.preparation import Outcome, Preparations
from dray.wire.kubelet import DRA
from dray.wire.rpc import Handler, service_handler
from dray.wire.schema import Package

log = logging.getLogger("dray.sdk.service")

ANSWER_WITHIN_SECONDS: Final = 40.0
"""A little less than the kubelet waits, so that it gets to hear what is going on."""


class DraService:
    """Serves from the beginning, so that the kubelet finds the driver; works on claims once it is `open`."""

    def __init__(
        self,
        driver: str,
        client: Client,
        preparations: Preparations,
        calls: CallLog,
        metrics: DriverMetrics,
        *,
        answer_within_seconds: float = ANSWER_WITHIN_SECONDS,
    ) -> None:
        self._driver = driver
        self._client = client
        self._preparations = preparations
        self._calls = calls
        self._metrics = metrics
        self._answer_within = answer_within_seconds
        self._opened = asyncio.Event()
        self._working: set[asyncio.Task[Any]] = set()

    def open(self) -> None:
        """The driver knows its devices and has tidied up: let calls that wait, and all later ones, go on."""
        self._opened.set()

    def handlers(self, versions: Sequence[str] = tuple(DRA)) -> list[Handler]:
        """One gRPC handler per version of the service."""
        return [self._handler(DRA[version]) for version in versions]

    def _handler(self, package: Package) -> Handler:
        async def prepare(request: Any, call: Call) -> Any:
            outcomes = await self.prepare([_ref(claim) for claim in request.claims], call)
            return _prepare_response(package, outcomes)

        async def unprepare(request: Any, call: Call) -> Any:
            outcomes = await self.unprepare([_ref(claim) for claim in request.claims], call)
            response = package.message("NodeUnprepareResourcesResponse")()
            for uid, error in outcomes.items():
                response.claims[uid].error = "" if error is None else str(error)
            return response

        methods = {"NodePrepareResources": prepare, "NodeUnprepareResources": unprepare}
        return service_handler(
            package,
            "DRAPlugin",
            {name: self._logged(package, name, serve) for name, serve in methods.items()},
        )

    def _logged(
        self, package: Package, name: str, serve: Callable[[Any, Call], Awaitable[Any]]
    ) -> Callable[[Any], Awaitable[Any]]:
        path = package.methods("DRAPlugin")[name].path

        async def answer(request: Any) -> Any:
            call = self._calls.begin(path, request)
            try:
                response = await serve(request, call)
            except Exception as error:
                self._calls.failed(call, error)
                raise
            self._calls.answered(call, response)
            return response

        return answer

    # --- prepare ---

    async def prepare(self, refs: Sequence[ClaimRef], call: Call) -> dict[str, Outcome]:
        """Claim UID -> its devices or why there are none; an entry for each of `refs`."""
        if not refs:
            return {}  # a health check
        self._calls.prepare_called(call, refs)
        started = time.monotonic()
        if not await self._is_open():
            return dict.fromkeys((ref.uid for ref in refs), _not_open())
        # Reading the claims ends with the call: only a call that still waits may begin to work, or a late one could
        # prepare a claim that was unprepared meanwhile.
        fetched = await asyncio.gather(*(self._fetch(ref, call) for ref in refs))
        claims = [result for result in fetched if isinstance(result, Claim)]
        outcomes: dict[str, Outcome] = await self._answer(
            self._preparations.prepare(claims), [claim.ref for claim in claims]
        )
        for ref, result in zip(refs, fetched, strict=True):
            outcome = result if isinstance(result, ClaimError) else outcomes[ref.uid]
            outcomes[ref.uid] = outcome
            self._metrics.prepared(isinstance(outcome, ClaimError), time.monotonic() - started)
            if isinstance(outcome, ClaimError):
                self._calls.prepare_failed(call, ref, outcome)
            elif isinstance(result, Claim):
                self._calls.prepared(call, result, outcome)
        return outcomes

    async def _fetch(self, ref: ClaimRef, call: Call) -> Claim | ClaimError:
        self._calls.preparing(call, ref)
        try:
            obj = await self._client.get(resources.RESOURCE_CLAIMS, ref.name, ref.namespace)
            return claim_for_driver(obj, self._driver, ref)
        except NotFound as error:
            return ClaimError(f"fetch ResourceClaim {ref}: {error}", retry=False)
        except (StatusError, Unreachable) as error:
            return ClaimError(f"fetch ResourceClaim {ref}: {error}")
        except ClaimError as error:
            return error

    # --- unprepare ---

    async def unprepare(self, refs: Sequence[ClaimRef], call: Call) -> dict[str, ClaimError | None]:
        """Claim UID -> None when released; an entry for each of `refs`. Does not ask the API."""
        if not refs:
            return {}
        self._calls.unprepare_called(call, refs)
        started = time.monotonic()
        if not await self._is_open():
            return dict.fromkeys((ref.uid for ref in refs), _not_open())
        outcomes = await self._answer(self._preparations.unprepare(refs), refs)
        for ref in refs:
            error = outcomes[ref.uid]
            self._metrics.unprepared(error is not None, time.monotonic() - started)
            if error is not None:
                self._calls.unprepare_failed(call, ref, error)
        return outcomes

    # --- shared ---

    async def _is_open(self) -> bool:
        """Wait for that, as long as an answer may take; the wait ends with the call."""
        try:
            async with asyncio.timeout(self._answer_within):
                await self._opened.wait()
        except TimeoutError:
            return False
        return True

    async def _answer(self, work: Awaitable[dict[str, Any]], refs: Sequence[ClaimRef]) -> dict[str, Any]:
        """The result of `work`, or of its being late; it is never cut short, whatever its caller does."""
        task = asyncio.ensure_future(work)
        self._working.add(task)
        task.add_done_callback(self._finished)
        try:
            async with asyncio.timeout(self._answer_within):
                return await asyncio.shield(task)
        except TimeoutError:
            late = ClaimError(
                f"still working on it after {self._answer_within:.0f} s; the next attempt may find it done"
            )
            return dict.fromkeys((ref.uid for ref in refs), late)
        except OSError as error:
            return dict.fromkeys(
                (ref.uid for ref in refs), ClaimError(f"the checkpoint cannot be written: {error}")
            )

    def _finished(self, task: "asyncio.Task[Any]") -> None:
        self._working.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("Work on claims ended with an error", extra=kv(err=error))

    async def drain(self, timeout_seconds: float) -> None:
        """Wait for work that is going on; what lasts longer is undone at the next start."""
        if self._working:
            await asyncio.wait(set(self._working), timeout=timeout_seconds)


def _not_open() -> ClaimError:
    return ClaimError("the driver is still looking for its devices; the next attempt may find it done")


def _ref(claim: Any) -> ClaimRef:
    return ClaimRef(claim.uid, claim.namespace, claim.name)


def _prepare_response(package: Package, outcomes: Mapping[str, Outcome]) -> Any:
    response = package.message("NodePrepareResourcesResponse")()
    for uid, outcome in outcomes.items():
        entry = response.claims[uid]  # touching it makes the entry, which the kubelet insists on
        if isinstance(outcome, ClaimError):
            entry.error = str(outcome) or "unknown error"
            continue
        for device in outcome:
            _add_device(package, entry, device)
    return response


def _add_device(package: Package, entry: Any, device: ReturnedDevice) -> None:
    message = entry.devices.add(
        request_names=device.requests,
        pool_name=device.pool,
        device_name=device.device,
        cdi_device_ids=device.cdi_ids,
    )
    if device.share_id and "share_id" in message.DESCRIPTOR.fields_by_name:
        message.share_id = device.share_id
