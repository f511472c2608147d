"""What is named as being in the way, once removed, makes a case allocatable, or the next obstacle is named.

The cases are recordings of the real allocator: 200 that it refused, drawn with seed 20, and inputs over which it gave
up with an error, a few of each kind of error.
"""

import contextlib
import datetime as dt
import pathlib
from collections.abc import Sequence

import pytest

from dray.allocation import Allocated, Unsatisfiable
from dray.api.meta import Object
from dray.insight.evidence import Examiner
from dray.insight.remedies import Doctor, Step
from dray.insight.snapshot import Snapshot
from dray.insight.world import Broken, World
from dray.testing.corpus_alloc import features_of, read_cases

CORPUS = pathlib.Path(__file__).parents[2] / "corpus" / "insight"
CASES = list(read_cases(CORPUS / "refused.jsonl.gz"))
INVALID = list(read_cases(CORPUS / "invalid.jsonl.gz"))


def holder(number: int, held: Object) -> Object:
    status = held.get("status") or {"allocation": {"devices": {"results": [held]}}}
    meta = {"namespace": "recorded", "name": f"holder-{number}", "uid": f"holder-{number}"}
    return {"kind": "ResourceClaim", "metadata": meta, "spec": {"devices": {}}, "status": status}


def world_of(case: Object) -> World:
    objects = {
        "nodes": [case["node"]],
        "deviceclasses": case["classes"],
        "resourceslices": case["slices"],
        "resourceclaims": [*(holder(i, held) for i, held in enumerate(case["allocated"])), *case["claims"]],
    }
    return World(Snapshot(dt.datetime(2026, 1, 1, tzinfo=dt.UTC), objects), features_of(case))


def test_there_are_two_hundred_cases() -> None:
    assert len(CASES) == 200


def way_out(world: World, case: Object) -> list[Step]:
    return Doctor(world, Examiner(world), case["claims"], case["node"]).way_out()


def fits_with(case: Object, steps: Sequence[Step]) -> bool:
    """Asked of a fresh world."""
    world = world_of(case)
    with contextlib.ExitStack() as changes:
        for step in steps:
            changes.enter_context(world.changed(step.remedy.change))
        return isinstance(world.ask(case["claims"], case["node"]), Allocated)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_removing_all_that_is_named_allocates_and_each_step_names_the_next(case: Object) -> None:
    world = world_of(case)
    assert isinstance(world.ask(case["claims"], case["node"]), Unsatisfiable)
    steps = way_out(world, case)
    assert [step.fits for step in steps] == [False] * (len(steps) - 1) + [True]
    assert all(step.remedy.obstacle and (step.fits or step.then) for step in steps)
    assert fits_with(case, steps)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_no_step_can_be_left_out(case: Object) -> None:
    steps = way_out(world_of(case), case)
    for i in range(len(steps)):
        assert not fits_with(case, [*steps[:i], *steps[i + 1 :]])


@pytest.mark.parametrize("case", INVALID, ids=lambda case: case["id"])
def test_an_invalid_input_gets_a_remedy_that_ends_allocatable(case: Object) -> None:
    world = world_of(case)
    assert isinstance(world.ask(case["claims"], case["node"]), Broken)
    steps = way_out(world, case)
    assert steps[-1].fits
    assert fits_with(case, steps)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_fix_that_is_called_enough_is_enough_and_leaves_no_trace(case: Object) -> None:
    world = world_of(case)
    refusal = world.ask(case["claims"], case["node"])
    assert isinstance(refusal, Unsatisfiable)
    examiner = Examiner(world)
    evidence = examiner.examine(refusal, case["claims"])
    for step in Doctor(world, examiner, case["claims"], case["node"]).single_fixes(evidence):
        fresh = world_of(case)
        with fresh.changed(step.remedy.change):
            assert isinstance(fresh.ask(case["claims"], case["node"]), Allocated)
        assert isinstance(fresh.ask(case["claims"], case["node"]), Unsatisfiable)
    assert isinstance(world.ask(case["claims"], case["node"]), Unsatisfiable)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_every_device_is_accounted_for(case: Object) -> None:
    world = world_of(case)
    refusal = world.ask(case["claims"], case["node"])
    assert isinstance(refusal, Unsatisfiable)
    for request in Examiner(world).examine(refusal, case["claims"]).requests:
        charged = sum(charge.count for charge in request.charges)
        assert charged + request.left == request.seen or request.all_devices
