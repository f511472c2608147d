"""`dray top`: how many devices are in use, by namespace, class or node."""

import click

from dray.cli.devices import NEEDED, sum_lines
from dray.cli.insight.options import Source, questions
from dray.cli.insight.output import show_data
from dray.insight.devices import count_by, devices_of


@click.command(epilog="Examples:  dray top  |  dray top class  |  dray top node -o csv")
@click.argument("group", default="namespace", type=click.Choice(["namespace", "class", "node", "driver"]))
@questions
def command(source: Source, group: str) -> None:
    """Sum up devices by the namespace that holds them, by class, node or driver. Reads only."""
    snapshot = source.snapshot(NEEDED)
    rows = devices_of(snapshot)
    if source.output != "text":
        counts = count_by(rows, group)
        show_data(source.output, counts, [{n: getattr(c, n) for n in c.__slots__} for c in counts])
        return
    click.echo("\n".join(sum_lines(rows, group)) if rows else "No devices found.")
