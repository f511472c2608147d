"""`dray safe-to-remove`: whether a driver or a node can go without hurting anybody."""

import click

from dray.api.resources import PODS, RESOURCE_CLAIMS, RESOURCE_SLICES
from dray.cli.insight.options import Source, questions
from dray.cli.insight.output import heading, show_data, wrapped
from dray.insight.removal import removal_of_driver, removal_of_node


@click.command(
    "safe-to-remove",
    epilog="Examples:  dray safe-to-remove driver/gpu.example.com  |  dray safe-to-remove node/worker-3",
)
@click.argument("what")
@questions
def command(source: Source, what: str) -> None:
    """Say whether driver/NAME or node/NAME is in use, and by whom. Exit code 1 if it is.

    A driver that goes while claims hold its devices leaves pods that can neither start nor end. Reads only.
    """
    kind, _, name = what.partition("/")
    if kind not in ("driver", "node") or not name:
        raise click.UsageError(f"say driver/NAME or node/NAME, not {what!r}")
    snapshot = source.snapshot((PODS, RESOURCE_CLAIMS, RESOURCE_SLICES))
    removal = (removal_of_driver if kind == "driver" else removal_of_node)(snapshot, name)
    if source.output != "text":
        show_data(
            source.output,
            removal,
            [{"subject": removal.subject, "safe": removal.safe, "user": u} for u in removal.users],
        )
    elif removal.safe:
        click.echo(f"{removal.subject}: safe to remove, no claim holds any of its devices.")
    elif reason := snapshot.unknown.get(RESOURCE_CLAIMS.plural):
        click.echo(f"{removal.subject}: not known, {reason}")
    else:
        click.echo(heading(f"{removal.subject}: not safe, {len(removal.users)} claims hold its devices"))
        for user in removal.users:
            click.echo("\n".join(wrapped(user, indent=2, mark="- ")))
        click.echo("Delete those pods first; their claims give the devices back then.")
    if not removal.safe:
        raise SystemExit(1)
