"""Device allocation: which devices could serve a claim, which do, and why none."""

from dray.allocation.identities import DeviceID, PoolKey
from dray.allocation.index import DeviceIndex
from dray.allocation.model import (
    AbortReason,
    Allocated,
    Features,
    InvalidInput,
    SearchAborted,
    Unsatisfiable,
    Variant,
)

__all__ = [
    "AbortReason",
    "Allocated",
    "DeviceID",
    "DeviceIndex",
    "Features",
    "InvalidInput",
    "PoolKey",
    "SearchAborted",
    "Unsatisfiable",
    "Variant",
]
