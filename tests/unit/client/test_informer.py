"""An informer's copy follows the server whatever the connection does."""

import asyncio

from dray.api import errors
from dray.api.meta import Object, ObjectKey
from dray.api.resources import PODS
from dray.client.informer import Informer, SharedInformers
from dray.client.protocol import Selection
from dray.testing.memory_client import MemoryClient
from dray.testing.virtual import run


def pod(name: str, **labels: str) -> Object:
    meta = {"name": name, "namespace": "ns", "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": []}}


class Journal:
    """What an informer's handlers were told."""

    def __init__(self, informer: Informer) -> None:
        self.lines: list[str] = []
        informer.add_handler(
            on_add=lambda obj: self.lines.append(f"+{obj['metadata']['name']}"),
            on_update=lambda old, new: self.lines.append(f"~{new['metadata']['name']}"),
            on_delete=lambda obj: self.lines.append(f"-{obj['metadata']['name']}"),
        )


def test_handlers_hear_every_change_once() -> None:
    async def scenario() -> list[str]:
        client = MemoryClient(pod("a"))
        informer = Informer(client, PODS)
        journal = Journal(informer)
        task = asyncio.create_task(informer.run())
        await informer.wait_synced()
        created = await client.create(PODS, pod("b"), "ns")
        await client.patch(PODS, "a", {"metadata": {"labels": {"x": "y"}}}, "ns")
        gone = await client.delete(PODS, "b", "ns")
        await informer.wait_seen(gone)
        assert int(created["metadata"]["resourceVersion"]) < int(gone["metadata"]["resourceVersion"])
        task.cancel()
        return journal.lines

    assert run(scenario()) == ["+a", "+b", "~a", "-b"]


def test_a_handler_added_late_is_told_of_what_is_there() -> None:
    async def scenario() -> list[str]:
        informer = Informer(MemoryClient(pod("a"), pod("b")), PODS)
        task = asyncio.create_task(informer.run())
        await informer.wait_synced()
        journal = Journal(informer)
        task.cancel()
        return journal.lines

    assert run(scenario()) == ["+a", "+b"]


def test_a_server_without_initial_events_is_listed_instead() -> None:
    class OldServer(MemoryClient):
        def watch(self, resource, selection=None, *, send_initial_events=False, **rest):  # type: ignore[no-untyped-def]
            if send_initial_events:
                raise errors.Invalid(
                    "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
                )
            return super().watch(resource, selection or Selection(), **rest)

    async def scenario() -> list[str]:
        client = OldServer(pod("a"))
        informer = Informer(client, PODS)
        journal = Journal(informer)
        task = asyncio.create_task(informer.run())
        await informer.wait_synced()
        await informer.wait_seen(await client.create(PODS, pod("b"), "ns"))
        task.cancel()
        return journal.lines

    assert run(scenario()) == ["+a", "+b"]


def test_an_expired_watch_is_followed_by_a_fresh_look_that_reports_only_differences() -> None:
    class Forgetful(MemoryClient):
        expire = False

        def watch(self, resource, selection=None, *, resource_version="", **rest):  # type: ignore[no-untyped-def]
            if self.expire and resource_version:
                self.expire = False
                raise errors.Expired("too old resource version")
            return super().watch(
                resource, selection or Selection(), resource_version=resource_version, **rest
            )

    async def scenario() -> list[str]:
        client = Forgetful(pod("a"), pod("b"))
        informer = Informer(client, PODS)
        journal = Journal(informer)
        task = asyncio.create_task(informer.run())
        await informer.wait_synced()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await client.delete(PODS, "a", "ns", grace_period_seconds=0)
        await client.create(PODS, pod("c"), "ns")
        client.expire = True
        task = asyncio.create_task(informer.run())
        await asyncio.sleep(1)
        task.cancel()
        return journal.lines

    assert run(scenario()) == ["+a", "+b", "-a", "+c"]


def test_an_object_replaced_under_its_name_is_a_deletion_and_an_addition() -> None:
    async def scenario() -> list[str]:
        client = MemoryClient(pod("a"))
        informer = Informer(client, PODS)
        journal = Journal(informer)
        task = asyncio.create_task(informer.run())
        await informer.wait_synced()
        replacement = pod("a")
        replacement["metadata"]["uid"] = "another"
        await informer.wait_seen(client.put(replacement))
        task.cancel()
        return journal.lines

    assert run(scenario()) == ["+a", "-a", "+a"]


def test_an_index_follows_the_objects() -> None:
    async def scenario() -> tuple[list[str], list[str]]:
        client = MemoryClient(pod("a", app="x"))
        informer = Informer(client, PODS)
        informer.add_index("app", lambda obj: [obj["metadata"]["labels"].get("app", "")])
        task = asyncio.create_task(informer.run())
        await informer.wait_synced()
        before = [obj["metadata"]["name"] for obj in informer.cache.by_index("app", "x")]
        await informer.wait_seen(await client.patch(PODS, "a", {"metadata": {"labels": {"app": "y"}}}, "ns"))
        after = [obj["metadata"]["name"] for obj in informer.cache.by_index("app", "x")]
        assert informer.cache.get(ObjectKey("ns", "a")) is not None
        task.cancel()
        return before, after

    assert run(scenario()) == (["a"], [])


def test_informers_of_the_same_selection_are_shared() -> None:
    async def scenario() -> bool:
        informers = SharedInformers(MemoryClient())
        same = informers.of(PODS) is informers.of(PODS)
        return same and informers.of(PODS) is not informers.of(PODS, Selection("ns"))

    assert run(scenario())
