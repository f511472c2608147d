"""Recorded allocations are explained as what they are: the choice of the allocator, which it makes again."""

import datetime as dt
import pathlib

import pytest

from dray.allocation import Allocated
from dray.api.meta import Object, replace_at
from dray.insight.choice import explain_choices
from dray.insight.snapshot import Snapshot
from dray.insight.world import World
from dray.testing.corpus_alloc import features_of, read_cases

CORPUS = pathlib.Path(__file__).parents[2] / "corpus" / "allocation" / "cases.jsonl.gz"


def allocated_cases(count: int) -> list[Object]:
    """Of one claim each, that the allocator serves on an otherwise empty cluster."""
    found: list[Object] = []
    for case in read_cases(CORPUS):
        if len(case["claims"]) == 1 and not case["allocated"] and case["claims"][0]["spec"].get("devices"):
            outcome = world_of(case, case["claims"]).ask(case["claims"], case["node"])
            if isinstance(outcome, Allocated) and outcome.results[0].get("devices"):
                status = {"allocation": outcome.results[0]}
                found.append({**case, "claims": [replace_at(case["claims"][0], ("status",), status)]})
        if len(found) == count:
            break
    return found


def world_of(case: Object, claims: list[Object]) -> World:
    objects = {
        "nodes": [case["node"]],
        "deviceclasses": case["classes"],
        "resourceslices": case["slices"],
        "resourceclaims": claims,
    }
    return World(Snapshot(dt.datetime(2026, 1, 1, tzinfo=dt.UTC), objects), features_of(case))


CASES = allocated_cases(60)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_recorded_choice_is_made_again(case: Object) -> None:
    world = world_of(case, case["claims"])
    choices = list(explain_choices(world, case["claims"][0]))
    results = case["claims"][0]["status"]["allocation"]["devices"]["results"]
    assert sum(len(choice.devices) for choice in choices) == len(results)
    for choice in choices:
        assert choice.reason.startswith("asked again, the allocator takes the same")
        assert not choice.trouble


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_every_other_device_has_one_reason_and_the_claim_is_as_it_was_afterwards(case: Object) -> None:
    world = world_of(case, case["claims"])
    before = world.ask([], case["node"])
    for choice in explain_choices(world, case["claims"][0]):
        named = [device for other in choice.others for device in other.devices]
        assert len(named) == len(set(named))
        assert not set(named) & set(choice.devices)
        assert all(other.reason for other in choice.others)
    assert type(world.ask([], case["node"])) is type(before)
    assert not any("dray.insight" in str(raw) for raw in world.slices())
