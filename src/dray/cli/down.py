"""`dray down`: stop a cluster; its data stays."""

import pathlib

import click

from dray.cluster.fleet import find_cluster, stop


@click.command(epilog="Examples:  dray down  |  dray down --name ci")
@click.option("--name", default="dray", show_default=True)
@click.option(
    "--data-dir", type=click.Path(path_type=pathlib.Path), help="Of a cluster that lives elsewhere."
)
def command(name: str, data_dir: pathlib.Path | None) -> None:
    """Stop a cluster and every process of its pods. Its data stays: `dray up` goes on with it."""
    state = find_cluster(name, data_dir)
    if stop(state):
        click.echo(f"Cluster {state.spec.name!r} is stopped; its data stays in {state.layout.root}.")
    else:
        click.echo(f"Cluster {state.spec.name!r} was not running.")
