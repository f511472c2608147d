"""What a driver author imports.

    from dray.sdk import Device, Driver, PreparedDevice, env, run

Names are loaded when they are first used: a program that only reads configuration, such as an admission webhook, does
not pay for gRPC.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dray.sdk.binding import BindingConditions, Failed, Ready, Wait
    from dray.sdk.claims import AllocatedDevice, Claim, ClaimRef
    from dray.sdk.conditions import Condition, NetworkData
    from dray.sdk.config import ConfigDecoder
    from dray.sdk.devices import Capacity, Device, NodeResource, Pool, Taint, Version
    from dray.sdk.driver import (
        DeviceHealth,
        DeviceMetadata,
        DeviceStatus,
        Driver,
        Health,
        PreparedDevice,
        env,
    )
    from dray.sdk.errors import ClaimError, ConfigError
    from dray.sdk.metadata import read_metadata
    from dray.sdk.options import Flag, OptionError, Options
    from dray.sdk.plugin import KubeletPlugin
    from dray.sdk.program import run
    from dray.sdk.uevents import hardware_changes

__all__ = [
    "AllocatedDevice",
    "BindingConditions",
    "Capacity",
    "Claim",
    "ClaimError",
    "ClaimRef",
    "Condition",
    "ConfigDecoder",
    "ConfigError",
    "Device",
    "DeviceHealth",
    "DeviceMetadata",
    "DeviceStatus",
    "Driver",
    "Failed",
    "Flag",
    "Health",
    "KubeletPlugin",
    "NetworkData",
    "NodeResource",
    "OptionError",
    "Options",
    "Pool",
    "PreparedDevice",
    "Ready",
    "Taint",
    "Version",
    "Wait",
    "env",
    "hardware_changes",
    "read_metadata",
    "run",
]

_HOMES = {
    "AllocatedDevice": "claims",
    "BindingConditions": "binding",
    "Capacity": "devices",
    "Claim": "claims",
    "ClaimError": "errors",
    "ClaimRef": "claims",
    "Condition": "conditions",
    "ConfigDecoder": "config",
    "ConfigError": "errors",
    "Device": "devices",
    "DeviceHealth": "driver",
    "DeviceMetadata": "driver",
    "DeviceStatus": "driver",
    "Driver": "driver",
    "Failed": "binding",
    "Flag": "options",
    "Health": "driver",
    "KubeletPlugin": "plugin",
    "NetworkData": "conditions",
    "NodeResource": "devices",
    "OptionError": "options",
    "Options": "options",
    "Pool": "devices",
    "PreparedDevice": "driver",
    "Ready": "binding",
    "Taint": "devices",
    "Version": "devices",
    "Wait": "binding",
    "env": "driver",
    "hardware_changes": "uevents",
    "read_metadata": "metadata",
    "run": "program",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
