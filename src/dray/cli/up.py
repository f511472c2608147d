"""`dray up`: start a cluster, or go on with one."""

import asyncio
import dataclasses
import os
import pathlib
import shutil
import signal
import sys
import time
from typing import Any

import click

from dray.api.releases import BASELINE, RELEASES
from dray.cluster.flags import feature_gates as parsed_gates
from dray.cluster.layout import (
    AlreadyRunning,
    ClusterError,
    ClusterSpec,
    Layout,
    cannot_write,
    default_root,
)
from dray.kits.serving import serve

DETACH_TIMEOUT_SECONDS = 30.0
FIRST_COMMAND = "get nodes"
"""What a user is told to try; the last words of a cluster that is ready."""


@click.command(
    epilog="Examples:  dray up  |  dray up --nodes 4 --detach  |  dray up --name ci --kubeconfig ./kubeconfig --port 6443"
)
@click.option(
    "--name", default="dray", show_default=True, help="The cluster's name; its context is dray-NAME."
)
@click.option("--nodes", type=int, help="How many nodes; 2 for a new cluster, unchanged for a present one.")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="The API server's port; a free one by default, then kept."
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=pathlib.Path),
    help="Where the cluster lives; ~/.local/share/dray/NAME.",
)
@click.option(
    "--detach/--foreground",
    "-d",
    default=False,
    help="Return when the cluster is ready; stop it with dray down. Or run until Ctrl-C, as by default.",
)
@click.option(
    "--kubeconfig",
    type=click.Path(path_type=pathlib.Path),
    help="Merge the context into this file instead of the default one.",
)
@click.option("--switch", is_flag=True, help="Make the cluster the current context of the kubeconfig.")
@click.option(
    "--feature-gates",
    metavar="NAME=BOOL,...",
    help="Kubernetes feature gates of all roles, e.g. DRAListTypeAttributes=true; then kept, '' for the defaults.",
)
@click.option(
    "--emulated-version",
    metavar="MAJOR.MINOR",
    help=f"The release of Kubernetes that all roles stand for: {' or '.join(RELEASES)}; then kept, '' for {BASELINE}.",
)
@click.option(
    "--runtime-config",
    metavar="GROUP/VERSION=BOOL,...",
    help="API versions to serve or not; all are, api/beta=false,api/alpha=false is as in Kubernetes. Then kept.",
)
@click.option("--logging-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "-v", "--verbosity", type=int, default=0, help="Log level, as in Kubernetes: 0 quiet, 2 usual, 4 debug."
)
def command(
    name: str,
    nodes: int | None,
    port: int | None,
    data_dir: pathlib.Path | None,
    detach: bool,
    kubeconfig: pathlib.Path | None,
    switch: bool,
    feature_gates: str | None,
    emulated_version: str | None,
    runtime_config: str | None,
    logging_format: str,
    verbosity: int,
) -> None:
    """Start a cluster, or go on with one: API server, scheduler, controllers and nodes in one process.

    Everything is kept in the data directory; a second `dray up` resumes it, pods included. Ctrl-C stops it.
    """
    layout = Layout(data_dir or default_root(name))
    if (pid := layout.running_pid()) is not None:
        raise AlreadyRunning(layout, name, pid)
    layout.create()
    asked = {
        "nodes": nodes,
        "port": port,
        "feature_gates": feature_gates,
        "runtime_config": runtime_config,
        "emulated_version": emulated_version,
    }
    spec = _spec(layout, name, {field: value for field, value in asked.items() if value is not None})
    parsed_gates(spec.feature_gates, spec.emulated_version)
    if detach:
        _start_detached(layout, name, data_dir)
        return
    from dray.cli.logs import set_up_logging
    from dray.client.config import default_kubeconfig_path

    set_up_logging(logging_format, verbosity)
    serve(_run(layout, spec, kubeconfig or default_kubeconfig_path(), switch))


