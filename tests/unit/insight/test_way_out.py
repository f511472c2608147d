"""The named obstacle, once removed, makes a case allocatable, or the next obstacle is named.

The cases: 200 that the real allocator refused, drawn with seed 20 from its recordings.
"""

import datetime as dt
import pathlib

import pytest

from dray.allocation import Allocated, Unsatisfiable
from dray.api.meta import Object
from dray.insight.evidence import Examiner
from dray.insight.remedies import Doctor
from dray.insight.snapshot import Snapshot
from dray.insight.world import World
from dray.testing.corpus_alloc import features_of, read_cases

CASES = list(read_cases(pathlib.Path(__file__).parents[2] / "corpus" / "insight" / "refused.jsonl.gz"))
TOO_DEEP = {"A-06499", "A-01486", "A-04538"}
"""Cases of many requests at odds with each other: every obstacle is named, but not the last within the bound."""


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


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_removing_what_is_named_allocates_or_names_the_next(case: Object) -> None:
    world = world_of(case)
    assert isinstance(world.ask(case["claims"], case["node"]), Unsatisfiable)
    steps = Doctor(world, Examiner(world), case["claims"], case["node"]).way_out()
    assert steps
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        assert step.remedy.obstacle
        assert step.fits is (following is None and case["id"] not in TOO_DEEP)
        assert step.fits or step.then


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
