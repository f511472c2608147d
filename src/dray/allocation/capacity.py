"""Consumable capacity: what one use of a device takes from each of its capacities, and whether that is allowed.

Every capacity that a device defines is consumed by every use, asked for or not: unasked ones by the policy's default,
or whole. A request that asks for a capacity the device does not define cannot use it. Amounts are exact (billionths);
ranges with a step are counted in whole units, rounded up, as 1.36 does, and in thousandths from 1.37 with
`fractional_capacity_range`.

Refuses to know: who has consumed how much already. Source: KEP-5075, Kubernetes 1.36.2.
"""

import functools
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

from dray.allocation.model import Features
from dray.api.meta import Object
from dray.api.quantity import Format, Quantity, parse_quantity


class Policy(NamedTuple):
    """How much of a capacity may be asked for at once."""

    default: Quantity | None
    minimum: Quantity | None
    maximum: Quantity | None
    step: Quantity | None
    valid: tuple[Quantity, ...]


class Capacity(NamedTuple):
    name: str
    value: Quantity
    policy: Policy | None


class Share(NamedTuple):
    """What one use takes of one capacity."""

    name: str
    amount: Quantity


def read_capacities(raw: Mapping[str, Object]) -> tuple[Capacity, ...]:
    return tuple(_read_capacity(name, item) for name, item in raw.items())


def _read_capacity(name: str, item: Object) -> Capacity:
    raw_policy = item.get("requestPolicy")
    if raw_policy is None:
        return _plain_capacity(name, item["value"])
    return Capacity(name, parse_quantity(item["value"]), _read_policy(raw_policy))


@functools.lru_cache(maxsize=4096)
def _plain_capacity(name: str, value: str) -> Capacity:
    """Devices by the thousand define the same few capacities: sharing them keeps the index small."""
    return Capacity(name, parse_quantity(value), None)


def _read_policy(raw: Object) -> Policy:
    bounds = raw.get("validRange") or {}
    return Policy(
        _optional(raw.get("default")),
        _optional(bounds.get("min")),
        _optional(bounds.get("max")),
        _optional(bounds.get("step")),
        tuple(parse_quantity(value) for value in raw.get("validValues") or ()),
    )


def _optional(text: str | None) -> Quantity | None:
    return None if text is None else parse_quantity(text)


class NotOffered(NamedTuple):
    """Why a device cannot serve a request, whoever else uses it: the capacity and a reason for people."""

    capacity: str
    reason: str


Portion: TypeAlias = tuple[Share, ...] | NotOffered
"""What one use of a device takes, one entry for each of its capacities; or why it cannot be used."""


def shares_of(
    capacities: Iterable[Capacity], asked: Mapping[str, Quantity], features: Features, driver: str
) -> Portion:
    """What one use of a device with `capacities` takes, where a request asks for `asked`. Pure, so cache it."""
    offered = {capacity.name: capacity for capacity in capacities}
    if features.release_137:
        renamed = _within_domain(asked, offered, driver)
        if isinstance(renamed, NotOffered):
            return renamed
        asked = renamed
    for name in asked:
        if name not in offered:
            return NotOffered(name, "the device does not define it")
    shares = []
    for capacity in offered.values():
        amount = _amount(capacity, asked.get(capacity.name), features)
        if wrong := _violation(capacity, amount, features):
            return NotOffered(capacity.name, wrong)
        shares.append(Share(capacity.name, amount))
    return tuple(shares)


def _within_domain(
    asked: Mapping[str, Quantity], offered: Mapping[str, Capacity], driver: str
) -> dict[str, Quantity] | NotOffered:
    """1.37: a bare name stands for the driver's domain, on either side."""
    renamed: dict[str, Quantity] = {}
    for name, quantity in asked.items():
        domain, _, bare = name.rpartition("/")
        other = bare if domain == driver else f"{driver}/{name}" if not domain else ""
        target = other if name not in offered and other in offered else name
        if target in renamed:
            return NotOffered(name, "it is asked for twice, with and without its domain")
        renamed[target] = quantity
    return renamed


def _amount(capacity: Capacity, asked: Quantity | None, features: Features) -> Quantity:
    policy = capacity.policy
    if asked is None:
        return capacity.value if policy is None or policy.default is None else policy.default
    if policy is None:
        return asked
    if policy.minimum is not None:
        return _rounded_up(asked, policy, features)
    return min((value for value in policy.valid if value >= asked), default=asked)


def _rounded_up(asked: Quantity, policy: Policy, features: Features) -> Quantity:
    minimum, step = policy.minimum, policy.step
    assert minimum is not None
    if asked < minimum:
        return minimum
    if step is None or _units(step, features) == 0:
        return asked
    start, size = _units(minimum, features), _units(step, features)
    units = start + -(-(_units(asked, features) - start) // size) * size
    if features.fractional_capacity_range:
        return Quantity(units, -3, Format.BINARY_SI)
    return Quantity.of(units, Format.BINARY_SI)


def _violation(capacity: Capacity, amount: Quantity, features: Features) -> str:
    """Why the policy forbids to take `amount`, or ""."""
    policy = capacity.policy
    # Upstream compares the default by its writing, so that 1Gi and 1024Mi differ; the value is what counts here.
    if policy is None or (policy.default is not None and amount == policy.default):
        return ""
    if policy.minimum is not None:
        if policy.maximum is not None and amount > policy.maximum:
            return f"{amount} is more than the {policy.maximum} that one use may take"
        step = _units(policy.step, features) if policy.step is not None else 0
        if step and (_units(amount, features) - _units(policy.minimum, features)) % step:
            return f"{amount} is no multiple of {policy.step} above {policy.minimum}"
        return ""
    if policy.valid and amount not in policy.valid:
        return f"{amount} is more than any of the valid values"
    return ""


def _units(quantity: Quantity, features: Features) -> int:
    return quantity.milli_value() if features.fractional_capacity_range else quantity.value()


def short_of(
    capacities: Iterable[Capacity], portion: Iterable[Share], *taken: Mapping[str, int]
) -> Capacity | None:
    """The first capacity of which `portion` would take more than is left after `taken` (in billionths)."""
    for capacity, share in zip(capacities, portion, strict=True):
        total = share.amount.nanos
        for amounts in taken:
            total += amounts.get(share.name, 0)
        if total > capacity.value.nanos:
            return capacity
    return None
