"""The kubelet's services over real unix sockets, declared without generated code."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from dray.wire.kubelet import DRA, GRPC_HEALTH, HEALTH, POD_RESOURCES, REGISTRATION
from dray.wire.rpc import RpcFailure, TcpServer, UnixChannel, UnixServer, service_handler
from dray.wire.sockets import MAX_PATH_BYTES, SocketPath


def registration(name: str = "gpu.example.com") -> Any:
    info = REGISTRATION.message("PluginInfo")

    async def get_info(request: Any) -> Any:
        return info(type="DRAPlugin", name=name, endpoint="/dra.sock", supported_versions=["v1.DRAPlugin"])

    return service_handler(REGISTRATION, "Registration", {"GetInfo": get_info})


def test_full_method_names_are_those_the_kubelet_calls() -> None:
    assert REGISTRATION.methods("Registration")["GetInfo"].path == "/pluginregistration.Registration/GetInfo"
    assert (
        DRA["v1"].methods("DRAPlugin")["NodePrepareResources"].path
        == "/k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin/NodePrepareResources"
    )
    assert (
        HEALTH["v1alpha1"].methods("DRAResourceHealth")["NodeWatchResources"].path
        == "/v1alpha1.DRAResourceHealth/NodeWatchResources"
    )
    assert POD_RESOURCES.methods("PodResourcesLister")["List"].path == "/v1.PodResourcesLister/List"
    assert GRPC_HEALTH.methods("Health")["Check"].path == "/grpc.health.v1.Health/Check"


def test_prepare_reply_has_the_bytes_of_the_published_schema() -> None:
    reply = DRA["v1"].message("NodePrepareResourcesResponse")()
    reply.claims["u"].devices.add(
        request_names=["r"], pool_name="p", device_name="d", cdi_device_ids=["c"], share_id="s"
    )
    device = b"\x0a\x01r\x12\x01p\x1a\x01d\x22\x01c\x2a\x01s"
    entry = b"\x0a\x01u\x12" + bytes([len(device) + 2]) + b"\x0a" + bytes([len(device)]) + device
    assert reply.SerializeToString() == b"\x0a" + bytes([len(entry)]) + entry


def test_share_id_can_be_unset_in_v1_and_does_not_exist_in_v1beta1() -> None:
    assert not DRA["v1"].message("Device")().HasField("share_id")
    assert "share_id" not in DRA["v1beta1"].message("Device").DESCRIPTOR.fields_by_name


def test_touching_a_map_entry_makes_an_empty_success() -> None:
    reply = DRA["v1beta1"].message("NodeUnprepareResourcesResponse")()
    reply.claims["u"].SetInParent()
    assert list(reply.claims) == ["u"]


async def test_a_call_reaches_the_server_over_its_socket(tmp_path: Path) -> None:
    server = UnixServer(tmp_path / "reg.sock", [registration()])
    await server.start()
    channel = UnixChannel(tmp_path / "reg.sock")
    info = await channel.stub(REGISTRATION, "Registration").call("GetInfo", timeout=5)
    assert (info.type, info.name, list(info.supported_versions)) == (
        "DRAPlugin",
        "gpu.example.com",
        ["v1.DRAPlugin"],
    )
    await channel.close()
    await server.stop()
    assert not (tmp_path / "reg.sock").exists()


async def test_a_socket_path_longer_than_the_kernel_takes_works(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a" * 40] * 4)
    deep.mkdir(parents=True)
    path = deep / "gpu.example.com-reg.sock"
    assert len(str(path)) > MAX_PATH_BYTES
    server = UnixServer(path, [registration()])
    await server.start()
    assert path.is_socket()
    channel = UnixChannel(path)
    assert (
        await channel.stub(REGISTRATION, "Registration").call("GetInfo", timeout=5)
    ).name == "gpu.example.com"
    await channel.close()
    await server.stop()
    assert not path.exists()


def test_a_socket_name_that_cannot_be_shortened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="too long"):
        SocketPath(tmp_path / ("x" * 120))


@pytest.mark.parametrize("directory", ["one,two", "100%20", "what?", "a#b", "a b"])
async def test_a_directory_may_have_any_name(tmp_path: Path, directory: str) -> None:
    path = tmp_path / directory / "reg.sock"
    path.parent.mkdir()
    server = UnixServer(path, [registration()])
    await server.start()
    assert path.is_socket()
    channel = UnixChannel(path)
    assert (await channel.stub(REGISTRATION, "Registration").call("GetInfo", timeout=5)).name
    await channel.close()
    await server.stop()
    assert list(path.parent.iterdir()) == []


def test_a_socket_name_that_grpc_cannot_spell_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'a,b\.sock' has one of"):
        SocketPath(tmp_path / "a,b.sock")


def test_a_long_path_needs_its_directory(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist"):
        SocketPath(tmp_path.joinpath(*["a" * 40] * 4, "x.sock"))


async def test_a_stale_socket_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "dra.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    server = UnixServer(path, [registration("new")])
    await server.start()
    channel = UnixChannel(path)
    assert (await channel.stub(REGISTRATION, "Registration").call("GetInfo", timeout=5)).name == "new"
    await channel.close()
    await server.stop()


async def test_a_server_that_stops_leaves_its_successors_socket(tmp_path: Path) -> None:
    path = tmp_path / "dra.sock"
    old, new = UnixServer(path, [registration("old")]), UnixServer(path, [registration("new")])
    await old.start()
    await new.start()
    await old.stop()
    channel = UnixChannel(path)
    assert (await channel.stub(REGISTRATION, "Registration").call("GetInfo", timeout=5)).name == "new"
    await channel.close()
    await new.stop()


async def test_methods_left_out_are_unimplemented(tmp_path: Path) -> None:
    server = UnixServer(tmp_path / "s", [registration()])
    await server.start()
    channel = UnixChannel(tmp_path / "s")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.stub(REGISTRATION, "Registration").call("NotifyRegistrationStatus", timeout=5)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    await channel.close()
    await server.stop()


async def test_a_failure_carries_its_status(tmp_path: Path) -> None:
    async def get_info(request: Any) -> Any:
        raise RpcFailure(grpc.StatusCode.UNAVAILABLE, "starting")

    server = UnixServer(
        tmp_path / "s", [service_handler(REGISTRATION, "Registration", {"GetInfo": get_info})]
    )
    await server.start()
    channel = UnixChannel(tmp_path / "s")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.stub(REGISTRATION, "Registration").call("GetInfo", timeout=5)
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.UNAVAILABLE, "starting")
    await channel.close()
    await server.stop()


async def test_health_streams_reach_the_client_until_cancelled(tmp_path: Path) -> None:
    response = HEALTH["v1"].message("NodeWatchResourcesResponse")

    async def watch(request: Any) -> AsyncIterator[Any]:
        for health in (1, 2):
            message = response()
            message.devices.add(health=health).device.device_name = "gpu-0"
            yield message
        await asyncio.Event().wait()

    handler = service_handler(HEALTH["v1"], "DRAResourceHealth", {"NodeWatchResources": watch})
    server = UnixServer(tmp_path / "s", [handler])
    await server.start()
    channel = UnixChannel(tmp_path / "s")
    stream = channel.stub(HEALTH["v1"], "DRAResourceHealth").stream("NodeWatchResources")
    seen = []
    async for message in stream:
        seen.append(message.devices[0].health)
        if len(seen) == 2:
            stream.cancel()
            break
    assert seen == [1, 2]
    await channel.close()
    await server.stop()


async def test_a_channel_finds_a_server_that_starts_later(tmp_path: Path) -> None:
    channel = UnixChannel(tmp_path / "late.sock")
    waiting = asyncio.create_task(channel.connected(10))
    await asyncio.sleep(0)
    server = UnixServer(tmp_path / "late.sock", [registration()])
    await server.start()
    await waiting
    await channel.close()
    await server.stop()


async def test_connecting_to_nothing_times_out(tmp_path: Path) -> None:
    channel = UnixChannel(tmp_path / "nobody.sock")
    with pytest.raises(TimeoutError):
        await channel.connected(0.05)
    await channel.close()


async def test_tcp_port_zero_takes_a_free_port() -> None:
    server = TcpServer("127.0.0.1", 0, [registration()])
    await server.start()
    assert server.port > 0
    await server.stop()
