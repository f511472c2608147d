"""What can happen in a cluster that may let a waiting pod be scheduled, and which plugin's refusals each can lift.

The table `LIFTED_BY` is the whole policy of waking pods, but for the finer questions (`Happening.key`, own claims) that
the queue answers. Names follow upstream's cluster events, which metrics show.
"""

import dataclasses
import enum

from dray.api.meta import ObjectKey


class Kind(enum.Enum):
    """The value is upstream's label for the event in metrics."""

    NODE_ADDED = "NodeAdd"
    NODE_LABELS = "NodeUpdate/labels"
    NODE_TAINTS = "NodeUpdate/taints"
    NODE_ALLOCATABLE = "NodeUpdate/allocatable"
    NODE_REMOVED = "NodeDelete"
    POD_ASSIGNED = "AssignedPodAdd"
    POD_LABELS = "AssignedPodUpdate/labels"
    POD_SHRUNK = "AssignedPodUpdatePodScaleDown"
    POD_REMOVED = "AssignedPodDelete"
    CLAIM_ADDED = "ResourceClaimAdd"
    CLAIM_CHANGED = "ResourceClaimUpdate"
    CLAIM_DEALLOCATED = "ResourceClaimUpdate/deallocated"
    CLASS_CHANGED = "DeviceClassAdd"
    SLICE_CHANGED = "ResourceSliceAdd"
    VOLUME_CHANGED = "PersistentVolumeClaimUpdate"
    POD_GROUP_ADDED = "PodGroupAdd"
    POD_GROUP_CHANGED = "PodGroupUpdate"
    GROUP_MEMBER_ADDED = "UnscheduledPodAdd"
    POD_UPDATED = "PodUpdate"
    TIMEOUT = "UnschedulableTimeout"
    BACKOFF_OVER = "BackoffComplete"
    POD_ADDED = "PodAdd"
    FAILED = "ScheduleAttemptFailure"


@dataclasses.dataclass(frozen=True, slots=True)
class Happening:
    kind: Kind
    key: ObjectKey | None = None
    """The claim or PodGroup, where only pods that use or belong to it are concerned; None concerns every pod."""


NODE_NAME = "NodeName"
NODE_UNSCHEDULABLE = "NodeUnschedulable"
TAINT_TOLERATION = "TaintToleration"
NODE_AFFINITY = "NodeAffinity"
NODE_PORTS = "NodePorts"
NODE_RESOURCES_FIT = "NodeResourcesFit"
VOLUME_BINDING = "VolumeBinding"
POD_TOPOLOGY_SPREAD = "PodTopologySpread"
INTER_POD_AFFINITY = "InterPodAffinity"
DYNAMIC_RESOURCES = "DynamicResources"
SCHEDULING_GATES = "SchedulingGates"
DEFAULT_PREEMPTION = "DefaultPreemption"
GANG_SCHEDULING = "GangScheduling"

OF_GROUPS = frozenset({Kind.POD_GROUP_ADDED, Kind.POD_GROUP_CHANGED, Kind.GROUP_MEMBER_ADDED})
"""Those whose key is a PodGroup."""

_NODE_NEWS = frozenset({Kind.NODE_ADDED, Kind.NODE_LABELS, Kind.NODE_TAINTS})
_POD_NEWS = frozenset({Kind.POD_ASSIGNED, Kind.POD_LABELS, Kind.POD_REMOVED})
_CLAIM_NEWS = frozenset({Kind.CLAIM_ADDED, Kind.CLAIM_CHANGED, Kind.CLAIM_DEALLOCATED})

LIFTED_BY: dict[str, frozenset[Kind]] = {
    NODE_NAME: frozenset({Kind.NODE_ADDED}),
    NODE_UNSCHEDULABLE: frozenset({Kind.NODE_ADDED, Kind.NODE_TAINTS}),
    TAINT_TOLERATION: frozenset({Kind.NODE_ADDED, Kind.NODE_TAINTS}),
    NODE_AFFINITY: frozenset({Kind.NODE_ADDED, Kind.NODE_LABELS}),
    NODE_PORTS: frozenset({Kind.NODE_ADDED, Kind.POD_REMOVED}),
    NODE_RESOURCES_FIT: frozenset(
        {Kind.NODE_ADDED, Kind.NODE_ALLOCATABLE, Kind.POD_REMOVED, Kind.POD_SHRUNK, Kind.CLASS_CHANGED}
    ),
    VOLUME_BINDING: frozenset({Kind.NODE_ADDED, Kind.NODE_LABELS, Kind.VOLUME_CHANGED}),
    POD_TOPOLOGY_SPREAD: _POD_NEWS | _NODE_NEWS | {Kind.NODE_REMOVED},
    INTER_POD_AFFINITY: _POD_NEWS | _NODE_NEWS,
    DYNAMIC_RESOURCES: _CLAIM_NEWS
    | {
        Kind.NODE_ADDED,
        Kind.NODE_LABELS,
        Kind.NODE_ALLOCATABLE,
        Kind.CLASS_CHANGED,
        Kind.SLICE_CHANGED,
    },
    DEFAULT_PREEMPTION: frozenset({Kind.POD_REMOVED}),
    GANG_SCHEDULING: OF_GROUPS,
}
"""By plugin: what may turn its no into a yes. A plugin that is not listed is never asked again before the timeout."""


LIFTS: dict[Kind, tuple[str, ...]] = {
    kind: tuple(plugin for plugin, kinds in LIFTED_BY.items() if kind in kinds) for kind in Kind
}
"""The same by happening: whose refusals it may lift."""
