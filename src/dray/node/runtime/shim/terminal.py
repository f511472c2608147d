"""A pseudo-terminal between a program and the byte streams of whoever looks at it."""

import fcntl
import os
import struct
import termios
from collections.abc import Callable

from dray.node.runtime.shim.loop import Loop, Outlet

DEFAULT_SIZE = (80, 24)


class Terminal:
    """Owns the master side. `slave` is for the child and is to be closed once the child has it."""

    def __init__(self, loop: Loop, receive: Callable[[bytes], None]) -> None:
        self._loop = loop
        self.master, self.slave = os.openpty()
        self.resize(*DEFAULT_SIZE)
        loop.read(self.master, receive)
        self._keyboard = Outlet(os.dup(self.master), loop)

    def type(self, data: bytes) -> None:
        """Input for the program."""
        self._keyboard.write(data)

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def close_slave(self) -> None:
        os.close(self.slave)
        self.slave = -1

    def close(self) -> None:
        self._keyboard.close()
        self._loop.stop_reading(self.master)


def parse_size(text: str) -> tuple[int, int]:
    """(width, height) from `<width> <height>`; raises ValueError."""
    width, height = (max(1, min(int(part), 65535)) for part in text.split())
    return width, height
