"""How a process runs that serves for long and keeps many objects: the event loop, and a collector that seldom looks at all.

Caches of a large cluster are hundreds of thousands of dictionaries. With Python's usual thresholds the collector walks
over them again and again while requests allocate, and finds nothing: about a tenth of the CPU of a busy cluster.
"""

import asyncio
import contextlib
import ctypes
import gc
from collections.abc import Coroutine
from typing import Any

_YOUNG = 50_000
"""New objects before the collector looks at them; a request makes a few hundred, of which few outlive it."""

_MIDDLE, _OLD = 20, 50
"""Collections of one generation before the next older one is looked at too."""


_MMAP_THRESHOLD = -3
"""Of mallopt, in glibc."""

_LARGE_BLOCK = 256 * 1024
"""Bytes: what a connection with TLS reads into. glibc begins with less, but asks for ever more with each that is freed."""


def give_large_blocks_back() -> None:
    """Let the memory of large bodies, and of connections' buffers, return to the system when it is freed.

    For a server that anybody may connect to: six hundred connections leave 26 MiB behind instead of 370, and take half
    while they last. It is no good for who makes and drops large lists all the time: that takes half as long again.
    """
    with contextlib.suppress(OSError, AttributeError):  # another library of C: nothing is lost but the effect
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _LARGE_BLOCK)


def serve(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` to its end. What was imported until now is taken to stay for ever."""
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
    asyncio.run(work)
