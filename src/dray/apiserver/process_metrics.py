"""What the operating system says of this process, under the names that dashboards know."""

import os
import pathlib
import resource
import sys
import time
from collections.abc import Callable, Mapping
from typing import Final

from dray.kits.metrics import Gauge, LabelValues, Registry

_SELF: Final = pathlib.Path("/proc/self")
_STARTED: Final = time.time()
"""Near enough: this is imported when the process starts."""


class _Total(Gauge):
    kind = "counter"


def add_process_metrics(registry: Registry) -> None:
    """What a system does not tell is left out."""
    cpu, start = "process_cpu_seconds_total", "process_start_time_seconds"
    registry.add(_Total(cpu, "CPU time used, in seconds.", collect=_told(_cpu_seconds)))
    for name, text, read in (
        (start, "When the process started, in seconds since 1970.", lambda: _STARTED),
        ("process_resident_memory_bytes", "Memory in use, in bytes.", _resident),
        ("process_virtual_memory_bytes", "Address space in use, in bytes.", _mapped),
        ("process_open_fds", "Files open.", _open_files),
        ("process_max_fds", "Files that may be open.", _most_files),
    ):
        registry.gauge(name, text, collect=_told(read))


def _told(read: Callable[[], float | None]) -> Callable[[], Mapping[LabelValues, float]]:
    def collect() -> Mapping[LabelValues, float]:
        value = read()
        return {} if value is None else {(): value}

    return collect


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _resident() -> float:
    """Where the system does not tell, the most that there ever was."""
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return _pages(1) or peak


def _mapped() -> float | None:
    return _pages(0)


def _pages(column: int) -> float | None:
    """Bytes, by a column of /proc/self/statm: 0 is what is mapped, 1 what is resident."""
    try:
        return float(int((_SELF / "statm").read_text().split()[column]) * resource.getpagesize())
    except OSError:
        return None


def _open_files() -> float | None:
    try:
        return float(len(os.listdir(_SELF / "fd")))
    except OSError:
        return None


def _most_files() -> float:
    return float(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
