"""`kubectl events`: what happened in a namespace, or to one object, in the order in which it was last seen."""

import dataclasses
import datetime as dt
from collections.abc import Sequence

import click

from dray.api.duration import age
from dray.api.meta import Object, parse_time
from dray.api.resources import EVENTS
from dray.cli.kubectl.naming import UnknownResource
from dray.cli.kubectl.session import Failure, Session, split_arguments
from dray.cli.kubectl.tables import layout
from dray.client.protocol import Selection

COLUMNS = ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    all_namespaces: bool = False
    types: Sequence[str] = ()
    """Only these: Normal, Warning."""
    about: str = ""
    """`type/name`."""
    no_headers: bool = False


async def events(session: Session, options: Options) -> None:
    for kind in options.types:
        if kind.lower() not in ("normal", "warning"):
            raise Failure("error: valid --types are Normal or Warning")
    namespace = "" if options.all_namespaces else session.namespace
    fields = await _about(session, options.about) if options.about else ""
    found = (await session.client.list(EVENTS, Selection(namespace, fields=fields))).items
    wanted = {kind.lower() for kind in options.types}
    shown = [event for event in found if not wanted or str(event.get("type", "")).lower() in wanted]
    if not shown:
        click.echo(f"No events found{f' in {namespace} namespace' if namespace else ''}.", err=True)
        return
    rows = [_row(event, with_namespace=options.all_namespaces) for event in sorted(shown, key=_last_seen)]
    header = [*(["NAMESPACE"] if options.all_namespaces else []), *COLUMNS]
    click.echo(layout(rows if options.no_headers else [header, *rows]))


async def _about(session: Session, text: str) -> str:
    if text.count("/") != 1:
        raise Failure("error: --for must be in resource/name form")
    [(kind, name)] = split_arguments((text,), "get")
    try:
        resource = (await session.find(kind)).resource
    except UnknownResource:
        raise Failure(f'the server doesn\'t have a resource type "{kind}"') from None
    return f"involvedObject.kind={resource.kind},involvedObject.name={name}"


def _last_seen(event: Object) -> dt.datetime:
    series = event.get("series") or {}
    text = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    return parse_time(text or event["metadata"]["creationTimestamp"])


def _row(event: Object, *, with_namespace: bool) -> list[str]:
    about = event.get("involvedObject") or {}
    cells = [
        _interval(event),
        event.get("type", ""),
        event.get("reason", ""),
        f"{about.get('kind', '')}/{about.get('name', '')}",
        str(event.get("message", "")).strip(),
    ]
    return [event["metadata"]["namespace"], *cells] if with_namespace else cells


def _interval(event: Object) -> str:
    now = dt.datetime.now(dt.UTC)
    first = age(event.get("firstTimestamp") or event.get("eventTime"), now)
    series = event.get("series") or {}
    if series:
        return f"{age(series['lastObservedTime'], now)} (x{series['count']} over {first})"
    if int(event.get("count") or 0) > 1:
        return f"{age(event.get('lastTimestamp'), now)} (x{event['count']} over {first})"
    return first
