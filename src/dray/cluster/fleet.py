"""The clusters of this user: found, described, stopped, deleted. Works on files and processes, never inside a cluster."""

import dataclasses
import os
import pathlib
import signal
import time
from collections.abc import Iterator

from dray.cluster.layout import ClusterError, ClusterSpec, Layout, default_root

STOP_TIMEOUT_SECONDS = 60.0
POLL_SECONDS = 0.05


@dataclasses.dataclass(frozen=True, slots=True)
class ClusterState:
    spec: ClusterSpec
    layout: Layout
    pid: int | None
    """None: not running."""
    resident_bytes: int = 0
    """Memory of the cluster's own process."""


def find_clusters() -> Iterator[ClusterState]:
    """Every cluster in the default place, by name."""
    parent = default_root("x").parent
    if not parent.is_dir():
        return
    for root in sorted(parent.iterdir()):
        layout = Layout(root)
        spec = layout.read_spec() if root.is_dir() else None
        # Data that a restore moved aside still bear the cluster's name, but are no cluster to be had by it.
        if spec is not None and spec.name == root.name:
            yield state_of(layout, spec)


def state_of(layout: Layout, spec: ClusterSpec) -> ClusterState:
    pid = layout.running_pid()
    return ClusterState(spec, layout, pid, resident_bytes(pid) if pid else 0)


def find_cluster(name: str, data_dir: pathlib.Path | None) -> ClusterState:
    """Raises ClusterError when there is no such cluster."""
    layout = Layout(data_dir or default_root(name))
    spec = layout.read_spec()
    if spec is None:
        raise ClusterError(f"there is no cluster in {layout.root}; `dray status` lists those there are")
    return state_of(layout, spec)


def stop(state: ClusterState) -> bool:
    """Ask the cluster to stop and wait until its process has ended; False when it did not run.

    Raises ClusterError if it will not.
    """
    if state.pid is None:
        return False
    _signal(state.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
    while state.layout.running_pid() == state.pid or _is_alive(state.pid):
        if time.monotonic() > deadline:
            raise ClusterError(
                f"cluster {state.spec.name!r} (pid {state.pid}) has not stopped after {STOP_TIMEOUT_SECONDS:.0f} s"
            )
        time.sleep(POLL_SECONDS)
    return True


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise ClusterError(f"process {pid} belongs to another user") from error


def _is_alive(pid: int) -> bool:
    """Whether the process still does anything: one that has ended may wait for its parent to notice."""
    try:
        os.kill(pid, 0)
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def resident_bytes(pid: int) -> int:
    """Resident memory of one process; 0 where the system does not tell."""
    try:
        pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
