"""An event loop in a thread, for tests that are plain functions."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

Result = TypeVar("Result")


class Background:
    """`with Background() as background: background.run(coroutine)`. What was entered is left in reverse order."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="dray-testing", daemon=True)
        self._entered = contextlib.AsyncExitStack()

    def __enter__(self) -> "Background":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self.run(self._entered.aclose())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """The coroutine's result, or its exception, once it has run on the loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def enter(self, manager: AbstractAsyncContextManager[Result]) -> Result:
        """Enter `manager` on the loop; it is left with the block, or by `leave`."""
        return self.run(self._entered.enter_async_context(manager))
