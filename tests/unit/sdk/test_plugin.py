"""A whole driver on a fake kubelet: registration, calls, health, probes, errors, rolling updates."""

import asyncio
import shutil
import socket
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import grpc.aio
import pytest

from dray.api.errors import Forbidden, InternalError
from dray.api.meta import Object
from dray.api.resources import RESOURCE_CLAIMS, RESOURCE_SLICES, Resource
from dray.sdk import (
    AllocatedDevice,
    Claim,
    ClaimRef,
    Device,
    DeviceHealth,
    DeviceStatus,
    Driver,
    Health,
    KubeletPlugin,
    Pool,
    PreparedDevice,
    env,
)
from dray.sdk.errors import BackgroundError, ServingError
from dray.sdk.sockets import registration_socket, remove_dead_sockets, service_socket
from dray.testing.fake_kubelet import FakeKubelet, PrepareError, allocated_claim
from dray.testing.memory_client import MemoryClient
from dray.wire.kubelet import GRPC_HEALTH, REGISTRATION
from dray.wire.rpc import Stub
from dray.wire.sockets import SocketPath

NAME = "lamps.example.com"
NODE: Object = {"kind": "Node", "metadata": {"name": "node", "uid": "node-uid"}}


class Lamps(Driver):
    name = NAME

    def __init__(self) -> None:
        self.lamps = ["lamp-0", "lamp-1"]
        self.failure: Exception | None = None
        self.errors: list[BackgroundError] = []
        self.gate: asyncio.Event | None = None
        self.began = asyncio.Event()
        self.plugged = asyncio.Event()

    async def discover(self) -> Sequence[Device]:
        return [Device(name, {"watts": 5}) for name in self.lamps]

    async def prepare(self, claim: Claim) -> Sequence[PreparedDevice]:
        self.began.set()
        if self.failure is not None:
            raise self.failure
        if self.gate is not None:
            await self.gate.wait()
        return [PreparedDevice(device, env(LAMP=device.device)) for device in claim.devices]

    async def unprepare(self, claim: ClaimRef, devices: Sequence[AllocatedDevice]) -> None:
        if self.failure is not None:
            raise self.failure

    async def watch_hardware(self) -> AsyncIterator[None]:
        while True:
            await self.plugged.wait()
            self.plugged.clear()
            yield

    def handle_error(self, error: BackgroundError) -> None:
        self.errors.append(error)


class Stage:
    """A kubelet, an API and the means to start drivers on them."""

    def __init__(self, kubelet: FakeKubelet) -> None:
        self.kubelet = kubelet
        self.client = MemoryClient(NODE)

    def plugin(self, driver: Driver | None = None, **more: Any) -> KubeletPlugin:
        settings = {
            key: more.pop(key)
            for key in ("dra_versions", "sync_delay_seconds", "answer_within_seconds")
            if key in more
        }
        return KubeletPlugin(driver or Lamps(), self.client, self.kubelet.options(**more), **settings)

    def claim(self, name: str, *results: Object, **more: Any) -> Object:
        obj = allocated_claim(name, *(results or ({"device": "lamp-0"},)), driver=NAME, **more)
        return self.client.put(obj)

    def sockets(self) -> list[str]:
        return sorted(path.name for path in self.kubelet.root.rglob("*.sock"))


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with FakeKubelet(tmp_path) as kubelet:
        yield Stage(kubelet)


# --- registration ---


async def test_a_driver_registers_both_versions_and_becomes_ready(stage: Stage) -> None:
    async with stage.plugin() as plugin:
        registered = await stage.kubelet.plugin(NAME)
        assert registered.advertised == ("v1.DRAPlugin", "v1beta1.DRAPlugin")
        assert registered.version == "v1"
        assert plugin.not_ready() == ""


async def test_an_old_kubelet_speaks_v1beta1(tmp_path: Path) -> None:
    async with FakeKubelet(tmp_path, versions=["v1beta1"]) as kubelet:
        stage = Stage(kubelet)
        claim = stage.claim("a", {"device": "lamp-0", "shareID": "x"})
        async with stage.plugin():
            plugin = await kubelet.plugin(NAME)
            assert plugin.version == "v1beta1"
            devices = (await plugin.prepare(claim))["uid-a"]
            assert list(devices[0].cdi_device_ids) == ["k8s.lamps.example.com/claim=uid-a-lamp-0-x"]


