"""Every recorded allocation comes out here as it did in Kubernetes 1.36: verdict, devices in order, fields, error texts.

There are no exceptions. Where the recorded allocator has a defect, the recording also holds the outcome without it (found
by running the repaired allocator), and that is what counts here; `defects` has one minimal case of each.
"""

import pathlib
from typing import Any

import pytest

from dray.allocation.invariants import Violation, check_allocations
from dray.testing.corpus_alloc import holders_of, read_cases, replay, run_case

CORPUS = pathlib.Path(__file__).parents[2] / "corpus" / "allocation"


@pytest.mark.parametrize(("file", "cases"), [("cases", 2997), ("defects", 7)])
def test_every_recorded_allocation_agrees(file: str, cases: int) -> None:
    report = replay(CORPUS / f"{file}.jsonl.gz")
    assert [str(disagreement) for disagreement in report.disagreements] == []
    assert report.passed == cases


def test_defects_of_the_recorded_allocator_are_not_copied() -> None:
    defects = [case for case in read_cases(CORPUS / "defects.jsonl.gz") if "withoutQuirks" in case["expect"]]
    assert defects
    for case in defects:
        recorded = (case["expect"]["ok"], case["expect"]["error"])
        ours = run_case(case)
        assert (ours.ok, ours.error) != recorded or ours.result != case["expect"]["result"], case["id"]


def test_no_allocation_of_the_corpus_breaks_an_invariant_that_held_before() -> None:
    checked = 0
    for case in read_cases(CORPUS / "cases.jsonl.gz"):
        outcome = run_case(case)
        if not outcome.ok:
            continue
        checked += 1
        before = set(violations(case, []))
        assert set(violations(case, outcome.result or [])) <= before, case["id"]
    assert checked > 1000


def violations(case: dict[str, Any], allocations: list[dict[str, Any]]) -> list[Violation]:
    """What is wrong once the claims of a case have these allocations."""
    allocated = [
        {**claim, "status": {"allocation": _with_share_ids(allocation, number)}}
        for number, (claim, allocation) in enumerate(zip(case["claims"], allocations, strict=False))
    ]
    return check_allocations(case["slices"], holders_of(case) + allocated)


def _with_share_ids(allocation: dict[str, Any], number: int) -> dict[str, Any]:
    """The index of the corpus makes one share ID for all; here each use gets its own."""
    results = [
        {**result, "shareID": f"{number}-{i}"} if "shareID" in result else result
        for i, result in enumerate(allocation["devices"].get("results", ()))
    ]
    return {"devices": {"results": results}}
