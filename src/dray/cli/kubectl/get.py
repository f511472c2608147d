"""`kubectl get`: tables from the server, or objects as YAML, JSON, names, JSONPath or own columns."""

import dataclasses
from collections.abc import Sequence

import click
import orjson

from dray.api import errors
from dray.api.meta import Object
from dray.cli.kubectl import jsonpath
from dray.cli.kubectl.naming import Served
from dray.cli.kubectl.session import Failure, Session, server_error, split_arguments
from dray.cli.kubectl.tables import TABLE_ACCEPT, layout, table_rows
from dray.cli.kubectl.yaml_text import dump_yaml

PAGE_SIZE = 500


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
    ignore_not_found: bool = False

    @property
    def is_table(self) -> bool:
        return self.output in ("", "wide")


async def get(session: Session, words: tuple[str, ...], options: Options) -> None:
    wanted = split_arguments(words)
    if len(wanted) == 1 and wanted[0] == ("all", ""):
        served = (await session.discovery()).category("all")
        targets = [(each, "") for each in served]
    else:
        targets = [(await session.find(kind), name) for kind, name in wanted]
    if options.is_table:
        await _show_tables(session, targets, options)
    else:
        await _show_objects(session, targets, options)


def _query(options: Options) -> dict[str, str]:
    query = {"labelSelector": options.selector, "fieldSelector": options.field_selector}
    return {key: value for key, value in query.items() if value}


def _namespace(session: Session, served: Served, options: Options) -> str:
    return session.namespace if served.resource.namespaced and not options.all_namespaces else ""


async def _show_tables(session: Session, targets: Sequence[tuple[Served, str]], options: Options) -> None:
    several = len({served.resource for served, _ in targets}) > 1
    blocks: list[str] = []
    failures: list[str] = []
    for served, table in await _tables(session, targets, options, failures):
        if not table.get("rows"):
            continue
        rows = table_rows(
            table,
            wide=options.output == "wide",
            with_namespace=options.all_namespaces and served.resource.namespaced,
            with_kind=served.display if several else "",
            labels=options.label_columns,
            show_labels=options.show_labels,
        )
        blocks.append(layout(rows[1:] if options.no_headers else rows))
    for failure in failures:
        click.echo(failure, err=True)
    if blocks:
        click.echo("\n\n".join(blocks))
    elif not failures and not options.ignore_not_found:
        _say_nothing_found(session, targets, options)
    if failures:
        raise Failure("", 1)


def _say_nothing_found(session: Session, targets: Sequence[tuple[Served, str]], options: Options) -> None:
    if options.all_namespaces or not any(served.resource.namespaced for served, _ in targets):
        click.echo("No resources found", err=True)
    else:
        click.echo(f"No resources found in {session.namespace} namespace.", err=True)


async def _tables(
    session: Session, targets: Sequence[tuple[Served, str]], options: Options, failures: list[str]
) -> list[tuple[Served, Object]]:
    tables: list[tuple[Served, Object]] = []
    for served, name in targets:
        path = served.resource.path(_namespace(session, served, options), name)
        query = {} if name else _query(options) | {"limit": str(PAGE_SIZE)}
        if options.sort_by:
            query = {**query, "includeObject": "Object"}
        try:
            table = await session.client.request("GET", path, query=query, accept=TABLE_ACCEPT)
        except errors.NotFound as error:
            if not (options.ignore_not_found and name):
                failures.append(server_error(error))
            continue
        await _read_on(session, path, query, table)
        if options.sort_by:
            _sort(table, options.sort_by)
        if tables and tables[-1][0] == served and name:
            tables[-1][1]["rows"] += table.get("rows") or []
        else:
            tables.append((served, table))
    return tables


async def _read_on(session: Session, path: str, query: dict[str, str], table: Object) -> None:
    token = (table.get("metadata") or {}).get("continue")
    while token:
        page = await session.client.request(
            "GET", path, query={**query, "continue": token}, accept=TABLE_ACCEPT
        )
        table["rows"] = [*(table.get("rows") or ()), *(page.get("rows") or ())]
        token = (page.get("metadata") or {}).get("continue")


