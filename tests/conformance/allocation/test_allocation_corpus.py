"""Every recorded allocation comes out here as it did in Kubernetes 1.36: verdict, devices in order, fields, error texts.

There are no exceptions. Where the recorded allocator has a defect, the recording also holds the outcome without it (found
by running the repaired allocator), and that is what counts here; `defects` has one minimal case of each.
"""

import pathlib

import pytest

from dray.testing.corpus_alloc import read_cases, replay, run_case

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
