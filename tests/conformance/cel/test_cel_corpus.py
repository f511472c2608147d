"""Every recorded expression compiles, costs and answers here as it did in Kubernetes 1.36."""

import pathlib

import pytest

from dray.testing.corpus_cel import replay

CORPUS = pathlib.Path(__file__).parents[2] / "corpus" / "cel"


@pytest.mark.parametrize(("file", "cases"), [("selectors", 600), ("std", 190), ("dra", 78)])
def test_every_recorded_expression_agrees(file: str, cases: int) -> None:
    report = replay(CORPUS / f"{file}.jsonl.gz")
    assert [str(disagreement) for disagreement in report.disagreements] == []
    assert report.passed == cases
