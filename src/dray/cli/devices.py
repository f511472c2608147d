"""`dray devices`: every device, who holds it, what is left."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import click

from dray.api.resources import DEVICE_CLASSES, DEVICE_TAINT_RULES, NODES, RESOURCE_CLAIMS, RESOURCE_SLICES
from dray.cli.insight.options import Source, questions
from dray.cli.insight.output import age, heading, show_data, table
from dray.insight.devices import DeviceRow, count_by, devices_of
from dray.insight.snapshot import Snapshot

NEEDED = (NODES, RESOURCE_CLAIMS, DEVICE_CLASSES, RESOURCE_SLICES, DEVICE_TAINT_RULES)


@click.command(
    epilog="Examples:  dray devices  |  dray devices --tree  |  dray devices --by class  |  dray devices --free --driver gpu.example.com  |  dray devices -o csv"
)
@click.option("--tree", is_flag=True, help="By node, driver and pool, with every device.")
@click.option("--by", type=click.Choice(["node", "driver", "pool", "class"]), help="Only sums.")
@click.option("--node", default="", help="Only devices of this node.")
@click.option("--driver", default="", help="Only devices of this driver.")
@click.option("--class", "class_name", default="", help="Only devices that this DeviceClass selects.")
@click.option("--free", is_flag=True, help="Only devices that can be had now.")
@click.option("--watch", "-w", is_flag=True, help="Again every two seconds, until Ctrl-C.")
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
    """Show every device: free, used, shared, blocked by a partition in use, or tainted; and by whom it is held.

    Reads only: needs `list` on nodes and resource.k8s.io.
    """
    while True:
        snapshot = source.snapshot(NEEDED)
        rows = [
            row
            for row in devices_of(snapshot)
            if node in ("", row.node)
            and driver in ("", row.device.driver)
            and (not class_name or class_name in row.classes)
            and (not free or row.state == "free")
        ]
        if watch:
            click.clear()
        _show(source, snapshot, rows, tree=tree, by=by)
        if not watch:
            return
        time.sleep(2)


def _show(
    source: Source, snapshot: Snapshot, rows: Sequence[DeviceRow], *, tree: bool, by: str | None
) -> None:
    if source.output != "text":
        counts = count_by(rows, by) if by else None
        show_data(
            source.output,
            counts or rows,
            [_count_data(c) for c in counts] if counts else list(map(_data, rows)),
        )
        return
    for plural, reason in snapshot.unknown.items():
        click.echo(f"not known: {plural} ({reason})", err=True)
    if not rows:
        click.echo("No devices found.", err=True)
        return
    lines = sum_lines(rows, by) if by else tree_lines(rows, snapshot) if tree else _table(rows, snapshot)
    click.echo("\n".join(lines))


def sum_lines(rows: Sequence[DeviceRow], by: str) -> list[str]:
    counts = count_by(rows, by)
    body = [(c.name, c.total, c.used, c.shared, c.free, c.blocked, c.tainted) for c in counts]
    return table((by.upper(), "TOTAL", "USED", "SHARED", "FREE", "BLOCKED", "TAINTED"), body)


def _table(rows: Sequence[DeviceRow], snapshot: Snapshot) -> list[str]:
    body = [
        (row.node, f"{row.device.driver}/{row.device.device}", row.state, _held(row, snapshot), _notes(row))
        for row in rows
    ]
    return table(("NODE", "DEVICE", "STATE", "HELD BY", "NOTES"), body)


def tree_lines(rows: Sequence[DeviceRow], snapshot: Snapshot) -> Iterator[str]:
    """Node, then pool, then device."""
    node = pool = None
    for row in rows:
        if row.node != node:
            node, pool = row.node, None
            mine = [each for each in rows if each.node == node]
            free = sum(each.state == "free" for each in mine)
            yield heading(f"{node}  ({free} of {len(mine)} devices free)")
        if (row.device.driver, row.device.pool) != pool:
            pool = (row.device.driver, row.device.pool)
            trouble = f"  ! {row.pool_state}" if row.pool_state else ""
            yield f"  {pool[0]}, pool {pool[1]}{trouble}"
        notes = ", ".join(part for part in (_held(row, snapshot), _notes(row)) if part)
        yield f"    {row.device.device:<16} {row.state:<8} {notes}".rstrip()[:100]


def _held(row: DeviceRow, snapshot: Snapshot) -> str:
    shown = []
    for holder in row.holders:
        pods = f" (pod {', '.join(holder.pods)})" if holder.pods else ""
        since = f" {age(holder.since, snapshot.now)}" if holder.since else ""
        shown.append(f"{holder.claim}{pods}{since}")
    return "; ".join(shown)


def _notes(row: DeviceRow) -> str:
    left = [f"{name} {rest} left" for name, rest in row.left.items()]
    return ", ".join([*row.taints, *left, *([row.pool_state] if row.pool_state else [])])


def _data(row: DeviceRow) -> dict[str, Any]:
    return {
        "node": row.node, "driver": row.device.driver, "pool": row.device.pool, "device": row.device.device,
        "state": row.state, "claims": [h.claim for h in row.holders],
        "pods": [pod for h in row.holders for pod in h.pods], "classes": row.classes, "taints": row.taints,
        "left": row.left, "pool_state": row.pool_state,
    }  # fmt: skip


def _count_data(count: Any) -> dict[str, Any]:
    return {name: getattr(count, name) for name in count.__slots__}
