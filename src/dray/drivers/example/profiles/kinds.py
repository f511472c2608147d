"""The profiles by name, as flags and manifests have them."""

from collections.abc import Callable
from typing import Any, Final

from dray.drivers.example.profiles.cpu import CpuProfile
from dray.drivers.example.profiles.gpu import GpuProfile, GpuSettings
from dray.drivers.example.profiles.net import NetProfile
from dray.drivers.example.profiles.profile import Profile

PROFILES: Final = ("cpu", "gpu", "net")


def decoder_of(kind: str, driver_name: str) -> Callable[[Any], object]:
    """What decodes the configuration of a profile, devices or none; it raises ConfigError."""
    profile: Profile
    if kind == "cpu":
        profile = CpuProfile(driver_name, 0, 0)
    elif kind == "net":
        profile = NetProfile("", 0)
    else:
        profile = GpuProfile("", GpuSettings(0))
    return profile.decode_config
