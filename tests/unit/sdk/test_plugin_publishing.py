"""A driver on a fake kubelet: what it publishes, and how it keeps its sockets and claims."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from plugin_stage import NAME, Lamps, Stage

from dray.api.resources import RESOURCE_CLAIMS, RESOURCE_SLICES
from dray.sdk import (
    Device,
    Pool,
)
from dray.sdk.errors import ServingError
from dray.sdk.sockets import registration_socket, remove_dead_sockets, service_socket
from dray.testing.fake_kubelet import PrepareError
from dray.wire.sockets import SocketPath


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
