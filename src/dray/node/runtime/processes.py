"""Processes of this machine by number: is it still the same one, tell me when it ends, end what was left behind.

Decides how a process is told from a later one with its number (its start time, in the kernel's ticks) and which
processes belong to a container whose supervisor is gone: those in its view of files, else those in its session.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from dray.node.runtime.protocol import Usage

_IS_LINUX = bool(sys.platform == "linux")
POLL_SECONDS = 0.1
END_SECONDS = 10.0


def start_ticks(pid: int) -> int:
    """When process `pid` started; 0 when there is none, or the system does not tell."""
    fields = _stat(pid)
    return 0 if not fields or fields[0] in (b"Z", b"X") else int(fields[19])


def usage_of(pids: Iterable[int]) -> Usage | None:
    """What these processes have used together, their awaited children included; None when none of them is known."""
    fields = [found for pid in pids if (found := _stat(pid))]
    if not fields:
        return None
    # From the third field on: user and system time of the process and of its awaited children, and its resident pages.
    ticks = sum(sum(map(int, each[11:15])) for each in fields)
    pages = sum(int(each[21]) for each in fields)
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE"))


def _stat(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return []


def is_alive(pid: int, ticks: int) -> bool:
    """Whether process `pid` is the one that started at `ticks`."""
    if pid <= 0:
        return False
    if _IS_LINUX:
        return start_ticks(pid) == ticks
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


class ExitWatch:
    """Calls `ended` once, on the loop, when process `pid` has ended; reaps it if it is a child of this process."""

    def __init__(self, pid: int, ended: Callable[[], object]) -> None:
        """Raises ProcessLookupError when there is no such process."""
        self._pid = pid
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._descriptor = -1
        self._timer: asyncio.TimerHandle | None = None
        if sys.platform == "linux":
            self._descriptor = os.pidfd_open(pid)
            self._loop.add_reader(self._descriptor, self._finish)
        else:
            self._poll()

    def _poll(self) -> None:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, os.WNOHANG)
        if not is_alive(self._pid, 0):
            self._finish()
        else:
            self._timer = self._loop.call_later(POLL_SECONDS, self._poll)

    def _finish(self) -> None:
        self.cancel()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, os.WNOHANG)
        self._ended()

    def kill(self) -> None:
        """Kill the watched process, and no other that may have its number."""
        with contextlib.suppress(ProcessLookupError):
            if self._descriptor >= 0 and sys.platform == "linux":
                signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)
            elif self._timer is not None:
                os.kill(self._pid, signal.SIGKILL)

    def cancel(self) -> None:
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def view_marker(container: str) -> str:
    """The name by which every process in a container's view of files can be recognised."""
    return f"dray-{container[:24]}"


def end_strays(marker: str, session: int, since_ticks: int) -> int:
    """Kill what a container left behind when its supervisor was killed; returns how many processes.

    `marker`: of its view. `session`: its main process, leader of a session; `since_ticks`: when its supervisor
    started, so that a later process with the same number is not taken for it.
    """
    deadline = time.monotonic() + END_SECONDS
    killed: set[int] = set()
    while strays := list(_strays(marker, session, since_ticks)):
        if time.monotonic() > deadline:
            break
        for pid in strays:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        killed.update(strays)
        time.sleep(0.005)
    return len(killed)


def _strays(marker: str, session: int, since_ticks: int) -> Iterator[int]:
    own_view = _view_of(os.getpid())
    marked: dict[int, bool] = {own_view: False}
    for entry in _process_numbers():
        view = _view_of(entry)
        if view and view not in marked:
            marked[view] = _has_marker(entry, marker)
        if start_ticks(entry) and (
            marked.get(view, False)
            or (_session_of(entry) == session > 0 and start_ticks(entry) >= since_ticks)
        ):
            yield entry


def _process_numbers() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def _view_of(pid: int) -> int:
    try:
        return os.stat(f"/proc/{pid}/ns/mnt").st_ino
    except OSError:
        return 0


def _has_marker(pid: int, marker: str) -> bool:
    try:
        return f" {marker} " in Path(f"/proc/{pid}/mountinfo").read_text()
    except OSError:
        return False


def _session_of(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0
