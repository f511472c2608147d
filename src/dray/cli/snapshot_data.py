"""`dray snapshot save` and `dray snapshot restore`: the data of an embedded cluster as one file."""

import datetime as dt
import pathlib

import click

EXAMPLES = "Examples:  dray snapshot {}"


@click.command(
    "save", epilog=EXAMPLES.format("save before-upgrade.tar.gz  |  dray snapshot save --name ci ci.tar.gz")
)
@click.argument("file", type=click.Path(path_type=pathlib.Path, dir_okay=False))
@click.option("--name", default="dray", show_default=True, help="The cluster's name.")
@click.option(
    "--data-dir", type=click.Path(path_type=pathlib.Path), help="Of a cluster that lives elsewhere."
)
def save(file: pathlib.Path, name: str, data_dir: pathlib.Path | None) -> None:
    """Copy a cluster's data (objects and keys) to FILE, while it runs or not.

    FILE holds the cluster's private keys and Secrets: keep it as you keep those. Containers and the files of their
    volumes are not part of it.
    """
    from dray.cluster.backup import save_snapshot
    from dray.cluster.layout import Layout, default_root

    summary = save_snapshot(Layout(data_dir or default_root(name)), file, dt.datetime.now(dt.UTC))
    kibibytes = -(-file.stat().st_size // 1024)
    click.echo(f"Saved cluster {summary.name!r} at revision {summary.revision} to {file} ({kibibytes} KiB).")


@click.command(
    "restore",
    epilog=EXAMPLES.format("restore before-upgrade.tar.gz  |  dray snapshot restore ci.tar.gz --replace"),
)
@click.argument("file", type=click.Path(path_type=pathlib.Path, dir_okay=False))
@click.option(
    "--data-dir",
    type=click.Path(path_type=pathlib.Path),
    help="Where the cluster shall live; its usual place by default.",
)
@click.option("--replace", is_flag=True, help="Move data that are there already aside (they are kept).")
def restore(file: pathlib.Path, data_dir: pathlib.Path | None, replace: bool) -> None:
    """Bring a cluster back to what FILE holds. The cluster must be stopped; `dray up` then goes on with it.

    FILE is checked whole before anything is touched. Clients that have seen a later state are told to list anew.
    """
    from dray.cluster.backup import read_summary, restore_snapshot
    from dray.cluster.layout import Layout, default_root

    layout = Layout(data_dir or default_root(read_summary(file).name))
    summary, aside = restore_snapshot(file, layout, replace=replace)
    click.echo(
        f"Restored cluster {summary.name!r} as of {summary.taken} (revision {summary.revision}) into {layout.root}."
    )
    if aside is not None:
        click.echo(f"What was there is in {aside}; delete it when you no longer need it.")
    where = f" --data-dir {layout.root}" if data_dir else ""
    click.echo(f"Start it with: dray up --name {summary.name}{where}")
