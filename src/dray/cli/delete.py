"""`dray delete`: stop a cluster and delete its data."""

import pathlib

import click

from dray.cluster.fleet import find_cluster, stop


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
    from dray.client.config import default_kubeconfig_path
    from dray.cluster.kubeconfig import remove_from_kubeconfig

    state = find_cluster(name, data_dir)
    if not yes:
        click.confirm(f"Delete cluster {state.spec.name!r} and all data in {state.layout.root}?", abort=True)
    stop(state)
    remove_from_kubeconfig(kubeconfig or default_kubeconfig_path(), state.spec.name)
    state.layout.delete()
    click.echo(f"Cluster {state.spec.name!r} is deleted.")
