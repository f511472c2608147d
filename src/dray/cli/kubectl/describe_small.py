"""The descriptions of namespaces, config maps and priority classes."""

from collections.abc import Mapping

from dray.api.meta import Object, name_of
from dray.api.resources import LIMIT_RANGES, RESOURCE_QUOTAS
from dray.cli.kubectl import describe_limits, describe_quota
from dray.cli.kubectl.describe import event_lines, events_of, header_lines
from dray.cli.kubectl.session import Session
from dray.client.protocol import Selection


async def namespace(session: Session, obj: Object) -> list[str]:
    lines = [*header_lines(obj), f"Status:\t{(obj.get('status') or {}).get('phase', '')}"]
    if conditions := (obj.get("status") or {}).get("conditions"):
        lines += ["Conditions:", "  Type\tStatus\tLastTransitionTime\tReason\tMessage"]
        lines += ["  ----\t------\t------------------\t------\t-------"]
        lines += [
            f"  {each['type']}\t{each['status']}\t{each.get('lastTransitionTime', '')}\t{each.get('reason', '')}\t"
            f"{each.get('message', '')}"
            for each in conditions
        ]
    here = Selection(namespace=name_of(obj))
    quotas = sorted((await session.client.list(RESOURCE_QUOTAS, here)).items, key=name_of)
    ranges = sorted((await session.client.list(LIMIT_RANGES, here)).items, key=name_of)
    return [*lines, "", *describe_quota.of_namespace(quotas), "", *describe_limits.of_namespace(ranges)]


async def config_map(session: Session, obj: Object) -> list[str]:
    lines = [*header_lines(obj), "", "Data", "===="]
    for key, value in sorted((obj.get("data") or {}).items()):
        lines += [f"{key}:", "----", *str(value).split("\n"), ""]
    lines += ["", "BinaryData", "===="]
    for key, value in sorted((obj.get("binaryData") or {}).items()):
        lines.append(f"{key}: {len(value) * 3 // 4 - value.count('=')} bytes")
    return [*lines, "", *event_lines(await events_of(session, obj))]


async def priority_class(session: Session, obj: Object) -> list[str]:
    return [
        f"Name:\t{name_of(obj)}",
        f"Value:\t{obj.get('value', 0)}",
        f"GlobalDefault:\t{str(bool(obj.get('globalDefault'))).lower()}",
        f"PreemptionPolicy:\t{obj.get('preemptionPolicy', '')}",
        f"Description:\t{obj.get('description', '')}",
        *f"Annotations:\t{_in_one_line(obj['metadata'].get('annotations') or {})}".split("\n"),
        *event_lines(await events_of(session, obj)),
    ]


def _in_one_line(annotations: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(annotations.items())) or "<none>"
