"""Obstacles in words, the same in every answer."""

from dray.allocation.rejections import Rule
from dray.insight.evidence import Charge, Holder, one_line


def charge_text(charge: Charge, class_name: str) -> str:
    """One obstacle in words."""
    term = one_line(charge.subject)
    words = charge.words()
    match charge.rule:
        case "class selector":
            return f"{charge.count} not of class {class_name}: {words or term}"
        case "selector":
            return f"{charge.count} not selected: {words or term}"
        case "taken":
            return f"{charge.count} taken by {holders_text(charge)}"
        case "taint":
            return f"{charge.count} tainted {', '.join(charge.values) or charge.subject}"
        case "capacity" | "counters":
            by = f" (held by {holders_text(charge)})" if charge.holders else ""
            return f"{charge.count} without enough {charge.rule}: {words}{by}"
        case Rule.PARTITIONS.value:
            return f"{charge.count} are partitions, which DRAPartitionableDevices (off here) is for"
        case Rule.CONDITIONS.value:
            return f"{charge.count} wait for binding conditions, which DRADeviceBindingConditions (off here) is for"
        case _:
            return f"{charge.count} {charge.rule}" + (f": {words}" if words else "")


def holders_text(charge: Charge) -> str:
    shown = [holder_text(holder) for holder in charge.holders[:3]]
    if len(charge.holders) > 3:
        shown.append(f"{len(charge.holders) - 3} more claims")
    return ", ".join(shown) or "nobody who is known"


def holder_text(holder: Holder) -> str:
    claim, pods = holder.claim, holder.pods
    if holder.groups:
        return f"claim {claim} ({holder.users()})"
    return f"claim {claim}" + (
        f" (pod {', '.join(pods[:2])}{', …' if len(pods) > 2 else ''})" if pods else ""
    )
