"""`kubectl wait`: until objects have a condition or a value, exist, or are gone."""

import asyncio
import dataclasses
import math
import time
from collections.abc import Sequence

import click

from dray.api import errors
from dray.api.meta import Object
from dray.cli.kubectl.failures import tell
from dray.cli.kubectl.printing import TEMPLATES, printer_for
from dray.cli.kubectl.session import NOTHING_NAMED, Failure, Session, server_error
from dray.cli.kubectl.targets import Selecting, Target, named_in_files, named_or_selected
from dray.cli.kubectl.wait_conditions import Holds, conditions, is_among

POLL_SECONDS = 0.1
FORMATS = ("json", *TEMPLATES, "name", "yaml")
TIMED_OUT = "error: timed out waiting for the condition"


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    conditions: tuple[str, ...]
    """Each `--for`: delete, create, condition=NAME[=VALUE], jsonpath={PATH}[=VALUE]."""
    timeout_seconds: float = 30.0
    """0: look once; negative: a week, as kubectl has it."""
    selecting: Selecting = Selecting()  # noqa: RUF009  it cannot be changed
    output: str = ""


async def wait(session: Session, words: Sequence[str], files: Sequence[str], options: Options) -> None:
    """Raises Failure when the time is up, and for what is not there."""
    _check_output(options.output)
    waiting = _Waiting(session, words, files, options)
    if not words and not files:
        raise Failure(NOTHING_NAMED)
    if is_among(options.conditions, "create"):
        await waiting.until_created()
    await waiting.until_met()


class _Waiting:
    """One command: what it waits for, and until when."""

    def __init__(
        self, session: Session, words: Sequence[str], files: Sequence[str], options: Options
    ) -> None:
        self._session = session
        self._words = words
        self._files = files
        self._options = options
        self._wanted = conditions(options.conditions)
        seconds = options.timeout_seconds
        self._end = time.monotonic() + (seconds if seconds >= 0 else math.inf)

    async def until_created(self) -> None:
        while True:
            found = [await self._get(target) for target in await self._targets()]
            if found and None not in found:
                return
            await self._pause(TIMED_OUT)

    async def until_met(self) -> None:
        failures: list[str] = []
        is_for_delete = is_among(self._options.conditions, "delete")
        targets = await self._targets()
        for target in targets:
            try:
                await self._until_met(target, is_for_delete)
            except Failure as failure:
                failures.append(str(failure))
            except errors.StatusError as error:
                failures.append(server_error(error))
        tell(failures)
        if not targets and not is_for_delete:
            raise Failure("error: no matching resources found")

    async def _until_met(self, target: Target, is_for_delete: bool) -> None:
        obj = await self._get(target)
        if obj is None and is_for_delete:
            return
        for holds in self._wanted:
            obj = await self._until_holds(target, holds, obj)
            self._show(target, obj)

    async def _until_holds(self, target: Target, holds: Holds, last: Object | None) -> Object:
        """The object as it then is, or was when it was seen last."""
        resource = target.served.resource
        while True:
            obj = await self._get(target)
            if holds(obj):
                return obj or last or {}
            if obj is None:
                raise errors.not_found(resource.group, resource.plural, target.name)
            last = obj
            named = f"{resource.plural}/{target.name}"
            if self._options.timeout_seconds == 0:
                raise Failure(f"error: condition not met for {named}")
            await self._pause(f"{TIMED_OUT} on {named}")

    async def _pause(self, too_late: str) -> None:
        if time.monotonic() >= self._end:
            raise Failure(too_late)
        await asyncio.sleep(POLL_SECONDS)

    async def _targets(self) -> list[Target]:
        if self._files:
            return await named_in_files(self._session, self._files)
        return await named_or_selected(self._session, self._words, "wait", self._options.selecting)

    async def _get(self, target: Target) -> Object | None:
        try:
            return await self._session.client.get(target.served.resource, target.name, target.namespace)
        except errors.NotFound:
            return None

    def _show(self, target: Target, obj: Object) -> None:
        display = target.served.display
        if self._options.output:
            printer_for(self._options.output, lambda _: display, formats=FORMATS)(obj)
        else:
            click.echo(f"{display}/{target.name} condition met")


def _check_output(output: str) -> None:
    if output:
        printer_for(output, lambda _: "", formats=FORMATS)
