"""Events are counted up instead of repeated, folded when they vary, and never in anybody's way."""

import asyncio

import pytest

from dray.api import errors
from dray.api.meta import Object
from dray.api.resources import EVENTS
from dray.client.events import QUEUE_LIMIT, EventRecorder
from dray.kits.clock import LoopClock
from dray.testing.memory_client import MemoryClient
from dray.testing.virtual import run

POD: Object = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "namespace": "ns", "uid": "u", "resourceVersion": "7"},
}


def record(client: MemoryClient, *messages: str) -> list[Object]:
    async def scenario() -> list[Object]:
        recorder = EventRecorder(client, "tester", LoopClock())
        for message in messages:
            recorder.event(POD, "Warning", "Broken", message)
        await recorder.flush()
        return client.all(EVENTS)

    return run(scenario())


def test_an_event_names_the_object_and_its_source() -> None:
    (event,) = record(MemoryClient(), "no luck")
    assert event["involvedObject"] == {
        "kind": "Pod", "name": "p", "namespace": "ns", "uid": "u", "apiVersion": "v1", "resourceVersion": "7",
    }  # fmt: skip
    assert (event["type"], event["reason"], event["message"]) == ("Warning", "Broken", "no luck")
    assert event["source"] == {"component": "tester"}


def test_equal_events_raise_one_count() -> None:
    (event,) = record(MemoryClient(), "same", "same", "same")
    assert event["count"] == 3


def test_many_similar_events_become_one_combined_event() -> None:
    events = record(MemoryClient(), *(f"message {number}" for number in range(15)))
    combined = [event for event in events if event["message"].startswith("(combined from similar events)")]
    assert len(events) == 10
    assert len(combined) == 1
    assert combined[0]["count"] == 6
    assert combined[0]["reportingComponent"] == ""


def test_a_refused_event_is_dropped_and_the_next_one_sent() -> None:
    client = MemoryClient()

    def refuse_first(verb: str, resource: object, subresource: str, obj: Object) -> None:
        client.reactions.clear()
        raise errors.InternalError("not now")

    client.reactions.append(refuse_first)
    (event,) = record(client, "lost", "kept")
    assert event["message"] == "kept"


def test_a_full_queue_drops_events_without_failing_the_caller() -> None:
    async def scenario() -> int:
        client = MemoryClient()
        recorder = EventRecorder(client, "tester", LoopClock())
        for number in range(2000):
            recorder.event(POD, "Normal", f"Reason{number}", "x")
        await recorder.flush()
        return len(client.all(EVENTS))

    assert run(scenario()) == 1000


def test_what_was_recorded_is_sent_before_the_recorder_ends() -> None:
    async def scenario() -> int:
        client = MemoryClient()
        recorder = EventRecorder(client, "tester", LoopClock())
        task = asyncio.create_task(recorder.run())
        await asyncio.sleep(0)
        recorder.event(POD, "Normal", "Stopping", "bye")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return len(client.all(EVENTS))

    assert run(scenario()) == 1


def test_events_without_room_are_dropped_and_told_about_ever_less_often(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        recorder = EventRecorder(MemoryClient(), "tester", LoopClock())
        for number in range(QUEUE_LIMIT + 250):
            recorder.event(POD, "Warning", "Broken", f"message {number}")

    run(scenario())
    assert [record.getMessage() for record in caplog.records] == [
        f"Too many events are waiting; dropped {dropped} so far, now Broken on p" for dropped in (1, 10, 100)
    ]
