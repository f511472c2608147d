"""A driver on a fake kubelet: how it registers, and what it answers to calls."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from plugin_stage import NAME, Fragile, Lamps, Stage

from dray.api.errors import InternalError
from dray.api.meta import Object
from dray.api.resources import RESOURCE_CLAIMS, RESOURCE_SLICES
from dray.sdk import (
    Claim,
    ClaimRef,
    Device,
    Driver,
    KubeletPlugin,
    PreparedDevice,
)
from dray.testing.fake_kubelet import FakeKubelet, PrepareError
from dray.testing.memory_client import MemoryClient
from dray.wire.kubelet import REGISTRATION
from dray.wire.sockets import SocketPath


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
