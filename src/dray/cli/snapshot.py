"""`dray snapshot`: a cluster in a file."""

import click

from dray.cli.snapshot_data import restore, save
from dray.cli.snapshot_insight import capture, replay


@click.group(
    "snapshot",
    epilog="Examples:  dray snapshot save backup.tar.gz  |  dray snapshot restore backup.tar.gz  |  "
    "dray snapshot capture cluster.json.gz",
)
def command() -> None:
    """A cluster in a file: its data, to go back to; or what its objects say, to ask questions elsewhere."""


command.add_command(save)
command.add_command(restore)
command.add_command(capture)
command.add_command(replay)
