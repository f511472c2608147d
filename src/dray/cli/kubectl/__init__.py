"""`dray kubectl`: the everyday part of kubectl, for machines that have none. Same flags, same output.

What the verbs do is in modules of their own, loaded when one runs. For anything else use the real kubectl: it works
against dray as against any Kubernetes.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import click

from dray.cli.kubectl.arguments import DRY_RUN, SEPARATED, WHOLE, Kubectl
from dray.cli.kubectl.session import Failure, Globals, Session, run

Action = Callable[[Session], Awaitable[None]]
GENERATORS = (
    "clusterrole clusterrolebinding configmap cm cronjob cj deployment deploy ingress ing job "
    "poddisruptionbudget pdb priorityclass pc quota resourcequota role rolebinding secret service svc "
    "serviceaccount sa token "
)
"""What kubectl makes without a file, and this one does not."""
SEE_LOGS = "See 'kubectl logs -h' for help and examples"


def _finish(flags: Globals, action: Action) -> None:
    code = asyncio.run(run(flags, action))
    if code:
        raise SystemExit(code)


def global_flags(function: Callable[..., None]) -> Callable[..., None]:
    """The flags that every command takes, gathered into one `flags` argument."""

    def wrapped(
        kubeconfig: str | None, context: str, namespace: str, user: str, groups: tuple[str, ...], **rest: Any
    ) -> None:
        function(Globals(kubeconfig, context, namespace, user, groups), **rest)

    wrapped.__name__, wrapped.__doc__ = function.__name__, function.__doc__
    wrapped.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    for option in (
        click.option("--kubeconfig", help="Which kubeconfig file to use."),
        click.option("--context", default="", help="Which of its contexts."),
        click.option("-n", "--namespace", default="", help="The namespace; the context's own by default."),
        click.option("--as", "user", default="", help="Act as this user."),
        click.option("--as-group", "groups", multiple=True, help="And as a member of this group."),
    ):
        wrapped = option(wrapped)
    return wrapped


@click.group(
    cls=Kubectl,
    epilog="Examples:  dray kubectl get pods -A  |  dray kubectl apply --server-side -f claim.yaml",
)
def command() -> None:
    """The everyday part of kubectl, built in; same flags, same output."""


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
@click.option("--show-kind", is_flag=True)
@click.option("--ignore-not-found", is_flag=True)
@click.option("-w", "--watch", is_flag=True, help="Then a row for each change.")
@click.option("-f", "--filename", "files", multiple=True, help="The objects in this file.")
@click.option("--raw", default="", help="The answer to this path, as it comes.")
@global_flags
def get(flags: Globals, resources: tuple[str, ...], files: tuple[str, ...], raw: str, **options: Any) -> None:
    """Show objects: `get pods`, `get pod/x svc/y`, `get resourceclaims.v1beta1.resource.k8s.io x -o yaml`."""
    from dray.cli.kubectl.get import get as show
    from dray.cli.kubectl.get import get_raw, refuse_raw
    from dray.cli.kubectl.reading import Options

    if raw:
        refuse_raw(raw, resources, options)
        _finish(flags, lambda session: get_raw(session, raw))
    else:
        options["label_columns"] = tuple(
            name for names in options["label_columns"] for name in names.split(",")
        )
        _finish(flags, lambda session: show(session, resources, files, Options(**options)))


@command.command()
@click.argument("resources", nargs=-1)
@click.option("-A", "--all-namespaces", is_flag=True)
@click.option("-l", "--selector", default="")
@click.option("-f", "--filename", "files", multiple=True)
@global_flags
def describe(flags: Globals, resources: tuple[str, ...], files: tuple[str, ...], **options: Any) -> None:
    """Show objects in detail, with their events."""
    from dray.cli.kubectl.describe import describe as show

    _finish(flags, lambda session: show(session, resources, files, **options))


@command.command()
@click.option("-f", "--filename", "files", multiple=True, help="File, directory, URL, or - for stdin.")
@click.option("-R", "--recursive", is_flag=True, help="Directories with all below them.")
@click.option("--server-side", is_flag=True, help="Let the server merge, and keep who owns what.")
@click.option("--force-conflicts", is_flag=True)
@click.option("--field-manager", default="kubectl", show_default=True)
@click.option("--dry-run", type=DRY_RUN, default="none")
@global_flags
def apply(flags: Globals, files: tuple[str, ...], **options: Any) -> None:
    """Create or change objects as the files say."""
    from dray.cli.kubectl.write import Applying
    from dray.cli.kubectl.write import apply as apply_files

    async def action(session: Session) -> None:
        if not files:
            raise Failure("error: must specify one of -f and -k")
        await apply_files(session, files, Applying(**options))

    _finish(flags, action)


@command.command()
@click.argument("what", nargs=-1)
@click.option("-f", "--filename", "files", multiple=True)
@click.option("--dry-run", type=DRY_RUN, default="none")
@global_flags
def create(flags: Globals, what: tuple[str, ...], files: tuple[str, ...], dry_run: str) -> None:
    """`create namespace NAME`, or `create -f FILE`."""
    from dray.cli.kubectl.write import create_from_files, create_namespace

    async def action(session: Session) -> None:
        if files:
            await create_from_files(session, files, dry_run)
        elif not what:
            raise Failure("error: must specify one of -f and -k")
        elif what[0] in ("namespace", "ns"):
            await create_namespace(session, what[1:], dry_run)
        elif what[0] not in GENERATORS.split():
            raise Failure(
                f"error: Unexpected args: [{' '.join(what)}]\nSee 'kubectl create -h' for help and examples"
            )
        else:
            raise Failure(
                "error: the built-in kubectl creates namespaces and files: create namespace NAME, create -f FILE"
            )

    _finish(flags, action)


@command.command()
@click.argument("words", nargs=-1)
@click.option("-c", "--container", default="")
@click.option("-l", "--selector", default="")
@click.option("--all-containers", is_flag=True)
@click.option("-f", "--follow", is_flag=True)
@click.option("-p", "--previous", is_flag=True)
@click.option("--timestamps", is_flag=True)
@click.option("--prefix", is_flag=True)
@click.option("--tail", type=WHOLE)
@click.option("--since", default="0")
@click.option("--limit-bytes", type=WHOLE, default=0)
@global_flags
def logs(flags: Globals, words: tuple[str, ...], selector: str, since: str, **options: Any) -> None:
    """Print a container's log."""
    from dray.cli.kubectl.durations import seconds_of
    from dray.cli.kubectl.logs import Options
    from dray.cli.kubectl.logs import logs as show

    async def action(session: Session) -> None:
        seconds = seconds_of(since, "--since", "logs")
        if len(words) > 2 or not (words or selector):
            raise Failure(
                "error: expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\n"
                f"POD or TYPE/NAME is a required argument for the logs command\n{SEE_LOGS}"
            )
        if len(words) == 1 and selector:
            raise Failure(f"error: only a selector (-l) or a POD name is allowed\n{SEE_LOGS}")
        if len(words) == 2 and options["container"]:
            raise Failure("error: only one of -c or an inline [CONTAINER] arg is allowed")
        pod, container = [*words, "", ""][:2]
        options["container"] = options["container"] or container
        await show(session, pod, selector, Options(**options, since_seconds=seconds))

    _finish(flags, action)


