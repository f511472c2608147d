"""`dray whatif`: what would fit after changes, what would be evicted, what stays pending and why."""

import dataclasses

import click

from dray.api.resources import (
    DAEMON_SETS,
    DEPLOYMENTS,
    DEVICE_CLASSES,
    DEVICE_TAINT_RULES,
    JOBS,
    NAMESPACES,
    NODES,
    POD_TEMPLATES,
    PODS,
    REPLICA_SETS,
    REPLICATION_CONTROLLERS,
    RESOURCE_CLAIM_TEMPLATES,
    RESOURCE_CLAIMS,
    RESOURCE_QUOTAS,
    RESOURCE_SLICES,
    STATEFUL_SETS,
    Resource,
)
from dray.cli.examples import examples
from dray.cli.insight.changes import Changes, asked_shapes, changed
from dray.cli.insight.forecast import forecast_lines, forecast_rows
from dray.cli.insight.options import Source, questions
from dray.cli.insight.output import NoAnswer, show_data
from dray.insight.snapshot import Snapshot
from dray.insight.whatif.devices import MAX_DEVICES_ADDED
from dray.insight.whatif.forecast import forecast
from dray.insight.whatif.nodes import MAX_NODES_ADDED
from dray.insight.whatif.scenario import NotThere
from dray.insight.whatif.workloads import SHORT

STAYS_PENDING = 3
NEEDED = (
    NODES, PODS, RESOURCE_CLAIMS, RESOURCE_CLAIM_TEMPLATES, DEVICE_CLASSES, RESOURCE_SLICES, DEVICE_TAINT_RULES,
    RESOURCE_QUOTAS, NAMESPACES,
)  # fmt: skip
_FOR_ALL = (NODES, PODS)
_FOR_CLAIMS = (RESOURCE_CLAIMS, DEVICE_CLASSES, RESOURCE_SLICES)
_WORKLOADS: dict[str, Resource] = {
    "deployment": DEPLOYMENTS, "replicaset": REPLICA_SETS, "replicationcontroller": REPLICATION_CONTROLLERS,
    "statefulset": STATEFUL_SETS, "job": JOBS, "daemonset": DAEMON_SETS, "podtemplate": POD_TEMPLATES,
}  # fmt: skip


