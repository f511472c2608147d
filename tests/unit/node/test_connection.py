"""What is said of a driver that does not answer."""

import asyncio
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dray.node.metrics import NodeMetrics
from dray.node.plugins.connection import ClaimName, DriverConnection, DriverFailure

CLAIMS = [ClaimName("default", "gpu", "uid-1")]
PREFIX = "NodePrepareResources: rpc error: code = Unavailable desc = "


@pytest.fixture
def path() -> Iterator[Path]:
    """Short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="dra") as directory:
        yield Path(directory, "dra.sock")


async def failure_of(path: Path) -> str:
    connection = DriverConnection(
        "gpu.example.com", str(path), path, "v1", (), NodeMetrics(), lambda changed: None
    )
    try:
        with pytest.raises(DriverFailure) as caught:
            await connection.prepare(CLAIMS)
    finally:
        await connection.close()
    return str(caught.value)


async def test_a_socket_that_nobody_serves_is_named(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    dialing = f"transport: Error while dialing: dial unix {path}: connect: connection refused"
    assert await failure_of(path) == f'{PREFIX}connection error: desc = "{dialing}"'


async def test_a_socket_that_is_gone_is_named(path: Path) -> None:
    assert (await failure_of(path)).endswith(f'dial unix {path}: connect: no such file or directory"')


async def test_a_driver_that_hangs_up_in_the_middle_of_a_call_is_said_to_have_ended(path: Path) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))  # HTTP/2 begins with settings, here none
        await writer.drain()
        await reader.readuntil(b"uid-1")
        writer.close()

    async with await asyncio.start_unix_server(hang_up, path):
        assert await failure_of(path) == f"{PREFIX}error reading from server: EOF"
