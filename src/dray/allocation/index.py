"""The living picture of devices, and the one entry point: what is published, what is held, what would fit.

Objects go in as they change (`put_*`, `remove_*`), the scheduler's own promises as it makes them (`assume`, `forget`);
questions come out (`prepare`). A change costs work in proportion to itself. Not safe for use from several threads at
once; an attempt sees the index as it is at each call.

Refuses to know: time, the API, pods.
"""

from collections.abc import Callable, Iterable, Sequence

import orjson

from dray.allocation.attempt import Attempt, Cluster
from dray.allocation.counters import charge
from dray.allocation.deriving import Deriver
from dray.allocation.identities import DeviceID, PoolKey
from dray.allocation.inventory import Inventory
from dray.allocation.matching import Matcher
from dray.allocation.model import Features, InvalidInput
from dray.allocation.nodes import NodeOrder
from dray.allocation.problem import Setting
from dray.allocation.requests import ClaimPlan, Planner, claim_text
from dray.allocation.slices import Device, Slice
from dray.allocation.taints import TaintRules, rule_reaches
from dray.allocation.usage import Usage
from dray.api.meta import JSON, Object, key_of, name_of, uid_of

_PLANS_MAX = 4096


def _no_share_ids() -> str:
    raise LookupError("a shared device was picked, but DeviceIndex was made without `new_share_id`")


