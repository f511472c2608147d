"""A driver that breaks one rule fails that rule, and passes those beside it."""

import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dray.testing.conformance import Report, Subject, Verdict, run_suite

PROGRAM = Path(__file__).with_name("broken.py")

PASSED, FAILED, WARNING, SKIPPED = Verdict.PASSED, Verdict.FAILED, Verdict.WARNING, Verdict.SKIPPED


@pytest.fixture
def directory() -> Iterator[Path]:
    # pytest's own directories are too long for sockets.
    with tempfile.TemporaryDirectory(prefix="dray-") as path:
        yield Path(path)


async def tried(way: str, directory: Path, *rules: str) -> Report:
    subject = Subject((sys.executable, str(PROGRAM)), {"BROKEN": way}, ready_seconds=10.0)
    return await run_suite(subject, directory, patterns=rules)


@pytest.mark.parametrize(
    ("way", "verdicts"),
    [
        (
            "late-get-info",
            {"registration/introduces-itself-within-a-second": (FAILED, "DEADLINE_EXCEEDED")},
        ),
        (
            "short-versions",
            {"registration/introduces-itself-within-a-second": (FAILED, "none of services supported")},
        ),
        (
            "only-v1",
            {
                "registration/works-with-a-kubelet-of-1-32": (FAILED, "none of services supported"),
                "registration/prefers-the-newest-service": (WARNING, "should hold v1.DRAPlugin, v1beta1"),
                "registration/works-with-a-kubelet-without-beta": (PASSED, ""),
            },
        ),
        (
            "dies-on-sigterm",
            {"registration/takes-its-sockets-away-on-sigterm": (FAILED, "sockets are left behind: dra.sock")},
        ),
        (
            "no-answer-for-nothing",
            {
                "claims/accepts-a-claim-without-own-devices": (WARNING, "must have one entry"),
                "claims/leaves-other-drivers-devices-alone": (PASSED, ""),
            },
        ),
        (
            "one-failure-for-all",
            {
                "calls/fails-one-claim-without-the-others": (WARNING, "the whole call failed"),
                "calls/refuses-claims-that-do-not-exist": (PASSED, ""),
            },
        ),
        (
            "whole-request-names",
            {
                "claims/names-the-request-of-an-alternative": (
                    FAILED,
                    r"expected \[\('gpu', .* got \[\('gpu/large'",
                ),
                "claims/keeps-requests-apart": (PASSED, ""),
            },
        ),
        (
            "cdi-once",
            {
                "lifecycle/prepares-again-after-a-reboot": (FAILED, "no CDI spec in"),
                "lifecycle/restores-lost-cdi-files": (WARNING, "no CDI spec in"),
                "lifecycle/remembers-claims-across-a-crash": (PASSED, ""),
            },
        ),
        (
            "forgets-when-killed",
            {
                "lifecycle/keeps-its-word-when-killed-among-many-claims": (
                    FAILED,
                    r"the answer for claim claim-\d changed",
                )
            },
        ),
        (
            "unprepare-asks-the-api",
            {
                "calls/unprepares-deleted-claims": (FAILED, "unprepare must succeed, but the call failed"),
                "calls/unprepares-without-the-api-server": (FAILED, "unprepare must succeed"),
                "calls/unprepares-twice": (PASSED, ""),
            },
        ),
        (
            "trusts-names",
            {"calls/refuses-a-replaced-claim": (FAILED, "must be refused, but it succeeded")},
        ),
        (
            "deletes-slices",
            {"lifecycle/keeps-slices-across-a-restart": (FAILED, "stopping changed the ResourceSlices")},
        ),
        (
            "publishes-all-the-time",
            {"slices/is-quiet-when-nothing-changes": (FAILED, "writes of ResourceSlices")},
        ),
        (
            "lends-twice",
            {"claims/gives-no-device-to-two-claims": (WARNING, "must be refused, but it succeeded")},
        ),
        (
            "half-of-the-health",
            {
                "health/reports-every-device": (
                    FAILED,
                    r"missing \[\('node-1', 'lamp-1'\), \('node-1', 'lamp-2'\)",
                ),
                "health/serves-streams-and-calls-on-one-connection": (PASSED, ""),
            },
        ),
        (
            "ignores-pod-uid",
            {
                "lifecycle/sweeps-dead-sockets-of-updates": (SKIPPED, "POD_UID is not in its name"),
            },
        ),
        (
            "none",
            {
                "claims/tells-shares-apart": (SKIPPED, "needs 1 devices that allow multiple allocations"),
                "claims/refuses-devices-it-does-not-have": (PASSED, ""),
                "health/reports-every-device": (PASSED, ""),
            },
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_broken_rule_is_found_and_named(
    way: str, verdicts: dict[str, tuple[Verdict, str]], directory: Path
) -> None:
    report = await tried(way, directory, *verdicts)
    assert {one.name: one.verdict for one in report.outcomes} == {
        name: verdict for name, (verdict, _) in verdicts.items()
    }
    for outcome in report.outcomes:
        assert re.search(verdicts[outcome.name][1], outcome.why), outcome.why


async def test_a_driver_that_does_not_repair_its_slices_is_found(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dray.testing.conformance.cases.slices.REPAIR_SECONDS", 2.0)
    report = await tried("never-repairs", directory, "slices/repairs-a-deleted-slice")
    assert report.outcomes[0].verdict is Verdict.FAILED
    assert "the deleted slice is published again; not so after 2 s" in report.outcomes[0].why


async def test_a_driver_that_ends_is_not_waited_for(directory: Path) -> None:
    subject = Subject((sys.executable, "-c", "print('no hardware'); raise SystemExit(3)"))
    report = await run_suite(subject, directory, patterns=["registration/serves-before-it-registers"])
    (outcome,) = report.outcomes
    assert outcome.why == "expected: registered with the kubelet; but the driver ended with exit code 3"
    assert outcome.log == "no hardware"
    assert outcome.seconds < 10


async def test_a_program_that_does_not_exist_is_named(directory: Path) -> None:
    report = await run_suite(Subject(("/no/such/driver",)), directory, patterns=["registration/serves*"])
    assert "'/no/such/driver' cannot be started" in report.outcomes[0].why
    assert not report.passed


async def test_a_pattern_without_a_rule_is_refused(directory: Path) -> None:
    with pytest.raises(ValueError, match="no rule matches 'nonsense'"):
        await run_suite(Subject(("x",)), directory, patterns=["nonsense"])
