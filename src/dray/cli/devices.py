"""`dray devices`: every device, who holds it, what is left, how it fares."""

import asyncio
import contextlib
import dataclasses
import sys
from collections.abc import Sequence

import click

from dray.api.resources import (
    DEVICE_CLASSES,
    DEVICE_TAINT_RULES,
    NODES,
    PODS,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
)
from dray.cli.examples import examples
from dray.cli.insight.device_tables import device_data, device_table, sum_table, tree_lines
from dray.cli.insight.following import follow
from dray.cli.insight.gather import gather
from dray.cli.insight.options import Source, questions
from dray.cli.insight.output import heading, show_data
from dray.insight.devices import Count, DeviceRow, count_by, devices_of
from dray.insight.snapshot import Snapshot

NEEDED = (NODES, PODS, RESOURCE_CLAIMS, DEVICE_CLASSES, RESOURCE_SLICES, DEVICE_TAINT_RULES)
REMOVED = "removed"
"""While it is watched a device may come to be neither published nor held."""


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """What is to be shown, and how."""

    output: str
    namespace: str
    tree: bool
    by: str | None
    node: str
    driver: str
    class_name: str
    free: bool

    def rows(self, snapshot: Snapshot) -> list[DeviceRow]:
        with_classes = self.output != "text" or self.by == "class" or bool(self.class_name)
        return [row for row in devices_of(snapshot, with_classes=with_classes).rows if self._has(row)]

    def _has(self, row: DeviceRow) -> bool:
        return (
            self.node in ("", row.node)
            and self.driver in ("", row.device.driver)
            and (not self.class_name or self.class_name in row.classes)
            and (not self.free or row.can_be_had)
            and (
                not self.namespace
                or any(use.holder.claim.startswith(f"{self.namespace}/") for use in row.uses)
            )
        )


@click.command(
    epilog=examples(
        "dray devices                            every device and who has it",
        "dray devices --tree                     by node and pool",
        "dray devices --by class                 only sums",
        "dray devices --free --driver gpu.example.com",
        "dray devices -n team-a -w               what team-a has, as it changes",
        "dray devices -o csv > devices.csv",
    )
)
@click.option("--tree", is_flag=True, help="By node, driver and pool, with every device.")
@click.option(
    "--by",
    type=click.Choice(["node", "driver", "pool", "class", "type"]),
    help="Only sums; type: of partition, where slices name the attribute that tells it.",
)
@click.option("--node", default="", help="Only devices of this node.")
@click.option("--driver", default="", help="Only devices of this driver.")
@click.option("--class", "class_name", default="", help="Only devices that this DeviceClass selects.")
@click.option("--free", is_flag=True, help="Only devices that can be had now, in part at least.")
@click.option("--watch", "-w", is_flag=True, help="Go on with every change, until Ctrl-C.")
@questions
def command(
    source: Source,
    tree: bool,
    by: str | None,
    node: str,
    driver: str,
    class_name: str,
    free: bool,
    watch: bool,
) -> None:
    """Show every device: whether it is free, used, shared, blocked by partitions in use, tainted, unusable since its pool
    is incomplete or invalid, or gone; who has it, for how long; its health, where anybody knows.

    With -n only devices that claims of the namespace hold.

    Reads only: needs `list` on nodes, pods (for health) and resource.k8s.io; with -w also `watch`.
    """
    view = View(source.output, source.namespace, tree, by, node, driver, class_name, free)
    if not watch:
        snapshot = source.snapshot(NEEDED)
        _show(view, snapshot, view.rows(snapshot))
        return
    if source.file is not None:
        raise click.UsageError("a snapshot file does not change; leave out --watch")
    if source.output != "text" and by:
        raise click.UsageError("--watch -o json|yaml|csv tells devices that change, not sums; leave out --by")
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(_watch(source, view))


async def _watch(source: Source, view: View) -> None:
    screen = Screen(view)
    async with source.connect() as client:
        await follow(client, NEEDED, await gather(client, NEEDED, {}), screen.show)


class Screen:
    """What is drawn anew on a terminal, and told line by line elsewhere, as `kubectl get -w` does."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._told: dict[str, DeviceRow] = {}
        self._is_first = True
        self._redraws = sys.stdout.isatty() and view.output == "text"

    def show(self, snapshot: Snapshot) -> None:
        rows = self._view.rows(snapshot)
        if self._redraws:
            click.clear()
            _show(self._view, snapshot, rows)
            return
        if self._is_first or self._view.by or self._view.tree:
            _show(self._view, snapshot, rows)
        else:
            self._tell(snapshot, rows)
        self._is_first = False
        self._told = {str(row.device): row for row in rows}
        sys.stdout.flush()

    def _tell(self, snapshot: Snapshot, rows: Sequence[DeviceRow]) -> None:
        """What is not as it was told before. The columns stay where all rows together put them."""
        there = {str(row.device) for row in rows}
        changed = [row for row in rows if self._told.get(str(row.device)) != row]
        left = [row for name, row in self._told.items() if name not in there]
        changed += [dataclasses.replace(row, state=REMOVED, uses=(), left={}, pool_state="") for row in left]
        if self._view.output != "text" and changed:
            show_data(self._view.output, changed, list(map(device_data, changed)), with_header=False)
        elif changed:
            lines = device_table([*rows, *changed], snapshot)
            click.echo("\n".join(lines[1 + len(rows) :]))


def _show(view: View, snapshot: Snapshot, rows: Sequence[DeviceRow]) -> None:
    if view.output != "text":
        counts = count_by(rows, view.by) if view.by else None
        records = [_count_data(c) for c in counts] if counts else list(map(device_data, rows))
        show_data(view.output, counts or rows, records)
        return
    for plural, reason in snapshot.unknown.items():
        click.echo(f"not known: {plural} ({reason})", err=True)
    if not rows:
        click.echo("No devices found.", err=True)
        return
    if view.by:
        lines = sum_table(rows, view.by)
    else:
        lines = list(tree_lines(rows, snapshot)) if view.tree else device_table(rows, snapshot)
    click.echo("\n".join([lines[0] if view.tree else heading(lines[0]), *lines[1:]]))


def _count_data(count: Count) -> dict[str, object]:
    return {name: getattr(count, name) for name in count.__slots__}
