"""`kubectl get`: tables from the server, or objects in another form; of types, of names, of files, and as they change."""

import dataclasses
from collections.abc import Mapping, Sequence

import click

from dray.api import errors
from dray.api.meta import Object
from dray.cli.kubectl import jsonpath
from dray.cli.kubectl.naming import Served
from dray.cli.kubectl.printing import print_objects
from dray.cli.kubectl.session import Failure, Session, server_error, split_arguments
from dray.cli.kubectl.tables import TABLE_ACCEPT, Layout, table_rows
from dray.cli.kubectl.targets import Target, named_in_files

PAGE_SIZE = 500
NOTHING_NAMED = """You must specify the type of resource to get. Use "kubectl api-resources" for a complete list of supported resources.

error: Required resource not specified.
Use "kubectl explain <resource>" for a detailed description of that resource (e.g. kubectl explain pods).
See 'kubectl get -h' for help and examples"""


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    output: str = ""
    all_namespaces: bool = False
    selector: str = ""
    field_selector: str = ""
    no_headers: bool = False
    sort_by: str = ""
    show_labels: bool = False
    label_columns: tuple[str, ...] = ()
    show_managed_fields: bool = False
    show_kind: bool = False
    ignore_not_found: bool = False
    watch: bool = False

    @property
    def is_table(self) -> bool:
        return self.output in ("", "wide")

    @property
    def query(self) -> dict[str, str]:
        query = {"labelSelector": self.selector, "fieldSelector": self.field_selector}
        return {key: value for key, value in query.items() if value}


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
    targets = await named_in_files(session, files) if files else await _targets(session, words, options)
    if options.watch:
        from dray.cli.kubectl.watching import watch

        await watch(session, targets, options)
    elif options.is_table:
        await _show_tables(session, targets, options)
    else:
        await _show_objects(session, targets, options)


async def _targets(session: Session, words: Sequence[str], options: Options) -> list[Target]:
    if not words:
        raise Failure(NOTHING_NAMED)
    wanted = split_arguments(words, "get")
    if options.all_namespaces and any(name for _, name in wanted):
        raise Failure("error: a resource cannot be retrieved by name across all namespaces")
    if wanted == [("all", "")]:
        found = [(each, "") for each in (await session.discovery()).category("all")]
    else:
        found = [(await session.find(kind), name) for kind, name in wanted]
    return [Target(served, _namespace(session, served, options), name) for served, name in found]


def _namespace(session: Session, served: Served, options: Options) -> str:
    return session.namespace if served.resource.namespaced and not options.all_namespaces else ""


async def request(
    session: Session, target: Target, options: Options, *, accept: str = "", **query: str
) -> Object:
    """The object or the list of a target. Raises what the server reports, in kubectl's words."""
    query = query if target.name else {**options.query, **query}
    try:
        return await session.client.request("GET", target.path, query=query, accept=accept)
    except errors.NotFound as error:
        if target.name:
            raise await session.absence(error, target.namespace) from None
        raise _unlisted(error, target.served, options) from None
    except errors.BadRequest as error:
        raise (error if target.name else _unlisted(error, target.served, options)) from None


def _unlisted(error: errors.StatusError, served: Served, options: Options) -> errors.StatusError:
    resource = served.resource
    where = f'"{resource.api_version}, Resource={resource.plural}"'
    where = where.replace('"v1,', '"/v1,', 1)
    if options.query:
        told = (
            f'Unable to find {where} that match label selector "{options.selector}", '
            f'field selector "{options.field_selector}": {error.message}'
        )
    else:
        told = f"Unable to list {where}: {error.message}"
    return type(error)(told)


# --- tables ---


async def _show_tables(session: Session, targets: Sequence[Target], options: Options) -> None:
    failures: list[str] = []
    tables = await _tables(session, targets, options, failures)
    blocks = table_blocks(tables, options, several=len({target.served for target in targets}) > 1)
    for failure in failures:
        click.echo(failure, err=True)
    if blocks:
        click.echo("\n\n".join(blocks))
    elif not failures and not options.ignore_not_found:
        _say_nothing_found(session, targets, options)
    if failures:
        raise Failure("")


