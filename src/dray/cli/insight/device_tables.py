"""Devices and their sums on paper."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dray.api.quantity import Quantity
from dray.cli.insight.output import WIDTH, age, heading, table
from dray.insight.consumption import Amount, Consumption
from dray.insight.devices import DeviceRow, Use, count_by
from dray.insight.quotas import QuotaLine
from dray.insight.snapshot import Snapshot

_GAP = 2
_ALWAYS = ("total", "used", "free")


def device_table(rows: Sequence[DeviceRow], snapshot: Snapshot) -> list[str]:
    """A heading, then an entry for each device: a line, and more where there is more to tell than fits in one."""
    drivers = {row.device.driver for row in rows}
    # One driver for all is told once; a name is then short enough for the rest to have room.
    only = next(iter(drivers)) if len(drivers) == 1 else ""
    heads = [
        (row.node, _name(row).removeprefix(f"{only}/"), row.state, row.health or "-") for row in rows
    ]  # fmt: skip
    lines = table(("NODE", "DEVICE", "STATE", "HEALTH"), heads, gap=_GAP)
    left = max(map(len, lines)) + _GAP
    told = [f"USED BY{f'  (driver {only})' if only else ''}", *(_details(row, snapshot) for row in rows)]
    return [_beside(line, left, text) for line, text in zip(lines, told, strict=True)]


def _details(row: DeviceRow, snapshot: Snapshot) -> str:
    """Who has it, for how long, and what should be known beside."""
    since = _since(row, snapshot)
    who = used_by(row) + (f" for {since}" if since else "")
    return "; ".join(filter(None, (who, notes_of(row))))


def _beside(line: str, left: int, text: str) -> str:
    """`text` to the right of `line`, from column `left` on, and below it as far as it is longer."""
    if not text:
        return line
    start = " " * left
    more = textwrap.wrap(text, WIDTH - left, break_on_hyphens=False)
    return "\n".join([f"{line:<{left}}{more[0]}", *(start + rest for rest in more[1:])])


def _name(row: DeviceRow) -> str:
    """With the pool where it is not that of the node, as most are."""
    return f"{row.device.driver}/{row.device.device}" if row.device.pool == row.node else str(row.device)


def used_by(row: DeviceRow) -> str:
    """The pods, or the claim where no pod is known; what each has of a shared device."""
    return ", ".join(_user(use) for use in row.uses if not use.is_admin)


def _user(use: Use) -> str:
    namespace = use.holder.claim.partition("/")[0]
    pods = use.holder.pods
    more = f" +{len(pods) - 1}" if len(pods) > 1 else ""
    who = f"{namespace}/{pods[0]}{more}" if pods else f"claim {use.holder.claim}"
    if use.holder.groups:
        count = f"{len(pods)} {'pod' if len(pods) == 1 else 'pods'}"
        who = f"PodGroup {namespace}/{use.holder.groups[0]} ({count})"
    parts = ", ".join(f"{amount} {name}" for name, amount in use.amounts.items())
    return f"{who} ({parts})" if parts else who


def _since(row: DeviceRow, snapshot: Snapshot) -> str:
    """The age of the oldest hold."""
    times = [use.holder.since for use in row.uses if use.holder.since and not use.is_admin]
    return age(min(times), snapshot.now) if times else ""


def notes_of(row: DeviceRow) -> str:
    """What should be known beside the state."""
    return "; ".join(filter(None, _notes(row)))


def _notes(row: DeviceRow) -> Iterator[str]:
    yield row.health_reason
    if row.state == "blocked":
        takers = ", ".join(device.device for device in row.blocked_by[:3]) or "devices that are gone"
        more = f" +{len(row.blocked_by) - 3}" if len(row.blocked_by) > 3 else ""
        yield f"by {takers}{more} ({', '.join(row.counters)})"
    if row.state == "shared":
        yield (
            "nothing left"
            if row.is_full
            else ", ".join(f"{name} {rest} left" for name, rest in row.left.items())
        )
    yield ", ".join(row.taints)
    if row.pool_state:
        yield f"pool {row.pool_state}"
    yield ", ".join(f"watched by {_user(use)}" for use in row.uses if use.is_admin)


def tree_lines(rows: Sequence[DeviceRow], snapshot: Snapshot) -> Iterator[str]:
    """Node, then pool, then device."""
    by_node: dict[str, list[DeviceRow]] = {}
    for row in rows:
        by_node.setdefault(row.node, []).append(row)
    for node, members in by_node.items():
        free = sum(row.can_be_had for row in members)
        yield heading(f"{node}  ({free} of {len(members)} devices can be had)")
        pools: dict[tuple[str, str], list[DeviceRow]] = {}
        for row in members:
            pools.setdefault((row.device.driver, row.device.pool), []).append(row)
        for (driver, pool), devices in pools.items():
            yield from _pool_lines(driver, pool, devices, snapshot)


def _pool_lines(driver: str, pool: str, rows: Sequence[DeviceRow], snapshot: Snapshot) -> Iterator[str]:
    trouble = next((row.pool_state for row in rows if row.pool_state), "")
    yield f"  {driver}, pool {pool}" + (f"  ! {trouble}" if trouble else "")
    width = max(len(row.device.device) for row in rows)
    for row in rows:
        line = f"    {row.device.device:<{width}}  {row.state:<8}"
        health = row.health if row.health not in ("", "healthy") else ""
        text = "; ".join(filter(None, (health, _details(row, snapshot))))
        yield _beside(line.rstrip(), len(line) + _GAP, text)


def sum_table(rows: Sequence[DeviceRow], by: str) -> list[str]:
    """Devices by state; states that no device is in are left out."""
    counts = count_by(rows, by)
    fields = ("total", "used", "shared", "free", "blocked", "tainted", "unusable", "gone")
    shown = [f for f in fields if f in _ALWAYS or any(getattr(count, f) for count in counts)]
    body = [(count.name, *(getattr(count, field) for field in shown)) for count in counts]
    return table((by.upper(), *map(str.upper, shown)), body)


def consumption_table(sums: Sequence[Consumption], by: str) -> list[str]:
    """By namespace, which owns no devices: what it has of all; else what is in use of what there is."""
    if by == "namespace":
        headers = [by.upper(), "DEVICES", "OF ALL", "CLAIMS", "PODS"]
    else:
        headers = [by.upper(), "DEVICES", "IN USE", "USE%", "CLAIMS", "PODS"]
    any_gone = any(each.gone for each in sums)
    headers += [*(["GONE"] if any_gone else []), "CAPACITY IN USE"]
    body = []
    for each in sums:
        owned = [] if by == "namespace" else [each.devices]
        use = [number(each.used), percent(each.share), each.claims, each.pods]
        gone = [each.gone] if any_gone else []
        body.append([each.name, *owned, *use, *gone, _amounts(each.capacity)])
    return table(headers, body, gap=_GAP)


def number(value: float) -> str:
    """3, 2.5, 0.14: at most two decimals."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def percent(share: float) -> str:
    return f"{share * 100:.0f}%"


