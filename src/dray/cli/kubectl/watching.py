"""`kubectl get -w`: the table first, then a row for each change."""

from collections.abc import Sequence

import click

from dray.cli.kubectl.reading import Options, table_blocks, table_of
from dray.cli.kubectl.session import Failure, Session
from dray.cli.kubectl.tables import TABLE_ACCEPT, Layout
from dray.cli.kubectl.targets import Target
from dray.client.http import read_events


async def watch(session: Session, targets: Sequence[Target], options: Options) -> None:
    """Until the server ends it or the user interrupts. Raises Failure for what cannot be watched."""
    if len(targets) != 1:
        raise Failure("error: you may only specify a single resource type")
    if not options.is_table:
        raise Failure("error: the built-in kubectl watches tables only: leave -o out, or install kubectl")
    [target] = targets
    layout = Layout()
    table = await table_of(session, target, options)
    for block in table_blocks([(target.served, table)], options, layout=layout):
        click.echo(block)
    headers = not table.get("rows")
    version = (table.get("metadata") or {}).get("resourceVersion") or ""
    query = {**options.query, "watch": "true", "resourceVersion": version}
    if target.name:
        query["fieldSelector"] = f"metadata.name={target.name}"
    path = target.served.resource.path(target.namespace)
    async with session.client.open(
        "GET", path, query=query, accept=TABLE_ACCEPT, timeout_seconds=None
    ) as response:
        async for event in read_events(response):
            columns = event.object.get("columnDefinitions") or table["columnDefinitions"]
            table = {**event.object, "columnDefinitions": columns}
            for block in table_blocks([(target.served, table)], options, layout=layout, headers=headers):
                click.echo(block)
                headers = False
