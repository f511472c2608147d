"""Whether a namespace's ResourceQuotas have room for one more object, and which has none.

Claims count as objects and, by class, for the devices they ask for. What is used is what the quota's status says, or,
where nobody keeps it, what the claims ask for. Scopes speak of properties that claims do not have: a quota with scopes
never limits them.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from dray.api.meta import Object, key_of, name_of, namespace_of
from dray.api.quantity import Format, InvalidQuantity, Quantity, parse_quantity
from dray.api.quota_scopes import has_scopes
from dray.insight.quotas import CLAIM_COUNT, DEVICES_SUFFIX, asked_of, device_quotas
from dray.insight.snapshot import Snapshot

_REQUESTED = re.compile(r"requested: (\S+?),? used:")

Needs = Mapping[str, Fraction]


@dataclasses.dataclass(frozen=True, slots=True)
class Shortage:
    """One resource of one quota that an object does not fit into."""

    quota: str
    """namespace/name"""
    resource: str
    hard: str
    used: str
    needed: str

    def text(self) -> str:
        return f"quota {self.quota} allows {self.hard} {self.resource}, {self.used} are used, {self.needed} more are needed"

    def raising(self) -> str:
        """A command that makes just enough room."""
        namespace, _, name = self.quota.partition("/")
        enough = _shown(self.resource, _amount(self.used) + _amount(self.needed))
        patch = f'{{"spec":{{"hard":{{"{self.resource}":"{enough}"}}}}}}'
        return f"kubectl -n {namespace} patch resourcequota {name} --type=merge -p '{patch}'"


def claim_needs(claim: Object) -> Needs:
    """Of a ResourceClaim, or of anything with its `spec`."""
    devices = {f"{name}{DEVICES_SUFFIX}": Fraction(count) for name, count in asked_of(claim).items()}
    return {CLAIM_COUNT: Fraction(1), **devices}


def shortages(snapshot: Snapshot, namespace: str, needs: Needs) -> list[Shortage]:
    """In the order of the quotas."""
    return [
        shortage
        for quota in snapshot.quotas
        if namespace_of(quota) == namespace and not has_scopes(quota)
        for shortage in _of_quota(quota, needs, used_of(snapshot, quota))
    ]


def _of_quota(quota: Object, needs: Needs, used: Mapping[str, str]) -> list[Shortage]:
    found = []
    for resource, limit in hard_of(quota).items():
        needed, taken = needs.get(resource, Fraction(0)), used.get(resource, "0")
        if needed and _amount(taken) + needed > _amount(limit):
            found.append(Shortage(str(key_of(quota)), resource, str(limit), taken, _shown(resource, needed)))
    return found


def hard_of(quota: Object) -> Mapping[str, Any]:
    hard: Mapping[str, Any] = (quota.get("spec") or {}).get("hard") or {}
    return hard


def used_of(snapshot: Snapshot, quota: Object) -> Mapping[str, str]:
    """Resource -> amount used."""
    counted = {
        f"{line.class_name}{DEVICES_SUFFIX}" if line.class_name else CLAIM_COUNT: str(line.used)
        for line in device_quotas(snapshot)
        if (line.namespace, line.quota) == (namespace_of(quota), name_of(quota))
    }
    kept = (quota.get("status") or {}).get("used") or {}
    return {**counted, **{resource: str(amount) for resource, amount in kept.items()}}


def exhausted(snapshot: Snapshot, quota: Object) -> Sequence[str]:
    """The resources of a quota of which nothing is left."""
    used = used_of(snapshot, quota)
    return [
        name
        for name, limit in hard_of(quota).items()
        if name in used and _amount(used[name]) >= _amount(limit)
    ]


def named_in(snapshot: Snapshot, namespace: str, text: str) -> Object | None:
    """The quota that an API server's refusal names: `exceeded quota: NAME, requested: ...`."""
    for quota in snapshot.quotas:
        if namespace_of(quota) == namespace and f"exceeded quota: {name_of(quota)}," in text:
            return quota
    return None


def refused_still(snapshot: Snapshot, quota: Object, text: str) -> bool:
    """Whether what a quota once refused would be refused now. `text`: `... requested: NAME=AMOUNT,NAME=AMOUNT, used: ...`."""
    match = _REQUESTED.search(text)
    needs = {}
    for pair in match[1].split(",") if match else ():
        name, _, amount = pair.partition("=")
        needs[name] = _amount(amount)
    return bool(_of_quota(quota, needs, used_of(snapshot, quota))) or not needs


def _amount(text: object) -> Fraction:
    try:
        return Fraction(parse_quantity(str(text)).milli_value(), 1000)
    except InvalidQuantity:
        return Fraction(0)


def _shown(resource: str, amount: Fraction) -> str:
    if amount.denominator != 1:
        return f"{float(amount):.3f}"
    is_binary = resource.rpartition(".")[2] in ("memory", "storage", "ephemeral-storage")
    return str(Quantity.of(amount.numerator, Format.BINARY_SI if is_binary else Format.DECIMAL_SI))
