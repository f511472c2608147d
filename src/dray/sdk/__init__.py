"""What a driver author imports.

    from dray.sdk import Device, Driver, PreparedDevice, env, run

Names are loaded when they are first used: a program that only reads configuration, such as an admission webhook, does
not pay for gRPC.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dray.sdk.claims import AllocatedDevice, Claim, ClaimRef
    from dray.sdk.config import ConfigDecoder
    from dray.sdk.devices import Capacity, Device, Pool, Taint, Version
    from dray.sdk.driver import DeviceHealth, DeviceStatus, Driver, Health, PreparedDevice, env
    from dray.sdk.errors import ClaimError, ConfigError
    from dray.sdk.options import Options
    from dray.sdk.plugin import KubeletPlugin
    from dray.sdk.program import run

__all__ = [
    "AllocatedDevice",
    "Capacity",
    "Claim",
    "ClaimError",
    "ClaimRef",
    "ConfigDecoder",
    "ConfigError",
    "Device",
    "DeviceHealth",
    "DeviceStatus",
    "Driver",
    "Health",
    "KubeletPlugin",
    "Options",
    "Pool",
    "PreparedDevice",
    "Taint",
    "Version",
    "env",
    "run",
]

_HOMES = {
    "AllocatedDevice": "claims",
    "Capacity": "devices",
    "Claim": "claims",
    "ClaimError": "errors",
    "ClaimRef": "claims",
    "ConfigDecoder": "config",
    "ConfigError": "errors",
    "Device": "devices",
    "DeviceHealth": "driver",
    "DeviceStatus": "driver",
    "Driver": "driver",
    "Health": "driver",
    "KubeletPlugin": "plugin",
    "Options": "options",
    "Pool": "devices",
    "PreparedDevice": "driver",
    "Taint": "devices",
    "Version": "devices",
    "env": "driver",
    "run": "program",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