@click.command(
    epilog=examples(
        "dray whatif                                                   what is pending now, and why",
        "dray whatif --drain worker-2                                  who finds another place?",
        "dray whatif --scale deployment/trainer=20 --min-nodes         what would 20 of them need?",
        "dray whatif --add-nodes 3 --like worker-1 --scale job/sweep=8",
        "dray whatif --taint gpu.example.com/worker-1/gpu-0 hot:NoExecute",
        "dray whatif --taint node/w-1 repair=soon:NoSchedule --fail gpu.example.com/w-2/gpu-3",
        "dray whatif --set template/gpu spec.spec.devices.requests[0].exactly.count=2 --restart job/sweep",
        "dray whatif --add-devices gpu.example.com/worker-1/gpu-0 4",
        "dray whatif -f deployment.yaml -f template.yaml               would it fit, before I apply it?",
        "dray whatif --min-nodes --like new-shape.yaml -o json         scale from zero: a Node and its slices",
    )
)
@click.option(
    "--file",
    "-f",
    "files",
    multiple=True,
    metavar="FILE",
    help="As if this manifest were applied: claims, templates, classes, slices, nodes, pods, workloads, taint rules.",
)
@click.option(
    "--set",
    "sets",
    multiple=True,
    nargs=2,
    metavar="KIND/NAME PATH=VALUE",
    help="A field of a claim, template, class, pod, node or workload with another value.",
)
@click.option(
    "--add-nodes", type=click.IntRange(0, MAX_NODES_ADDED), default=0, help="So many more nodes of --like."
)
@click.option(
    "--like",
    multiple=True,
    metavar="NODE|FILE",
    help="The shape of nodes to add: a node of the cluster, or a manifest with a Node and its ResourceSlices.",
)
@click.option("--remove-node", multiple=True, metavar="NODE", help="The node is gone, with its devices.")
@click.option("--drain", multiple=True, metavar="NODE", help="The node is cordoned and its pods are evicted.")
@click.option(
    "--add-devices",
    multiple=True,
    nargs=2,
    type=(str, click.IntRange(1, MAX_DEVICES_ADDED)),
    metavar="DEVICE COUNT",
    help="So many more devices like this one, beside it or --on another node.",
)
@click.option("--on", "on_node", default="", metavar="NODE", help="Where --add-devices adds them.")
@click.option(
    "--fail",
    multiple=True,
    metavar="DEVICE",
    help="These devices fail. DEVICE is driver, driver/pool or driver/pool/device.",
)
@click.option(
    "--taint",
    "taints",
    multiple=True,
    nargs=2,
    metavar="DEVICE|node/NAME KEY[=VALUE]:EFFECT",
    help="These devices or this node are tainted, with NoSchedule or NoExecute.",
)
@click.option(
    "--restart",
    multiple=True,
    metavar="KIND/NAME",
    help="All pods of the workload are made anew at once, with claims as their templates are then.",
)
@click.option(
    "--scale",
    multiple=True,
    metavar="KIND/NAME=COUNT",
    help="A deployment, job, statefulset, replicaset, podtemplate or pod (and others like it) with so many pods.",
)
@click.option(
    "--min-nodes",
    "minimum",
    is_flag=True,
    help="For each workload that stays pending: would one more node help, and how many are enough? Of the shapes "
    "--like, else of every shape there is.",
)
@questions
def command(
    source: Source, files: tuple[str, ...], sets: tuple[tuple[str, str], ...], add_nodes: int, like: tuple[str, ...],
    remove_node: tuple[str, ...], drain: tuple[str, ...], add_devices: tuple[tuple[str, int], ...], on_node: str,
    fail: tuple[str, ...], taints: tuple[tuple[str, str], ...], restart: tuple[str, ...], scale: tuple[str, ...],
    minimum: bool,
) -> None:  # fmt: skip
    """Say which pods would get a place after changes, which would be evicted, and which stay pending and why.

    Changes combine, in the order in which they are listed below. Without any: the pods that are pending now. Nothing is
    changed in the cluster.

    Exit code 0: every pod that needs a place gets one; 3: some stay pending; 1: the question could not be answered.

    Reads only: needs `list` on nodes, pods, namespaces, resourcequotas and resource.k8s.io, and on the kind that is scaled.
    """
    if add_nodes and len(like) != 1:
        raise click.UsageError("say with one --like NODE|FILE what the added nodes look like")
    if on_node and not add_devices:
        raise click.UsageError("--on says where --add-devices adds them; there is none")
    namespace = source.default_namespace()
    changes = Changes(
        files,
        sets,
        add_nodes,
        like,
        remove_node,
        drain,
        add_devices,
        on_node,
        fail,
        taints,
        restart,
        scale,
        minimum,
    )
    snapshot = source.snapshot((*NEEDED, *_scaled((*restart, *scale), sets)))
    try:
        scenario = changed(snapshot, changes, namespace)
        _refuse_to_guess(scenario.snapshot)
        answer = forecast(scenario, asked_shapes(scenario.snapshot, changes, namespace))
    except NotThere as error:
        raise NoAnswer(str(error)) from error
    if source.output != "text":
        show_data(source.output, dataclasses.replace(answer), forecast_rows(answer))
    else:
        click.echo("\n".join(forecast_lines(answer, changes.names(), minimum=minimum)))
    if not answer.fits:
        raise SystemExit(STAYS_PENDING)


def _refuse_to_guess(snapshot: Snapshot) -> None:
    """Raises NotThere where the answer would rest on what could not be read."""
    uses_claims = any(pod["spec"].get("resourceClaims") for pod in snapshot.pods)
    for resource in (*_FOR_ALL, *(_FOR_CLAIMS if uses_claims else ())):
        if not snapshot.knows(resource):
            reason = snapshot.unknown.get(resource.plural, "the snapshot does not have them")
            raise NotThere(f"without {resource.plural} there is no answer: {reason}")


def _scaled(scale: tuple[str, ...], sets: tuple[tuple[str, str], ...]) -> list[Resource]:
    """The kinds of workloads that must be read."""
    kinds = [text.partition("/")[0].lower() for text in (*scale, *(target for target, _ in sets))]
    names = dict.fromkeys(SHORT.get(kind, kind) for kind in kinds)
    return [_WORKLOADS[name] for name in names if name in _WORKLOADS]