def _amounts(capacity: Mapping[str, Amount]) -> str:
    """Memory first: that is what most ask about."""
    names = sorted(capacity, key=lambda name: ("memory" not in name.lower(), name))
    return ", ".join(f"{name.rpartition('/')[2]} {_amount(capacity[name])}" for name in names)


def _amount(amount: Amount) -> str:
    used = short(amount.used)
    return f"{used} of {short(amount.total)}" if amount.total.nanos else used


def short(quantity: Quantity) -> str:
    """1280Gi as 1.25Ti: four digits are enough for people."""
    text = str(quantity)
    for unit, size in (("Ti", 2**40), ("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10)):
        if text.endswith("i") and quantity.nanos >= size * 10**9:
            return f"{quantity.nanos / 10**9 / size:.4g}{unit}"
    return text


def quota_table(lines: Sequence[QuotaLine]) -> list[str]:
    body = [
        (
            line.namespace, line.quota, line.class_name or "(claims of any)", line.used, line.hard,
            percent(line.used / line.hard) if line.hard else "-",
        )
        for line in lines
    ]  # fmt: skip
    return table(("NAMESPACE", "QUOTA", "CLASS", "ASKED FOR", "ALLOWED", "SHARE"), body, gap=_GAP)


def device_data(row: DeviceRow) -> dict[str, Any]:
    """One device as a flat record."""
    return {
        "node": row.node, "driver": row.device.driver, "pool": row.device.pool, "device": row.device.device,
        "state": row.state, "health": row.health, "health_reason": row.health_reason,
        "claims": [use.holder.claim for use in row.uses if not use.is_admin],
        "pods": [pod for use in row.uses if not use.is_admin for pod in use.holder.pods],
        "groups": [group for use in row.uses if not use.is_admin for group in use.holder.groups],
        "shares": [f"{use.share_id}: {amounts}" for use in row.uses if (amounts := _parts(use))],
        "classes": row.classes, "taints": row.taints, "left": row.left, "pool_state": row.pool_state,
        "blocked_by": list(map(str, row.blocked_by)),
    }  # fmt: skip


def _parts(use: Use) -> str:
    return ", ".join(f"{name}={amount}" for name, amount in use.amounts.items())
