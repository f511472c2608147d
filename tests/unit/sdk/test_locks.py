"""One process of a driver at a time, its tasks at once, and nobody waits for ever."""

import asyncio
from pathlib import Path

from dray.sdk.locks import ProcessTurn


async def test_tasks_of_one_process_share_its_turn(tmp_path: Path) -> None:
    turn = ProcessTurn(tmp_path / "lock")
    async with asyncio.timeout(5), turn, turn:
        pass


async def test_another_process_waits_until_the_last_task_has_left(tmp_path: Path) -> None:
    mine, other = ProcessTurn(tmp_path / "lock"), ProcessTurn(tmp_path / "lock")
    inside = asyncio.Event()

    async def enter() -> None:
        async with other:
            inside.set()

    await mine.__aenter__()
    await mine.__aenter__()
    entering = asyncio.create_task(enter())
    await mine.__aexit__(None, None, None)
    await asyncio.sleep(0.01)
    assert not inside.is_set()
    await mine.__aexit__(None, None, None)
    async with asyncio.timeout(5):
        await entering


async def test_a_process_that_is_never_idle_lets_another_one_in(tmp_path: Path) -> None:
    busy, other = ProcessTurn(tmp_path / "lock", turn_seconds=0.0), ProcessTurn(tmp_path / "lock")
    done = asyncio.Event()

    async def work() -> None:
        while not done.is_set():
            async with busy:
                await asyncio.sleep(0)

    workers = [asyncio.create_task(work()) for _ in range(3)]
    async with asyncio.timeout(10), other:
        done.set()
    await asyncio.gather(*workers)


async def test_a_task_that_gives_up_waiting_leaves_the_turn_to_others(tmp_path: Path) -> None:
    mine, other = ProcessTurn(tmp_path / "lock"), ProcessTurn(tmp_path / "lock")
    async with mine:
        waiting = asyncio.create_task(other.__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    async with asyncio.timeout(5), other:
        pass
