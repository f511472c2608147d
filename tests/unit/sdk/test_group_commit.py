"""Claims that are prepared at the same time wait for the disk together, and none of them is less safe for it."""

import asyncio
import functools
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from preparation_stage import Crash, Node, claim, error_of, file_of, states

from dray.sdk.checkpoint import COMPLETED, Checkpoint
from dray.sdk.claims import Claim
from dray.sdk.errors import ClaimError
from dray.sdk.grouped import Grouped
from dray.sdk.journal import Journal
from dray.sdk.preparation import Outcome, Preparations

MANY = 40
FEW = 4


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


class Writes:
    """Counts the writes of the checkpoint; `before` and `after` see the number of each, from 1."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.began = threading.Event()
        self.before: Callable[[int], None] = lambda number: None
        self.after: Callable[[int], None] = lambda number: None
        original = Journal.write

        def write(journal: Journal, changes: Any) -> None:
            self.count += 1
            self.began.set()
            number = self.count
            self.before(number)
            original(journal, changes)
            self.after(number)

        monkeypatch.setattr(Journal, "write", write)


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> Writes:
    return Writes(monkeypatch)


def claims(count: int) -> list[Claim]:
    return [claim(f"c{index}", f"gpu-{index}") for index in range(count)]


async def prepare_each(preparations: Preparations, wanted: Sequence[Claim]) -> dict[str, Outcome]:
    """Every claim by a call of its own, all at the same time."""
    answers = await asyncio.gather(*(preparations.prepare([one]) for one in wanted))
    return {uid: outcome for answer in answers for uid, outcome in answer.items()}


# --- together ---


@pytest.mark.parametrize("serialize", [True, False])
async def test_calls_that_meet_share_the_writes_of_the_checkpoint(
    node: Node, writes: Writes, serialize: bool
) -> None:
    preparations = node.start(serialize=serialize)
    outcomes = await prepare_each(preparations, claims(MANY))
    assert not any(isinstance(outcome, ClaimError) for outcome in outcomes.values())
    assert node.files() == sorted(file_of(f"c{index}") for index in range(MANY))
    assert writes.count <= 6  # two for each call that is alone
    writes.count = 0
    refs = [one.ref for one in claims(MANY)]
    await asyncio.gather(*(preparations.unprepare([ref]) for ref in refs))
    assert await states(node) == {}
    assert node.files() == []
    assert writes.count <= 3


async def test_a_call_is_answered_without_waiting_for_a_slower_one(node: Node) -> None:
    gate = asyncio.Event()

    async def wait(claim: Claim) -> None:
        if claim.ref.name == "slow":
            await gate.wait()

    node.driver.on_prepare = wait
    preparations = node.start(serialize=False)
    slow = asyncio.create_task(preparations.prepare([claim("slow", "gpu-0")]))
    quick = await preparations.prepare([claim("quick", "gpu-1")])
    assert not slow.done()
    assert not isinstance(quick["uid-quick"], ClaimError)
    assert (await states(node))["quick"] == COMPLETED
    gate.set()
    await slow


async def test_two_calls_that_meet_cannot_have_the_same_device(node: Node) -> None:
    outcomes = await prepare_each(node.start(), [claim("a", "gpu-0"), claim("b", "gpu-0")])
    assert not isinstance(outcomes["uid-a"], ClaimError)
    assert "already prepared for claim default/a" in error_of(outcomes["uid-b"])
    assert await states(node) == {"a": COMPLETED}


async def test_an_error_of_one_call_is_not_that_of_the_others_it_met(node: Node) -> None:
    async def fail(claim: Claim) -> None:
        if claim.ref.name == "c1":
            raise ClaimError("the lamp is broken")

    node.driver.on_prepare = fail
    outcomes = await prepare_each(node.start(), claims(3))
    assert error_of(outcomes["uid-c1"]) == "the lamp is broken"
    assert await states(node) == {"c0": COMPLETED, "c2": COMPLETED}
    assert node.files() == [file_of("c0"), file_of("c2")]


async def test_a_cdi_file_that_cannot_be_written_fails_its_claim_only(node: Node) -> None:
    (node.cdi / file_of("c1")).mkdir()
    outcomes = await prepare_each(node.start(), claims(3))
    assert "the CDI file in" in error_of(outcomes["uid-c1"])
    assert not isinstance(outcomes["uid-c0"], ClaimError)
    assert not isinstance(outcomes["uid-c2"], ClaimError)


async def test_a_write_that_fails_is_an_error_for_all_that_shared_it_and_changes_nothing(
    node: Node, writes: Writes
) -> None:
    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    writes.before = full
    preparations = node.start()
    answers = await asyncio.gather(
        *(preparations.prepare([one]) for one in claims(FEW)), return_exceptions=True
    )
    assert all(isinstance(answer, OSError) for answer in answers)
    assert node.driver.asked == []
    writes.before = lambda number: None
    outcomes = await prepare_each(preparations, claims(FEW))
    assert not any(isinstance(outcome, ClaimError) for outcome in outcomes.values())


async def test_an_edit_that_raises_leaves_the_others_of_its_group_alone(node: Node) -> None:
    checkpoint = Checkpoint(node.root / "checkpoint.jsonl", node.damage.append)

    def wrong(entries: Any) -> None:
        entries.clear()
        raise ValueError("no")

    await node.start().prepare([claim("a", "gpu-0")])
    forgets, wrongs = checkpoint.change(lambda entries: None), checkpoint.change(wrong)
    results = await asyncio.gather(forgets, wrongs, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), ValueError]
    assert await states(node) == {"a": COMPLETED}


# --- crashes ---


class Hooks:
    """Dies at write number `at`: before it, within it or after it."""

    def __init__(self, path: Path, at: int, how: str) -> None:
        self.path, self.at, self.how = path, at, how
        self.size = 0
        self.die: Callable[[], object] = lambda: None

    def before(self, number: int) -> None:
        self.size = self.path.stat().st_size if self.path.exists() else 0
        if number > self.at or (number == self.at and self.how == "before"):
            self._die()

    def after(self, number: int) -> None:
        if number == self.at:
            if self.how == "within" and self.size:  # the first write makes the whole file, by renaming it
                content = self.path.read_bytes()
                self.path.write_bytes(content[: (self.size + len(content)) // 2])
            self._die()

    def _die(self) -> None:
        self.die()
        raise Crash


def answers_of_a_process_that_dies(node: Node, writes: Writes, hooks: Hooks) -> dict[str, Outcome]:
    """What it answered before. It has an event loop of its own, so that nothing of it goes on afterwards."""

    async def live() -> dict[str, Outcome]:
        died = asyncio.Event()
        hooks.die = functools.partial(asyncio.get_running_loop().call_soon_threadsafe, died.set)
        preparations = node.start()
        wanted = claims(FEW)
        # The first call is at the disk before the others come, which share its second write or the next.
        calls = [asyncio.create_task(preparations.prepare(wanted[:1]))]
        await asyncio.to_thread(writes.began.wait)
        calls += [asyncio.create_task(preparations.prepare([one])) for one in wanted[1:]]
        async with asyncio.timeout(10):
            await died.wait()
        done = [call for call in calls if call.done() and not call.cancelled() and not call.exception()]
        return {uid: outcome for call in done for uid, outcome in call.result().items()}

    return asyncio.run(live())


@pytest.mark.parametrize("how", ["before", "within", "after"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_crash_at_any_shared_write_leaves_only_answered_claims_prepared(
    node: Node, writes: Writes, at: int, how: str
) -> None:
    hooks = Hooks(node.root / "checkpoint.jsonl", at, how)
    writes.before, writes.after = hooks.before, hooks.after
    answered = answers_of_a_process_that_dies(node, writes, hooks)
    writes.before = writes.after = lambda number: None

    async def after_the_restart() -> None:
        again = node.start()
        await again.restore()
        assert node.damage == []
        prepared = await states(node)
        assert set(prepared.values()) <= {COMPLETED}
        assert {uid.removeprefix("uid-") for uid in answered} <= prepared.keys()
        assert node.files() == sorted(file_of(name) for name in prepared)
        outcomes = await prepare_each(again, claims(FEW))
        assert {uid: outcomes[uid] for uid in answered} == answered
        assert await states(node) == {f"c{index}": COMPLETED for index in range(FEW)}

    asyncio.run(after_the_restart())


async def test_a_crash_between_two_claims_of_a_group_undoes_those_without_an_answer(node: Node) -> None:
    async def die(claim: Claim) -> None:
        if claim.ref.name == "c2":
            raise Crash

    node.driver.on_prepare = die
    preparations = node.start()
    answers = await asyncio.gather(
        *(preparations.prepare([one]) for one in claims(FEW)), return_exceptions=True
    )
    assert isinstance(answers[2], Crash)
    node.driver.on_prepare = None
    node.driver.asked.clear()
    await node.start().restore()
    assert ("unprepare", "c2") in node.driver.asked
    assert "c2" not in await states(node)
    assert file_of("c2") not in node.files()


# --- the group itself ---


async def test_who_asks_alone_is_served_at_once_and_who_asks_meanwhile_is_the_next_group() -> None:
    groups: list[list[int]] = []
    gate = asyncio.Event()

    async def work(items: Sequence[int]) -> list[int]:
        groups.append(list(items))
        await gate.wait()
        return [item * 10 for item in items]

    grouped = Grouped(work)
    first = asyncio.create_task(grouped.do(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    later = [asyncio.create_task(grouped.do(number)) for number in (2, 3, 4)]
    await asyncio.sleep(0)
    later[1].cancel()
    gate.set()
    assert await first == 10
    assert [await later[0], await later[2]] == [20, 40]
    assert later[1].cancelled()
    assert groups == [[1], [2, 4]]
