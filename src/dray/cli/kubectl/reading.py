"""What `kubectl get` asks the server for, and the tables that come of it."""

import dataclasses
from collections.abc import Sequence

from dray.api import errors
from dray.api.meta import Object
from dray.cli.kubectl.naming import Served
from dray.cli.kubectl.session import Session
from dray.cli.kubectl.sorting import NoOrder, sorted_by
from dray.cli.kubectl.tables import TABLE_ACCEPT, Layout, table_rows
from dray.cli.kubectl.targets import Target

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
    return table


def rows_sorted(table: Object, options: Options) -> Object:
    """The table in the order that is wanted. kubectl shows none of the rows where there is no such order."""
    rows: Sequence[Object] = table.get("rows") or []
    if not options.sort_by or len(rows) < 2:
        return table
    try:
        return {
            **table,
            "rows": sorted_by(rows, options.sort_by, lambda row: row.get("object") or {}, is_path=False),
        }
    except NoOrder:
        return {**table, "rows": []}


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
