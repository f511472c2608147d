"""Every recorded request gets the answer of kube-apiserver 1.36.2."""

import pathlib

import pytest

from dray.testing.corpus_api import replay

CORPUS = pathlib.Path(__file__).parents[2] / "corpus" / "api"

KNOWN = {
    "main": {"discovery-70669738": "the answer names the server's own address"},
    "watchlist": {},
    "expired": {},
    "wrong": {
        "wrong-auth-jane-api": "the answer names the server's own address",
        "wrong-slice-attr-two-values": "attributes are checked in the order of a Go map, which differs from run to run",
    },
    "fields": {},
    "kinds": {},
    "updates": {},
    "workloads": {},
    "bodies": {
        "bodies-320d323b": "a member that a patch's value has twice is shown once",
        "bodies-84020550": "a member that a patch's value has twice is shown once",
        "bodies-d44f452c": "a float of 10^18 is an amount like any other here; there its thousandths overflow, with a warning",
    },
    "own": {
        "own-auth-38780b7b": "reviews have no partial form here",
        "own-auth-96f06e36": "reviews record no managedFields here, which a YAML answer is compared with",
        "own-machinery-0db36b6a": "of an apiVersion given twice only the last counts here",
        "own-machinery-41227ff1": "a method that HTTP does not have is refused before anybody is asked for",
        "own-ssa-22ab169f": "an applied configuration does not tell empty labels from none",
    },
}
"""Scenarios that disagree, and why. By recording."""


@pytest.mark.parametrize(
    ("file", "scenarios"),
    [
        ("main", 1278),
        ("watchlist", 66),
        ("expired", 5),
        ("wrong", 108),
        ("own", 334),
        ("fields", 880),
        ("updates", 151),
        ("workloads", 290),
        ("bodies", 389),
    ],
)
async def test_every_recorded_scenario_agrees_but_for_the_known_ones(file: str, scenarios: int) -> None:
    report = await replay(CORPUS / f"{file}.jsonl.gz", server=None, tokens=None, known=KNOWN[file])
    assert [str(failure) for failure in report.failed] == []
    assert set(report.excused) == KNOWN[file].keys()
    assert report.passed + len(report.excused) == scenarios