def _sort(table: Object, path: str) -> None:
    inner = jsonpath.normalise(path)[1:-1]

    def key(row: Object) -> tuple[bool, str | float]:
        found = jsonpath.find_all(inner, row.get("object") or {})
        value = found[0] if found else ""
        return (isinstance(value, str), value if isinstance(value, str | int | float) else str(value))

    table["rows"] = sorted(table.get("rows") or (), key=key)


async def _show_objects(session: Session, targets: Sequence[tuple[Served, str]], options: Options) -> None:
    objects: list[Object] = []
    is_single = len(targets) == 1 and bool(targets[0][1])
    failures: list[str] = []
    for served, name in targets:
        path = served.resource.path(_namespace(session, served, options), name)
        try:
            answer = await session.client.request("GET", path, query={} if name else _query(options))
        except errors.NotFound as error:
            if not options.ignore_not_found:
                failures.append(server_error(error))
            continue
        objects += [answer] if name else _items(answer, served)
    if not options.show_managed_fields and options.output in ("yaml", "json"):
        objects = [_without_managed_fields(obj) for obj in objects]
    if objects or not is_single:
        _print(objects, is_single, options, targets)
    for failure in failures:
        click.echo(failure, err=True)
    if failures:
        raise Failure("", 1)


def _items(answer: Object, served: Served) -> list[Object]:
    resource = served.resource
    return [
        {"apiVersion": resource.api_version, "kind": resource.kind, **item}
        for item in answer.get("items") or ()
    ]


def _without_managed_fields(obj: Object) -> Object:
    meta = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {**obj, "metadata": meta}


def _print(
    objects: list[Object], is_single: bool, options: Options, targets: Sequence[tuple[Served, str]]
) -> None:
    whole: Object = (
        objects[0]
        if is_single
        else {"apiVersion": "v1", "items": objects, "kind": "List", "metadata": {"resourceVersion": ""}}
    )
    output, _, argument = options.output.partition("=")
    match output:
        case "yaml":
            click.echo(dump_yaml(whole), nl=False)
        case "json":
            click.echo(_dump_json(whole))
        case "name":
            for obj in objects:
                click.echo(f"{_display(obj, targets)}/{obj['metadata']['name']}")
        case "jsonpath":
            click.echo(_render(argument, whole), nl=False)
        case "custom-columns":
            _print_columns(objects, argument, options.no_headers)
        case _:
            raise Failure(
                f'error: unable to match a printer suitable for the output format "{output}", allowed formats are: '
                "custom-columns,json,jsonpath,name,wide,yaml"
            )


def _dump_json(obj: Object) -> str:
    return orjson.dumps(obj, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode().replace("  ", "    ")


def _render(template: str, whole: Object) -> str:
    try:
        return jsonpath.render(jsonpath.normalise(template), whole)
    except jsonpath.JsonPathError as error:
        raise Failure(f"error: error parsing jsonpath {template}, {error}") from error


def _display(obj: Object, targets: Sequence[tuple[Served, str]]) -> str:
    return next(
        (served.display for served, _ in targets if served.resource.kind == obj["kind"]),
        str(obj["kind"]).lower(),
    )


def _print_columns(objects: list[Object], spec: str, no_headers: bool) -> None:
    columns = [entry.partition(":") for entry in spec.split(",")]
    if not spec or not all(path for _, _, path in columns):
        raise Failure("error: custom-columns format specified but no custom columns given")
    rows = [[name for name, _, _ in columns]]
    for obj in objects:
        rows.append([_column(path, obj) for _, _, path in columns])
    click.echo(layout(rows[1:] if no_headers else rows))


def _column(path: str, obj: Object) -> str:
    values = jsonpath.find_all(jsonpath.normalise(path)[1:-1], obj)
    return (
        ",".join(str(value) if not isinstance(value, dict | list) else _go_map(value) for value in values)
        or "<none>"
    )


def _go_map(value: object) -> str:
    """Structures inside a column, as Go prints them."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_go_map(each)}" for key, each in sorted(value.items())) + "]"
    if isinstance(value, list):
        return "[" + " ".join(_go_map(each) for each in value) + "]"
    return str(value)
