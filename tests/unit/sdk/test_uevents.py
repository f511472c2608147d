"""Hardware that comes and goes is noticed at once, in one look for one event of the world."""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

from dray.sdk import uevents
from dray.sdk.uevents import hardware_changes, subsystem_of
from dray.testing import virtual

LOOPBACK = Path("/sys/class/net/lo/uevent")
HOUR = 3600.0


def announcement(action: str, subsystem: str) -> bytes:
    fields = (
        f"{action}@/devices/x",
        f"ACTION={action}",
        "DEVPATH=/devices/x",
        f"SUBSYSTEM={subsystem}",
        "SEQNUM=7",
    )
    return b"\0".join(field.encode() for field in fields) + b"\0"


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Sends what the kernel would."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    there.setblocking(False)
    monkeypatch.setattr(uevents, "open_kernel_socket", lambda: there)
    with here, there:
        yield here


async def listening(*subsystems: str, every_seconds: float = HOUR) -> AsyncGenerator[None]:
    """Past the first look, which comes at once."""
    watch = hardware_changes(*subsystems, every_seconds=every_seconds)
    await anext(watch)
    return watch


def test_an_announcement_says_its_subsystem() -> None:
    assert subsystem_of(announcement("add", "tty")) == "tty"
    assert subsystem_of(b"libudev\0nonsense") == ""


async def test_an_announcement_of_the_subsystem_is_a_change(kernel: socket.socket) -> None:
    watch = await listening("usb", "tty")
    kernel.send(announcement("add", "tty"))
    async with asyncio.timeout(5):
        await anext(watch)
    await watch.aclose()


async def test_other_subsystems_are_none_of_its_business(kernel: socket.socket) -> None:
    watch = await listening("tty", every_seconds=0.3)
    seen = asyncio.ensure_future(anext(watch))
    kernel.send(announcement("change", "net"))
    await asyncio.wait([seen], timeout=0.05)
    assert not seen.done()
    async with asyncio.timeout(5):
        await seen  # it looks every now and then besides
    await watch.aclose()


async def test_a_burst_is_one_change(kernel: socket.socket) -> None:
    watch = await listening()
    for action in ("add", "bind", "change"):
        for _ in range(5):
            kernel.send(announcement(action, "usb"))
    async with asyncio.timeout(5):
        await anext(watch)
    again = asyncio.ensure_future(anext(watch))
    await asyncio.wait([again], timeout=0.05)
    assert not again.done()
    again.cancel()
    await asyncio.wait([again])


async def test_lost_announcements_are_a_change(
    kernel: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    received = loop.sock_recv
    overruns = [OSError(105, "No buffer space available")]

    async def receive(sock: socket.socket, size: int) -> bytes:
        if overruns:
            raise overruns.pop()
        return await received(sock, size)

    monkeypatch.setattr(loop, "sock_recv", receive)
    watch = await listening("tty")
    async with asyncio.timeout(5):
        await anext(watch)
    await watch.aclose()


def test_without_announcements_it_looks_every_few_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uevents, "open_kernel_socket", lambda: None)

    async def looks() -> float:
        started = asyncio.get_running_loop().time()
        watch = hardware_changes("tty", every_seconds=HOUR)
        for _ in range(3):
            await anext(watch)
        return asyncio.get_running_loop().time() - started

    assert virtual.run(looks()) == 10.0  # the first at once


@pytest.mark.parametrize(
    ("uid_map", "told"),
    [("         0          0 4294967295\n", True), ("0 1000 1\n", False), ("", False)],
)
def test_rootless_containers_are_not_told(tmp_path: Path, uid_map: str, told: bool) -> None:
    (tmp_path / "uid_map").write_text(uid_map)
    assert uevents._is_told(tmp_path / "uid_map") == told


@pytest.mark.skipif(
    not os.access(LOOPBACK, os.W_OK), reason="only root may ask the kernel to announce something"
)
async def test_this_machines_kernel_is_heard() -> None:
    own = uevents.open_kernel_socket()
    if own is None:
        pytest.skip("the kernel does not tell this process")
    own.close()
    watch = await listening("net")
    await asyncio.to_thread(LOOPBACK.write_text, "change")
    async with asyncio.timeout(5):
        await anext(watch)
    await watch.aclose()
