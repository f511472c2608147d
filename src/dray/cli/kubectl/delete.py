"""`kubectl delete`: of names, of a selection, of what files describe; and the wait until it is gone."""

import asyncio
import dataclasses
from collections.abc import Sequence

import click

from dray.api import errors
from dray.api.meta import Object
from dray.cli.kubectl.dry_run import dry_words
from dray.cli.kubectl.failures import tell
from dray.cli.kubectl.session import NOTHING_NAMED, Failure, Session, server_error
from dray.cli.kubectl.targets import Selecting, Target, named_in_files, named_or_selected

POLL_SECONDS = 0.05
_AT_ONCE = (
    "Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. "
    "The resource may continue to run on the cluster indefinitely."
)


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    selecting: Selecting = Selecting()  # noqa: RUF009  it cannot be changed
    wait: bool = True
    force: bool = False
    now: bool = False
    grace_period: int | None = None
    ignore_not_found: bool = False
    dry_run: str = "none"

    @property
    def seconds(self) -> int:
        """What the objects are given to end; -1 for what they ask for themselves. Only by force it is nothing."""
        given = -1 if self.grace_period is None else self.grace_period
        if self.now:
            return 1
        if self.force:
            return max(given, 0)
        return 1 if given == 0 else given

    @property
    def body(self) -> Object:
        body: Object = {"propagationPolicy": "Background"}
        if (seconds := self.seconds) >= 0:
            body["gracePeriodSeconds"] = seconds
        if self.dry_run == "server":
            body["dryRun"] = ["All"]
        return body


async def delete(session: Session, words: Sequence[str], files: Sequence[str], options: Options) -> None:
    """What is not there is told, and the rest deleted. Raises Failure then."""
    _check(words, files, options)
    if options.force and options.seconds == 0:
        click.echo(_AT_ONCE, err=True)
    if files:
        targets = await named_in_files(session, files)
    else:
        targets = await named_or_selected(session, words, "delete", options.selecting)
    if not targets:
        click.echo("No resources found")
    failures: list[str] = []
    going: list[tuple[Target, str]] = []
    for target in targets:
        try:
            going.append((target, await _delete_one(session, target, options)))
        except errors.NotFound as error:
            if not options.ignore_not_found:
                doing = f'error when deleting "{target.source}": ' if target.source else ""
                failures.append(server_error(error, doing))
    if options.wait and not options.force and options.dry_run == "none":
        await asyncio.gather(*(_wait_gone(session, target, uid) for target, uid in going))
    tell(failures)


def _check(words: Sequence[str], files: Sequence[str], options: Options) -> None:
    """Raises Failure for flags and words that do not go together."""
    selecting = options.selecting
    if options.now and options.grace_period not in (None, -1):
        raise Failure("error: --now and --grace-period cannot be specified together")
    for selector, flag in ((selecting.labels, "--selector"), (selecting.fields, "--field-selector")):
        if selecting.every and selector:
            raise Failure(f"error: cannot set --all and {flag} at the same time")
    if options.force and options.seconds > 0:
        raise Failure("error: --force and --grace-period greater than 0 cannot be specified together")
    if files and words:
        raise Failure(
            "error: when paths, URLs, or stdin is provided as input, you may not specify resource arguments as well"
        )
    if not words and not files and (selecting.every or selecting.is_selector):
        raise Failure("error: at least one resource must be specified to use a selector")
    if not words and not files:
        raise Failure(NOTHING_NAMED)
    is_named = "/" not in "".join(words) and len(words) > 1
    if selecting.every and is_named:
        raise Failure("error: name cannot be provided when a selector is specified")


async def _delete_one(session: Session, target: Target, options: Options) -> str:
    """The object's UID, to tell it from one of the same name."""
    if options.dry_run == "client":
        answer = await session.client.get(target.served.resource, target.name, target.namespace)
    else:
        answer = await session.client.request("DELETE", target.path, body=options.body)
    where = f" from {target.namespace} namespace" if target.served.resource.namespaced else ""
    forced = "force " if options.seconds == 0 else ""
    done = f"{forced}deleted{where}{dry_words(options.dry_run)}"
    click.echo(f'{target.served.display} "{target.name}" {done}')
    meta = answer.get("metadata") or {}
    return str(meta.get("uid") or (answer.get("details") or {}).get("uid") or "")


async def _wait_gone(session: Session, target: Target, uid: str) -> None:
    delay = POLL_SECONDS
    while True:
        try:
            obj = await session.client.get(target.served.resource, target.name, target.namespace)
        except errors.NotFound:
            return
        if uid and obj["metadata"].get("uid") != uid:
            return
        await asyncio.sleep(delay)
        delay = min(delay * 1.5, 0.5)
