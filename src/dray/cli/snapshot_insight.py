"""`dray snapshot capture` and `replay`: what the questions need, in a file that may be given away."""

import pathlib

import click

from dray.api.resources import (
    DAEMON_SETS,
    DEPLOYMENTS,
    DEVICE_CLASSES,
    DEVICE_TAINT_RULES,
    EVENTS,
    JOBS,
    NAMESPACES,
    NODES,
    POD_GROUPS,
    PODS,
    RESOURCE_CLAIM_TEMPLATES,
    RESOURCE_CLAIMS,
    RESOURCE_QUOTAS,
    RESOURCE_SLICES,
    STATEFUL_SETS,
)
from dray.cli.insight.options import Source, questions
from dray.insight.volumes import STORAGE

ALL = (
    NODES, PODS, POD_GROUPS, RESOURCE_CLAIMS, RESOURCE_CLAIM_TEMPLATES, DEVICE_CLASSES, RESOURCE_SLICES, DEVICE_TAINT_RULES,
    EVENTS, RESOURCE_QUOTAS, DAEMON_SETS, NAMESPACES, *STORAGE,
)  # fmt: skip
WORKLOADS = (DEPLOYMENTS, STATEFUL_SETS, JOBS)
"""What `whatif --scale` can then be asked about."""


@click.command(
    "capture",
    epilog="Examples:  dray snapshot capture cluster.json.gz  |  dray why pod/trainer --snapshot cluster.json.gz",
)
@click.argument("file", type=click.Path(path_type=pathlib.Path, dir_okay=False))
@questions
def capture(source: Source, file: pathlib.Path) -> None:
    """Write everything that dray's questions need into FILE: one compressed JSON document.

    Environment variables, commands, secrets, driver parameters, annotations and addresses are left out; names, labels,
    taints, requests, selectors, devices and events stay. Needs `list` on nodes, pods, namespaces, events, resourcequotas,
    daemonsets, deployments, statefulsets, jobs, persistent volumes, their claims, storageclasses and resource.k8s.io, and
    `get` on nodes/proxy and /metrics; what you may not read is noted in the file.
    """
    from dray.cli.insight.gather import write_file
    from dray.insight.redaction import redact

    snapshot = redact(source.snapshot((*ALL, *WORKLOADS), kubelets=True))
    size = write_file(file, snapshot)
    counts = ", ".join(f"{len(items)} {plural}" for plural, items in snapshot.objects.items() if items)
    click.echo(f"{file}: {counts or 'nothing'} ({size / 1024:.0f} KiB)")
    for plural, reason in snapshot.unknown.items():
        click.echo(f"not in it: {plural} ({reason})", err=True)
    click.echo(f"Ask it:  dray doctor --snapshot {file}")


@click.command("replay", epilog="Example:  dray snapshot replay cluster.json.gz")
@click.argument("file", type=click.Path(path_type=pathlib.Path, dir_okay=False, exists=True))
@click.option("--namespace", "-n", default="", help="Only pods of this namespace.")
def replay(file: pathlib.Path, namespace: str) -> None:
    """Answer from FILE what an administrator asks first: why each pending pod is pending."""
    from dray.cli.insight.replaying import show_replay

    show_replay(file, namespace)
