"""Every recorded request gets the answer of kube-apiserver 1.36.2."""

import pathlib

import pytest

from dray.testing.corpus_api import replay

CORPUS = pathlib.Path(__file__).parents[2] / "corpus" / "api"

KNOWN = {
    "discovery-70669738": "the answer names the server's own address",
    "wrong-auth-jane-api": "the answer names the server's own address",
    "wrong-slice-attr-two-values": "attributes are checked in the order of a Go map, which differs from run to run",
}
"""Scenarios that disagree, and why."""


@pytest.mark.parametrize(
    ("file", "scenarios"),
    [("main", 1278), ("watchlist", 66), ("expired", 5), ("wrong", 108)],
)
async def test_every_recorded_scenario_agrees(file: str, scenarios: int) -> None:
    report = await replay(CORPUS / f"{file}.jsonl.gz", server=None, tokens=None)
    unexpected = [str(failure) for failure in report.failed if failure.id not in KNOWN]
    assert unexpected == []
    assert report.passed + len(report.failed) == scenarios


async def test_every_known_disagreement_still_disagrees() -> None:
    reports = [
        await replay(CORPUS / f"{file}.jsonl.gz", server=None, tokens=None) for file in ("main", "wrong")
    ]
    assert {failure.id for report in reports for failure in report.failed} == KNOWN.keys()
