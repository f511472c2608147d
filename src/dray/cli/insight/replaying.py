"""What `dray snapshot replay` shows: each pending pod with its cause."""

import pathlib

import click

from dray.cli.insight.gather import read_file
from dray.cli.insight.output import heading, wrapped
from dray.insight import NoSnapshot
from dray.insight.why import why_pod


def show_replay(file: pathlib.Path, namespace: str) -> None:
    """Raises ClickException for a file that is no snapshot."""
    try:
        snapshot = read_file(file)
    except (NoSnapshot, OSError) as error:
        raise click.ClickException(str(error)) from error
    version = snapshot.server.get("version") or "unknown version"
    click.echo(heading(f"Kubernetes {version}, taken {snapshot.now:%Y-%m-%d %H:%M:%S} UTC"))
    pending = [
        pod
        for pod in snapshot.pods
        if not pod["spec"].get("nodeName") and namespace in ("", pod["metadata"].get("namespace"))
    ]
    for pod in pending:
        answer = why_pod(snapshot, pod)
        click.echo("")
        click.echo(heading(f"{answer.subject} is {answer.state}"))
        click.echo("\n".join(wrapped(answer.cause)))
    if not pending:
        click.echo("No pod is pending.")
