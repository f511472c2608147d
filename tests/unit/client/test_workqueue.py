"""A key is worked on once at a time, and again when it was added meanwhile."""

import asyncio

from dray.client.workqueue import WorkQueue, work
from dray.kits.backoff import Backoff
from dray.testing.virtual import run


def test_a_key_added_twice_is_handed_out_once() -> None:
    async def scenario() -> int:
        queue: WorkQueue[str] = WorkQueue()
        queue.add("a")
        queue.add("a")
        await queue.get()
        return len(queue)

    assert run(scenario()) == 0


def test_a_key_added_while_in_work_comes_again_after_done() -> None:
    async def scenario() -> list[str]:
        queue: WorkQueue[str] = WorkQueue()
        queue.add("a")
        seen = [await queue.get()]
        queue.add("a")
        assert len(queue) == 0
        queue.done("a")
        seen.append(await queue.get())
        return seen

    assert run(scenario()) == ["a", "a"]


def test_the_earliest_of_several_delays_counts() -> None:
    async def scenario() -> float:
        queue: WorkQueue[str] = WorkQueue()
        queue.add_after("a", 10)
        queue.add_after("a", 3)
        queue.add_after("a", 7)
        await queue.get()
        return asyncio.get_running_loop().time()

    assert run(scenario()) == 3


def test_retries_wait_twice_as_long_each_time_until_forgotten() -> None:
    async def scenario() -> list[float]:
        queue: WorkQueue[str] = WorkQueue(Backoff(1, 100))
        moments: list[float] = []
        for _ in range(3):
            queue.retry("a")
            await queue.get()
            queue.done("a")
            moments.append(asyncio.get_running_loop().time())
        queue.forget("a")
        queue.retry("a")
        await queue.get()
        moments.append(asyncio.get_running_loop().time())
        return moments

    assert run(scenario()) == [1, 3, 7, 8]


def test_workers_work_on_different_keys_at_once() -> None:
    async def scenario() -> float:
        queue: WorkQueue[int] = WorkQueue()
        for key in range(6):
            queue.add(key)
        done: set[int] = set()
        finished = asyncio.Event()

        async def process(key: int) -> None:
            await asyncio.sleep(1)
            done.add(key)
            if len(done) == 6:
                finished.set()

        task = asyncio.create_task(work(queue, 3, process))
        await finished.wait()
        task.cancel()
        return round(asyncio.get_running_loop().time())

    assert run(scenario()) == 2
