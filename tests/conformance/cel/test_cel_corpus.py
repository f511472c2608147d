"""Every recorded expression compiles, costs and answers here as it did in Kubernetes 1.36."""

import pathlib

import pytest

from dray.testing.corpus_cel import replay

CORPUS = pathlib.Path(__file__).parents[2] / "corpus" / "cel"

SUMS = "upstream cannot compare anything with the result of add() or sub(), since that is a pointer; we compare the amounts"
KEYS = "upstream tells keys that are lists, maps, optionals or URLs apart by where they lie in memory"
EMPTY = "upstream cannot tell whether a URL is a zero value"

KNOWN_DIFFERENCES = {
    "library-0031": SUMS,
    "library-0061": KEYS,
    "library-0231": SUMS,
    "library-0327": KEYS,
    "library-0337": SUMS,
    "library-0587": SUMS,
    "library-0995": KEYS,
    "library-1178": EMPTY,
    "library-1251": KEYS,
}


@pytest.mark.parametrize(("file", "cases"), [("selectors", 600), ("std", 190), ("dra", 78)])
def test_every_recorded_expression_agrees(file: str, cases: int) -> None:
    report = replay(CORPUS / f"{file}.jsonl.gz")
    assert [str(disagreement) for disagreement in report.disagreements] == []
    assert report.passed == cases


def test_random_calls_of_every_library_agree_but_for_the_known_differences() -> None:
    report = replay(CORPUS / "library.jsonl.gz", known=KNOWN_DIFFERENCES)
    assert [str(disagreement) for disagreement in report.disagreements] == []
    assert report.excused == tuple(KNOWN_DIFFERENCES)
    assert report.passed == 1258 - len(KNOWN_DIFFERENCES)
