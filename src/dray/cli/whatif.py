"""`dray whatif`: what would fit after a change, what would be evicted, what stays pending and why."""

import click

from dray.api.resources import PODS
from dray.cli.insight.options import Source, questions
from dray.cli.insight.output import heading, show_data, table, wrapped
from dray.cli.why import NEEDED
from dray.insight.snapshot import Snapshot
from dray.insight.whatif import (
    MAX_NODES_ADDED,
    Forecast,
    NotThere,
    forecast,
    min_nodes,
    with_copies,
    with_nodes_like,
    without_device,
    without_node,
)


@click.command(
    epilog="Examples:  dray whatif --add-nodes 3 --like worker-1  |  dray whatif --drain worker-2  |  "
    "dray whatif --scale pod/trainer --by 10 --like worker-1 --min-nodes  |  dray whatif --fail gpu.example.com/worker-1/gpu-0"
)
@click.option("--add-nodes", type=click.IntRange(0, MAX_NODES_ADDED), default=0, help="So many more nodes.")
@click.option("--like", default="", help="The node whose shape and devices added nodes have.")
@click.option("--drain", multiple=True, help="Take this node away; its pods look for another place.")
@click.option("--fail", multiple=True, help="Let this device fail: driver/pool/device.")
@click.option("--scale", default="", help="More pods like pod/NAME, with claims like its own.")
@click.option(
    "--by", "copies", type=click.IntRange(1, 10_000), default=1, show_default=True, help="How many more."
)
@click.option(
    "--min-nodes", "minimum", is_flag=True, help="How many more nodes like --like let every pod fit."
)
@questions
def command(
    source: Source, add_nodes: int, like: str, drain: tuple[str, ...], fail: tuple[str, ...], scale: str,
    copies: int, minimum: bool,
) -> None:  # fmt: skip
    """Say which pods would get a place after a change, which would be evicted, and which stay pending and why.

    Without a change: the pods that are pending now. Nothing is changed in the cluster; needs the rights of dray why.
    """
    if (add_nodes or minimum) and not like:
        raise click.UsageError("say with --like NODE what the added nodes look like")
    namespace = source.default_namespace()
    snapshot = source.snapshot(NEEDED, namespace=namespace)
    try:
        changed, evicted = _change(
            snapshot, namespace, like if add_nodes else "", add_nodes, drain, fail, scale, copies
        )
        needed = min_nodes(changed, like) if minimum else None
        answer = forecast(changed, evicted)
    except NotThere as error:
        raise click.ClickException(str(error)) from error
    if source.output != "text":
        rows = [{"pod": pod, "node": node, "reason": ""} for pod, node in answer.placed]
        rows += [{"pod": pod, "node": "", "reason": why} for pod, why in answer.pending]
        data = {"placed": dict(answer.placed), "pending": dict(answer.pending), "evicted": answer.evicted}
        show_data(source.output, {**data, "minNodes": needed} if minimum else data, rows)
        return
    _show(answer)
    if minimum:
        more = (
            "no number of them lets all fit (see the pending ones)"
            if needed is None
            else f"{needed} more"
            if needed
            else "no more are needed"
        )
        click.echo(f"Nodes like {like} so that every pod fits: {more}.")


def _change(
    snapshot: Snapshot, namespace: str, like: str, add_nodes: int, drain: tuple[str, ...], fail: tuple[str, ...],
    scale: str, copies: int,
) -> tuple[Snapshot, list[str]]:  # fmt: skip
    evicted: list[str] = []
    if like:
        snapshot = with_nodes_like(snapshot, like, add_nodes)
    for node in drain:
        snapshot, pods = without_node(snapshot, node)
        evicted += pods
    for device in fail:
        snapshot, pods = without_device(snapshot, device)
        evicted += pods
    if scale:
        name = scale.removeprefix("pod/")
        pod = snapshot.find(PODS, name, namespace)
        if pod is None:
            raise NotThere(f"there is no pod {name} in namespace {namespace}")
        snapshot = with_copies(snapshot, pod, copies)
    return snapshot, evicted


def _show(answer: Forecast) -> None:
    total = len(answer.placed) + len(answer.pending)
    click.echo(heading(f"{len(answer.placed)} of {total} pods that need a place get one"))
    if answer.evicted:
        click.echo("\n".join(wrapped(f"evicted by the change: {', '.join(answer.evicted)}")))
    click.echo("\n".join(table(("POD", "NODE"), answer.placed[:40], indent=2)))
    if len(answer.placed) > 40:
        click.echo(f"  … and {len(answer.placed) - 40} more")
    reasons: dict[str, list[str]] = {}
    for pod, why in answer.pending:
        reasons.setdefault(why, []).append(pod)
    for why, pods in reasons.items():
        click.echo(
            heading(
                f"pending: {', '.join(pods[:3])}" + (f" and {len(pods) - 3} more" if len(pods) > 3 else "")
            )
        )
        click.echo("\n".join(wrapped(why, indent=2)))
