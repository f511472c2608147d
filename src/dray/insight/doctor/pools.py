"""Pools as they are published: incomplete, contradictory, left over from older generations, of nodes that are gone."""

from collections.abc import Iterator, Sequence

from dray.allocation.inventory import Pool, contradiction
from dray.allocation.slices import Slice
from dray.api.meta import name_of
from dray.api.resources import NODES
from dray.insight.doctor.finding import ERROR, WARNING, Finding
from dray.insight.snapshot import Snapshot
from dray.insight.world import World


def pool_findings(snapshot: Snapshot) -> Iterator[Finding]:
    nodes = {name_of(node) for node in snapshot.nodes}
    world = World(snapshot)
    for key, pool in world.index.inventory.pools.items():
        subject = f"pool {key}"
        newest = max(entry.generation for entry in pool.slices.values())
        current = [entry for entry in pool.slices.values() if entry.generation == newest]
        old = [entry.name for entry in pool.slices.values() if entry.generation != newest]
        show = f"kubectl get resourceslices --field-selector spec.driver={key.driver}"
        if len(current) != current[0].slice_count:
            yield Finding(
                ERROR, subject, "is incomplete: none of its devices is given out", pool.progress(), show,
                f"wait until driver {key.driver} has published the rest, or restart its pod on that node",
            )  # fmt: skip
        elif wrong := _contradiction(current, world):
            yield Finding(
                ERROR, subject, "contradicts itself: none of its devices is given out", wrong, show,
                f"driver {key.driver} has to correct it: report it, restart or update the driver",
            )  # fmt: skip
        if old:
            yield Finding(
                WARNING, subject, f"{len(old)} slices of older generations are left over; they are not used",
                f"generation {newest} is the newest; older: {_some(old)}", f"kubectl delete resourceslice {' '.join(old)}",
            )  # fmt: skip
        lost = sorted({e.node_name for e in current if e.node_name} - nodes) if snapshot.knows(NODES) else []
        for node in lost:
            names = [entry.name for entry in current if entry.node_name == node]
            yield Finding(
                WARNING, subject, f"has devices of node {node}, which does not exist",
                f"spec.nodeName of {_some(names)}", f"kubectl delete resourceslice {' '.join(names)}",
            )  # fmt: skip


def _contradiction(current: Sequence[Slice], world: World) -> str:
    """What the allocator says to the whole pool, whatever the node."""
    pool = Pool(current[0].pool)
    pool.slices = tuple(entry for entry in current if not entry.counter_sets)
    pool.counter_sets = tuple(entry for entry in current if entry.counter_sets)
    return contradiction(pool, world.features)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
