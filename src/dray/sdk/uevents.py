"""When hardware comes, goes or changes: the kernel's own announcements, for a driver's `watch_hardware`.

    async def watch_hardware(self):
        async for _ in hardware_changes("usb", "tty"):
            yield

The kernel multicasts a datagram for each (uevents, the source of udev): `add@/devices/...`, then NUL-separated
KEY=VALUE. Plugging one thing in makes a burst of them, of which only the end matters. Not everything has one (a link's
speed, the health of a GPU), so hardware is looked at every now and then besides; where the kernel does not tell, that
is all there is.
"""

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

_KERNEL_GROUP: Final = 1
"""Of multicast: 1 is the kernel, 2 is udev when it has done its part."""
_PROTOCOL: Final = 15
"""NETLINK_KOBJECT_UEVENT."""
_LARGEST: Final = 16384
_QUIET_SECONDS: Final = 0.2
_LONGEST_BURST_SECONDS: Final = 2.0
_UNTOLD_SECONDS: Final = 5.0
"""How often to look where the kernel does not tell."""
_SOCKET_FLAGS: Final = getattr(socket, "SOCK_CLOEXEC", 0)


async def hardware_changes(*subsystems: str, every_seconds: float = 30.0) -> AsyncGenerator[None]:
    """Yields soon after something of `subsystems` (of any, when none is named) came, went or changed.

    Also at once, for what happened before anybody listened, and every `every_seconds`, or sooner where the kernel's
    announcements do not reach this process.
    """
    kernel = open_kernel_socket()
    if kernel is None:
        while True:
            yield
            await asyncio.sleep(min(every_seconds, _UNTOLD_SECONDS))
    with kernel:
        while True:
            yield
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(every_seconds):
                    await _announcement(kernel, frozenset(subsystems))
                await _silence(kernel)


def open_kernel_socket() -> socket.socket | None:
    """A socket that receives the announcements; None where there are none to be had."""
    family = getattr(socket, "AF_NETLINK", None)
    if family is None or not _is_told(Path("/proc/self/uid_map")):
        return None
    opened = None
    try:
        opened = socket.socket(family, socket.SOCK_DGRAM | _SOCKET_FLAGS, _PROTOCOL)
        opened.bind((0, _KERNEL_GROUP))
        opened.setblocking(False)
    except OSError:
        if opened is not None:
            opened.close()
        return None
    return opened


def _is_told(uid_map: Path) -> bool:
    """The kernel leaves out network namespaces that belong to a user namespace, as rootless containers have."""
    try:
        return uid_map.read_text().split() == ["0", "0", "4294967295"]
    except OSError:
        return False


async def _announcement(kernel: socket.socket, subsystems: frozenset[str]) -> None:
    """Wait for one of the `subsystems`."""
    while True:
        subsystem = await _next(kernel)
        if not subsystems or not subsystem or subsystem in subsystems:
            return


async def _silence(kernel: socket.socket) -> None:
    """Wait for the end of a burst; raises TimeoutError when it comes."""
    async with asyncio.timeout(_LONGEST_BURST_SECONDS):
        while True:
            async with asyncio.timeout(_QUIET_SECONDS):
                await _next(kernel)


async def _next(kernel: socket.socket) -> str:
    """The subsystem of the next announcement; "" when some were lost, and nobody knows which."""
    try:
        message = await asyncio.get_running_loop().sock_recv(kernel, _LARGEST)
    except OSError as error:
        if error.errno == errno.ENOBUFS:
            return ""
        raise
    return subsystem_of(message)


def subsystem_of(message: bytes) -> str:
    """`tty` of an announcement; "" when it does not say."""
    for field in message.split(b"\0")[1:]:
        name, _, value = field.partition(b"=")
        if name == b"SUBSYSTEM":
            return value.decode(errors="replace")
    return ""
