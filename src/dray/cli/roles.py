"""What the commands of the single roles share: their flags, and one life from connecting to Ctrl-C."""

import asyncio
import dataclasses
import signal
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import click

from dray.api.features import FeatureGates
from dray.api.releases import BASELINE, RELEASES
from dray.cli.logs import set_up_logging
from dray.cli.shown_flags import shown_flags
from dray.client.protocol import Client
from dray.cluster.flags import feature_gates
from dray.kits.metrics import Registry
from dray.kits.serving import serve


@dataclasses.dataclass(frozen=True, slots=True)
class RoleFlags:
    kubeconfig: str | None
    context: str
    health_host: str
    health_port: int
    features: FeatureGates
    logging_format: str
    verbosity: int
    shown: Mapping[str, str]
    """All flags of the command as they were given."""


class Role(Protocol):
    ready: asyncio.Event

    async def run(self) -> None: ...


def role_flags(default_port: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Adds the shared flags and gathers them into one `flags` argument."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        def wrapped(**values: Any) -> None:
            fields = {
                field.name: values.pop(field.name)
                for field in dataclasses.fields(RoleFlags)
                if field.name not in ("features", "shown")
            }
            features = feature_gates(values.pop("feature_gates"), values.pop("emulated_version"))
            flags = RoleFlags(features=features, shown=shown_flags(), **fields)
            set_up_logging(flags.logging_format, flags.verbosity)
            function(flags, **values)

        wrapped.__name__, wrapped.__doc__ = function.__name__, function.__doc__
        wrapped.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
        for option in _options(default_port):
            wrapped = option(wrapped)
        return wrapped

    return decorate


def _options(default_port: int) -> list[Callable[[Callable[..., None]], Callable[..., None]]]:
    return [
        click.option(
            "--kubeconfig", type=click.Path(dir_okay=False), help="The cluster to serve; in a pod, its own."
        ),
        click.option("--context", default="", help="Which context of the kubeconfig."),
        click.option(
            "--health-host", default="127.0.0.1", show_default=True, help="Where to serve health and metrics."
        ),
        click.option(
            "--health-port",
            default=default_port,
            show_default=True,
            type=click.IntRange(0, 65535),
            help="0 picks a free one.",
        ),
        click.option(
            "--feature-gates",
            default="",
            metavar="NAME=BOOL,...",
            help="Kubernetes feature gates, e.g. DRAListTypeAttributes=true.",
        ),
        emulated_version_option(),
        *logging_options(),
    ]


def emulated_version_option() -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(
        "--emulated-version",
        default="",
        metavar="MAJOR.MINOR",
        help=f"The release of Kubernetes to stand for: {' or '.join(RELEASES)}, by default {BASELINE}.",
    )


def logging_options() -> list[Callable[[Callable[..., None]], Callable[..., None]]]:
    return [
        click.option(
            "--logging-format", type=click.Choice(["text", "json"]), default="text", show_default=True
        ),
        click.option(
            "-v",
            "--verbosity",
            type=int,
            default=2,
            show_default=True,
            help="0 warnings, 2 the usual, 4 debug.",
        ),
    ]


def run_role(flags: RoleFlags, user_agent: str, make: Callable[[Client, Registry], Role]) -> None:
    """Connect, serve health, run the role until it fails or a signal comes."""
    serve(_run(flags, user_agent, make))


async def _run(flags: RoleFlags, user_agent: str, make: Callable[[Client, Registry], Role]) -> None:
    from dray.client.config import load_config
    from dray.client.http import HttpClient
    from dray.client.versions import VersionedClient
    from dray.cluster.health import HealthServer

    config = load_config(flags.kubeconfig, context=flags.context, in_cluster_first=flags.kubeconfig is None)
    http = HttpClient(config, user_agent=user_agent, field_manager=user_agent)
    async with VersionedClient(http) as client:
        metrics = Registry()
        role = make(client, metrics)
        health_server = HealthServer(
            role.ready,
            metrics,
            name=user_agent,
            features=flags.features,
            flags=flags.shown,
            host=flags.health_host,
            port=flags.health_port,
        )
        async with health_server as health:
            click.echo(
                f"{user_agent}: serving {config.server}; health and metrics on {flags.health_host}:{health.port}",
                err=True,
            )
            await run_until_signal(role.run())


async def run_until_signal(work: Awaitable[None]) -> None:
    """Run `work`; SIGINT and SIGTERM cancel it and count as a normal end."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        if not task.cancelled():
            raise
