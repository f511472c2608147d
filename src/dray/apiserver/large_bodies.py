"""Work that grows with the body of a request: that of a large one is done in a thread, where it holds up nobody.

Only pure work may be given away, and what looks up single objects: whatever goes over the store's tables would meet
them changing.
"""

import asyncio
import concurrent.futures
from collections.abc import Callable
from typing import Final, TypeVar

LARGE_BYTES: Final = 64 * 1024
_threads = concurrent.futures.ThreadPoolExecutor(2, "dray-large-body")
_Result = TypeVar("_Result")


async def worked_out(size: int, work: Callable[[], _Result]) -> _Result:
    """What `work` makes of a body of `size` bytes."""
    if size < LARGE_BYTES:
        return work()
    return await asyncio.get_running_loop().run_in_executor(_threads, work)
