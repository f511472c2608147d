"""A cluster as it would be: the objects after some changes, and the pods that lost their place by them.

A scenario is a value; each change makes another.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from dray.api.meta import Object, ObjectKey, controller_of, key_of, labels_of, name_of, namespace_of
from dray.api.resources import Resource
from dray.insight.snapshot import Snapshot

HASH_LABEL = "pod-template-hash"


class NotThere(Exception):
    """A change names something that the cluster does not have, or that cannot be changed so. The text is for people."""


class Workload(NamedTuple):
    """What makes a pod again when it goes; a pod that nothing makes again is a workload of its own."""

    kind: str
    """`deployment`, `job`, `pod`, ..."""
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


def workload_of(pod: Object) -> Workload:
    """A ReplicaSet whose name ends in its pods' template hash stands for its Deployment."""
    owner = controller_of(pod)
    if owner is None:
        return Workload("pod", namespace_of(pod), name_of(pod))
    kind, name = str(owner["kind"]).lower(), str(owner["name"])
    suffix = f"-{labels_of(pod).get(HASH_LABEL)}"
    if kind == "replicaset" and name.endswith(suffix):
        return Workload("deployment", namespace_of(pod), name.removesuffix(suffix))
    return Workload(kind, namespace_of(pod), name)


@dataclasses.dataclass(frozen=True, slots=True)
class Evicted:
    """A pod that loses its place."""

    pod: str
    """namespace/name"""
    node: str
    reason: str
    after_seconds: int = 0
    """How long it tolerates what drives it out."""
    comes_back: bool = True
    """Whether something makes it again; a bare pod is lost."""


@dataclasses.dataclass(frozen=True, slots=True)
class Scenario:
    snapshot: Snapshot
    evicted: tuple[Evicted, ...] = ()
    notes: tuple[str, ...] = ()
    """What should be known about the changes."""
    focus: tuple[Workload, ...] = ()
    """The workloads that were asked about by name."""
    templates: tuple[ObjectKey, ...] = ()
    """ResourceClaimTemplates that were changed."""

    def replaced(self, resource: Resource, objects: Iterable[Object]) -> "Scenario":
        """With these objects of a kind and no others."""
        return dataclasses.replace(self, snapshot=self.snapshot.replace(resource, objects))

    def put(self, resource: Resource, objects: Iterable[Object]) -> "Scenario":
        """With objects changed, by name, or added."""
        changed: Mapping[ObjectKey, Object] = {key_of(obj): obj for obj in objects}
        old = self.snapshot.of(resource)
        kept = [changed.get(key_of(obj), obj) for obj in old]
        known = set(map(key_of, old))
        added = [obj for key, obj in changed.items() if key not in known]
        return self.replaced(resource, [*kept, *added])

    def noting(self, *texts: str) -> "Scenario":
        return dataclasses.replace(self, notes=(*self.notes, *(t for t in texts if t not in self.notes)))

    def about(self, workload: Workload) -> "Scenario":
        return dataclasses.replace(self, focus=tuple(dict.fromkeys((*self.focus, workload))))
