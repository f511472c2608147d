"""`kubectl describe`: any object field by field under readable names, then its events.

kubectl has hand-made descriptions for Kubernetes' own kinds. Those people look at most have theirs here (`OWN`); the
others are shown as kubectl shows kinds that it does not know: every field, in order of name.
"""

import datetime as dt
import importlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import click

from dray.api import errors
from dray.api.duration import age
from dray.api.meta import Object, name_of, namespace_of, parse_time
from dray.api.resources import EVENTS
from dray.cli.kubectl.elastic import align
from dray.cli.kubectl.failures import tell
from dray.cli.kubectl.naming import Served
from dray.cli.kubectl.session import Session, server_error
from dray.cli.kubectl.targets import Selecting, Target, kinds_and_names, named_in_files
from dray.client.protocol import Selection

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_SKIPPED_META = {"managedFields", "name", "namespace", "labels", "annotations"}
LONGEST_ANNOTATION: Final = 140
_RBAC = "rbac.authorization.k8s.io"
OWN: Final = {
    ("", "Pod"): "describe_pod:pod",
    ("", "Node"): "describe_node:node",
    ("", "Namespace"): "describe_small:namespace",
    ("", "ConfigMap"): "describe_small:config_map",
    ("", "LimitRange"): "describe_limits:limit_range",
    ("", "ResourceQuota"): "describe_quota:resource_quota",
    ("", "ServiceAccount"): "describe_access:service_account",
    ("apps", "DaemonSet"): "describe_daemon_set:daemon_set",
    ("scheduling.k8s.io", "PriorityClass"): "describe_small:priority_class",
    (_RBAC, "ClusterRole"): "describe_access:role",
    (_RBAC, "Role"): "describe_access:role",
    (_RBAC, "ClusterRoleBinding"): "describe_access:role_binding",
    (_RBAC, "RoleBinding"): "describe_access:role_binding",
}
"""(group, kind) -> module and function: a session and an object to lines, with tabs between cells."""


async def describe(
    session: Session, words: Sequence[str], files: Sequence[str], *, selector: str, all_namespaces: bool
) -> None:
    """Raises Failure, UnknownResource and what the server reports."""
    if files:
        targets = await named_in_files(session, files)
    else:
        targets = await _targets(session, words, Selecting(selector, all_namespaces=all_namespaces))
    texts: list[str] = []
    failures: list[str] = []
    for target in targets:
        try:
            texts += await _texts(session, target, selector)
        except errors.StatusError as error:
            failures.append(server_error(error))
    if texts:
        click.echo("\n\n".join(texts), nl=False)
    elif not failures and all_namespaces:
        click.echo("No resources found", err=True)
    elif not failures:
        click.echo(f"No resources found in {session.namespace} namespace.", err=True)
    tell(failures)


async def _texts(session: Session, target: Target, selector: str) -> list[str]:
    """Of each object; those that a part of a name has found are one text, ended by a newline more."""
    objects = await _objects(session, target, selector)
    texts = [await _describe(session, target.served, obj) for obj in objects]
    is_part = target.name and any(name_of(obj) != target.name for obj in objects)
    return ["".join(f"{text}\n" for text in texts)] if is_part else texts


async def _targets(session: Session, words: Sequence[str], selecting: Selecting) -> list[Target]:
    targets = []
    wanted = await kinds_and_names(session, words, "describe", selecting)
    for served, name in wanted:
        is_inside = served.resource.namespaced and not selecting.all_namespaces
        targets.append(Target(served, session.namespace if is_inside else "", name))
    return targets


async def _objects(session: Session, target: Target, selector: str) -> list[Object]:
    resource = target.served.resource
    if not target.name:
        return (await session.client.list(resource, Selection(target.namespace, selector))).items
    try:
        return [await session.client.get(resource, target.name, target.namespace)]
    except errors.NotFound as error:
        found = (await session.client.list(resource, Selection(target.namespace))).items
        if begun := [obj for obj in found if name_of(obj).startswith(target.name)]:
            return begun
        raise await session.absence(error, target.namespace) from None


async def _describe(session: Session, served: Served, obj: Object) -> str:
    own = OWN.get((served.resource.group, served.resource.kind))
    if own is None:
        lines = [*_generic(obj), *event_lines(await events_of(session, obj))]
    else:
        module, _, function = own.partition(":")
        lines = await getattr(importlib.import_module(f"dray.cli.kubectl.{module}"), function)(session, obj)
    return align(lines)


async def events_of(session: Session, obj: Object) -> list[Object]:
    meta = obj["metadata"]
    fields = f"involvedObject.name={meta['name']},involvedObject.namespace={meta.get('namespace', '')},involvedObject.uid={meta['uid']}"
    found = await session.client.list(EVENTS, Selection(meta.get("namespace", ""), fields=fields))
    return found.items


def _generic(obj: Object) -> Iterator[str]:
    yield f"Name:\t{name_of(obj)}"
    yield f"Namespace:\t{namespace_of(obj)}"
    yield from label_lines("Labels", obj["metadata"].get("labels"))
    yield from annotation_lines(obj)
    yield from _fields({key: _without_known(key, value) for key, value in obj.items()}, 0)


def _without_known(key: str, value: object) -> object:
    if key == "metadata" and isinstance(value, dict):
        return {name: each for name, each in value.items() if name not in _SKIPPED_META}
    return value


def header_lines(obj: Object) -> Iterator[str]:
    """What every description of an object begins with."""
    yield f"Name:\t{name_of(obj)}"
    if namespace := namespace_of(obj):
        yield f"Namespace:\t{namespace}"
    yield from label_lines("Labels", obj["metadata"].get("labels"))
    yield from annotation_lines(obj)


def label_lines(title: str, values: Mapping[str, str] | None, indent: str = "") -> Iterator[str]:
    shown = [f"{key}={value}" for key, value in sorted((values or {}).items())]
    yield from listed(title, shown, indent)


def listed(title: str, values: Sequence[str], indent: str = "") -> Iterator[str]:
    """A title with its values under each other."""
    yield f"{indent}{title}:\t{values[0] if values else '<none>'}"
    for value in values[1:]:
        yield f"{indent}\t{value}"


def annotation_lines(obj: Object, indent: str = "") -> Iterator[str]:
    annotations = dict(obj["metadata"].get("annotations") or {})
    annotations.pop(LAST_APPLIED, None)
    if not annotations:
        yield f"{indent}Annotations:\t<none>"
    start = f"{indent}Annotations:"
    for key, value in sorted(annotations.items()):
        text = value.removesuffix("\n")
        if len(key) + len(text) + 2 > LONGEST_ANNOTATION or "\n" in text:
            yield f"{start}\t{key}:"
            yield from (f"{indent}\t  {_shortened(line)}" for line in text.split("\n"))
        else:
            yield f"{start}\t{key}: {text}"
        start = indent


def _shortened(text: str) -> str:
    longest = LONGEST_ANNOTATION - 2
    return f"{text[:longest]}..." if len(text) > longest else text


def long_time(text: str) -> str:
    return parse_time(text).strftime("%a, %d %b %Y %H:%M:%S +0000")


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
    last = age_of(_last_seen(event))
    count = int((event.get("series") or {}).get("count") or event.get("count") or 1)
    first = event.get("firstTimestamp") or event.get("eventTime")
    return f"{last} (x{count} over {age_of(first)})" if count > 1 and first else last


def age_of(timestamp: str) -> str:
    """How long ago that was."""
    return age(timestamp, dt.datetime.now(dt.UTC))
