"""The example driver, and with it the SDK, keeps every rule of the contract."""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from dray.testing.conformance import Report, Subject, Verdict, all_rules, run_suite

PROGRAM = (sys.executable, "-m", "dray.drivers.example")


async def tried(*patterns: str, **variables: str) -> Report:
    with tempfile.TemporaryDirectory(prefix="dray-") as path:
        environment: Mapping[str, str] = variables
        return await run_suite(Subject(PROGRAM, environment), Path(path), patterns=patterns)


@pytest.mark.timeout(300)
async def test_it_passes_every_rule() -> None:
    report = await tried()
    assert report.of(Verdict.FAILED) + report.of(Verdict.WARNING) == [], report.as_text()
    assert len(report.outcomes) == len(all_rules()) >= 60
    # Those that need another profile are tried below.
    assert {one.name for one in report.of(Verdict.SKIPPED)} == {
        "claims/tells-shares-apart",
        "health/reports-every-device",
        "health/repeats-itself-before-the-timeout",
        "health/serves-streams-and-calls-on-one-connection",
    }


async def test_it_keeps_shares_apart() -> None:
    report = await tried("claims/tells-shares-apart", GPU_ALLOW_MULTIPLE_ALLOCATIONS="true")
    assert [one.verdict for one in report.outcomes] == [Verdict.PASSED], report.as_text()


async def test_it_reports_health() -> None:
    report = await tried("health", DEVICE_HEALTH_FILE="/nonexistent")
    assert {one.verdict for one in report.outcomes} == {Verdict.PASSED}, report.as_text()


@pytest.mark.parametrize(
    "rule", ["slices/works-with-an-api-server-of-1-32", "calls/answers-for-every-claim-of-a-batch"]
)
async def test_partitions_are_published_and_prepared(rule: str) -> None:
    report = await tried(rule, GPU_PARTITIONS="4")
    assert [one.verdict for one in report.outcomes] == [Verdict.PASSED], report.as_text()


async def test_one_socket_is_enough() -> None:
    report = await tried(
        "registration/takes-its-sockets-away-on-sigterm",
        "registration/is-found-again-by-a-restarted-kubelet",
        "registration/comes-back-when-its-socket-is-removed",
        "lifecycle/updates-without-a-gap",
        SINGLE_SOCKET="true",
    )
    assert {one.verdict for one in report.outcomes} == {Verdict.PASSED}, report.as_text()
