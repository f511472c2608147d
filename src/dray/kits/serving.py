"""How a process runs that serves for long and keeps many objects: the event loop, and a collector that seldom looks at all.

Caches of a large cluster are hundreds of thousands of dictionaries. With Python's usual thresholds the collector walks
over them again and again while requests allocate, and finds nothing: about a tenth of the CPU of a busy cluster.
"""

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any

_YOUNG = 50_000
"""New objects before the collector looks at them; a request makes a few hundred, of which few outlive it."""

_MIDDLE, _OLD = 20, 50
"""Collections of one generation before the next older one is looked at too."""


def serve(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` to its end. What was imported until now is taken to stay for ever."""
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
    asyncio.run(work)
