"""`dray apiserver`: the API server, alone."""

import asyncio
import datetime as dt
import pathlib
from typing import TYPE_CHECKING, Any

import click

from dray.cli.audit import audit_options, audit_settings
from dray.cli.front_proxy import front_proxy, front_proxy_options
from dray.cli.logs import set_up_logging
from dray.cli.roles import emulated_version_option, logging_options, run_until_signal
from dray.cli.shown_flags import shown_flags
from dray.cluster.flags import feature_gates as parsed_gates
from dray.kits.serving import give_large_blocks_back, serve

if TYPE_CHECKING:
    from dray.cluster.api_server import ApiServerSettings


def _with_logging(function: Any) -> Any:
    for option in logging_options():
        function = option(function)
    return function


@click.command(
    epilog="Examples:  dray apiserver --data-dir ./data --port 6443  |  dray apiserver --data-dir ./data --token-auth-file tokens.csv"
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=pathlib.Path),
    required=True,
    help="Database, certificates and the administrator's kubeconfig.",
)
@click.option("--bind-address", default="127.0.0.1", show_default=True)
@click.option(
    "--port", default=6443, show_default=True, type=click.IntRange(0, 65535), help="0 picks a free one."
)
@click.option(
    "--advertise-name",
    "names",
    multiple=True,
    help="Another name or address that clients use; for the certificate.",
)
@click.option(
    "--token-auth-file",
    type=click.Path(exists=True, dir_okay=False, path_type=pathlib.Path),
    help="Static tokens, as kube-apiserver reads them.",
)
@front_proxy_options
@click.option(
    "--enable-bootstrap-token-auth",
    is_flag=True,
    help="Accept tokens that are kept as secrets bootstrap.kubernetes.io/token of kube-system.",
)
@click.option("--anonymous-auth/--no-anonymous-auth", default=True, show_default=True)
@click.option("--feature-gates", default="", metavar="NAME=BOOL,...", help="As kube-apiserver has them.")
@emulated_version_option()
@click.option(
    "--runtime-config",
    default="",
    metavar="GROUP/VERSION=BOOL,...",
    help="API versions to serve or not, e.g. resource.k8s.io/v1beta1=false.",
)
@audit_options
@click.option(
    "--max-requests-inflight",
    default=400,
    show_default=True,
    type=click.IntRange(0),
    help="Reads that are answered at once; more are told to come again (429). 0: no limit.",
)
@click.option(
    "--max-mutating-requests-inflight",
    default=200,
    show_default=True,
    type=click.IntRange(0),
    help="The same for writes.",
)
@click.option(
    "--event-ttl-minutes",
    default=60,
    show_default=True,
    type=click.IntRange(1),
    help="How long events are kept after their last change.",
)
@click.option(
    "--verify-kubelets/--no-verify-kubelets",
    default=True,
    show_default=True,
    help="Speak only to kubelets with a certificate of this server's authority; Kubernetes' own sign theirs themselves.",
)
@_with_logging
def command(
    data_dir: pathlib.Path,
    bind_address: str,
    port: int,
    names: tuple[str, ...],
    token_auth_file: pathlib.Path | None,
    enable_bootstrap_token_auth: bool,
    anonymous_auth: bool,
    feature_gates: str,
    emulated_version: str,
    runtime_config: str,
    max_requests_inflight: int,
    max_mutating_requests_inflight: int,
    event_ttl_minutes: int,
    verify_kubelets: bool,
    logging_format: str,
    verbosity: int,
    **others: Any,
) -> None:
    """Serve the Kubernetes API on TLS: the DRA groups whole, and what a cluster needs beside them."""
    from dray.apiserver.http.inflight import InflightLimits
    from dray.cluster.api_server import ApiServerSettings

    set_up_logging(logging_format, verbosity)
    settings = ApiServerSettings(
        host=bind_address,
        port=port,
        names=names,
        token_file=token_auth_file,
        front_proxy=front_proxy(others),
        bootstrap_tokens=enable_bootstrap_token_auth,
        allow_anonymous=anonymous_auth,
        features=parsed_gates(feature_gates, emulated_version),
        runtime_config=runtime_config,
        verify_kubelets=verify_kubelets,
        limits=InflightLimits(max_requests_inflight, max_mutating_requests_inflight),
        event_ttl=dt.timedelta(minutes=event_ttl_minutes),
        flags=shown_flags(),
        **audit_settings(others),
    )
    give_large_blocks_back()
    serve(_serve(data_dir, settings))


async def _serve(data_dir: pathlib.Path, settings: "ApiServerSettings") -> None:
    from dray.cluster.api_server import ApiServerRole
    from dray.cluster.layout import Layout

    async with ApiServerRole(Layout(data_dir), settings) as role:
        click.echo(
            f"Serving https://{role.server.address}; the administrator's kubeconfig: {role.layout.kubeconfig}"
        )
        await run_until_signal(_for_ever())


async def _for_ever() -> None:
    await asyncio.Event().wait()