class DeviceIndex:
    """All devices and claims of a cluster, ready for questions.

    `new_share_id` makes the UUIDs of shares; without it, devices that allow multiple allocations cannot be given out.
    """

    def __init__(
        self, features: Features | None = None, *, new_share_id: Callable[[], str] = _no_share_ids
    ) -> None:
        self.features = features or Features()
        self._inventory = Inventory(self.features)
        self._usage = Usage(self.features)
        self._rules = TaintRules()
        self._matcher = Matcher(self.features)
        self._classes: dict[str, Object] = {}
        self._deriver = Deriver(self.features)
        self._planner = Planner(self.features, self._matcher, self._deriver, self._classes)
        self._plans: dict[bytes, ClaimPlan] = {}
        setting = Setting(
            self.features,
            self._inventory,
            self._matcher,
            self._deriver,
            self._usage,
            self._rules,
            self._classes,
            new_share_id,
        )
        self._cluster = Cluster(setting)

    def put_slice(self, obj: Object) -> None:
        """Take in a ResourceSlice, new or changed."""
        old = self._inventory.slices.get(name_of(obj))
        if old is not None:
            self._report(old.pool, helps=True)
        entry = self._inventory.put(obj)
        self._report(entry.pool, helps=True)
        usage = self._usage.of_pool(entry.pool)
        if usage.whole or usage.shared:
            for device in entry.devices:
                self._mark(entry, device)

    def remove_slice(self, name: str) -> None:
        """Its devices are published no more; who holds them still does."""
        entry = self._inventory.slices.get(name)
        if entry is not None:
            # Fewer slices can complete a pool, or make its counters last, as well as take devices away.
            self._report(entry.pool, helps=True)
            self._inventory.remove(name)

    def _report(self, pool: PoolKey, *, helps: bool) -> None:
        """Tell what is remembered about nodes that devices of a pool changed."""
        slices = self._inventory.pools.get(pool)
        if slices is None:
            return
        prospects = self._cluster.prospects
        if node := slices.only_node:
            number = self._cluster.table.number(node)
            if number >= 0:
                prospects.changed(number, helps=helps)
        else:
            prospects.changed_everywhere(helps=helps)

    def put_class(self, obj: Object) -> None:
        """Take in a DeviceClass, new or changed. Attempts prepared before keep to the old one."""
        self._classes[name_of(obj)] = obj
        self._plans.clear()

    def remove_class(self, name: str) -> None:
        self._classes.pop(name, None)
        self._plans.clear()

    @property
    def inventory(self) -> Inventory:
        """What is published; to be read only."""
        return self._inventory

    @property
    def usage(self) -> Usage:
        """Who holds what; to be read only."""
        return self._usage

    @property
    def taint_rules(self) -> TaintRules:
        """To be read only."""
        return self._rules

    def find_device(self, driver: str, pool: str, name: str) -> Object | None:
        """The device as its pool publishes it."""
        slices = self._inventory.pools.get(PoolKey(driver, pool))
        found = next(slices.devices_named(name), None) if slices is not None else None
        return found.raw if found is not None else None

    def device_class(self, name: str) -> Object | None:
        return self._classes.get(name)

    def put_claim(self, claim: Object) -> None:
        """Count what a ResourceClaim holds; one that holds nothing is accepted and costs nothing."""
        allocation = (claim.get("status") or {}).get("allocation")
        self._refresh(self._usage.show(_identity(claim), allocation))

    def remove_claim(self, uid: str) -> None:
        """The claim is gone from the API: whatever it held is free."""
        self._refresh(self._usage.remove(uid))

    def assume(self, claim_uid: str, allocation: Object) -> None:
        """Count an AllocationResult that the API does not show yet; `put_claim` with an allocation replaces it."""
        self._refresh(self._usage.assume(claim_uid, allocation))

    def forget(self, claim_uid: str) -> None:
        """Take back `assume`; without effect once the API shows the claim allocated."""
        self._refresh(self._usage.forget(claim_uid))

    def put_taint_rule(self, rule: Object) -> None:
        """Let a DeviceTaintRule taint devices."""
        self._rules.put(rule)
        self._forget_taints(rule)

    def remove_taint_rule(self, name: str) -> None:
        rule = self._rules.remove(name)
        if rule is not None:
            self._forget_taints(rule)

    def _forget_taints(self, rule: Object) -> None:
        for entry in self._inventory.slices.values():
            if rule_reaches(rule, entry):
                entry.taints.clear()
        self._cluster.prospects.changed_everywhere(helps=True)

    def _refresh(self, touched: Iterable[DeviceID]) -> None:
        for driver, pool, name in touched:
            key = PoolKey(driver, pool)
            slices = self._inventory.pools.get(key)
            if slices is None:
                continue
            # Taking a device whole cannot help anybody; whatever else happens to it might.
            helps = False
            for device in slices.devices_named(name):
                before = device.slice.used >> device.bit & 1
                self._mark(device.slice, device)
                helps = helps or bool(before or not device.slice.used >> device.bit & 1)
            self._report(key, helps=helps)

    def _mark(self, entry: Slice, device: Device) -> None:
        """Bring the bits of a device up to date with who holds it."""
        usage = self._usage.of_pool(entry.pool)
        bit = 1 << device.bit
        whole, shared = device.name in usage.whole, device.name in usage.shared
        if bool(entry.held & bit) is not (whole or shared):
            entry.held ^= bit
            if device.consumes:
                charge(entry, device, 1 if entry.held & bit else -1)
        # A shared device that no longer allows sharing is nobody's until those who share it are gone.
        if bool(entry.used & bit) is not (whole or (shared and not device.multi)):
            entry.used ^= bit

    def prepare(self, claims: Sequence[Object]) -> Attempt:
        """Read claims that are to be allocated together, in this order.

        Raises: InvalidInput for what is wrong whatever the node. Where a node could be the first to complain, as
        upstream orders its checks, the error is left to `Attempt.on_node`.
        """
        plans = []
        certain = not self._inventory.has_broken_selectors
        for claim in claims:
            plan = self._plan(claim["spec"])
            plans.append(plan)
            if certain and plan.error:
                raise InvalidInput(claim_text(claim) + plan.error)
            certain = certain and not plan.open_ended
        return Attempt(self._cluster, claims, plans)

    def order(self, nodes: Sequence[Object]) -> NodeOrder:
        """Nodes in the order in which they are to be tried, for `candidate_nodes` and `find_node`. O(nodes).

        Make a new one when nodes come, go or change labels, and keep the sequence as it is until then.
        """
        return self._cluster.order(nodes)

    def _plan(self, spec: JSON) -> ClaimPlan:
        key = orjson.dumps(spec)
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= _PLANS_MAX:
                self._plans.clear()
            if self._matcher.is_crowded or self._deriver.is_crowded:
                self._forget_answers()
            plan = self._plans[key] = self._planner.plan(spec)
        return plan

    def _forget_answers(self) -> None:
        """Drop all that is remembered about expressions: so many were seen that most are not in use any more."""
        self._plans.clear()
        self._cluster.prospects.forget()
        self._matcher.forget()
        self._deriver.forget()
        self._inventory.forget_derived()
        for entry in self._inventory.slices.values():
            entry.answers.clear()
            entry.matches.clear()
            entry.derived.clear()


def _identity(claim: Object) -> str:
    """The UID, or for objects that never were in an API server (what-if) namespace and name."""
    return uid_of(claim) or str(key_of(claim))
