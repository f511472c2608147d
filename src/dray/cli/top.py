"""`dray top`: how much of the devices is in use, by namespace, class, node or driver."""

import click

from dray.api.resources import RESOURCE_QUOTAS
from dray.cli.devices import NEEDED
from dray.cli.examples import examples
from dray.cli.insight.device_tables import consumption_table, quota_table
from dray.cli.insight.options import Source, questions
from dray.cli.insight.output import heading, show_data
from dray.insight.consumption import Consumption, consumption_by
from dray.insight.devices import devices_of
from dray.insight.quotas import device_quotas

_QUOTAS_FOR = ("namespace", "class")


@click.command(
    epilog=examples(
        "dray top                what each namespace has, and its quotas",
        "dray top class          how much of each class is in use",
        "dray top node -o csv",
        "dray top -n team-a",
    )
)
@click.argument("group", default="namespace", type=click.Choice(["namespace", "class", "node", "driver"]))
@questions
def command(source: Source, group: str) -> None:
    """Sum up what is in use, by the namespace that has it, by class, node or driver.

    A part counts as a part: a share of a device, or a partition, for the largest fraction that it takes of any capacity
    or counter. Where namespaces have quotas on devices they are shown, with what their claims ask for.

    With -n only the claims of this namespace count.

    Reads only: needs `list` on nodes, pods, resourcequotas and resource.k8s.io.
    """
    snapshot = source.snapshot((*NEEDED, RESOURCE_QUOTAS))
    sums = consumption_by(devices_of(snapshot, with_classes=group == "class"), group, source.namespace)
    quotas = [q for q in device_quotas(snapshot) if source.namespace in ("", q.namespace)]
    if source.output != "text":
        show_data(source.output, {"groups": sums, "quotas": quotas}, list(map(_record, sums)))
        return
    for plural, reason in snapshot.unknown.items():
        click.echo(f"not known: {plural} ({reason})", err=True)
    if not sums:
        click.echo("No devices are in use." if snapshot.slices else "No devices found.", err=True)
    for lines in (consumption_table(sums, group), quota_table(quotas) if group in _QUOTAS_FOR else []):
        if lines:
            click.echo("\n".join([heading(lines[0]), *lines[1:], ""]).rstrip("\n") + "\n", nl=bool(quotas))


def _record(consumption: Consumption) -> dict[str, object]:
    capacity = {name: str(amount) for name, amount in consumption.capacity.items()}
    return {
        "name": consumption.name, "devices": consumption.devices, "used": consumption.used, "share": consumption.share,
        "claims": consumption.claims, "gone": consumption.gone, "pods": consumption.pods, "capacity": capacity,
    }  # fmt: skip
