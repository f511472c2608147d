"""All checks, one after the other."""

from collections.abc import Callable, Iterator, Sequence

from dray.insight.doctor.claims import claim_findings
from dray.insight.doctor.double import double_findings
from dray.insight.doctor.drivers import driver_findings
from dray.insight.doctor.finding import SEVERITIES, Finding
from dray.insight.doctor.nodes import node_findings
from dray.insight.doctor.pods import pod_findings
from dray.insight.doctor.pools import pool_findings
from dray.insight.doctor.quotas import quota_findings
from dray.insight.doctor.server import server_findings
from dray.insight.snapshot import Snapshot

_CHECKS: Sequence[Callable[[Snapshot], Iterator[Finding]]] = (
    server_findings,
    pool_findings,
    driver_findings,
    node_findings,
    double_findings,
    claim_findings,
    quota_findings,
    pod_findings,
)


def examine(snapshot: Snapshot) -> list[Finding]:
    """All findings, errors first, what cannot be known last."""
    found = [finding for check in _CHECKS for finding in check(snapshot)]
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))
