"""A driver as a program: flags, logs, the connection to the cluster, signals.

    if __name__ == "__main__":
        run(Lamps())

A driver with flags of its own is made of them: `run(lambda values: Lamps(values["watts"]), [Flag("watts", ...)])`.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NoReturn

from dray.api.errors import StatusError
from dray.client.config import ConfigError, load_config
from dray.client.http import HttpClient
from dray.client.protocol import Unreachable
from dray.client.versions import TRUST_SECONDS, VersionedClient
from dray.kits import klog
from dray.sdk.devices import NEWEST
from dray.sdk.driver import Driver
from dray.sdk.errors import PublishError
from dray.sdk.options import COMMON_FLAGS, Flag, OptionError, Options, options_from, parse
from dray.sdk.plugin import KubeletPlugin

log = logging.getLogger("dray.sdk.program")

_STOP_SIGNALS: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)


def run(driver: Driver | Callable[[Mapping[str, Any]], Driver], flags: Sequence[Flag] = ()) -> None:
    """Run `driver` with the common flags until it is told to stop; ends the process with 1 after an error.

    With `flags` of its own, `driver` may be a function of all parsed values (attribute -> value) that returns the
    driver; an OptionError from it is a usage error.
    """
    program = os.path.basename(sys.argv[0])
    try:
        values = parse((*COMMON_FLAGS, *flags), sys.argv[1:], os.environ, program)
        options = options_from(values)
        if not isinstance(driver, Driver):
            driver = driver(values)
    except OptionError as error:
        sys.exit(f"Error: {error}")
    klog.configure(json_format=options.json_logs, level=klog.level_of(options.verbosity))
    run_to_end(driver, options, user_agent=program)


def run_to_end(driver: Driver, options: Options, *, user_agent: str, **plugin_settings: Any) -> NoReturn:
    """`serve`, and end the process with its exit code, whatever the driver's own functions still wait for."""
    code = asyncio.Runner().run(serve(driver, options, user_agent=user_agent, **plugin_settings))
    logging.shutdown()
    sys.stdout.flush()
    # An orderly exit would wait for every thread, and a plain function may hang in its hardware for ever.
    os._exit(code)


async def serve(driver: Driver, options: Options, *, user_agent: str, **plugin_settings: Any) -> int:
    """Run `driver` until a signal or a fatal error; the exit code. Logs what went wrong."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, stop.set)
    try:
        config = load_config(options.kubeconfig or None, in_cluster_first=True)
    except ConfigError as error:
        log.critical("%s", error)
        return 1
    http = HttpClient(config, user_agent=user_agent, field_manager=driver.name, on_warning=_log_warning)
    async with VersionedClient(http) as client:
        try:
            version = ServerVersion(http)
            plugin = KubeletPlugin(driver, client, options, server_minor=version.minor, **plugin_settings)
            return await _run_until(stop, plugin)
        except (OSError, ValueError, TypeError, PublishError, Unreachable) as error:
            log.critical("The driver cannot start: %s", error)
            return 1


async def _run_until(stop: asyncio.Event, plugin: KubeletPlugin) -> int:
    """Start `plugin` and let it run until `stop` or a fatal error; the exit code. Raises what the start raised."""
    starting = asyncio.ensure_future(plugin.start())
    stopping = asyncio.ensure_future(stop.wait())
    failing = asyncio.ensure_future(plugin.failed.wait())
    try:
        await asyncio.wait((starting, stopping, failing), return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            await asyncio.wait((stopping, failing), return_when=asyncio.FIRST_COMPLETED)
        return 1 if plugin.error is not None else 0
    finally:
        for task in (starting, stopping, failing):
            task.cancel()
        await plugin.stop()


def _log_warning(text: str) -> None:
    # At the level and in the form in which Go clients log it.
    log.info("Warning: %s", text, extra=klog.kv())


class ServerVersion:
    """The minor version of the API server, asked for again every few minutes: servers are upgraded under drivers."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self._minor = NEWEST
        self._believed_until = 0.0

    async def minor(self) -> int:
        """Raises Unreachable."""
        now = asyncio.get_running_loop().time()
        if now >= self._believed_until:
            self._minor = await self._ask()
            self._believed_until = now + TRUST_SECONDS
        return self._minor

    async def _ask(self) -> int:
        try:
            minor = str((await self._http.request("GET", "/version")).get("minor", ""))
        except StatusError as error:
            # Newer is likelier than older.
            log.debug("The server does not tell its version: %s", error)
            return NEWEST
        digits = "".join(character for character in minor if character.isdigit())
        return int(digits) if digits else NEWEST
