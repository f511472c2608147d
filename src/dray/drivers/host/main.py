"""`dray driver host`: the host driver as a program."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from dray.drivers.host.config import FileError, read_config
from dray.drivers.host.driver import RESCAN_SECONDS, HostDriver
from dray.drivers.host.shaping import Offer
from dray.drivers.host.sysfs import Sysfs
from dray.kits import klog
from dray.sdk.options import COMMON_FLAGS, Flag, OptionError, options_from, parse
from dray.sdk.program import run_to_end

PROGRAM: Final = "dray driver host"
FLAGS: Final = (
    *COMMON_FLAGS,
    Flag("config", "HOST_DRIVER_CONFIG", Path(), "YAML file that chooses the devices", Path),
    Flag("dry-run", "DRY_RUN", False, "print what would be published and injected, and end", bool),
    Flag("sysfs-root", "SYSFS_ROOT", Path("/sys"), "where to read the machine's hardware", Path),
    Flag(
        "rescan-seconds",
        "RESCAN_SECONDS",
        RESCAN_SECONDS,
        "how often to look for changes that the kernel does not announce",
        float,
    ),
)


def main() -> None:
    """Run until a signal; the exit code is 1 after an error."""
    try:
        values = parse(FLAGS, sys.argv[1:], os.environ, PROGRAM)
        if values["config"] == Path():
            raise OptionError("the configuration is needed: set --config FILE or $HOST_DRIVER_CONFIG")
        driver = HostDriver(
            read_config(values["config"]),
            Sysfs(values["sysfs_root"]),
            rescan_seconds=values["rescan_seconds"],
        )
        # A wrong placeholder is said at the start, not when a pod is.
        text = described(driver.name, driver.offers())
        if values["dry_run"]:
            sys.stdout.write(text)
            return
        options = options_from(values)
    except (OptionError, FileError) as error:
        sys.exit(f"Error: {error}")
    klog.configure(json_format=options.json_logs, level=klog.level_of(options.verbosity))
    run_to_end(driver, options, user_agent="dray-host-driver")


def described(driver: str, found: Sequence[Offer]) -> str:
    """YAML of what would be published and injected. Raises FileError for a placeholder without a value."""
    devices: list[dict[str, Any]] = [
        {"device": offer.device.to_api(), "containerEdits": offer.edits()} for offer in found
    ]
    note = "" if devices else "# nothing on this machine is what the configuration asks for\n"
    return note + yaml.safe_dump({"driver": driver, "devices": devices}, sort_keys=False)
