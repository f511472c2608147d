"""Who holds which device: the allocations of claims, shown by the API or assumed by the scheduler.

A result with a share ID takes part of a device, any other result takes it whole; administrators' results take nothing.
Amounts are billionths. Holders are counted, so that a device which two claims hold by mistake is free only when both
let go (upstream keeps a set and frees it with the first).

Refuses to know: slices; a device may be held that nobody publishes any more. Source: `GatherAllocatedState`, 1.36.2.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from dray.allocation.identities import DeviceID, PoolKey
from dray.allocation.model import Features
from dray.api.meta import Object
from dray.api.quantity import parse_quantity


class Share(NamedTuple):
    """One claim's part of a device."""

    claim: str
    """UID."""
    amounts: Mapping[str, int]


class Shares(NamedTuple):
    """What is taken of one device by those who share it. Never changed, so that it can be kept."""

    holders: tuple[Share, ...]
    total: Mapping[str, int]


_NO_SHARES = Shares((), {})


def _joined(shares: Shares, share: Share) -> Shares:
    total = dict(shares.total)
    for name, amount in share.amounts.items():
        total[name] = total.get(name, 0) + amount
    return Shares((*shares.holders, share), total)


def _left(shares: Shares, share: Share) -> Shares:
    holders = list(shares.holders)
    holders.remove(share)
    total = dict(shares.total)
    for name, amount in share.amounts.items():
        total[name] -= amount
    return Shares(tuple(holders), total)


class PoolUsage:
    """The held devices of one pool, by device name."""

    __slots__ = ("shared", "whole")

    def __init__(self) -> None:
        self.whole: dict[str, tuple[str, ...]] = {}
        """UIDs of the claims that hold the device for themselves."""
        self.shared: dict[str, Shares] = {}

    def holders(self, device: str) -> tuple[str, ...]:
        """UIDs of all claims that hold the device or a part of it."""
        shares = self.shared.get(device)
        sharing = tuple(share.claim for share in shares.holders) if shares else ()
        return tuple(dict.fromkeys((*self.whole.get(device, ()), *sharing)))


_NOBODY = PoolUsage()


class Usage:
    """Allocations by claim UID, and what they take."""

    def __init__(self, features: Features) -> None:
        self._sharing = features.consumable_capacity
        self._pools: dict[PoolKey, PoolUsage] = {}
        self._shown: dict[str, Object] = {}
        self._assumed: dict[str, Object] = {}

    def of_pool(self, pool: PoolKey) -> PoolUsage:
        """What is held of a pool. Not to be modified, and not to be kept."""
        return self._pools.get(pool, _NOBODY)

    def allocation_of(self, claim: str) -> Object | None:
        """The allocation that counts for a claim UID: the one the API shows, else the assumed one."""
        return self._shown.get(claim) or self._assumed.get(claim)

    @property
    def claims(self) -> Iterable[str]:
        """UIDs of all claims that hold something."""
        return self._shown.keys() | self._assumed.keys()

    def show(self, claim: str, allocation: Object | None) -> set[DeviceID]:
        """The API shows this allocation, or none. Returns the devices whose use may have changed.

        Seeing the claim allocated ends an assumption about it; seeing it unallocated does not, since the write that
        was assumed may still be on its way.
        """
        before = self.allocation_of(claim)
        if allocation is None:
            self._shown.pop(claim, None)
        else:
            self._shown[claim] = allocation
            self._assumed.pop(claim, None)
        return self._replace(claim, before)

    def assume(self, claim: str, allocation: Object) -> set[DeviceID]:
        """Count an allocation that the API does not show yet."""
        before = self.allocation_of(claim)
        self._assumed[claim] = allocation
        return self._replace(claim, before)

    def forget(self, claim: str) -> set[DeviceID]:
        """Drop an assumption; what the API shows stays."""
        before = self.allocation_of(claim)
        self._assumed.pop(claim, None)
        return self._replace(claim, before)

    def remove(self, claim: str) -> set[DeviceID]:
        """The claim is gone, and with it whatever it held."""
        before = self.allocation_of(claim)
        self._shown.pop(claim, None)
        self._assumed.pop(claim, None)
        return self._replace(claim, before)

    def _replace(self, claim: str, before: Object | None) -> set[DeviceID]:
        after = self.allocation_of(claim)
        if after is before or after == before:
            return set()
        touched: set[DeviceID] = set()
        for result in _holding(before):
            touched.add(self._release(claim, result))
        for result in _holding(after):
            touched.add(self._take(claim, result))
        return touched

    def _take(self, claim: str, result: Object) -> DeviceID:
        pool = PoolKey(result["driver"], result["pool"])
        usage = self._pools.get(pool)
        if usage is None:
            usage = self._pools[pool] = PoolUsage()
        device: str = result["device"]
        if self._sharing and result.get("shareID"):
            usage.shared[device] = _joined(usage.shared.get(device, _NO_SHARES), _share(claim, result))
        else:
            usage.whole[device] = (*usage.whole.get(device, ()), claim)
        return DeviceID(*pool, device)

    def _release(self, claim: str, result: Object) -> DeviceID:
        pool = PoolKey(result["driver"], result["pool"])
        usage = self._pools[pool]
        device: str = result["device"]
        if self._sharing and result.get("shareID"):
            left = _left(usage.shared.pop(device), _share(claim, result))
            if left.holders:
                usage.shared[device] = left
        else:
            holders = list(usage.whole.pop(device))
            holders.remove(claim)
            if holders:
                usage.whole[device] = tuple(holders)
        if not usage.whole and not usage.shared:
            del self._pools[pool]
        return DeviceID(*pool, device)


def _holding(allocation: Object | None) -> Iterator[Object]:
    """The results that take something."""
    if allocation is None:
        return
    for result in (allocation.get("devices") or {}).get("results") or ():
        if not result.get("adminAccess"):
            yield result


def _share(claim: str, result: Object) -> Share:
    consumed = result.get("consumedCapacity") or {}
    return Share(claim, {name: parse_quantity(amount).nanos for name, amount in consumed.items()})
