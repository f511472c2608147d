"""DRA objects are v1 to the caller, whatever the server speaks."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from dray.api import errors
from dray.api.meta import Object
from dray.api.resources import (
    DEVICE_CLASSES,
    DEVICE_TAINT_RULES,
    NODES,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
    Resource,
)
from dray.client.protocol import PatchType
from dray.client.versions import VersionedClient
from dray.testing import virtual
from dray.testing.memory_client import MemoryClient


class OldServer(MemoryClient):
    """Serves resource.k8s.io in `versions` only, and stores what it is sent."""

    def __init__(self, *versions: str, rules: tuple[str, ...] = ()) -> None:
        """`rules`: the versions that have DeviceTaintRules."""
        super().__init__()
        self.versions = versions
        self.rules = rules
        self.discoveries = 0
        self.paths: list[str] = []

    async def request(self, method: str, path: str) -> Object:
        group, _, version = path.removeprefix("/apis/").partition("/")
        assert (method, group) == ("GET", "resource.k8s.io")
        if version:
            names = ["devicetaintrules"] if version in self.rules else []
            return {"resources": [{"name": name} for name in names]}
        self.discoveries += 1
        if not self.versions:
            raise errors.NotFound("404 page not found")
        return {"versions": [{"version": version} for version in self.versions]}

    def _check(self, resource: Resource) -> None:
        self.paths.append(resource.api_version)
        if resource.group == "resource.k8s.io" and resource.version not in self.versions:
            raise errors.NotFound("the server could not find the requested resource")

    async def get(self, resource: Resource, *args: Any, **more: Any) -> Object:
        self._check(resource)
        return dict(await super().get(resource, *args, **more))

    async def create(self, resource: Resource, *args: Any, **more: Any) -> Object:
        self._check(resource)
        return dict(await super().create(resource, *args, **more))

    async def patch(self, resource: Resource, name: str, patch: Any, *args: Any, **more: Any) -> Object:
        self._check(resource)
        return dict(await super().patch(resource, name, patch, *args, **more))

    async def list(self, resource: Resource, *args: Any, **more: Any) -> Any:
        self._check(resource)
        return await super().list(resource, *args, **more)

    def watch(self, resource: Resource, *args: Any, **more: Any) -> Any:
        self._check(resource)
        return super().watch(resource, *args, **more)


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    virtual.run(scenario())


def over(server: OldServer) -> VersionedClient:
    return VersionedClient(server)  # type: ignore[arg-type]


SLICE: Object = {
    "apiVersion": "resource.k8s.io/v1",
    "kind": "ResourceSlice",
    "metadata": {"name": "s"},
    "spec": {"driver": "d", "devices": [{"name": "gpu-0", "attributes": {"a": {"int": 1}}}]},
}


@pytest.mark.parametrize(
    ("offered", "used"),
    [(("v1", "v1beta2", "v1beta1"), "v1"), (("v1beta1", "v1beta2"), "v1beta2"), (("v1beta1",), "v1beta1")],
)
def test_the_newest_common_version_is_spoken(offered: tuple[str, ...], used: str) -> None:
    async def scenario() -> None:
        server = OldServer(*offered)
        stored = await over(server).create(RESOURCE_SLICES, SLICE)
        assert server.paths == [f"resource.k8s.io/{used}"]
        assert stored["apiVersion"] == "resource.k8s.io/v1"
        assert stored["spec"]["devices"] == SLICE["spec"]["devices"]

    run(scenario)


def test_v1beta1_gets_its_own_layout_on_the_wire() -> None:
    async def scenario() -> None:
        server = OldServer("v1beta1")
        sent: list[Object] = []
        server.reactions.append(lambda verb, resource, subresource, obj: sent.append(dict(obj)))
        await over(server).create(RESOURCE_SLICES, SLICE)
        assert sent[0]["apiVersion"] == "resource.k8s.io/v1beta1"
        assert sent[0]["spec"]["devices"] == [{"name": "gpu-0", "basic": {"attributes": {"a": {"int": 1}}}}]

    run(scenario)


def test_claims_that_are_read_lists_and_watches_are_v1() -> None:
    async def scenario() -> None:
        server = OldServer("v1beta1")
        claim = {
            "apiVersion": "resource.k8s.io/v1beta1",
            "kind": "ResourceClaim",
            "metadata": {"name": "c", "namespace": "n"},
            "spec": {"devices": {"requests": [{"name": "r", "deviceClassName": "x"}]}},
        }
        hub = [{"name": "r", "exactly": {"deviceClassName": "x"}}]
        server.put(claim)
        client = over(server)
        assert (await client.get(RESOURCE_CLAIMS, "c", "n"))["spec"]["devices"]["requests"] == hub
        server.put({**claim, "metadata": {"name": "c2", "namespace": "n"}})
        listed = await client.list(RESOURCE_CLAIMS)
        assert {obj["apiVersion"] for obj in listed.items} == {"resource.k8s.io/v1"}
        server.put({**claim, "metadata": {"name": "c3", "namespace": "n"}})
        async with client.watch(RESOURCE_CLAIMS, send_initial_events=True) as events:
            async for event in events:
                if event.object["metadata"].get("name") == "c3":
                    assert event.object["spec"]["devices"]["requests"] == hub
                    break

    run(scenario)


def test_applied_objects_are_converted() -> None:
    async def scenario() -> None:
        server = OldServer("v1beta2")
        patched = await over(server).patch(
            DEVICE_CLASSES,
            "x",
            {"apiVersion": "resource.k8s.io/v1", "kind": "DeviceClass", "metadata": {"name": "x"}},
            patch_type=PatchType.APPLY,
        )
        assert patched["apiVersion"] == "resource.k8s.io/v1"
        assert server.all(DEVICE_CLASSES)[0]["metadata"]["name"] == "x"

    run(scenario)


def test_an_upgraded_server_is_followed_up() -> None:
    async def scenario() -> None:
        server = OldServer("v1beta1")
        client = over(server)
        assert await client.served_version() == "v1beta1"
        server.versions = ("v1", "v1beta1")
        await asyncio.sleep(299)
        assert await client.served_version() == "v1beta1"
        await asyncio.sleep(2)
        assert await client.served_version() == "v1"
        assert server.discoveries == 2

    run(scenario)


def test_a_version_that_went_away_is_left_at_once() -> None:
    async def scenario() -> None:
        server = OldServer("v1beta1")
        client = over(server)
        await client.list(RESOURCE_SLICES)
        server.versions = ("v1",)
        await client.list(RESOURCE_SLICES)
        assert server.paths[-1] == "resource.k8s.io/v1"

    run(scenario)


def test_a_missing_object_is_no_reason_to_look_for_versions() -> None:
    async def scenario() -> None:
        server = OldServer("v1")
        client = over(server)
        with pytest.raises(errors.NotFound, match='"gone" not found'):
            await client.get(RESOURCE_CLAIMS, "gone", "n")
        assert server.discoveries == 1

    run(scenario)


@pytest.mark.parametrize(("offered", "named"), [(("v1alpha3",), "v1alpha3"), ((), "no version")])
def test_a_server_without_a_known_version_is_named(offered: tuple[str, ...], named: str) -> None:
    async def scenario() -> None:
        with pytest.raises(errors.NotFound, match=rf"serves resource\.k8s\.io in {named}; dray needs one of"):
            await over(OldServer(*offered)).list(RESOURCE_SLICES)

    run(scenario)


def test_other_groups_are_passed_through() -> None:
    async def scenario() -> None:
        server = OldServer()
        await over(server).list(NODES)
        assert server.paths == ["v1"]
        assert server.discoveries == 0

    run(scenario)


RULE: Object = {
    "apiVersion": "resource.k8s.io/v1beta2",
    "kind": "DeviceTaintRule",
    "metadata": {"name": "r"},
    "spec": {"taint": {"key": "k", "effect": "NoExecute"}},
}


@pytest.mark.parametrize(
    ("offered", "rules", "used"),
    [
        (("v1", "v1beta2", "v1alpha3"), ("v1", "v1beta2", "v1alpha3"), "v1"),
        (("v1", "v1beta2", "v1alpha3"), ("v1beta2", "v1alpha3"), "v1beta2"),
        (("v1", "v1alpha3"), ("v1alpha3",), "v1alpha3"),
    ],
)
def test_taint_rules_are_spoken_of_in_the_newest_version_that_has_them(
    offered: tuple[str, ...], rules: tuple[str, ...], used: str
) -> None:
    async def scenario() -> None:
        server = OldServer(*offered, rules=rules)
        created = await over(server).create(DEVICE_TAINT_RULES, dict(RULE))
        assert server.paths == [f"resource.k8s.io/{used}"]
        assert created["apiVersion"] == DEVICE_TAINT_RULES.api_version

    run(scenario)


def test_a_server_without_taint_rules_is_told_from_one_without_the_object() -> None:
    async def scenario() -> None:
        with pytest.raises(errors.NotFound, match="does not serve DeviceTaintRules"):
            await over(OldServer("v1", "v1beta2")).list(DEVICE_TAINT_RULES)

    run(scenario)
