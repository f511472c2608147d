"""kubectl shows on this cluster what it showed on Kubernetes 1.36.2: in the tutorial's two editions, and when things go wrong."""

import dataclasses
from collections.abc import Iterator

import pytest
from processes import DRAY, IMPATIENT, running
from replay import Replay, has_kubectl
from transcripts import Difference, Step, known_differences, steps, unexplained

pytestmark = [
    pytest.mark.kubectl,
    pytest.mark.skipif(not has_kubectl(), reason="needs the real kubectl on PATH"),
]
KNOWN = known_differences()
REPLACED = {
    "30b2-kubectl-1.36": (
        "kubectl delete resourceclaim capreq -n neg",
        'resourceclaim.resource.k8s.io "capreq" deleted\n',
    ),
}
"""Asks with another kubectl, which is not there; what comes after needs the one thing it changes."""
WHERE_P9_WAS = "kubernetes.io/hostname: kind-worker"
"""Either node would do for pod p9; what follows is about the one that it was recorded on."""


def _steps() -> list[Step]:
    return steps("seed", "v1") + [_replaced(step) for step in steps("negative")]


def _replaced(step: Step) -> Step:
    command, stdout = REPLACED.get(step.step, (step.command, step.stdout))
    if step.step == "31a-pod":
        command = command.replace("  containers:", f"  nodeSelector: {{{WHERE_P9_WAS}}}\n  containers:", 1)
    return dataclasses.replace(step, command=command, stdout=stdout)


STEPS = _steps()
USED: set[Difference] = set()
"""Entries of the list that some step needed."""


@pytest.fixture(scope="module")
def replay(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    home = tmp_path_factory.mktemp(request.param)
    is_wrong = request.param == "negative"
    with running(home, program=IMPATIENT if is_wrong else DRAY) as cluster:
        replay = Replay(cluster, home / "place", KNOWN)
        if is_wrong:
            replay.install_driver()
        yield replay


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "step" in metafunc.fixturenames:
        cases = [(step.transcript, step) for step in STEPS]
        ids = [step.id for step in STEPS]
        metafunc.parametrize(("replay", "step"), cases, ids=ids, indirect=["replay"], scope="module")


def test_step_shows_what_kubernetes_shows(replay: Replay, step: Step) -> None:
    lines = replay.differences(step)
    if step.step.startswith("10-"):  # each of these tries the same name anew
        replay.cluster.kubectl("delete", "resourceclaim", "x", "-n", "neg", "--ignore-not-found")
    USED.update(one for one in KNOWN if any(one.explains(step.id, line) for line in lines))
    assert unexplained(step.id, lines, KNOWN) == []


def test_every_listed_difference_is_there() -> None:
    """Runs last; an entry that no step needs any more has to go."""
    if USED:
        assert [one.reason for one in KNOWN if one not in USED] == []
