"""`kubectl get`: tables from the server, or objects in another form; of types, of names, of files, and as they change."""

from collections.abc import Mapping, Sequence

import click

from dray.api import errors
from dray.api.fields import quote
from dray.api.meta import Object
from dray.cli.kubectl.arguments import Refused
from dray.cli.kubectl.failures import tell
from dray.cli.kubectl.naming import Served
from dray.cli.kubectl.printing import list_of, printer_for
from dray.cli.kubectl.reading import Options, request, rows_sorted, table_blocks, table_of
from dray.cli.kubectl.session import Failure, Session, server_error
from dray.cli.kubectl.sorting import sorted_by
from dray.cli.kubectl.targets import Selecting, Target, kinds_and_names, named_in_files
from dray.cli.kubectl.watching import watch
from dray.kits import go_json

NOTHING_NAMED = """You must specify the type of resource to get. Use "kubectl api-resources" for a complete list of supported resources.

error: Required resource not specified.
Use "kubectl explain <resource>" for a detailed description of that resource (e.g. kubectl explain pods).
See 'kubectl get -h' for help and examples"""


def refuse_raw(path: str, words: Sequence[str], options: Mapping[str, object]) -> None:
    """Raises Refused for what does not go with `--raw`."""
    if words:
        raise Refused("error: arguments may not be passed when --raw is specified")
    if options["watch"] or options["selector"]:
        raise Refused(
            "error: --raw may not be specified with other flags that filter the server request or alter the output"
        )
    if options["output"]:
        raise Refused("error: --raw and --output are mutually exclusive")
    if not path.startswith(("/", "http://", "https://")):
        raise Refused(f"error: --raw must be a valid URL path: parse {quote(path)}: invalid URI for request")


async def get_raw(session: Session, path: str) -> None:
    """`--raw PATH`: the answer as it comes."""
    from dray.client.http import error_from_response

    async with session.client.open("GET", path, accept="application/json, */*") as response:
        data = await response.read()
        if response.status >= 400:
            error = error_from_response(response, data)
            if isinstance(error, errors.NotFound) and not error.status_reason:
                raise errors.NotFound("the server could not find the requested resource")
            raise error
    click.echo(data, nl=False)


async def get(session: Session, words: Sequence[str], files: Sequence[str], options: Options) -> None:
    """Raises Failure, UnknownResource and what the server reports."""
    if options.show_labels and not options.is_table:
        raise Failure(f"error: --show-labels option cannot be used with {options.output} printer")
    targets = await named_in_files(session, files) if files else await _targets(session, words, options)
    if options.watch:
        await watch(session, targets, options)
    elif options.is_table:
        await _show_tables(session, targets, options)
    else:
        await _show_objects(session, targets, options)


async def _targets(session: Session, words: Sequence[str], options: Options) -> list[Target]:
    if not words:
        raise Failure(NOTHING_NAMED)
    selecting = Selecting(options.selector, options.field_selector, all_namespaces=options.all_namespaces)
    found = await kinds_and_names(session, words, "get", selecting)
    return [Target(served, _namespace(session, served, options), name) for served, name in found]


def _namespace(session: Session, served: Served, options: Options) -> str:
    return session.namespace if served.resource.namespaced and not options.all_namespaces else ""


# --- tables ---


async def _show_tables(session: Session, targets: Sequence[Target], options: Options) -> None:
    failures: list[str] = []
    tables = await _tables(session, targets, options, failures)
    blocks = table_blocks(tables, options, several=len({target.served for target in targets}) > 1)
    if blocks:
        click.echo("\n\n".join(blocks))
    elif not failures and not options.ignore_not_found:
        _say_nothing_found(session, targets, options)
    tell(failures)


def _say_nothing_found(session: Session, targets: Sequence[Target], options: Options) -> None:
    if options.all_namespaces or not all(target.served.resource.namespaced for target in targets):
        click.echo("No resources found", err=True)
    else:
        click.echo(f"No resources found in {session.namespace} namespace.", err=True)


async def _tables(
    session: Session, targets: Sequence[Target], options: Options, failures: list[str]
) -> list[tuple[Served, Object]]:
    tables: list[tuple[Served, Object]] = []
    for target in targets:
        try:
            table = await table_of(session, target, options)
        except errors.StatusError as error:
            if not _is_ignored(error, target, options):
                failures.append(server_error(error))
            continue
        tables.append((target.served, table))
    if (
        options.sort_by and len(tables) > 1
    ):  # then kubectl looks for the field in the tables, not in their rows
        tables = sorted_by(tables, options.sort_by, lambda each: each[1], is_path=False)
    return _joined([(served, rows_sorted(table, options)) for served, table in tables])


def _is_ignored(error: errors.StatusError, target: Target, options: Options) -> bool:
    return options.ignore_not_found and bool(target.name) and isinstance(error, errors.NotFound)


def _joined(tables: Sequence[tuple[Served, Object]]) -> list[tuple[Served, Object]]:
    """Neighbours of one type under one header."""
    found: list[tuple[Served, Object]] = []
    for served, table in tables:
        if found and found[-1][0] == served:
            before = found[-1][1]
            rows = [*(before.get("rows") or ()), *(table.get("rows") or ())]
            found[-1] = (served, {**before, "rows": rows})
        else:
            found.append((served, table))
    return found


# --- objects ---


async def _show_objects(session: Session, targets: Sequence[Target], options: Options) -> None:
    objects: list[Object] = []
    is_single = len(targets) == 1 and bool(targets[0].name)
    failures: list[str] = []
    for target in targets:
        try:
            answer = await request(session, target, options)
        except errors.StatusError as error:
            if not _is_ignored(error, target, options):
                if is_single:
                    raise
                failures.append(server_error(error))
            continue
        objects += [answer] if target.name else _items(answer, target.served)
    if objects or not options.ignore_not_found:
        _print(session, targets, objects, options, is_single=is_single)
    tell(failures)


def _print(
    session: Session,
    targets: Sequence[Target],
    objects: Sequence[Object],
    options: Options,
    *,
    is_single: bool,
) -> None:
    displays = {target.served.resource.kind: target.served.display for target in targets}
    show = printer_for(
        options.output,
        lambda obj: displays.get(obj["kind"], str(obj["kind"]).lower()),
        no_headers=options.no_headers,
        show_managed_fields=options.show_managed_fields,
    )
    if is_single:
        show(go_json.read_as_go(objects[0]))
        return
    if options.sort_by and objects:
        objects = sorted_by(objects, options.sort_by, lambda obj: obj)
    show(list_of(objects))


def _items(answer: Object, served: Served) -> list[Object]:
    resource = served.resource
    return [
        {"apiVersion": resource.api_version, "kind": resource.kind, **item}
        for item in answer.get("items") or ()
    ]
