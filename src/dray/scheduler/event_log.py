"""Events about scheduling, as the scheduler's own recorder writes them: in the form of events.k8s.io.

They have an action and an event time instead of counts and two timestamps; a repeated event becomes a series on the
first one. Recording never blocks and never fails the caller. The controllers' events, in the older form, are
`dray.client.events`.

Written through the core API, which takes the new form as well: there the note of a series may follow the newest
occurrence, so that an explanation which changed is not lost.
"""

import asyncio
import dataclasses
import logging
from collections import OrderedDict

from dray.api import errors
from dray.api.meta import Object, format_micro_time, name_of, namespace_of
from dray.api.resources import EVENTS
from dray.client.events import EventKind, EventQueue, object_reference
from dray.client.protocol import Client, PatchType, Unreachable
from dray.kits.clock import Clock
from dray.kits.tasks import TaskSet

log = logging.getLogger("dray.events")

NOTE_LIMIT = 1024
QUEUE_LIMIT = 5000
SERIES_LIMIT = 4096
SERIES_SECONDS = 360.0
"""An event that repeats within this time continues the series."""
WRITERS = 4


@dataclasses.dataclass(slots=True)
class _Series:
    name: str
    namespace: str
    count: int
    note: str
    last_seen: float


class EventLog:
    """Events of one scheduler; `run` writes them."""

    def __init__(self, client: Client, component: str, clock: Clock, host: str) -> None:
        self._client = client
        self._component = component
        self._instance = f"{component}-{host}"
        self._clock = clock
        self._queue = EventQueue(QUEUE_LIMIT)
        self._series: OrderedDict[tuple[str, ...], _Series] = OrderedDict()
        self._serial = 0

    def record(
        self,
        obj: Object,
        kind: EventKind,
        reason: str,
        action: str,
        note: str,
        *,
        related: Object | None = None,
    ) -> None:
        """Tell about `obj` (a full object); `related` is the other object the event is about."""
        regarding = object_reference(obj)
        event: Object = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": self._event_name(regarding["name"]),
                "namespace": regarding.get("namespace") or "default",
            },
            "involvedObject": regarding,
            "reason": reason,
            "message": note if len(note) <= NOTE_LIMIT else f"{note[: NOTE_LIMIT - 4]} ...",
            "source": {},
            "firstTimestamp": None,
            "lastTimestamp": None,
            "type": kind,
            "eventTime": format_micro_time(self._clock.now()),
            "action": action,
            "reportingComponent": self._component,
            "reportingInstance": self._instance,
        }
        if related is not None:
            event["related"] = object_reference(related)
        self._queue.offer(event)

    def _event_name(self, name: str) -> str:
        self._serial += 1
        nanoseconds = int(self._clock.now().timestamp() * 1e9) + self._serial
        return f"{name}.{nanoseconds:016x}"

    async def run(self) -> None:
        """Write recorded events until cancelled."""
        tasks = TaskSet("scheduler-events")
        try:
            for number in range(WRITERS):
                tasks.start(self._write_all(), str(number))
            await asyncio.Event().wait()
        finally:
            await tasks.stop()

    async def _write_all(self) -> None:
        while True:
            event = await self._queue.get()
            try:
                await self._write(event)
            except (errors.StatusError, Unreachable) as error:
                # A namespace that is going away takes no events any more: nobody is left to read them.
                gone = isinstance(error, errors.Forbidden | errors.NotFound)
                level = logging.DEBUG if gone else logging.WARNING
                name = event["involvedObject"]["name"]
                log.log(level, "Event %s on %s was not recorded: %s", event["reason"], name, error)

    async def _write(self, event: Object) -> None:
        key = _identity(event)
        now = self._clock.monotonic()
        series = self._series.get(key)
        if series is not None and now - series.last_seen < SERIES_SECONDS:
            series.last_seen = now
            await self._continue(series, event)
            return
        series = _Series(name_of(event), namespace_of(event), 1, event["message"], now)
        self._series[key] = series
        self._series.move_to_end(key)
        if len(self._series) > SERIES_LIMIT:
            self._series.popitem(last=False)
        await self._client.create(EVENTS, event, series.namespace)

    async def _continue(self, series: _Series, event: Object) -> None:
        series.count += 1
        patch: Object = {"series": {"count": series.count, "lastObservedTime": event["eventTime"]}}
        if event["message"] != series.note:
            patch["message"] = series.note = event["message"]
        await self._client.patch(EVENTS, series.name, patch, series.namespace, patch_type=PatchType.STRATEGIC)


def _identity(event: Object) -> tuple[str, ...]:
    """Equal for events of one series. The note is not part of it, the version of the object is."""
    regarding, related = event["involvedObject"], event.get("related") or {}
    return (
        event["type"],
        event["action"],
        event["reason"],
        regarding.get("uid", ""),
        regarding.get("namespace", ""),
        regarding["name"],
        regarding.get("resourceVersion", ""),
        related.get("uid", ""),
    )
