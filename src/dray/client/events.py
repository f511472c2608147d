"""Events: what a component tells people about an object, aggregated as client-go aggregates them.

Recording never blocks and never fails the caller: events go through a bounded queue and are dropped, with few log
lines, while the API server cannot keep up. An event equal to an earlier one raises that one's count; more than ten
similar ones (same object and reason, other message) within ten minutes are folded into a single combined event.
"""

import asyncio
import dataclasses
import logging
from collections import OrderedDict
from typing import Literal

from dray.api import errors
from dray.api.meta import Object, format_time, name_of, namespace_of, uid_of
from dray.api.resources import EVENTS
from dray.client.protocol import Client, PatchType, Unreachable
from dray.kits.clock import Clock

log = logging.getLogger("dray.events")

QUEUE_LIMIT = 1000
CACHE_LIMIT = 4096
SIMILAR_LIMIT = 10
SIMILAR_WINDOW_SECONDS = 600.0
MESSAGE_LIMIT = 1024

EventKind = Literal["Normal", "Warning"]


@dataclasses.dataclass(slots=True)
class _Sent:
    name: str
    namespace: str
    count: int


@dataclasses.dataclass(slots=True)
class _Similar:
    messages: set[str]
    last_seen: float


class EventQueue(asyncio.Queue[Object]):
    """Events that wait to be written; of those that find no room the 1st, 10th, 100th ... is logged."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.dropped = 0

    def offer(self, event: Object) -> None:
        """Let `event` wait if there is room."""
        try:
            self.put_nowait(event)
        except asyncio.QueueFull:
            self.dropped += 1
            if str(self.dropped).rstrip("0") == "1":
                what = event["reason"], event["involvedObject"]["name"]
                log.warning(
                    "Too many events are waiting; dropped %d so far, now %s on %s", self.dropped, *what
                )


class EventRecorder:
    """Records events of one component; `run` sends them."""

    def __init__(self, client: Client, component: str, clock: Clock, host: str = "") -> None:
        self.client = client
        self.component = component
        self.clock = clock
        self.host = host
        self._queue = EventQueue(QUEUE_LIMIT)
        self._sent: OrderedDict[tuple[str, ...], _Sent] = OrderedDict()
        self._similar: OrderedDict[tuple[str, ...], _Similar] = OrderedDict()
        self._serial = 0

    def event(self, obj: Object, kind: EventKind, reason: str, message: str, *, field_path: str = "") -> None:
        """Tell about `obj` (a full object). `field_path`: the part meant, as `spec.containers{name}`."""
        reference = object_reference(obj)
        if field_path:
            reference["fieldPath"] = field_path
        self.event_about(reference, kind, reason, message)

    def event_about(self, reference: Object, kind: EventKind, reason: str, message: str) -> None:
        """The same with an ObjectReference in hand."""
        now = format_time(self.clock.now())
        event: Object = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": self._event_name(reference["name"]),
                "namespace": reference.get("namespace") or "default",
            },
            "involvedObject": reference,
            "reason": reason,
            "message": message[:MESSAGE_LIMIT],
            "source": {"component": self.component} | ({"host": self.host} if self.host else {}),
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "type": kind,
            "reportingComponent": self.component,
            "reportingInstance": self.host,
        }
        self._queue.offer(event)

    def _event_name(self, name: str) -> str:
        self._serial += 1
        nanoseconds = int(self.clock.now().timestamp() * 1e9) + self._serial
        return f"{name}.{nanoseconds:016x}"

    async def run(self) -> None:
        """Send recorded events until cancelled; those already recorded are still sent on the way out."""
        try:
            while True:
                await self._send(await self._queue.get())
        finally:
            await self.flush()

    async def flush(self) -> None:
        while not self._queue.empty():
            await self._send(self._queue.get_nowait())

    async def _send(self, event: Object) -> None:
        event = self._fold(event)
        key = _identity(event)
        sent = self._sent.get(key)
        try:
            if sent is None or not await self._count_up(sent, event):
                created = await self.client.create(EVENTS, event, event["metadata"]["namespace"])
                self._sent[key] = _Sent(name_of(created), namespace_of(created), 1)
            self._sent.move_to_end(key)
            if len(self._sent) > CACHE_LIMIT:
                self._sent.popitem(last=False)
        except (errors.StatusError, Unreachable) as error:
            # A namespace that is going away takes no events any more: nobody is left to read them.
            level = (
                logging.DEBUG if isinstance(error, errors.Forbidden | errors.NotFound) else logging.WARNING
            )
            log.log(
                level,
                "Event %s on %s was not recorded: %s",
                event["reason"],
                event["involvedObject"]["name"],
                error,
            )

    async def _count_up(self, sent: _Sent, event: Object) -> bool:
        patch = {
            "count": sent.count + 1,
            "lastTimestamp": event["lastTimestamp"],
            "message": event["message"],
        }
        try:
            await self.client.patch(EVENTS, sent.name, patch, sent.namespace, patch_type=PatchType.STRATEGIC)
        except errors.NotFound:
            return False
        sent.count += 1
        return True

    def _fold(self, event: Object) -> Object:
        key = _identity(event, with_message=False)
        now = self.clock.monotonic()
        similar = self._similar.get(key)
        if similar is None or now - similar.last_seen > SIMILAR_WINDOW_SECONDS:
            similar = self._similar[key] = _Similar(set(), now)
            self._similar.move_to_end(key)
            if len(self._similar) > CACHE_LIMIT:
                self._similar.popitem(last=False)
        similar.last_seen = now
        similar.messages.add(event["message"])
        if len(similar.messages) < SIMILAR_LIMIT:
            return event
        message = f"(combined from similar events): {event['message']}"
        # As client-go's recorder does, whose combined events keep `source` alone.
        return {**event, "message": message, "reportingComponent": "", "reportingInstance": ""}


def object_reference(obj: Object) -> Object:
    """An ObjectReference to `obj`, as events carry it."""
    reference: Object = {
        "kind": obj["kind"],
        "name": name_of(obj),
        "uid": uid_of(obj),
        "apiVersion": obj["apiVersion"],
    }
    if namespace := namespace_of(obj):
        reference["namespace"] = namespace
    if version := obj["metadata"].get("resourceVersion"):
        reference["resourceVersion"] = version
    return reference


def _identity(event: Object, *, with_message: bool = True) -> tuple[str, ...]:
    involved = event["involvedObject"]
    message = event["message"]
    if message.startswith("(combined from similar events)"):
        message = "(combined)"
    return (
        event["source"]["component"],
        event["source"].get("host", ""),
        involved["kind"],
        involved.get("namespace", ""),
        involved["name"],
        involved.get("uid", ""),
        involved.get("fieldPath", ""),
        event["type"],
        event["reason"],
        message if with_message else "",
    )
