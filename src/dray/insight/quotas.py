"""Quotas on devices: how many of a class a namespace may ask for, and how many its claims ask for now.

A claim counts with what it asks for, allocated or not; "all devices" counts as the most that one claim can get, and of
alternatives the largest for each class. A quota with scopes is never about claims.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from dray.api.meta import Object, name_of, namespace_of
from dray.api.quantity import InvalidQuantity, parse_quantity
from dray.api.quota_scopes import has_scopes
from dray.insight.snapshot import Snapshot

DEVICES_SUFFIX = ".deviceclass.resource.k8s.io/devices"
CLAIM_COUNT = "count/resourceclaims.resource.k8s.io"
ALL_DEVICES = 32


@dataclasses.dataclass(frozen=True, slots=True)
class QuotaLine:
    """One limit. `class_name` "": it is on the number of claims."""

    namespace: str
    quota: str
    class_name: str
    used: int
    hard: int

    @property
    def subject(self) -> str:
        return f"devices of class {self.class_name}" if self.class_name else "claims"

    def is_exceeded_by(self, more: int) -> bool:
        return self.used + more > self.hard


def device_quotas(snapshot: Snapshot) -> list[QuotaLine]:
    """By namespace, quota and class."""
    limits = list(_limits([quota for quota in snapshot.quotas if not has_scopes(quota)]))
    if not limits:
        return []
    asked: dict[tuple[str, str], int] = {}
    for claim in snapshot.claims:
        add_asked(asked, claim)
    lines = (
        QuotaLine(namespace, quota, name, asked.get((namespace, name), 0), hard)
        for namespace, quota, name, hard in limits
    )
    return sorted(lines, key=lambda line: (line.namespace, line.quota, line.class_name))


def _limits(quotas: Sequence[Object]) -> Iterator[tuple[str, str, str, int]]:
    """Namespace, quota, class ("" for the number of claims), limit."""
    for quota in quotas:
        for resource, value in ((quota.get("spec") or {}).get("hard") or {}).items():
            if resource.endswith(DEVICES_SUFFIX):
                name = resource.removesuffix(DEVICES_SUFFIX)
            elif resource == CLAIM_COUNT:
                name = ""
            else:
                continue
            try:
                yield namespace_of(quota), name_of(quota), name, parse_quantity(value).value()
            except InvalidQuantity:
                continue


def add_asked(total: dict[tuple[str, str], int], claim: Object, sign: int = 1) -> None:
    """Count a claim: by namespace and class, and under class "" the claim itself."""
    namespace = namespace_of(claim)
    for name, amount in {**asked_of(claim), "": 1}.items():
        total[namespace, name] = total.get((namespace, name), 0) + sign * amount


def asked_of(claim: Object) -> Mapping[str, int]:
    """Class -> how many devices of it the claim may take at most."""
    total: dict[str, int] = {}
    for request in (claim["spec"].get("devices") or {}).get("requests") or ():
        largest: dict[str, int] = {}
        for option in request.get("firstAvailable") or [request.get("exactly") or {}]:
            name = option.get("deviceClassName") or ""
            largest[name] = max(largest.get(name, 0), _count(option))
        for name, amount in largest.items():
            total[name] = total.get(name, 0) + amount
    total.pop("", None)
    return total


def _count(option: Object) -> int:
    return ALL_DEVICES if option.get("allocationMode") == "All" else int(option.get("count") or 1)