async def test_a_driver_can_offer_one_version_only(stage: Stage) -> None:
    async with stage.plugin(dra_versions=["v1beta1"]):
        plugin = await stage.kubelet.plugin(NAME)
        assert plugin.advertised == ("v1beta1.DRAPlugin",)


async def test_a_refused_registration_is_logged_kept_and_answered(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.kubelet.refusal = "I know that name already"
    async with stage.plugin() as plugin:
        async with asyncio.timeout(10):
            while not stage.kubelet.failures:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert plugin.not_ready() == "I know that name already"
    assert stage.kubelet.failures == [
        f"{NAME}-reg.sock: UNKNOWN: failed registration process: I know that name already"
    ]
    assert "The kubelet refused the registration" in caplog.messages


async def test_a_kubelet_that_restarts_finds_the_driver_again(stage: Stage) -> None:
    claim = stage.claim("a")
    async with stage.plugin():
        await (await stage.kubelet.plugin(NAME)).prepare(claim)
        await stage.kubelet.restart()
        again = await stage.kubelet.plugin(NAME)
        assert await again.unprepare(claim) == {"uid-a"}
        assert len(stage.kubelet.notifications) == 2


async def test_stopping_removes_the_sockets_and_leaves_slices_and_claims(stage: Stage) -> None:
    claim = stage.claim("a")
    async with stage.plugin() as plugin:
        await (await stage.kubelet.plugin(NAME)).prepare(claim)
        await plugin.publisher.published()
        assert stage.sockets() == ["dra.sock", f"{NAME}-reg.sock"]
    assert stage.sockets() == []
    assert len(stage.client.all(RESOURCE_SLICES)) == 1
    assert [path.name for path in stage.kubelet.cdi_root.iterdir()] == [
        "k8s.lamps.example.com-claim_uid-a.yaml"
    ]
    await stage.kubelet.gone(NAME)


async def test_a_registry_that_does_not_exist_is_an_error_with_advice(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is the kubelet's root directory another one"):
        await stage.plugin(registrar_directory=tmp_path / "nowhere").start()


async def test_a_cdi_root_that_is_a_file_is_an_error(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="is not a directory"):
        await stage.plugin(cdi_root=tmp_path / "file").start()


async def test_a_failing_discovery_ends_the_start_without_sockets(stage: Stage) -> None:
    class Dark(Lamps):
        async def discover(self) -> Sequence[Device]:
            raise OSError("no lamps here")

    with pytest.raises(OSError, match="no lamps here"):
        async with stage.plugin(Dark()):
            pass
    assert stage.sockets() == []


async def test_a_driver_that_looks_for_its_devices_is_registered_and_its_claims_wait(stage: Stage) -> None:
    found = asyncio.Event()

    class Slow(Lamps):
        async def discover(self) -> Sequence[Device]:
            await found.wait()
            return await super().discover()

    claim, driver = stage.claim("a"), Slow()
    plugin = stage.plugin(driver)
    starting = asyncio.create_task(plugin.start())
    registered = await stage.kubelet.plugin(NAME)
    preparing = asyncio.create_task(registered.prepare(claim))
    releasing = asyncio.create_task(registered.unprepare(ClaimRef("uid-old", "default", "old")))
    await asyncio.sleep(0.05)
    assert not preparing.done()
    assert not releasing.done()
    assert not driver.began.is_set()
    found.set()
    assert len((await preparing)["uid-a"]) == 1
    assert await releasing == {"uid-old"}
    await starting
    await plugin.stop()


async def test_a_new_instance_leaves_calls_to_the_old_one_until_it_knows_its_devices(stage: Stage) -> None:
    found = asyncio.Event()

    class Slow(Lamps):
        async def discover(self) -> Sequence[Device]:
            await found.wait()
            return await super().discover()

    claim = stage.claim("a")
    async with stage.plugin(pod_uid="pod-1"):
        await stage.kubelet.plugin(NAME)
        new = stage.plugin(Slow(), pod_uid="pod-2")
        starting = asyncio.create_task(new.start())
        await asyncio.sleep(0.05)
        (only,) = stage.kubelet.instances(NAME)
        assert len((await only.prepare(claim))["uid-a"]) == 1
        found.set()
        await starting
        async with asyncio.timeout(10):
            while len(stage.kubelet.instances(NAME)) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await new.stop()


async def test_claims_that_wait_for_the_devices_too_long_are_told_so(stage: Stage) -> None:
    class Stuck(Lamps):
        async def discover(self) -> Sequence[Device]:
            await asyncio.Event().wait()
            raise AssertionError

    claim, plugin = stage.claim("a"), stage.plugin(Stuck(), answer_within_seconds=0.05)
    starting = asyncio.create_task(plugin.start())
    registered = await stage.kubelet.plugin(NAME)
    for method in (registered.prepare, registered.unprepare):
        with pytest.raises(PrepareError, match="still looking for its devices"):
            await method(claim)
    starting.cancel()
    await asyncio.wait([starting])
    await plugin.stop()
    assert stage.sockets() == []


def test_a_driver_needs_a_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be set"):
        KubeletPlugin(Driver(), MemoryClient(), FakeKubelet(tmp_path).options())


# --- calls ---


async def test_devices_are_returned_under_their_base_request(stage: Stage) -> None:
    claim = stage.claim(
        "a", {"device": "lamp-0", "request": "light/bright"}, {"device": "lamp-1", "request": "x"}
    )
    async with stage.plugin():
        devices = (await (await stage.kubelet.plugin(NAME)).prepare(claim))["uid-a"]
        assert [list(device.request_names) for device in devices] == [["light"], ["x"]]
        assert [device.HasField("share_id") for device in devices] == [False, False]


async def test_every_claim_of_a_call_has_an_answer(stage: Stage) -> None:
    claims = [
        stage.claim("a"),
        stage.claim("b", {"device": "lamp-1"}),
        stage.claim("c", {"device": "x", "driver": "o"}),
    ]
    missing = ClaimRef("uid-x", "default", "x")
    async with stage.plugin():
        plugin = await stage.kubelet.plugin(NAME)
        response = await plugin.call("NodePrepareResources", [*claims, missing])
        assert {uid: (len(entry.devices), bool(entry.error)) for uid, entry in response.claims.items()} == {
            "uid-a": (1, False),
            "uid-b": (1, False),
            "uid-c": (0, False),
            "uid-x": (0, True),
        }
        response = await plugin.call("NodeUnprepareResources", [*claims, missing])
        assert {uid: entry.error for uid, entry in response.claims.items()} == {
            "uid-a": "",
            "uid-b": "",
            "uid-c": "",
            "uid-x": "",
        }


async def test_a_missing_claim_and_a_replaced_claim_say_so(stage: Stage) -> None:
    stage.claim("b")
    async with stage.plugin():
        plugin = await stage.kubelet.plugin(NAME)
        with pytest.raises(PrepareError, match=r'fetch ResourceClaim default/a: .*"a" not found'):
            await plugin.prepare(ClaimRef("uid-a", "default", "a"))
        with pytest.raises(PrepareError, match="got replaced: it has UID uid-b now, not uid-old"):
            await plugin.prepare(ClaimRef("uid-old", "default", "b"))


async def test_an_api_failure_fails_the_claim_and_not_the_call(stage: Stage) -> None:
    claim = stage.claim("a")

    async def broken(*args: Any, **more: Any) -> Object:
        raise InternalError("etcd is away")

    async with stage.plugin():
        plugin = await stage.kubelet.plugin(NAME)
        stage.client.get = broken  # type: ignore[method-assign]
        with pytest.raises(PrepareError, match="fetch ResourceClaim default/a: etcd is away"):
            await plugin.prepare(claim)


async def test_unprepare_needs_no_api(stage: Stage) -> None:
    claim = stage.claim("a")
    async with stage.plugin():
        plugin = await stage.kubelet.plugin(NAME)
        await plugin.prepare(claim)
        await stage.client.delete(RESOURCE_CLAIMS, "a", "default")
        assert await plugin.unprepare(claim) == {"uid-a"}
        assert list(stage.kubelet.cdi_root.iterdir()) == []


async def test_errors_of_the_driver_reach_the_kubelet(stage: Stage) -> None:
    claim, driver = stage.claim("a"), Lamps()
    async with stage.plugin(driver):
        plugin = await stage.kubelet.plugin(NAME)
        driver.failure = RuntimeError("fuse blown")
        with pytest.raises(PrepareError, match="prepare failed: RuntimeError: fuse blown"):
            await plugin.prepare(claim)
        driver.failure = None
        assert len((await plugin.prepare(claim))["uid-a"]) == 1


async def test_work_goes_on_when_the_kubelet_gives_up_and_its_next_try_finds_the_result(stage: Stage) -> None:
    claim, driver = stage.claim("a"), Lamps()
    driver.gate = asyncio.Event()
    async with stage.plugin(driver):
        plugin = await stage.kubelet.plugin(NAME)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await plugin.prepare(claim, timeout=0.2)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        again = asyncio.create_task(plugin.prepare(claim))
        driver.gate.set()
        assert len((await again)["uid-a"]) == 1


async def test_a_slow_driver_says_that_it_still_works(stage: Stage) -> None:
    claim, driver = stage.claim("a"), Lamps()
    driver.gate = asyncio.Event()
    async with stage.plugin(driver, answer_within_seconds=0.05):
        plugin = await stage.kubelet.plugin(NAME)
        with pytest.raises(PrepareError, match="still working on it"):
            await plugin.prepare(claim)
        driver.gate.set()
        async with asyncio.timeout(10):
            while True:
                try:
                    devices = await plugin.prepare(claim)
                    break
                except PrepareError:
                    await asyncio.sleep(0.01)
        assert len(devices["uid-a"]) == 1


async def test_get_info_is_answered_while_plain_functions_block(stage: Stage) -> None:
    release = threading.Event()

    class Blocking(Lamps):
        def prepare(self, claim: Claim) -> Sequence[PreparedDevice]:  # type: ignore[override]
            self.began_in_thread.set()
            assert release.wait(10)
            return [PreparedDevice(device) for device in claim.devices]

        began_in_thread = threading.Event()

    claim, driver = stage.claim("a"), Blocking()
    async with stage.plugin(driver):
        plugin = await stage.kubelet.plugin(NAME)
        preparing = asyncio.create_task(plugin.prepare(claim))
        await asyncio.to_thread(driver.began_in_thread.wait, 10)
        await stage.kubelet.restart()
        await stage.kubelet.plugin(NAME)  # registered again within its second
        release.set()
        await asyncio.wait([preparing])  # its connection went with the restart
        again = await stage.kubelet.plugin(NAME)
        assert len((await again.prepare(claim))["uid-a"]) == 1


async def test_get_info_is_answered_while_the_driver_holds_up_the_event_loop(stage: Stage) -> None:
    answered = threading.Event()

    def ask(path: Path) -> None:
        options = [("grpc.default_authority", "localhost")]
        with SocketPath(path) as address, grpc.insecure_channel(f"unix:{address.short}", options) as channel:
            method = REGISTRATION.methods("Registration")["GetInfo"]
            call = channel.unary_unary(method.path, lambda message: message.SerializeToString(), bytes)
            call(method.request(), timeout=1.0)
            answered.set()

    class Rude(Lamps):
        async def prepare(self, claim: Claim) -> Sequence[PreparedDevice]:
            asking = threading.Thread(target=ask, args=[self.registration])
            asking.start()
            asking.join(10)  # what an author of async code should never do
            return await super().prepare(claim)

        registration = Path()

    claim, driver = stage.claim("a"), Rude()
    async with stage.plugin(driver) as plugin:
        driver.registration = plugin.registrar.path
        assert len(await (await stage.kubelet.plugin(NAME)).prepare(claim)) == 1
    assert answered.is_set()


async def test_one_socket_can_serve_everything(stage: Stage) -> None:
    claim = stage.claim("a")
    async with stage.plugin(Fragile(), single_socket=True) as plugin:
        registered = await stage.kubelet.plugin(NAME)
        assert stage.sockets() == [f"{NAME}-reg.sock"]
        assert registered.endpoint == registered.socket
        assert len((await registered.prepare(claim))["uid-a"]) == 1
        assert len(await anext(registered.health())) == 2
        assert plugin.not_ready() == ""
    assert stage.sockets() == []


async def test_a_driver_on_a_very_long_path_is_found(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["long-directory-name"] * 6)
    async with FakeKubelet(deep) as kubelet:
        stage = Stage(kubelet)
        claim = stage.claim("a")
        async with stage.plugin():
            assert len(await (await kubelet.plugin(NAME)).prepare(claim)) == 1


# --- publishing ---


async def test_hardware_that_changes_is_published_again(stage: Stage) -> None:
    driver = Lamps()
    async with stage.plugin(driver) as plugin:
        await plugin.publisher.published()
        driver.lamps.append("lamp-2")
        driver.plugged.set()
        async with asyncio.timeout(10):
            while len(stage.client.all(RESOURCE_SLICES)[0]["spec"]["devices"]) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_pools_that_cannot_be_published_are_a_background_error(stage: Stage) -> None:
    driver = Lamps()
    async with stage.plugin(driver) as plugin:
        await plugin.publisher.published()
        plugin.publish([Pool("node", (Device("a"), Device("a")))])
        assert "defined twice" in str(driver.errors[0])
        assert not plugin.failed.is_set()


async def test_a_watch_that_fails_is_reported_and_repeated(stage: Stage) -> None:
    class Loose(Lamps):
        async def watch_hardware(self) -> AsyncIterator[None]:
            raise OSError("udev is gone")
            yield

    driver = Loose()
    async with stage.plugin(driver):
        async with asyncio.timeout(10):
            while not driver.errors:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert str(driver.errors[0]) == "watching the hardware failed: OSError: udev is gone"


@pytest.mark.parametrize("name", [f"plugins_registry/{NAME}-reg.sock", f"plugins/{NAME}/dra.sock"])
async def test_a_socket_that_was_removed_is_served_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("dray.sdk.serving.CHECK_SECONDS", 0.01)
    claim, driver = stage.claim("a"), Lamps()
    path = stage.kubelet.root / name
    async with stage.plugin(driver) as plugin:
        await stage.kubelet.plugin(NAME)
        path.unlink()
        async with asyncio.timeout(10):
            while not path.exists():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await stage.kubelet.restart()
        assert len(await (await stage.kubelet.plugin(NAME)).prepare(claim)) == 1
        assert not plugin.failed.is_set()
    assert stage.sockets() == []


async def test_a_call_on_a_socket_that_is_removed_still_ends_well(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dray.sdk.serving.CHECK_SECONDS", 0.01)
    claim, driver = stage.claim("a"), Lamps()
    driver.gate = asyncio.Event()
    async with stage.plugin(driver):
        plugin = await stage.kubelet.plugin(NAME)
        preparing = asyncio.create_task(plugin.prepare(claim))
        await driver.began.wait()
        plugin.endpoint.unlink()
        async with asyncio.timeout(10):
            while not plugin.endpoint.exists():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        driver.gate.set()
        assert len(await preparing) == 1


async def test_a_socket_directory_that_was_wiped_is_made_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dray.sdk.serving.CHECK_SECONDS", 0.01)
    async with stage.plugin():
        await stage.kubelet.plugin(NAME)
        shutil.rmtree(stage.kubelet.registry)
        await stage.kubelet.gone(NAME)
        await stage.kubelet.plugin(NAME)


async def test_a_socket_that_another_instance_replaced_is_fatal(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dray.sdk.serving.CHECK_SECONDS", 0.01)
    async with stage.plugin() as plugin:
        plugin.registrar.path.unlink()
        plugin.registrar.path.write_text("")
        async with asyncio.timeout(10):
            await plugin.failed.wait()
        assert isinstance(plugin.error, ServingError)
        assert "registration socket" in str(plugin.error)


# --- orphans ---


async def test_claims_that_no_longer_exist_are_released_when_seen_gone_twice(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dray.sdk.orphans.CHECK_SECONDS", 0.02)
    gone, there = stage.claim("gone"), stage.claim("there", {"device": "lamp-1"})
    async with stage.plugin() as plugin:
        await (await stage.kubelet.plugin(NAME)).prepare(gone, there)
        await stage.client.delete(RESOURCE_CLAIMS, "gone", "default")
        async with asyncio.timeout(10):
            while len(await plugin.preparations.known()) > 1:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert [entry.ref.name for entry in (await plugin.preparations.known()).values()] == ["there"]


# --- device status ---


class Talkative(Lamps):
    async def device_status(self, claim: Claim, prepared: Sequence[PreparedDevice]) -> Sequence[DeviceStatus]:
        return [DeviceStatus(one.device, {"watts": {"int": 5}}) for one in prepared]


async def status_of(stage: Stage, name: str) -> list[Object]:
    async with asyncio.timeout(10):
        while True:
            devices = stage.client.find(RESOURCE_CLAIMS, name, "default")["status"].get("devices")  # type: ignore[index]
            if devices and any(device["driver"] == NAME for device in devices):
                return list(devices)
            await asyncio.sleep(0.01)


async def test_device_status_is_applied_under_the_drivers_name(stage: Stage) -> None:
    applied: list[dict[str, Any]] = []
    original = stage.client.patch

    async def patch(resource: Resource, name: str, body: Any, namespace: str = "", **more: Any) -> Object:
        applied.append({"body": body, **more})
        return await original(resource, name, body, namespace, **more)

    stage.client.patch = patch  # type: ignore[method-assign]
    claim = stage.claim("a", {"device": "lamp-0", "shareID": "x"})
    async with stage.plugin(Talkative()):
        await (await stage.kubelet.plugin(NAME)).prepare(claim)
        await status_of(stage, "a")
    assert applied[0]["field_manager"] == NAME
    assert applied[0]["force"] is True
    assert applied[0]["subresource"] == "status"
    assert applied[0]["body"]["metadata"]["uid"] == "uid-a"
    assert applied[0]["body"]["status"]["devices"] == [
        {"driver": NAME, "pool": "node", "device": "lamp-0", "shareID": "x", "data": {"watts": {"int": 5}}}
    ]


async def test_where_patching_is_forbidden_the_entries_of_others_are_kept(stage: Stage) -> None:
    def forbid(verb: str, resource: Resource, subresource: str, obj: Object) -> None:
        if verb == "patch":
            raise Forbidden("patch is not allowed")

    claim = stage.claim("a")
    other = {"driver": "other.example.com", "pool": "p", "device": "d"}
    claim["status"]["devices"] = [other]
    stage.client.reactions.append(forbid)
    async with stage.plugin(Talkative()):
        await (await stage.kubelet.plugin(NAME)).prepare(claim)
        devices = await status_of(stage, "a")
    assert devices[0] == other
    assert devices[1]["data"] == {"watts": {"int": 5}}


async def test_a_status_that_cannot_be_written_fails_nothing(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(verb: str, resource: Resource, subresource: str, obj: Object) -> None:
        if subresource == "status":
            raise InternalError("no")

    stage.client.reactions.append(refuse)
    claim = stage.claim("a")
    async with stage.plugin(Talkative()):
        assert len(await (await stage.kubelet.plugin(NAME)).prepare(claim)) == 1
        async with asyncio.timeout(10):
            while "The device status of the claim could not be written" not in caplog.messages:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


# --- health ---


class Fragile(Lamps):
    health_interval_seconds = 0.01
    taint_unhealthy = True

    def __init__(self) -> None:
        super().__init__()
        self.broken = ""

    async def health(self) -> list[DeviceHealth]:
        return [
            DeviceHealth(name, Health.UNHEALTHY, "burnt out")
            if name == self.broken
            else DeviceHealth(name, Health.HEALTHY)
            for name in self.lamps
        ]


@pytest.mark.parametrize("version", ["v1", "v1alpha1"])
async def test_health_is_streamed_whole_and_follows_changes(stage: Stage, version: str) -> None:
    driver = Fragile()
    async with stage.plugin(driver):
        plugin = await stage.kubelet.plugin(NAME)
        assert plugin.advertised[2:] == ("v1.DRAResourceHealth", "v1alpha1.DRAResourceHealth")
        stream = plugin.health(version)
        assert await anext(stream) == {"lamp-0": (1, ""), "lamp-1": (1, "")}
        driver.broken = "lamp-1"
        assert await anext(stream) == {"lamp-0": (1, ""), "lamp-1": (2, "burnt out")}
        driver.broken = ""
        assert await anext(stream) == {"lamp-0": (1, ""), "lamp-1": (1, "")}
        await stream.aclose()  # type: ignore[attr-defined]


async def test_unhealthy_devices_get_a_taint_and_lose_it_again(stage: Stage) -> None:
    def taints() -> list[list[Any]]:
        return [
            device.get("taints", []) for device in stage.client.all(RESOURCE_SLICES)[0]["spec"]["devices"]
        ]

    async def until(expected: list[list[Any]]) -> None:
        async with asyncio.timeout(10):
            while taints() != expected:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    driver = Fragile()
    async with stage.plugin(driver) as plugin:
        await plugin.publisher.published()
        driver.broken = "lamp-0"
        await until([[{"key": f"{NAME}/unhealthy", "effect": "NoSchedule"}], []])
        driver.broken = ""
        await until([[], []])


async def test_several_streams_see_the_same(stage: Stage) -> None:
    async with stage.plugin(Fragile()):
        plugin = await stage.kubelet.plugin(NAME)
        streams = [plugin.health("v1") for _ in range(3)]
        assert {len(await anext(stream)) for stream in streams} == {2}
        for stream in streams:
            await stream.aclose()  # type: ignore[attr-defined]


async def test_a_driver_without_health_does_not_offer_it(stage: Stage) -> None:
    async with stage.plugin():
        plugin = await stage.kubelet.plugin(NAME)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await anext(plugin.health())
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


# --- probes and metrics ---


async def check(port: int, service: str = "liveness") -> int:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = Stub(channel, GRPC_HEALTH, "Health")
        response = await stub.call("Check", stub.new_request("Check", service=service), timeout=10)
        return int(response.status)


async def test_the_liveness_probe_goes_through_the_sockets(stage: Stage) -> None:
    async with stage.plugin(healthcheck_port=0, bind_address="127.0.0.1") as plugin:
        assert plugin.probe is not None
        assert [await check(plugin.probe.port, service) for service in ("", "liveness")] == [1, 1]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await check(plugin.probe.port, "readiness")
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        await plugin.sockets.end("registration")
        assert await check(plugin.probe.port) == 2


async def test_metrics_and_readiness_are_served_over_http(stage: Stage) -> None:
    claim = stage.claim("a")
    async with stage.plugin(metrics_port=0, bind_address="127.0.0.1") as plugin:
        await (await stage.kubelet.plugin(NAME)).prepare(claim)
        assert plugin.http is not None
        async with aiohttp.ClientSession(f"http://127.0.0.1:{plugin.http.port}") as session:
            text = await (await session.get("/metrics")).text()
            ready = await session.get("/readyz")
            assert (ready.status, await ready.text()) == (200, "ok")
            assert await (await session.get("/healthz")).text() == "ok"
    assert 'dray_driver_prepare_claims_total{result="success"} 1' in text
    assert "dray_driver_registered 1" in text
    assert "dray_driver_published_devices 2" in text


async def test_readiness_waits_for_the_kubelet(stage: Stage) -> None:
    stage.kubelet.refusal = "no"
    async with stage.plugin(metrics_port=0, bind_address="127.0.0.1") as plugin:
        assert plugin.http is not None
        async with aiohttp.ClientSession(f"http://127.0.0.1:{plugin.http.port}") as session:
            ready = await session.get("/readyz")
            assert ready.status == 503
            assert await ready.text() in ("no", "not registered yet", "no kubelet has asked yet")


# --- rolling update ---


async def test_two_instances_run_side_by_side_and_share_their_claims(stage: Stage) -> None:
    a, b = stage.claim("a"), stage.claim("b", {"device": "lamp-1"})
    async with stage.plugin(pod_uid="pod-2") as new:
        async with stage.plugin(pod_uid="pod-1") as old:
            async with asyncio.timeout(10):
                while len(stage.kubelet.instances(NAME)) < 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            first, second = sorted(stage.kubelet.instances(NAME), key=lambda plugin: plugin.socket.name)
            assert (first.socket.name, second.socket.name) == (
                f"{NAME}-pod-1-reg.sock",
                f"{NAME}-pod-2-reg.sock",
            )
            await old.publisher.published()
            await first.prepare(a)
            await second.prepare(b)
            with pytest.raises(PrepareError, match="allocated twice"):
                await second.prepare(stage.claim("c"))
            await second.unprepare(a)
        await new.publisher.published()
        assert stage.sockets() == ["dra-pod-2.sock", f"{NAME}-pod-2-reg.sock"]
        slices = stage.client.all(RESOURCE_SLICES)
        assert [obj["spec"]["pool"]["generation"] for obj in slices] == [1]
        assert new.publisher.writes["update"] == old.publisher.writes["update"] == 0
        async with asyncio.timeout(10):
            while len(stage.kubelet.instances(NAME)) > 1:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert await (await stage.kubelet.plugin(NAME)).unprepare(b) == {"uid-b"}


async def test_sockets_of_killed_instances_are_swept_and_living_ones_kept(stage: Stage) -> None:
    directory = stage.kubelet.registry
    dead = directory / f"{NAME}-dead-reg.sock"
    with socket.socket(socket.AF_UNIX) as bound, SocketPath(dead) as address:
        bound.bind(address.short)
    stage.kubelet.refusal = "not now"
    async with stage.plugin(pod_uid="pod-1"), stage.plugin(pod_uid="pod-2"):
        assert sorted(path.name for path in directory.iterdir()) == [
            f"{NAME}-pod-1-reg.sock",
            f"{NAME}-pod-2-reg.sock",
        ]
        assert remove_dead_sockets(directory, f"{NAME}-*-reg.sock") == []


@pytest.mark.parametrize(
    ("driver", "pod_uid", "name"),
    [
        ("gpu.example.com", "", "gpu.example.com-reg.sock"),
        ("gpu.example.com", "u" * 36, "gpu.example.com-" + "u" * 36 + "-reg.sock"),
        ("d" * 40, "u" * 36, "d" * 40 + "-KKkIWiekKMQ-reg.sock"),
        ("d" * 63, "u" * 36, "dra-d8s-X1v_nx4kSQDh4ulXpg-reg.sock"),
        ("d" * 63, "", "d" * 63 + "-reg.sock"),
    ],
)
def test_registration_sockets_have_the_first_name_that_fits(driver: str, pod_uid: str, name: str) -> None:
    path = registration_socket(Path("/var/lib/kubelet/plugins_registry"), driver, pod_uid)
    assert path.name == name
    assert len(str(path)) <= 107


def test_service_sockets_are_shortened_too() -> None:
    plugins = Path("/var/lib/kubelet/plugins")
    assert service_socket(plugins / ("d" * 36), "u" * 36).name == "dra-" + "u" * 36 + ".sock"
    assert service_socket(plugins / ("d" * 37), "u" * 36).name == "dra-KKkIWiekKMQ.sock"
    longest = service_socket(plugins / ("d" * 63), "u" * 36)
    assert longest.name == "KKkIWiek.sock"
    assert len(str(longest)) <= 107
    assert service_socket(plugins / ("d" * 63)).name == "dra.sock"


def test_a_name_that_never_fits_is_left_plain() -> None:
    assert registration_socket(Path("/" + "x" * 100), "gpu", "").name == "gpu-reg.sock"


# --- the parts agree ---


async def test_prepared_claims_survive_the_death_of_the_driver(stage: Stage) -> None:
    claim = stage.claim("a")
    async with stage.plugin() as plugin:
        first = (await (await stage.kubelet.plugin(NAME)).prepare(claim))["uid-a"]
        known = await plugin.preparations.known()
    assert list(known) == ["uid-a"]
    await stage.kubelet.gone(NAME)
    driver = Lamps()
    driver.failure = RuntimeError("must not be asked")
    async with stage.plugin(driver):
        again = (await (await stage.kubelet.plugin(NAME)).prepare(claim))["uid-a"]
        assert [str(device) for device in again] == [str(device) for device in first]
