"""Requests about PodGroups and Workloads get the answers of kube-apiserver 1.36.2 with these features on."""

import pathlib

import pytest

from dray.api.features import parse_feature_gates
from dray.testing.corpus_api import replay

CORPUS = pathlib.Path(__file__).parents[2] / "corpus" / "api"
GATES = "GenericWorkload=true,GangScheduling=true,DRAWorkloadResourceClaims=true"
ALL_GATES = f"{GATES},WorkloadAwarePreemption=true,TopologyAwareWorkloadScheduling=true"

# Without WorkloadAwarePreemption Kubernetes stores a new group without its disruptionMode and defaults it at each read;
# so the first write that changes nothing makes a new version there.
FIRST_WRITE = "the first write to a group that changes nothing makes no new version here"
KNOWN = {
    "groups": dict.fromkeys(
        ("groups-patch-28c0fdb1", "groups-patch-552429e6", "groups-ssa-5046f784", "groups-update-5e5009af"),
        FIRST_WRITE,
    ),
    "groups-all": {},
}


@pytest.mark.parametrize(
    ("file", "gates", "scenarios"), [("groups", GATES, 645), ("groups-all", ALL_GATES, 513)]
)
async def test_every_recorded_scenario_agrees_but_for_the_known_ones(
    file: str, gates: str, scenarios: int
) -> None:
    known = KNOWN[file]
    report = await replay(CORPUS / f"{file}.jsonl.gz", features=parse_feature_gates(gates), known=known)
    assert [str(failure) for failure in report.failed] == []
    assert set(report.excused) == known.keys()
    assert report.passed + len(report.excused) == scenarios
