"""The processes below this one, and their end.

On Linux the caller is made the new parent of every orphan below it, so nothing a container started can slip away by
daemonising. Elsewhere only processes that stayed in the given sessions are found.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable

GIVE_UP_SECONDS = 10.0
"""A process that ignores SIGKILL this long is stuck in the kernel; waiting longer would not end it."""


def adopt_orphans() -> None:
    """Become the parent of every orphaned descendant."""
    if sys.platform == "linux":
        from dray.node.runtime.shim import syscalls

        syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies; to be called in a fresh child."""
    if sys.platform == "linux":
        from dray.node.runtime.shim import syscalls

        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)


def end_all(sessions: Iterable[int], reaped: Callable[[int, int], object]) -> None:
    """Kill every descendant; `reaped` is told the pid and wait status of each child.

    `sessions`: leaders of the sessions that were started below.
    """
    deadline = time.monotonic() + GIVE_UP_SECONDS
    pause = 0.001
    while time.monotonic() < deadline:
        for pid in descendants(os.getpid()):
            _kill(pid)
        for leader in list(sessions):
            with contextlib.suppress(OSError):
                os.killpg(leader, signal.SIGKILL)
        if reap(reaped):
            return
        time.sleep(pause)
        pause = min(pause * 2, 0.05)


def descendants(pid: int) -> list[int]:
    """All living processes below `pid`; empty where the system does not tell."""
    found: list[int] = []
    todo = [pid]
    while todo:
        children = _children(todo.pop())
        found += children
        todo += children
    return found


def _children(pid: int) -> list[int]:
    children: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
        for thread in threads:
            with open(f"/proc/{pid}/task/{thread}/children") as file:
                children += map(int, file.read().split())
    except OSError:
        return _children_by_scan(pid) if os.path.exists(f"/proc/{pid}/task") else []
    return children


def _children_by_scan(pid: int) -> list[int]:
    """For kernels without the `children` file."""
    found = []
    try:
        names = os.listdir("/proc")
    except OSError:
        return []
    for name in names:
        if name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                with open(f"/proc/{name}/stat", "rb") as file:
                    parent = int(file.read().rpartition(b")")[2].split()[1])
                if parent == pid:
                    found.append(int(name))
    return found


def _kill(pid: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)


def reap(reaped: Callable[[int, int], object]) -> bool:
    """Collect every child that has ended, telling `reaped`; True when no child is left."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True
        if pid == 0:
            return False
        reaped(pid, status)