def _spec(layout: Layout, name: str, asked: dict[str, Any]) -> ClusterSpec:
    """What was asked for, on top of what is remembered of the cluster."""
    present = layout.read_spec()
    if present is None:
        return ClusterSpec(name, **asked)
    if present.name != name:
        raise ClusterError(
            f"{layout.root} holds the cluster {present.name!r}; use --name {present.name} or another --data-dir"
        )
    return dataclasses.replace(present, **asked)


async def _run(layout: Layout, spec: ClusterSpec, kubeconfig: pathlib.Path, switch: bool) -> None:
    from dray.client.config import read_kubeconfig
    from dray.cluster.embedded import EmbeddedCluster
    from dray.cluster.kubeconfig import context_name, merge_kubeconfig

    started = time.monotonic()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    cluster = EmbeddedCluster(spec, layout)
    async with cluster:
        merge_kubeconfig(kubeconfig, read_kubeconfig(layout.kubeconfig), switch=switch)
        _say_ready(cluster.spec, time.monotonic() - started, context_name(spec.name), kubeconfig)
        failure = asyncio.create_task(cluster.wait_failed())
        stopping = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait([failure, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if failure in done:
            raise failure.result()
        failure.cancel()
        click.echo("Stopping ...", err=True)


def _say_ready(spec: ClusterSpec, seconds: float, context: str, kubeconfig: pathlib.Path) -> None:
    """In one piece, since who waits for it may read while it is written."""
    nodes = f"{spec.nodes} node{'s' if spec.nodes != 1 else ''}"
    option = "" if kubeconfig == pathlib.Path.home() / ".kube" / "config" else f" --kubeconfig {kubeconfig}"
    lines = [
        f"Cluster {spec.name!r} is ready: API server, scheduler, controllers, {nodes} ({seconds:.1f} s).",
        "Use it:",
    ]
    if shutil.which("kubectl"):
        lines += [f"  kubectl{option} --context {context} {FIRST_COMMAND}"]
        lines += [f"  kubectl{option} config use-context {context}"]
    else:
        lines += [f"  dray kubectl{option} --context {context} {FIRST_COMMAND}"]
        lines += ["There is no kubectl on PATH; the one that is built into dray has the everyday part."]
    click.echo("\n".join(lines))
    sys.stdout.flush()


def _start_detached(layout: Layout, name: str, data_dir: pathlib.Path | None) -> None:
    """Run the same command again in a session of its own, and wait until it says it is ready."""
    try:
        log = os.open(layout.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise cannot_write(layout, error) from error
    try:
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "dray.cli.main", *sys.argv[1:], "--foreground"],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, log, 1),
                (os.POSIX_SPAWN_DUP2, log, 2),
            ],
            setsid=True,
        )
    finally:
        os.close(log)
    place = f"--name {name}" if data_dir is None else f"--data-dir {data_dir}"
    _wait_ready(layout, name, pid, f"dray down {place}")


def _wait_ready(layout: Layout, name: str, pid: int, stop: str) -> None:
    deadline = time.monotonic() + DETACH_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        text = layout.log.read_text(errors="replace")
        if "is ready:" in text and FIRST_COMMAND in text:
            click.echo(text.rstrip())
            click.echo(f"It runs as process {pid}; stop it with: {stop}")
            return
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            raise ClusterError(_last_words(layout, text))
        time.sleep(0.05)
    raise ClusterError(
        f"cluster {name!r} was not ready after {DETACH_TIMEOUT_SECONDS:.0f} s; see {layout.log}"
    )


def _last_words(layout: Layout, text: str) -> str:
    """Why a detached cluster has ended. A full disk takes its words too, but can be asked again."""
    if lines := text.strip().splitlines():
        return lines[-1].removeprefix("dray: ")
    try:
        layout.log.write_text("\n")
    except OSError as error:
        return str(cannot_write(layout, error))
    return f"cluster ended without a word; see {layout.log}"
