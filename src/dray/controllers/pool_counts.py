"""How many devices pools have, how many of them claims hold, and how many are left, as PoolStatus tells it. Pure.

1.36 counts each allocation result, those for administrators too, and no taints. 1.37 counts each device once, leaves
administrators out, takes devices with taints for unavailable, whether allocated or not, and sums pools up.
Source: KEP-5677, Kubernetes 1.36.2 and 1.37.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from dray.allocation.identities import DeviceID
from dray.allocation.taints import blocking_taint
from dray.api.meta import Object
from dray.controllers.device_taints import is_selected
from dray.controllers.pool_contents import Pool, pools_asked_for, results_by_pool
from dray.controllers.pool_summaries import summaries, use_of

ERROR_LIMIT: Final = 256
"""Bytes of a validationError."""


def counted(spec: Object, slices: Iterable[Object], claims: Iterable[Object]) -> list[Object]:
    """One status per pool that the request's `spec` asks about, by name, as 1.36 counts."""
    results = results_by_pool(spec["driver"], claims)
    return [
        {
            **_identity(pool),
            **(_counts(pool, len(results[pool.name]), 0) if pool.is_complete else _missing(pool)),
        }
        for pool in pools_asked_for(spec, slices)
    ]


def summed(
    spec: Object, slices: Iterable[Object], claims: Iterable[Object], rules: Sequence[Object]
) -> list[Object]:
    """The same as 1.37 counts, with summaries; `rules`: the DeviceTaintRules in force."""
    results = results_by_pool(spec["driver"], claims)
    default = spec.get("defaultPartitionTypeAttribute")
    return [_summed(pool, results[pool.name], rules, default) for pool in pools_asked_for(spec, slices)]


def is_incomplete(status: Object) -> bool:
    """Whether slices of the pool were missing; what else may be wrong with it does not change with time alone."""
    return "totalDevices" not in status


def _summed(pool: Pool, results: Sequence[Object], rules: Sequence[Object], default: str | None) -> Object:
    if not pool.is_complete:
        return {**_identity(pool), **_missing(pool, "PoolIncomplete: ")}
    use = use_of(results)
    unavailable = sum(_is_tainted(pool, device, rules) for device in pool.devices())
    found = summaries(pool, use, default)
    if "validationError" in found:
        found["validationError"] = _cut(found["validationError"])
    return {**_identity(pool), **_counts(pool, len(use.devices), unavailable), **found}


def _is_tainted(pool: Pool, device: Object, rules: Iterable[Object]) -> bool:
    identity = DeviceID(pool.driver, pool.name, device["name"])
    taints = [rule["spec"]["taint"] for rule in rules if is_selected(rule, identity)]
    return blocking_taint([*(device.get("taints") or ()), *taints], ()) is not None


def _identity(pool: Pool) -> Object:
    identity = {"driver": pool.driver, "poolName": pool.name, "generation": pool.generation}
    return {**identity, "nodeName": pool.node} if pool.node else identity


def _counts(pool: Pool, allocated: int, unavailable: int) -> Object:
    total = len(pool.devices())
    return {
        "resourceSliceCount": len(pool.specs),
        "totalDevices": total,
        "allocatedDevices": allocated,
        "availableDevices": max(0, total - allocated - unavailable),
        "unavailableDevices": unavailable,
    }


def _missing(pool: Pool, prefix: str = "") -> Object:
    seen = f"observed {len(pool.specs)}/{pool.announced} slices at generation {pool.generation}"
    return {"validationError": _cut(f"{prefix}pool {pool} is incomplete: {seen}")}


def _cut(text: str) -> str:
    return text.encode()[:ERROR_LIMIT].decode(errors="ignore")
