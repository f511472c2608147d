"""Background tasks with one owner: started by name, stopped together, never lost silently."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger("dray.tasks")


class TaskSet:
    """The background tasks of one object. A task that dies of an exception is logged at once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, coroutine: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        task = asyncio.create_task(coroutine, name=f"{self.name}/{name}")
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("Task %s ended with an error", task.get_name(), exc_info=error)

    async def stop(self) -> None:
        """Cancel every task and wait until each has ended."""
        while self._tasks:
            tasks = [task for task in self._tasks if task is not asyncio.current_task()]
            if not tasks:
                return
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def __len__(self) -> int:
        return len(self._tasks)
