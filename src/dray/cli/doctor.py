"""`dray doctor`: what is wrong with DRA in a cluster, each finding with its evidence and a command."""

from collections.abc import Iterator

import click

from dray.cli.insight.options import Source, questions
from dray.cli.insight.output import heading, shell, show_data, wrapped
from dray.cli.snapshot_insight import ALL
from dray.insight.doctor import IRRELEVANT, Finding, examine

_NEEDED = tuple(resource for resource in ALL if resource not in IRRELEVANT)


@click.command(
    epilog="Examples:  dray doctor  |  dray doctor -o json  |  dray doctor --snapshot cluster.json.gz"
)
@questions
def command(source: Source) -> None:
    """Look for what is wrong, each finding with what shows it and a command.

    Versions and features of the server, fields it left out, pools incomplete or left over, drivers gone or not known to
    kubelets, DaemonSets that want no pods, device injection, devices offered twice, claims orphaned or stuck, quotas, pods
    that cannot start or end. Exit code 1 if there are errors. Reads only, with the rights of: dray snapshot capture. What
    cannot be known is a finding too.
    """
    findings = examine(source.snapshot(_NEEDED, kubelets=True))
    if source.output != "text":
        rows = [{name: getattr(f, name) for name in f.__slots__} for f in findings]
        show_data(source.output, findings, rows)
    elif not findings:
        click.echo("Nothing is wrong that can be seen from the API.")
    for finding in findings if source.output == "text" else ():
        click.echo("\n".join(_lines(finding)))
    if any(finding.severity == "error" for finding in findings):
        raise SystemExit(1)


def _lines(finding: Finding) -> Iterator[str]:
    yield heading(f"{finding.severity}: {finding.subject}")
    yield from wrapped(finding.text, indent=2)
    yield from wrapped(finding.evidence, indent=2, mark="seen: ")
    if finding.advice:
        yield from wrapped(finding.advice, indent=2, mark="-> ")
    if finding.command:
        yield from shell(finding.command, indent=2)
