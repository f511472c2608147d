"""`kubectl wait`: until objects have a condition or a value, exist, or are gone."""

import asyncio
import dataclasses
import math
import time
from collections.abc import Callable, Sequence

import click

from dray.api import errors
from dray.api.meta import Object
from dray.cli.kubectl import jsonpath
from dray.cli.kubectl.session import NOTHING_NAMED, Failure, Session
from dray.cli.kubectl.targets import Target, named_in_files, named_or_selected

POLL_SECONDS = 0.1
Holds = Callable[[Object | None], bool]


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    condition: str
    """`--for`: delete, create, condition=NAME[=VALUE], jsonpath={PATH}[=VALUE]."""
    timeout_seconds: float = 30.0
    """0: look once; negative: a week, as kubectl has it."""
    selector: str = ""
    every: bool = False


async def wait(session: Session, words: Sequence[str], files: Sequence[str], options: Options) -> None:
    """Raises Failure when the time is up, and NotFound for an object that is not there."""
    if not words and not files:
        raise Failure(NOTHING_NAMED)
    holds = _condition(options.condition)
    seconds = options.timeout_seconds if options.timeout_seconds >= 0 else math.inf
    end = time.monotonic() + seconds
    if files:
        targets = await named_in_files(session, files)
    else:
        targets = await named_or_selected(
            session, words, "wait", selector=options.selector, every=options.every
        )
    if not targets:
        raise Failure("error: no matching resources found")
    late = [
        target for target in targets if not await _becomes(session, target, holds, options.condition, end)
    ]
    if late and options.condition == "create":
        raise Failure("error: timed out waiting for the condition")
    for target in late:
        click.echo(
            f"error: timed out waiting for the condition on {target.served.resource.plural}/{target.name}",
            err=True,
        )
    if late:
        raise Failure("")


def _condition(text: str) -> Holds:
    kind, _, rest = text.partition("=")
    match kind.lower():
        case "delete":
            return lambda obj: obj is None
        case "create":
            return lambda obj: obj is not None
        case "condition" if rest:
            name, _, value = rest.partition("=")
            return lambda obj: obj is not None and _has_condition(obj, name, value or "true")
        case "jsonpath" if rest:
            path, _, value = rest.partition("}")
            path, value = f"{path}}}".strip("'\""), value.removeprefix("=").strip("'\"")
            return lambda obj: obj is not None and _has_value(obj, path, value)
    raise Failure(f'error: unrecognized condition: "{text}"')


def _has_condition(obj: Object, name: str, value: str) -> bool:
    found = (obj.get("status") or {}).get("conditions") or ()
    return any(
        each["type"].lower() == name.lower() and str(each.get("status")).lower() == value.lower()
        for each in found
    )


def _has_value(obj: Object, path: str, value: str) -> bool:
    found = jsonpath.find_all(jsonpath.normalise(path)[1:-1], obj)
    return bool(found) and (not value or str(found[0]) == value)


async def _becomes(session: Session, target: Target, holds: Holds, condition: str, end: float) -> bool:
    while True:
        obj: Object | None = None
        try:
            obj = await session.client.get(target.served.resource, target.name, target.namespace)
        except errors.NotFound as error:
            if condition not in ("delete", "create"):
                raise await session.absence(error, target.namespace) from None
            if condition == "delete":
                return True
        if holds(obj):
            click.echo(f"{target.served.display}/{target.name} condition met")
            return True
        if time.monotonic() >= end:
            return False
        await asyncio.sleep(POLL_SECONDS)
