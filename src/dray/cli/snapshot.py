"""`dray snapshot`: a cluster in a file."""

import click

from dray.cli.snapshot_data import restore, save


@click.group(
    "snapshot", epilog="Examples:  dray snapshot save backup.tar.gz  |  dray snapshot restore backup.tar.gz"
)
def command() -> None:
    """A cluster in a file: its data, to go back to."""


command.add_command(save)
command.add_command(restore)
