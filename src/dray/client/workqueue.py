"""Keys to work on: each at most once at a time, again after failures with growing delays.

A key added while it is being worked on is handed out again after `done`; a key added twice is handed out once.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from dray.kits.backoff import Backoff
from dray.kits.tasks import TaskSet

Key = TypeVar("Key", bound=Hashable)


class WorkQueue(Generic[Key]):
    def __init__(self, backoff: Backoff | None = None) -> None:
        self._backoff = backoff or Backoff(0.005, 1000.0)
        self._ready: deque[Key] = deque()
        self._dirty: set[Key] = set()
        self._processing: set[Key] = set()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._available = asyncio.Event()

    def add(self, key: Key) -> None:
        if key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._processing:
            self._ready.append(key)
            self._available.set()

    def add_after(self, key: Key, seconds: float) -> None:
        """Add later; of several pending times for a key the earliest counts."""
        if seconds <= 0:
            self.add(key)
            return
        loop = asyncio.get_running_loop()
        when = loop.time() + seconds
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= when:
                return
            timer.cancel()
        self._timers[key] = loop.call_at(when, self._due, key)

    def _due(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def retry(self, key: Key) -> None:
        """Add after the key's next backoff delay."""
        self.add_after(key, self._backoff.next_delay(key))

    def forget(self, key: Key) -> None:
        """The key succeeded: its backoff starts over."""
        self._backoff.forget(key)

    def retries(self, key: Key) -> int:
        return self._backoff.failures(key)

    async def get(self) -> Key:
        while not self._ready:
            self._available.clear()
            await self._available.wait()
        key = self._ready.popleft()
        self._dirty.discard(key)
        self._processing.add(key)
        return key

    def done(self, key: Key) -> None:
        self._processing.discard(key)
        if key in self._dirty:
            self._ready.append(key)
            self._available.set()

    def __len__(self) -> int:
        return len(self._ready)

    def stop(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()


async def work(queue: WorkQueue[Key], workers: int, process: Callable[[Key], Awaitable[None]]) -> None:
    """Run `process` on the queue's keys with `workers` at once, until cancelled.

    `process` owns its errors: it decides between `forget` and `retry` and must not raise.
    """

    async def worker() -> None:
        while True:
            key = await queue.get()
            try:
                await process(key)
            finally:
                queue.done(key)

    tasks = TaskSet("workers")
    try:
        await asyncio.gather(*(tasks.start(worker(), str(number)) for number in range(workers)))
    finally:
        await tasks.stop()
        queue.stop()
