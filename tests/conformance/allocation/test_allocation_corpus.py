"""Every recorded case: the verdict, devices, results and errors of Kubernetes 1.36, its defects left out."""

import pathlib

import pytest

from dray.api.meta import Object
from dray.testing.corpus_alloc import read_cases, recorded_outcome, run_case

CORPUS = pathlib.Path(__file__).parents[2] / "corpus" / "allocation"
SHARDS = 4

COSTLY = {"A-06017", "A-06321", "A-03509"}
"""Selectors that use up the cost limit of a million on each of up to 16 devices, a second each; A-06100 is such a case too.
No API server accepts them, and one of the four is enough here; `dray verify alloc` runs all."""


def disagreements(cases: list[Object]) -> list[str]:
    return [case["id"] for case in cases if run_case(case) != recorded_outcome(case)]


@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_recorded_case_agrees(shard: int) -> None:
    cases = [case for case in read_cases(CORPUS / "cases.jsonl.gz") if case["id"] not in COSTLY]
    assert len(cases) == 2997 - len(COSTLY)
    assert disagreements(cases[shard::SHARDS]) == []


def test_defects_of_kubernetes_are_not_copied() -> None:
    cases = list(read_cases(CORPUS / "defects.jsonl.gz"))
    assert len(cases) >= 6
    assert disagreements(cases) == []
    assert any("withoutQuirks" in case["expect"] for case in cases)
