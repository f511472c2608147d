"""Work that costs the same for one as for many, done together for all who asked while it was busy.

The first to ask is served at once, so that one alone never waits for company; those that ask meanwhile are the next
group. This is how claims prepared at the same time share the writes to disk that make them durable.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Grouped(Generic[Item, Result]):
    """`work` gets one group, in the order in which it was asked for, and returns a result or an error for each item.

    What `work` itself raises is the error of the whole group, and of no other.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]]) -> None:
        self._work = work
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._busy: asyncio.Task[None] | None = None

    async def do(self, item: Item) -> Result:
        """The result of `item`; raises its error."""
        asked: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, asked))
        if self._busy is None:
            # A task of its own: whoever asked first may be cancelled without harm to the others.
            self._busy = asyncio.create_task(self._serve(), name="grouped work")
        return await asked

    async def _serve(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting, []
                await self._serve_group([one for one in group if not one[1].done()])
        finally:
            self._busy = None
            # Only after a cancellation: the program ends, and nobody will serve them.
            for _, asked in self._waiting:
                asked.cancel()

    async def _serve_group(self, group: Sequence[tuple[Item, asyncio.Future[Result]]]) -> None:
        if not group:
            return
        results: Sequence[Result | Exception]
        try:
            results = await self._work([item for item, _ in group])
        except Exception as error:
            results = [error] * len(group)
        except BaseException:
            for _, asked in group:
                asked.cancel()
            raise
        for (_, asked), result in zip(group, results, strict=True):
            if asked.done():
                continue  # nobody waits any more
            if isinstance(result, Exception):
                asked.set_exception(result)
            else:
                asked.set_result(result)
