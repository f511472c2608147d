"""`dray kubectl`: the everyday part of kubectl, for machines that have none. Same flags, same output.

get, describe, apply --server-side, create, logs and delete. For anything else use the real kubectl: it works against
dray as against any Kubernetes.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import click

from dray.cli.kubectl.session import Failure, Globals, Session, run

Action = Callable[[Session], Awaitable[None]]


def _finish(flags: Globals, action: Action) -> None:
    code = asyncio.run(run(flags, action))
    if code:
        raise SystemExit(code)


def global_flags(function: Callable[..., None]) -> Callable[..., None]:
    """The flags that every command takes, gathered into one `flags` argument."""

    def wrapped(kubeconfig: str | None, context: str, namespace: str, user: str, **rest: Any) -> None:
        function(Globals(kubeconfig, context, namespace, user), **rest)

    wrapped.__name__, wrapped.__doc__ = function.__name__, function.__doc__
    wrapped.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    for option in (
        click.option("--kubeconfig", help="Which kubeconfig file to use."),
        click.option("--context", default="", help="Which of its contexts."),
        click.option("-n", "--namespace", default="", help="The namespace; the context's own by default."),
        click.option("--as", "user", default="", help="Act as this user."),
    ):
        wrapped = option(wrapped)
    return wrapped


@click.group(epilog="Examples:  dray kubectl get pods -A  |  dray kubectl apply --server-side -f claim.yaml")
def command() -> None:
    """The everyday part of kubectl, built in: get, describe, apply --server-side, create, logs, delete."""


@command.command()
@click.argument("resources", nargs=-1)
@click.option("-o", "--output", default="", help="wide, yaml, json, name, jsonpath=..., custom-columns=...")
@click.option("-A", "--all-namespaces", is_flag=True)
@click.option("-l", "--selector", default="", help="Labels, e.g. app=web,tier!=db.")
@click.option("--field-selector", default="", help="Fields, e.g. spec.nodeName=n1.")
@click.option("--no-headers", is_flag=True)
@click.option("--sort-by", default="", help="A JSONPath, e.g. .metadata.creationTimestamp.")
@click.option("--show-labels", is_flag=True)
@click.option("-L", "--label-columns", multiple=True)
@click.option("--show-managed-fields", is_flag=True)
@click.option("--ignore-not-found", is_flag=True)
@global_flags
def get(flags: Globals, resources: tuple[str, ...], **options: Any) -> None:
    """Show objects: `get pods`, `get pod/x svc/y`, `get resourceclaims.v1beta1.resource.k8s.io x -o yaml`."""
    from dray.cli.kubectl.get import Options
    from dray.cli.kubectl.get import get as show

    _finish(flags, lambda session: show(session, resources, Options(**options)))


@command.command()
@click.argument("resources", nargs=-1)
@click.option("-A", "--all-namespaces", is_flag=True)
@click.option("-l", "--selector", default="")
@global_flags
def describe(flags: Globals, resources: tuple[str, ...], all_namespaces: bool, selector: str) -> None:
    """Show objects in detail, with their events."""
    from dray.cli.kubectl.describe import describe as show

    _finish(flags, lambda session: show(session, resources, selector=selector, all_namespaces=all_namespaces))


@command.command()
@click.option(
    "-f", "--filename", "files", multiple=True, required=True, help="File, directory, URL, or - for stdin."
)
@click.option("--server-side", is_flag=True, help="Required: client-side apply needs the real kubectl.")
@click.option("--force-conflicts", is_flag=True)
@click.option("--field-manager", default="kubectl", show_default=True)
@click.option("--dry-run", type=click.Choice(["none", "server"]), default="none")
@global_flags
def apply(
    flags: Globals,
    files: tuple[str, ...],
    server_side: bool,
    force_conflicts: bool,
    field_manager: str,
    dry_run: str,
) -> None:
    """Create or change objects as the files say, by server-side apply."""
    from dray.cli.kubectl.write import apply as apply_files

    async def action(session: Session) -> None:
        if not server_side:
            raise Failure(
                "error: the built-in kubectl applies on the server only: add --server-side, or install kubectl"
            )
        force = force_conflicts
        await apply_files(session, files, force=force, manager=field_manager, dry_run=dry_run == "server")

    _finish(flags, action)


@command.command()
@click.argument("what", nargs=-1)
@click.option("-f", "--filename", "files", multiple=True)
@global_flags
def create(flags: Globals, what: tuple[str, ...], files: tuple[str, ...]) -> None:
    """`create namespace NAME`, or `create -f FILE`."""
    from dray.cli.kubectl.write import create_from_files, create_namespace

    async def action(session: Session) -> None:
        if files:
            await create_from_files(session, files)
        elif len(what) == 2 and what[0] in ("namespace", "ns"):
            await create_namespace(session, what[1])
        else:
            raise Failure(
                "error: the built-in kubectl creates namespaces and files: create namespace NAME, create -f FILE"
            )

    _finish(flags, action)


@command.command()
@click.argument("pod", default="")
@click.argument("container_name", default="")
@click.option("-c", "--container", default="")
@click.option("-l", "--selector", default="")
@click.option("--all-containers", is_flag=True)
@click.option("-f", "--follow", is_flag=True)
@click.option("-p", "--previous", is_flag=True)
@click.option("--timestamps", is_flag=True)
@click.option("--prefix", is_flag=True)
@click.option("--tail", type=int)
@click.option("--since", default="")
@click.option("--limit-bytes", type=int, default=0)
@global_flags
def logs(flags: Globals, pod: str, container_name: str, selector: str, **options: Any) -> None:
    """Print a container's log."""
    from dray.cli.kubectl.logs import Options
    from dray.cli.kubectl.logs import logs as show

    options["container"] = options["container"] or container_name

    async def action(session: Session) -> None:
        if bool(pod) == bool(selector):
            raise Failure(
                "error: expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME is a required argument for the logs command\nSee 'kubectl logs -h' for help and examples"
            )
        await show(session, pod, selector, Options(**options))

    _finish(flags, action)


@command.command()
@click.argument("resources", nargs=-1)
@click.option("-f", "--filename", "files", multiple=True)
@click.option("-l", "--selector", default="")
@click.option("--all", "every", is_flag=True)
@click.option("--wait/--no-wait", default=True)
@click.option("--force", is_flag=True)
@click.option("--grace-period", type=int)
@click.option("--ignore-not-found", is_flag=True)
@global_flags
def delete(flags: Globals, resources: tuple[str, ...], files: tuple[str, ...], **options: Any) -> None:
    """Delete objects and wait until they are gone."""
    from dray.cli.kubectl.write import delete as delete_objects

    _finish(flags, lambda session: delete_objects(session, resources, files, **options))
