"""Times of small pieces of work, and the recorded figures of Go beside them."""

import json
import pathlib
import statistics
import time
from collections.abc import Callable
from typing import Any

DATA = pathlib.Path(__file__).parents[1] / "data"


def median_us(work: Callable[[], object], *, seconds: float = 0.3, least: int = 5) -> float:
    """Median time of `work` in microseconds, over as many calls as fit into `seconds`, at least `least`."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < least or time.perf_counter() < end:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
        if len(times) >= 20_000:
            break
    return statistics.median(times) * 1e6


def once_us(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e6


def go_figures(part: str) -> dict[str, Any]:
    """What the Go implementation took, recorded on a machine like the tests': "alloc" in us, "cel" in us each."""
    figures: dict[str, Any] = json.loads((DATA / "go.json").read_text())[part]
    return figures
