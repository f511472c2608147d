"""The last guard against giving a device to two claims.

The scheduler can, rarely, allocate a device twice (it acts on caches, and several may run). The driver is the one
place that knows what is really prepared on the node, so it refuses. Sharing that is meant to be is let through:
shares of a device that allows several allocations, and administrative access. Devices that are cut from the same
physical one are told by the counters they consume.
"""

from collections.abc import Iterable, Mapping, Sequence

from dray.api.quantity import Quantity, parse_quantity
from dray.sdk.checkpoint import Entries
from dray.sdk.claims import AllocatedDevice, Claim
from dray.sdk.devices import Device, Pool
from dray.sdk.errors import ClaimError


class OverlapGuard:
    """Knows the published pools, for their counters."""

    def __init__(self) -> None:
        self._devices: dict[tuple[str, str], Device] = {}
        self._budgets: dict[tuple[str, str, str], Quantity] = {}

    def learn(self, pools: Iterable[Pool]) -> None:
        pools = list(pools)
        self._devices = {(pool.name, device.name): device for pool in pools for device in pool.devices}
        self._budgets = {
            (pool.name, counter_set, counter): parse_quantity(value)
            for pool in pools
            for counter_set, counters in pool.counter_sets.items()
            for counter, value in counters.items()
        }

    def check(self, claim: Claim, entries: Entries) -> None:
        """Raises ClaimError when a device of `claim` is held by another claim in `entries`."""
        wanted = [device for device in claim.devices if not device.admin_access]
        for entry in entries.values():
            if entry.ref.uid == claim.uid:
                continue
            for held in entry.allocated:
                for device in wanted:
                    if not held.admin_access and _excludes(device, held):
                        raise ClaimError(
                            f"device {device.device} of pool {device.pool} is already prepared for claim "
                            f"{entry.ref} ({entry.ref.uid}): it was allocated twice"
                        )
        self._check_counters(claim, wanted, entries)

    def _check_counters(self, claim: Claim, wanted: Sequence[AllocatedDevice], entries: Entries) -> None:
        if not any(self._consumption((device.pool, device.device)) for device in wanted):
            return
        used: dict[tuple[str, str, str], Quantity] = {}
        holders = [entry for entry in entries.values() if entry.ref.uid != claim.uid]
        # A shared device takes its counters once, however many shares of it are given away.
        held = {(d.pool, d.device) for entry in holders for d in entry.allocated if not d.admin_access}
        for device in held:
            self._add(used, device)
        for device in {(device.pool, device.device) for device in wanted} - held:
            self._add(used, device)
            for key in self._consumption(device):
                if key in self._budgets and used[key] > self._budgets[key]:
                    pool, counter_set, counter = key
                    raise ClaimError(
                        f"device {device[1]} of pool {pool} needs more of {counter} in {counter_set} than the "
                        "devices prepared for other claims leave: it was allocated beside devices it overlaps with"
                    )

    def _add(self, used: dict[tuple[str, str, str], Quantity], device: tuple[str, str]) -> None:
        for key, amount in self._consumption(device).items():
            used[key] = used[key] + amount if key in used else amount

    def _consumption(self, device: tuple[str, str]) -> Mapping[tuple[str, str, str], Quantity]:
        known = self._devices.get(device)
        if known is None:
            return {}
        return {
            (device[0], counter_set, counter): parse_quantity(value)
            for counter_set, counters in known.consumes.items()
            for counter, value in counters.items()
        }


def _excludes(device: AllocatedDevice, held: AllocatedDevice) -> bool:
    if (device.pool, device.device) != (held.pool, held.device):
        return False
    return not (device.share_id and held.share_id and device.share_id != held.share_id)
