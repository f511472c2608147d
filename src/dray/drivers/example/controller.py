"""`dra-example-controller`: makes mock devices ready that their pods are bound only after.

The example driver publishes such devices with --binding-conditions. There is nothing to make ready, so the controller
says at once that all is well. It needs rights for claims of all nodes (resourceclaims/driver, arbitrary-node verbs).
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any, Final

from dray.client.config import ConfigError, load_config
from dray.client.http import HttpClient
from dray.client.protocol import Client
from dray.client.versions import VersionedClient
from dray.kits import klog
from dray.sdk.binding import BindingConditions, Ready
from dray.sdk.claims import AllocatedDevice, Claim
from dray.sdk.options import Flag, OptionError, parse

log = logging.getLogger("dray.drivers.example.controller")

PROGRAM: Final = "dra-example-controller"
PLUGINS: Final = ("BindingConditions",)
FLAGS: Final = (
    Flag("driver-name", "DRIVER_NAME", "gpu.example.com", "name of the driver whose devices are made ready"),
    Flag("enable-plugin", "ENABLE_PLUGIN", "", "what to do, separated by commas: BindingConditions"),
    Flag("kubeconfig", "KUBECONFIG", "", "kubeconfig file; inside a pod its service account is used"),
    Flag("logging-format", "LOGGING_FORMAT", "text", "text (klog) or json"),
    Flag("v", "V", 0, "log verbosity", int),
)


def main() -> None:
    """Run until a signal; the exit code is 1 after an error."""
    try:
        values = parse(FLAGS, sys.argv[1:], os.environ, PROGRAM)
        enabled = enabled_plugins(values["enable_plugin"])
    except OptionError as error:
        sys.exit(f"Error: {error}")
    klog.configure(json_format=values["logging_format"] == "json", level=logging.INFO)
    sys.exit(asyncio.run(_serve(values, enabled)))


def enabled_plugins(text: str) -> list[str]:
    """Raises OptionError for none, and for one that does not exist."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = sorted(set(names) - set(PLUGINS))
    if unknown:
        raise OptionError(
            f"--enable-plugin: there is no {', '.join(unknown)}; plugins are {', '.join(PLUGINS)}"
        )
    if not names:
        raise OptionError(f"nothing to do: set --enable-plugin to {', '.join(PLUGINS)}")
    return names


async def _serve(values: Mapping[str, Any], enabled: list[str]) -> int:
    try:
        config = load_config(values["kubeconfig"] or None, in_cluster_first=True)
    except ConfigError as error:
        log.critical("%s", error)
        return 1
    http = HttpClient(config, user_agent=PROGRAM, field_manager=PROGRAM)
    async with VersionedClient(http) as client:
        log.info("Starting", extra=klog.kv(driver=values["driver_name"], plugins=enabled))
        work = asyncio.ensure_future(make_ready(client, values["driver_name"]))
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, work.cancel)
        try:
            await work
        except asyncio.CancelledError:
            return 0
    return 0


async def make_ready(client: Client, driver: str) -> None:
    """Set the binding conditions of the driver's devices, until cancelled."""

    async def decide(claim: Claim, device: AllocatedDevice) -> Ready:
        log.info(
            "Device is ready", extra=klog.kv(claim=str(claim.ref), pool=device.pool, device=device.device)
        )
        return Ready()

    await BindingConditions(client, driver, decide).run()


if __name__ == "__main__":
    main()
