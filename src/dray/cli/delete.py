"""`dray delete`: stop a cluster and delete its data."""

import pathlib
import sys

import click

from dray.cluster.fleet import find_cluster, stop
from dray.cluster.layout import ClusterError


@click.command(epilog="Examples:  dray delete  |  dray delete --name ci --yes")
@click.option("--name", default="dray", show_default=True)
@click.option(
    "--data-dir", type=click.Path(path_type=pathlib.Path), help="Of a cluster that lives elsewhere."
)
@click.option(
    "--kubeconfig", type=click.Path(path_type=pathlib.Path), help="Where `dray up` merged the context."
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def command(name: str, data_dir: pathlib.Path | None, kubeconfig: pathlib.Path | None, yes: bool) -> None:
    """Stop a cluster and delete everything of it: objects, volumes, certificates, the kubeconfig context."""
    from dray.client.config import ConfigError, default_kubeconfig_path
    from dray.cluster.kubeconfig import remove_from_kubeconfig

    state = find_cluster(name, data_dir)
    name = state.spec.name
    if not yes:
        _confirm(f"Delete cluster {name!r} and all data in {state.layout.root}?")
    stop(state)
    state.layout.delete()
    try:
        remove_from_kubeconfig(kubeconfig or default_kubeconfig_path(), name)
    except (ClusterError, ConfigError) as error:
        raise ClusterError(
            f"cluster {name!r} is deleted, but its context stays where it was: {error}"
        ) from error
    click.echo(f"Cluster {name!r} is deleted.")


def _confirm(question: str) -> None:
    """Raises Abort for a no, ClusterError where nobody can answer."""
    try:
        click.confirm(question, abort=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        click.echo(err=True)
        raise ClusterError("nothing was deleted: say yes, or add --yes") from None