@command.command()
@click.argument("resources", nargs=-1)
@click.option("-f", "--filename", "files", multiple=True)
@click.option("-l", "--selector", "labels", default="")
@click.option("--field-selector", "fields", default="")
@click.option("--all", "every", is_flag=True)
@click.option("-A", "--all-namespaces", is_flag=True)
@click.option("--wait", type=bool, default=True, is_flag=False, flag_value=True, help="Until they are gone.")
@click.option("--force", is_flag=True)
@click.option("--grace-period", type=WHOLE)
@click.option("--ignore-not-found", is_flag=True)
@click.option("--now", is_flag=True, help="The same as --grace-period=1.")
@click.option("--dry-run", type=DRY_RUN, default="none")
@global_flags
def delete(flags: Globals, resources: tuple[str, ...], files: tuple[str, ...], **options: Any) -> None:
    """Delete objects and wait until they are gone."""
    from dray.cli.kubectl.delete import Options
    from dray.cli.kubectl.delete import delete as delete_objects
    from dray.cli.kubectl.targets import Selecting

    chosen = Selecting(
        **{name: options.pop(name) for name in ("labels", "fields", "every", "all_namespaces")}
    )
    _finish(flags, lambda session: delete_objects(session, resources, files, Options(chosen, **options)))


@command.command(name="exec", context_settings={"allow_interspersed_args": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@click.option("-c", "--container", default="")
@click.option("-i", "--stdin", is_flag=True)
@click.option("-t", "--tty", is_flag=True)
@click.option("-q", "--quiet", is_flag=True)
@global_flags
def execute(flags: Globals, words: tuple[str, ...], **options: Any) -> None:
    """Run a program in a container: `exec POD -- COMMAND`, `exec -it POD -- sh`."""
    from dray.cli.kubectl.exec import Options
    from dray.cli.kubectl.exec import execute as run_program

    name, command = (words[0], words[1:]) if words else ("", ())
    options["is_separated"] = click.get_current_context().meta[SEPARATED]
    _finish(flags, lambda session: run_program(session, name, command, Options(**options)))


@command.command()
@click.argument("ignored", nargs=-1)
@click.option("-A", "--all-namespaces", is_flag=True)
@click.option("--for", "about", default="", help="Of this object only: type/name.")
@click.option("--types", default="", help="Normal, Warning, or both.")
@click.option("--no-headers", is_flag=True)
@global_flags
def events(
    flags: Globals, ignored: tuple[str, ...], all_namespaces: bool, about: str, types: str, no_headers: bool
) -> None:
    """Show what happened, in order."""
    from dray.cli.kubectl.events import Options
    from dray.cli.kubectl.events import events as show

    wanted = tuple(types.split(",")) if types else ()
    _finish(flags, lambda session: show(session, Options(all_namespaces, wanted, about, no_headers)))


@command.command()
@click.argument("resources", nargs=-1)
@click.option(
    "--for", "conditions", multiple=True, help="delete, create, condition=Ready, jsonpath={.a.b}=c."
)
@click.option("--timeout", default="30s", show_default=True)
@click.option("-l", "--selector", "labels", default="")
@click.option("--field-selector", "fields", default="")
@click.option("--all", "every", is_flag=True)
@click.option("-A", "--all-namespaces", is_flag=True)
@click.option("-o", "--output", default="", help="yaml, json, name, jsonpath=...")
@click.option("-f", "--filename", "files", multiple=True)
@global_flags
def wait(
    flags: Globals,
    resources: tuple[str, ...],
    files: tuple[str, ...],
    conditions: tuple[str, ...],
    timeout: str,
    output: str,
    **selecting: Any,
) -> None:
    """Wait until objects are as they should be."""
    from dray.cli.kubectl.durations import seconds_of
    from dray.cli.kubectl.targets import Selecting
    from dray.cli.kubectl.wait import Options
    from dray.cli.kubectl.wait import wait as wait_for

    async def action(session: Session) -> None:
        seconds = seconds_of(timeout, "--timeout", "wait")
        options = Options(conditions, seconds, Selecting(**selecting), output)
        await wait_for(session, resources, files, options)

    _finish(flags, action)


@command.command()
@click.argument("field", default="")
@click.option("--api-version", default="", help="Instead of the preferred one, e.g. resource.k8s.io/v1beta1.")
@click.option("--recursive", is_flag=True, help="All fields below, without what they mean.")
@global_flags
def explain(flags: Globals, field: str, api_version: str, recursive: bool) -> None:
    """Tell what a kind's fields are: `explain pod.spec.resourceClaims`."""
    from dray.cli.kubectl.explain import explain as show

    async def action(session: Session) -> None:
        if not field:
            raise Failure(
                "error: You must specify the type of resource to explain. "
                'Use "kubectl api-resources" for a complete list of supported resources.'
            )
        await show(session, field, api_version, recursive=recursive)

    _finish(flags, action)


@command.command(name="api-resources")
@click.option("-o", "--output", default="", help="wide, name.")
@click.option("--api-group", help='"" is the core group.')
@click.option("--namespaced", type=bool, is_flag=False, flag_value=True)
@click.option("--no-headers", is_flag=True)
@global_flags
def api_resources(flags: Globals, **options: Any) -> None:
    """List what the server serves."""
    from dray.cli.kubectl.about_server import Options
    from dray.cli.kubectl.about_server import api_resources as show

    _finish(flags, lambda session: show(session, Options(**options)))


@command.command(name="api-versions")
@global_flags
def api_versions(flags: Globals) -> None:
    """List the versions of all API groups."""
    from dray.cli.kubectl.about_server import api_versions as show

    _finish(flags, show)


@command.command()
@click.option("--client", "client_only", is_flag=True)
@click.option("-o", "--output", default="", help="yaml, json.")
@global_flags
def version(flags: Globals, client_only: bool, output: str) -> None:
    """Tell the versions of this kubectl and of the server."""
    from dray.cli.kubectl.about_server import version as show

    _finish(flags, lambda session: show(session, output, client_only=client_only))
