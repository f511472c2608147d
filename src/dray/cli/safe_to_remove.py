"""`dray safe-to-remove`: whether a driver or a node can go without hurting anybody."""

from collections.abc import Iterator

import click

from dray.api.resources import DEVICE_CLASSES, NODES, PODS, RESOURCE_CLAIMS, RESOURCE_SLICES
from dray.cli.insight.options import Source, questions
from dray.cli.insight.output import heading, show_data, table, wrapped
from dray.insight.removal import Removal, removal_of_driver, removal_of_node

_NEEDED = (NODES, PODS, RESOURCE_CLAIMS, RESOURCE_SLICES, DEVICE_CLASSES)
_USERS_SHOWN = 30
_STATES = {
    "runs": "runs with it",
    "starts": "is to start with it",
    "ends": "is ending, and needs it for that",
    "gone": "pod is gone or has ended",
    "idle": "held for no pod",
}


@click.command(
    "safe-to-remove",
    epilog="Examples:  dray safe-to-remove driver/gpu.example.com  |  dray safe-to-remove node/worker-3",
)
@click.argument("what")
@questions
def command(source: Source, what: str) -> None:
    """Say whether driver/NAME or node/NAME is in use, by whom, and what to do first. Exit code 1 if it is, or may be.

    A driver that goes while claims hold its devices leaves pods that can neither start nor end. Reads only: needs `list`
    on nodes, pods, resourceclaims, resourceslices and deviceclasses.
    """
    kind, _, name = what.partition("/")
    if kind not in ("driver", "node") or not name:
        raise click.UsageError(f"say driver/NAME or node/NAME, not {what!r}")
    snapshot = source.snapshot(_NEEDED)
    removal = (removal_of_driver if kind == "driver" else removal_of_node)(snapshot, name)
    if source.output != "text":
        base = {"subject": removal.subject, "safe": removal.safe}
        fields = ("claim", "devices", "pod", "state", "note")
        rows = [{**base, **{field: getattr(user, field) for field in fields}} for user in removal.users]
        show_data(source.output, removal, rows or [base])
    else:
        click.echo("\n".join(_lines(removal)))
    if not removal.safe:
        raise SystemExit(1)


def _lines(removal: Removal) -> Iterator[str]:
    hurt = len({user.pod for user in removal.users if user.is_hurt})
    verdict = {
        True: "safe to remove, no pod has any of its devices",
        False: f"not safe, {hurt} pod{'s' if hurt != 1 else ''} would be hurt",
        None: "not known whether it is safe",
    }[removal.safe]
    yield heading(f"{removal.subject}: {verdict}")
    rows = [
        (user.pod or "-", _STATES[user.state], user.claim, ", ".join(user.devices)) for user in removal.users
    ]
    yield from table(("POD", "STATE", "CLAIM", "DEVICES"), rows[:_USERS_SHOWN], indent=2)
    if len(rows) > _USERS_SHOWN:
        yield f"  … and {len(rows) - _USERS_SHOWN} more (all: -o json)"
    for note in dict.fromkeys(user.note for user in removal.users if user.note):
        names = ", ".join(user.pod for user in removal.users if user.note == note)
        yield from wrapped(f"{names}: {note}", indent=2, mark="- ")
    for note in removal.notes:
        yield from wrapped(note, indent=2, mark="- ")
    if removal.steps:
        yield "First:"
        for number, step in enumerate(removal.steps, 1):
            yield from wrapped(step, indent=2, mark=f"{number}. ")
