"""Nothing is ever half prepared for good: errors, crashes, reboots, repeated and overlapping calls."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from preparation_stage import Crash, Lamps, Node, claim, error_of, file_of, states

from dray.cdi.files import read_spec
from dray.sdk.checkpoint import COMPLETED, STARTED, Checkpoint
from dray.sdk.claims import Claim, ClaimRef
from dray.sdk.devices import Device, Pool
from dray.sdk.driver import PreparedDevice
from dray.sdk.errors import ClaimError, ConfigError
from dray.sdk.journal import Journal
from dray.sdk.overlap import OverlapGuard


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


async def test_a_prepared_claim_has_a_cdi_file_and_ids(node: Node) -> None:
    outcomes = await node.start().prepare([claim("a", "gpu-0", "gpu-1")])
    returned = outcomes["uid-a"]
    assert not isinstance(returned, ClaimError)
    assert [device.cdi_ids for device in returned] == [
        ("k8s.gpu.example.com/gpu=uid-a-gpu-0",),
        ("k8s.gpu.example.com/gpu=uid-a-gpu-1",),
    ]
    spec = read_spec(node.cdi / file_of("a"))
    assert spec["devices"][1]["containerEdits"] == {"env": ["DEVICE=gpu-1"]}


async def test_the_same_claim_again_gets_the_same_answer_without_asking_the_driver(node: Node) -> None:
    first = await node.start().prepare([claim("a", "gpu-0")])
    assert await node.start().prepare([claim("a", "gpu-0")]) == first
    assert node.driver.asked == [("prepare", "a")]


async def test_a_lost_cdi_file_comes_back_with_the_next_prepare(node: Node) -> None:
    preparations = node.start()
    await preparations.prepare([claim("a", "gpu-0")])
    (node.cdi / file_of("a")).unlink()
    await preparations.prepare([claim("a", "gpu-0")])
    assert node.files() == [file_of("a")]


async def test_lost_and_damaged_cdi_files_come_back_at_start(node: Node) -> None:
    await node.start().prepare([claim("a", "gpu-0"), claim("b", "gpu-1")])
    intact = (node.cdi / file_of("a")).read_text()
    (node.cdi / file_of("a")).write_text("half a fi")
    (node.cdi / file_of("b")).unlink()
    await node.start().restore()
    assert node.files() == [file_of("a"), file_of("b")]
    assert (node.cdi / file_of("a")).read_text() == intact


async def test_after_a_reboot_claims_are_prepared_anew(node: Node) -> None:
    await node.start().prepare([claim("a", "gpu-0")])
    (node.cdi / file_of("a")).unlink()
    rebooted = node.start(boot="boot-2")
    await rebooted.restore()
    assert node.files() == []
    await rebooted.prepare([claim("a", "gpu-0")])
    assert node.driver.asked == [("prepare", "a"), ("prepare", "a")]
    assert node.files() == [file_of("a")]


async def test_after_a_reboot_claims_can_still_be_released(node: Node) -> None:
    await node.start().prepare([claim("a", "gpu-0")])
    await node.start(boot="boot-2").unprepare([ClaimRef("uid-a", "default", "a")])
    assert await states(node) == {}


async def test_a_claim_that_was_given_other_devices_starts_from_nothing(node: Node) -> None:
    preparations = node.start()
    await preparations.prepare([claim("a", "gpu-0")])
    await preparations.prepare([claim("a", "gpu-1")])
    assert node.driver.asked == [("prepare", "a"), ("unprepare", "a"), ("prepare", "a")]


async def test_a_claim_without_own_devices_is_prepared_with_nothing(node: Node) -> None:
    assert await node.start().prepare([claim("a")]) == {"uid-a": ()}
    assert node.driver.asked == []
    assert node.files() == []


async def test_devices_without_edits_have_no_cdi_device(node: Node) -> None:
    class Bare(Lamps):
        async def prepare(self, claim: Claim) -> Sequence[PreparedDevice]:
            return [PreparedDevice(device, cdi_ids=("v.com/c=x",)) for device in claim.devices]

    node.driver = Bare()
    outcomes = await node.start().prepare([claim("a", "gpu-0")])
    returned = outcomes["uid-a"]
    assert not isinstance(returned, ClaimError)
    assert returned[0].cdi_ids == ("v.com/c=x",)
    assert node.files() == []


async def test_shares_and_equal_names_in_two_pools_get_different_cdi_devices(node: Node) -> None:
    shares = claim("a", {"device": "gpu-0", "shareID": "x"}, {"device": "gpu-0", "shareID": "y"})
    pools = claim("b", {"device": "gpu-1", "pool": "p/1"}, {"device": "gpu-1", "pool": "q"})
    outcomes = await node.start().prepare([shares, pools])
    ids = [device.cdi_ids[0].partition("=")[2] for outcome in outcomes.values() for device in outcome]  # type: ignore[union-attr]
    assert ids == ["uid-a-gpu-0-x", "uid-a-gpu-0-y", "uid-b-p_1-gpu-1", "uid-b-q-gpu-1"]


# --- errors ---


async def test_an_error_fails_its_claim_only_and_is_undone(node: Node) -> None:
    async def fail(claim: Claim) -> None:
        if claim.ref.name == "bad":
            raise ClaimError("the lamp is broken")

    node.driver.on_prepare = fail
    outcomes = await node.start().prepare([claim("bad", "gpu-0"), claim("good", "gpu-1")])
    assert error_of(outcomes["uid-bad"]) == "the lamp is broken"
    assert not isinstance(outcomes["uid-good"], ClaimError)
    assert ("unprepare", "bad") in node.driver.asked
    assert await states(node) == {"good": COMPLETED}


async def test_a_defect_of_the_driver_is_reported_with_its_type(node: Node) -> None:
    async def fail(claim: Claim) -> None:
        raise KeyError("nope")

    node.driver.on_prepare = fail
    outcomes = await node.start().prepare([claim("a", "gpu-0")])
    assert error_of(outcomes["uid-a"]) == "prepare failed: KeyError: 'nope'"
    assert await states(node) == {}


async def test_edits_that_are_no_cdi_are_the_claims_error(node: Node) -> None:
    class Wrong(Lamps):
        async def prepare(self, claim: Claim) -> Sequence[PreparedDevice]:
            return [PreparedDevice(device, {"env": ["=x"]}) for device in claim.devices]

    node.driver = Wrong()
    outcomes = await node.start().prepare([claim("a", "gpu-0")])
    assert "'=x' is not KEY=VALUE" in error_of(outcomes["uid-a"])
    assert await states(node) == {}


async def test_a_cdi_directory_that_cannot_be_written_is_the_claims_error(node: Node) -> None:
    node.cdi.rmdir()
    outcomes = await node.start().prepare([claim("a", "gpu-0")])
    assert "the CDI file in" in error_of(outcomes["uid-a"])
    assert await states(node) == {}


async def test_what_cannot_be_undone_stays_known_and_is_undone_first_next_time(node: Node) -> None:
    async def fail(claim: Claim) -> None:
        raise ClaimError("no")

    node.driver.on_prepare = fail
    node.driver.unprepare_error = OSError("stuck")
    preparations = node.start()
    await preparations.prepare([claim("a", "gpu-0")])
    assert await states(node) == {"a": STARTED}
    outcomes = await preparations.prepare([claim("a", "gpu-0")])
    assert error_of(outcomes["uid-a"]) == "unprepare failed: OSError: stuck"
    node.driver.on_prepare = node.driver.unprepare_error = None
    node.driver.asked.clear()
    await preparations.prepare([claim("a", "gpu-0")])
    assert node.driver.asked == [("unprepare", "a"), ("prepare", "a")]
    assert await states(node) == {"a": COMPLETED}


def test_bad_configuration_says_that_repeating_is_no_use() -> None:
    assert not ConfigError("x").retry
    assert ClaimError("x").retry


# --- unprepare ---


async def test_unprepare_removes_file_and_entry(node: Node) -> None:
    preparations = node.start()
    await preparations.prepare([claim("a", "gpu-0")])
    assert await preparations.unprepare([ClaimRef("uid-a", "default", "a")]) == {"uid-a": None}
    assert node.files() == []
    assert await states(node) == {}


async def test_unprepare_of_an_unknown_claim_succeeds_and_asks_the_driver(node: Node) -> None:
    assert await node.start().unprepare([ClaimRef("uid-x", "default", "x")]) == {"uid-x": None}
    assert node.driver.asked == [("unprepare", "x")]


async def test_a_failed_unprepare_keeps_the_entry_for_the_next_attempt(node: Node) -> None:
    preparations = node.start()
    await preparations.prepare([claim("a", "gpu-0")])
    node.driver.unprepare_error = ClaimError("still warm")
    outcome = await preparations.unprepare([ClaimRef("uid-a", "default", "a")])
    assert error_of(outcome["uid-a"]) == "still warm"
    assert await states(node) == {"a": COMPLETED}
    assert node.files() == [file_of("a")]


# --- crashes ---


async def test_a_crash_in_the_driver_is_undone_at_the_next_start(node: Node) -> None:
    async def die(claim: Claim) -> None:
        raise Crash

    node.driver.on_prepare = die
    with pytest.raises(Crash):
        await node.start().prepare([claim("a", "gpu-0")])
    assert await states(node) == {"a": STARTED}
    node.driver.on_prepare = None
    await node.start().restore()
    assert node.driver.asked == [("prepare", "a"), ("unprepare", "a")]
    assert await states(node) == {}


async def test_a_crash_after_the_cdi_file_was_written_leaves_no_file(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    preparations = node.start()
    original = Checkpoint.change
    changes = 0

    async def die_at_the_second(self: Checkpoint, edit: Any) -> None:
        nonlocal changes
        changes += 1
        if changes == 2:
            raise Crash
        await original(self, edit)

    monkeypatch.setattr(Checkpoint, "change", die_at_the_second)
    with pytest.raises(Crash):
        await preparations.prepare([claim("a", "gpu-0")])
    assert node.files() == [file_of("a")]
    monkeypatch.undo()
    await node.start().restore()
    assert node.files() == []
    assert await states(node) == {}


async def test_cdi_files_of_nobody_are_removed_at_start_and_others_are_not(node: Node) -> None:
    await node.start().prepare([claim("a", "gpu-0")])
    spec = (node.cdi / file_of("a")).read_text()
    for name in (
        file_of("gone"),
        "k8s.gpu.example.com-gpu_common.yaml",
        "other.example.com-gpu_uid-gone.yaml",
    ):
        (node.cdi / name).write_text(spec)
    await node.start().restore()
    assert node.files() == [
        "k8s.gpu.example.com-gpu_common.yaml",
        file_of("a"),
        "other.example.com-gpu_uid-gone.yaml",
    ]


async def test_beside_another_process_nothing_is_taken_for_interrupted(node: Node) -> None:
    gate = asyncio.Event()

    async def wait(claim: Claim) -> None:
        await gate.wait()

    node.driver.on_prepare = wait
    working = asyncio.create_task(node.start().prepare([claim("a", "gpu-0")]))
    await node.driver.began.wait()
    await node.start().restore(alone=False)
    assert node.driver.asked == [("prepare", "a")]
    gate.set()
    await working
    assert await states(node) == {"a": COMPLETED}


# --- at the same time ---


async def test_one_claim_is_never_worked_on_twice_at_a_time(node: Node) -> None:
    at_work = 0

    async def work(claim: Claim) -> None:
        nonlocal at_work
        at_work += 1
        assert at_work == 1
        await asyncio.sleep(0)
        at_work -= 1

    node.driver.on_prepare = work
    preparations = node.start(serialize=False)
    await asyncio.gather(*(preparations.prepare([claim("a", "gpu-0")]) for _ in range(5)))
    assert node.driver.asked == [("prepare", "a")]


async def test_different_claims_are_worked_on_at_once_unless_serialized(node: Node) -> None:
    for serialize, most in ((False, 2), (True, 1)):
        at_work: list[int] = [0, 0]

        async def work(claim: Claim, at_work: list[int] = at_work) -> None:
            at_work[0] += 1
            at_work[1] = max(at_work)
            for _ in range(20):
                await asyncio.sleep(0)
            at_work[0] -= 1

        node.driver.on_prepare = work
        preparations = node.start(serialize=serialize)
        await preparations.prepare([claim(f"a-{serialize}", "gpu-0"), claim(f"b-{serialize}", "gpu-1")])
        await preparations.unprepare([ClaimRef(f"uid-{n}-{serialize}", "default", n) for n in ("a", "b")])
        assert at_work[1] == most


async def test_unprepare_waits_for_the_prepare_that_came_first(node: Node) -> None:
    gate = asyncio.Event()

    async def wait(claim: Claim) -> None:
        await gate.wait()

    node.driver.on_prepare = wait
    preparations = node.start()
    preparing = asyncio.create_task(preparations.prepare([claim("a", "gpu-0")]))
    await node.driver.began.wait()
    releasing = asyncio.create_task(preparations.unprepare([ClaimRef("uid-a", "default", "a")]))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(preparing, releasing)
    assert await states(node) == {}
    assert node.files() == []


async def test_two_processes_share_one_checkpoint(node: Node) -> None:
    old, new = node.start(), node.start()
    await old.prepare([claim("a", "gpu-0")])
    await new.prepare([claim("b", "gpu-1")])
    await old.unprepare([ClaimRef("uid-b", "default", "b")])
    await new.unprepare([ClaimRef("uid-a", "default", "a")])
    assert await states(node) == {}
    assert node.files() == []


# --- overlap ---


async def test_a_device_of_another_claim_is_refused_with_its_holder(node: Node) -> None:
    preparations = node.start()
    await preparations.prepare([claim("a", "gpu-0")])
    outcomes = await preparations.prepare([claim("b", "gpu-0")])
    assert error_of(outcomes["uid-b"]) == (
        "device gpu-0 of pool node is already prepared for claim default/a (uid-a): it was allocated twice"
    )
    assert await states(node) == {"a": COMPLETED}


async def test_two_claims_of_one_call_cannot_have_the_same_device(node: Node) -> None:
    outcomes = await node.start().prepare([claim("a", "gpu-0"), claim("b", "gpu-0")])
    assert not isinstance(outcomes["uid-a"], ClaimError)
    assert isinstance(outcomes["uid-b"], ClaimError)


async def test_a_released_device_can_be_had_again(node: Node) -> None:
    preparations = node.start()
    await preparations.prepare([claim("a", "gpu-0")])
    await preparations.unprepare([ClaimRef("uid-a", "default", "a")])
    assert not isinstance((await preparations.prepare([claim("b", "gpu-0")]))["uid-b"], ClaimError)


async def test_holders_of_an_earlier_boot_do_not_count(node: Node) -> None:
    await node.start().prepare([claim("a", "gpu-0")])
    outcomes = await node.start(boot="boot-2").prepare([claim("b", "gpu-0")])
    assert not isinstance(outcomes["uid-b"], ClaimError)


@pytest.mark.parametrize(
    ("held", "wanted", "refused"),
    [
        ({}, {"adminAccess": True}, False),
        ({"adminAccess": True}, {}, False),
        ({"shareID": "x"}, {"shareID": "y"}, False),
        ({"shareID": "x"}, {"shareID": "x"}, True),
        ({}, {"shareID": "y"}, True),
        ({"pool": "other"}, {}, False),
    ],
)
async def test_sharing_that_is_meant_is_let_through(
    node: Node, held: dict[str, Any], wanted: dict[str, Any], refused: bool
) -> None:
    preparations = node.start()
    await preparations.prepare([claim("a", {"device": "gpu-0", **held})])
    outcomes = await preparations.prepare([claim("b", {"device": "gpu-0", **wanted})])
    assert isinstance(outcomes["uid-b"], ClaimError) == refused


async def test_partitions_of_one_device_are_told_by_their_counters(node: Node) -> None:
    guard = OverlapGuard()
    half = {"gpu": {"memory": "40Gi"}}
    devices = (
        Device("half-0", consumes=half),
        Device("half-1", consumes=half),
        Device("full", consumes={"gpu": {"memory": "80Gi"}}),
    )
    guard.learn([Pool("node", devices, {"gpu": {"memory": "80Gi"}})])
    preparations = node.start(guard=guard)
    await preparations.prepare([claim("a", "half-0")])
    outcomes = await preparations.prepare([claim("b", "full"), claim("c", "half-1")])
    assert "needs more of memory in gpu" in error_of(outcomes["uid-b"])
    assert not isinstance(outcomes["uid-c"], ClaimError)


# --- the file ---


@pytest.mark.parametrize("content", [b"", b"{", b'{"kind":"Checkpoint","apiVersion":"x"}', b"[]", b'"x"'])
async def test_an_unreadable_checkpoint_is_set_aside_and_reported(node: Node, content: bytes) -> None:
    path = node.root / "checkpoint.jsonl"
    path.write_bytes(content)
    preparations = node.start()
    await preparations.restore()
    await preparations.prepare([claim("a", "gpu-0")])
    assert await states(node) == {"a": COMPLETED}
    assert (node.root / "checkpoint.jsonl.damaged-1").read_bytes() == content
    assert len(node.damage) == 1
    assert "was moved to" in str(node.damage[0])


async def test_a_flipped_byte_is_noticed(node: Node) -> None:
    await node.start().prepare([claim("a", "gpu-0")])
    path = node.root / "checkpoint.jsonl"
    path.write_bytes(path.read_bytes().replace(b"gpu-0", b"gpu-9"))
    await node.start().restore()
    assert "checksum" in str(node.damage[0])


async def test_members_of_a_newer_version_survive(node: Node) -> None:
    await node.start().prepare([claim("a", "gpu-0")])
    journal = Journal(node.root / "checkpoint.jsonl")
    journal.write({"uid-a": {**journal.read()["uid-a"], "later": {"x": 1}}})
    await node.start().prepare([claim("b", "gpu-1")])
    assert Journal(journal.path).read()["uid-a"]["later"] == {"x": 1}


async def test_an_entry_that_makes_no_sense_is_damage(node: Node) -> None:
    await node.start().prepare([claim("a", "gpu-0")])
    journal = Journal(node.root / "checkpoint.jsonl")
    journal.read()
    journal.write({"uid-a": {"state": "?"}})
    await node.start().restore()
    assert len(node.damage) == 1


async def test_a_full_disk_is_an_error_and_nothing_counts_as_prepared(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(journal: Journal, changes: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Journal, "write", full)
    with pytest.raises(OSError, match="No space left"):
        await node.start().prepare([claim("a", "gpu-0")])
    assert node.driver.asked == []


async def test_a_batch_costs_two_writes_whatever_its_size(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = 0
    original = Journal.write

    def count(journal: Journal, changes: Any) -> None:
        nonlocal writes
        writes += 1
        original(journal, changes)

    monkeypatch.setattr(Journal, "write", count)
    await node.start().prepare([claim(f"c{index}", f"gpu-{index}") for index in range(20)])
    assert writes == 2
