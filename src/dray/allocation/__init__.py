"""Device allocation: which devices could serve a claim, which do, and why none."""

from dray.allocation.index import DeviceIndex
from dray.allocation.model import (
    AbortReason,
    Allocated,
    DeviceID,
    Features,
    InvalidInput,
    PoolKey,
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
