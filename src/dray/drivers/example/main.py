"""`dra-example-kubeletplugin`: the example driver as a program, with the flags and variables of the original."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from dray.drivers.example.calls import call_log
from dray.drivers.example.driver import ExampleDriver, HealthyExampleDriver
from dray.drivers.example.profiles.cpu import CpuProfile
from dray.drivers.example.profiles.gpu import GpuProfile, GpuSettings
from dray.drivers.example.profiles.kinds import PROFILES
from dray.drivers.example.profiles.net import NetProfile
from dray.drivers.example.profiles.profile import Profile
from dray.drivers.example.release import Release, release_of
from dray.kits import klog
from dray.sdk.options import COMMON_FLAGS, Flag, OptionError, Options, options_from, parse
from dray.sdk.program import run_to_end

PROGRAM: Final = "dra-example-kubeletplugin"
FLAGS: Final = (
    *COMMON_FLAGS,
    Flag("num-devices", "NUM_DEVICES", 8, "number of mock devices", int),
    Flag("device-profile", "DEVICE_PROFILE", "gpu", "kind of mock devices: cpu, gpu or net"),
    Flag("driver-name", "DRIVER_NAME", "", "name of the driver; empty means <profile>.example.com"),
    Flag("gpu-partitions", "GPU_PARTITIONS", 0, "partitions each GPU is cut into, 0 for none", int),
    Flag("gpu-device-status", "GPU_DEVICE_STATUS", False, "write device data into claims", bool),
    Flag("binding-conditions", "BINDING_CONDITIONS", False, "make devices wait for a condition", bool),
    Flag(
        "gpu-allow-multiple-allocations",
        "GPU_ALLOW_MULTIPLE_ALLOCATIONS",
        False,
        "let claims share a GPU by capacity",
        bool,
    ),
    Flag("cpu-numa-nodes", "CPU_NUMA_NODES", 8, "number of mock NUMA nodes", int),
    Flag("cpus-per-numa-node", "CPUS_PER_NUMA_NODE", 4, "CPUs of each of them", int),
    Flag(
        "device-health-file",
        "DEVICE_HEALTH_FILE",
        "",
        "file with lines `<device> Healthy|Unhealthy|Unknown [message]`; enables device health",
    ),
    Flag("taint-unhealthy", "TAINT_UNHEALTHY", False, "keep claims away from unhealthy devices", bool),
)


def main() -> None:
    """Run until a signal; the exit code is 0 after one, 1 after an error."""
    try:
        values = parse(FLAGS, sys.argv[1:], os.environ, PROGRAM)
        options = options_from(values)
        release = release_of(os.environ)
        driver = new_driver(values, options, release)
    except OptionError as error:
        sys.exit(f"Error: {error}")
    klog.configure(json_format=options.json_logs, level=klog.level_of(options.verbosity))
    settings: dict[str, Any] = {"calls": call_log(release), "metrics_prefix": "dra_example_driver"}
    run_to_end(driver, options, user_agent=PROGRAM, **settings)


def new_driver(values: Mapping[str, Any], options: Options, release: Release) -> ExampleDriver:
    """The driver that the parsed flags describe. Raises OptionError."""
    kind = values["device_profile"]
    if kind not in PROFILES:
        raise OptionError(f"invalid device profile {kind!r}, valid profiles are {list(PROFILES)}")
    name = values["driver_name"] or f"{kind}.example.com"
    profile = _profile(kind, name, options.node_name, values, release)
    if values["device_health_file"]:
        return HealthyExampleDriver(
            name,
            options.node_name,
            profile,
            release,
            health_file=Path(values["device_health_file"]),
            taint_unhealthy=values["taint_unhealthy"],
        )
    return ExampleDriver(name, options.node_name, profile, release)


def _profile(
    kind: str, driver_name: str, node_name: str, values: Mapping[str, Any], release: Release
) -> Profile:
    if kind == "cpu":
        return CpuProfile(driver_name, values["cpu_numa_nodes"], values["cpus_per_numa_node"])
    if kind == "net":
        return NetProfile(node_name, values["num_devices"])
    settings = GpuSettings(
        values["num_devices"],
        partitions=values["gpu_partitions"],
        allow_multiple_allocations=values["gpu_allow_multiple_allocations"],
        binding_conditions=values["binding_conditions"],
        device_status=values["gpu_device_status"],
    )
    return GpuProfile(node_name, settings, release)
