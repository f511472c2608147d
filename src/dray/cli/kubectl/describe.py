"""`kubectl describe`: any object field by field under readable names, then its events.

Kubernetes' own kinds have hand-made descriptions in kubectl; here Pods have one (`describe_pod`), all others are shown
as kubectl shows kinds that it does not know: every field, in order of name.
"""

from collections.abc import Iterator

import click

from dray.api.meta import Object, name_of, namespace_of, parse_time
from dray.api.resources import EVENTS
from dray.cli.kubectl.elastic import align
from dray.cli.kubectl.naming import Served
from dray.cli.kubectl.session import Session, split_arguments
from dray.client.protocol import Selection

_SKIPPED_META = {"managedFields", "name", "namespace", "labels", "annotations"}


async def describe(session: Session, words: tuple[str, ...], *, selector: str, all_namespaces: bool) -> None:
    texts: list[str] = []
    for kind, name in split_arguments(words):
        served = await session.find(kind)
        namespace = session.namespace if served.resource.namespaced and not all_namespaces else ""
        if name:
            objects = [await session.client.get(served.resource, name, namespace)]
        else:
            objects = (await session.client.list(served.resource, Selection(namespace, selector))).items
        for obj in objects:
            texts.append(await _describe(session, served, obj))
    if texts:
        click.echo("\n\n".join(texts))
    else:
        where = "" if all_namespaces else f" in {session.namespace} namespace."
        click.echo(f"No resources found{where}", err=True)


async def _describe(session: Session, served: Served, obj: Object) -> str:
    events = await _events(session, obj)
    if served.resource.kind == "Pod" and not served.resource.group:
        from dray.cli.kubectl.describe_pod import pod_lines

        lines = list(pod_lines(obj))
    else:
        lines = list(_generic(obj))
    return align([*lines, *event_lines(events)]).rstrip("\n")


async def _events(session: Session, obj: Object) -> list[Object]:
    meta = obj["metadata"]
    fields = f"involvedObject.name={meta['name']},involvedObject.namespace={meta.get('namespace', '')},involvedObject.uid={meta['uid']}"
    found = await session.client.list(EVENTS, Selection(meta.get("namespace", ""), fields=fields))
    return found.items


def _generic(obj: Object) -> Iterator[str]:
    yield f"Name:\t{name_of(obj)}"
    yield f"Namespace:\t{namespace_of(obj)}"
    yield from label_lines("Labels", obj["metadata"].get("labels"))
    yield from label_lines("Annotations", obj["metadata"].get("annotations"))
    yield from _fields({key: _without_known(key, value) for key, value in obj.items()}, 0)


def _without_known(key: str, value: object) -> object:
    if key == "metadata" and isinstance(value, dict):
        return {name: each for name, each in value.items() if name not in _SKIPPED_META}
    return value


def label_lines(title: str, values: dict[str, str] | None, separator: str = "=") -> Iterator[str]:
    if not values:
        yield f"{title}:\t<none>"
        return
    for number, (key, value) in enumerate(sorted(values.items())):
        shown = f"{key}{separator}{value}" if title != "Annotations" else f"{key}: {value}"
        yield f"{title if number == 0 else ''}{':' if number == 0 else ''}\t{shown}"


def _fields(content: dict[str, object], depth: int) -> Iterator[str]:
    pad = "  " * depth
    for key in sorted(content):
        value, title = content[key], _title(key)
        if isinstance(value, dict):
            yield f"{pad}{title}:"
            yield from _fields(value, depth + 1)
        elif isinstance(value, list):
            yield f"{pad}{title}:"
            for item in value:
                if isinstance(item, dict):
                    yield from _fields(item, depth + 1)
                else:
                    yield f"{pad}  {_scalar(item)}"
        else:
            yield f"{pad}{title}:\t{_scalar(value)}"


def _scalar(value: object) -> str:
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _title(key: str) -> str:
    """`creationTimestamp` -> `Creation Timestamp`; runs of capitals stay words: `UID`, `API Version`."""
    special = {"uid": "UID", "apiVersion": "API Version"}
    if key in special:
        return special[key]
    words: list[str] = []
    for char in key:
        if char.isupper() and words and not words[-1][-1].isupper():
            words.append(char)
        elif words:
            words[-1] += char
        else:
            words.append(char.upper())
    return " ".join(words)


def event_lines(events: list[Object]) -> Iterator[str]:
    if not events:
        yield "Events:\t<none>"
        return
    yield "Events:"
    yield "  Type\tReason\tAge\tFrom\tMessage"
    yield "  ----\t------\t----\t----\t-------"
    for event in sorted(events, key=_last_seen):
        source = (event.get("source") or {}).get("component") or event.get("reportingComponent", "")
        yield f"  {event.get('type')}\t{event.get('reason')}\t{_event_age(event)}\t{source}\t{str(event.get('message', '')).strip()}"


def _last_seen(event: Object) -> str:
    series = event.get("series") or {}
    meta = event["metadata"]
    return str(
        series.get("lastObservedTime")
        or event.get("lastTimestamp")
        or event.get("eventTime")
        or meta.get("creationTimestamp")
    )


def _event_age(event: Object) -> str:
    import datetime as dt

    from dray.api.duration import human_duration

    now = dt.datetime.now(dt.UTC)
    last = human_duration((now - parse_time(_last_seen(event))).total_seconds())
    count = int((event.get("series") or {}).get("count") or event.get("count") or 1)
    first = event.get("firstTimestamp") or event.get("eventTime")
    if count > 1 and first:
        return f"{last} (x{count} over {human_duration((now - parse_time(first)).total_seconds())})"
    return last