def table_blocks(
    tables: Sequence[tuple[Served, Object]],
    options: Options,
    *,
    several: bool = False,
    layout: Layout | None = None,
    headers: bool = True,
) -> list[str]:
    """One text for each table that has rows. A `layout` that is given is used for all."""
    blocks: list[str] = []
    for served, table in tables:
        if not table.get("rows"):
            continue
        rows = table_rows(
            table,
            wide=options.output == "wide",
            with_namespace=options.all_namespaces and served.resource.namespaced,
            with_kind=served.display if several or options.show_kind else "",
            labels=options.label_columns,
            show_labels=options.show_labels,
        )
        shown = rows if headers and not options.no_headers else rows[1:]
        blocks.append("\n".join((layout or Layout()).lines(shown)))
    return blocks


def _say_nothing_found(session: Session, targets: Sequence[Target], options: Options) -> None:
    if options.all_namespaces or not any(target.served.resource.namespaced for target in targets):
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
        except errors.NotFound as error:
            if not (options.ignore_not_found and target.name):
                failures.append(server_error(error))
            continue
        if tables and tables[-1][0] == target.served and target.name:
            tables[-1][1]["rows"] += table.get("rows") or []
        else:
            tables.append((target.served, table))
    return tables


async def table_of(session: Session, target: Target, options: Options) -> Object:
    """A whole table, sorted if that is wanted."""
    query: dict[str, str] = {} if target.name else {"limit": str(PAGE_SIZE)}
    if options.sort_by:
        query["includeObject"] = "Object"
    table = await request(session, target, options, accept=TABLE_ACCEPT, **query)
    while token := (table.get("metadata") or {}).get("continue"):
        page = await request(session, target, options, accept=TABLE_ACCEPT, **query, **{"continue": token})
        rows = [*(table.get("rows") or ()), *(page.get("rows") or ())]
        table = {**table, "metadata": page["metadata"], "rows": rows}
    if options.sort_by:
        table["rows"] = sorted(table.get("rows") or (), key=lambda row: _sort_key(row, options.sort_by))
    return table


def _sort_key(row: Mapping[str, Object], path: str) -> tuple[bool, str | float]:
    found = jsonpath.find_all(jsonpath.normalise(path)[1:-1], row.get("object") or {})
    value = found[0] if found else ""
    return (isinstance(value, str), value if isinstance(value, str | int | float) else str(value))


# --- objects ---


async def _show_objects(session: Session, targets: Sequence[Target], options: Options) -> None:
    objects: list[Object] = []
    is_single = len(targets) == 1 and bool(targets[0].name)
    failures: list[str] = []
    for target in targets:
        try:
            answer = await request(session, target, options)
        except errors.NotFound as error:
            if not options.ignore_not_found:
                failures.append(server_error(error))
            continue
        objects += [answer] if target.name else _items(answer, target.served)
    if not options.show_managed_fields and options.output in ("yaml", "json"):
        objects = [_without_managed_fields(obj) for obj in objects]
    if objects or not is_single:
        displays = {target.served.resource.kind: target.served.display for target in targets}
        print_objects(
            objects,
            options.output,
            lambda obj: displays.get(obj["kind"], str(obj["kind"]).lower()),
            is_single=is_single,
            no_headers=options.no_headers,
        )
    for failure in failures:
        click.echo(failure, err=True)
    if failures:
        raise Failure("")


def _items(answer: Object, served: Served) -> list[Object]:
    resource = served.resource
    return [
        {"apiVersion": resource.api_version, "kind": resource.kind, **item}
        for item in answer.get("items") or ()
    ]


def _without_managed_fields(obj: Object) -> Object:
    meta = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {**obj, "metadata": meta}
