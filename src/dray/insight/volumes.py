"""Persistent volumes as they bear on where a pod can go: claims that are missing or not bound, volumes tied to nodes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dray.api.meta import Object, is_deleting, key_of, name_of, namespace_of
from dray.api.placement import matches_node_selector
from dray.api.pods import is_terminal
from dray.api.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, Resource
from dray.insight.against import Against
from dray.insight.claim_state import Blocker
from dray.insight.node_rules import node_terms_against
from dray.insight.snapshot import Snapshot

STORAGE_CLASSES = Resource("storage.k8s.io", "v1", "storageclasses", "StorageClass", False)
STORAGE = (PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, STORAGE_CLASSES)
_LATE = "WaitForFirstConsumer"


def volume_claims_of(pod: Object) -> Sequence[str]:
    """The names of the PersistentVolumeClaims that a pod means, those made for it included."""
    found = []
    for volume in pod["spec"].get("volumes") or ():
        if "persistentVolumeClaim" in volume:
            found.append(volume["persistentVolumeClaim"]["claimName"])
        elif "ephemeral" in volume:
            found.append(f"{name_of(pod)}-{volume['name']}")
    return found


class Volumes:
    """The persistent volumes of one pod."""

    def __init__(self, snapshot: Snapshot, pod: Object) -> None:
        self._snapshot = snapshot
        self._pod = pod
        self._names = volume_claims_of(pod)

    def blockers(self) -> Iterator[Blocker]:
        """What keeps the pod back whatever the node. Nothing where claims could not be read."""
        if not self._snapshot.knows(PERSISTENT_VOLUME_CLAIMS):
            return
        for name in self._names:
            claim = self._claim(name)
            found = self._missing(name) if claim is None else self._unusable(claim)
            if found is not None:
                yield found

    def against(self, node: Object) -> Iterator[Against]:
        for name in self._names:
            claim = self._claim(name)
            if claim is None:
                continue
            if volume := self._volume(claim):
                yield from _tied(claim, volume, node)
            else:
                yield from self._not_provisioned_there(claim, node)

    def _claim(self, name: str) -> Object | None:
        return self._snapshot.find(PERSISTENT_VOLUME_CLAIMS, name, namespace_of(self._pod))

    def _volume(self, claim: Object) -> Object | None:
        name = claim["spec"].get("volumeName")
        return self._snapshot.find(PERSISTENT_VOLUMES, name) if name else None

    def _class(self, claim: Object) -> Object | None:
        name = claim["spec"].get("storageClassName")
        return self._snapshot.find(STORAGE_CLASSES, name) if name else None

    def _missing(self, name: str) -> Blocker:
        namespace = namespace_of(self._pod)
        return Blocker(
            f"PersistentVolumeClaim {namespace}/{name} does not exist",
            f"create it, or correct the pod's volumes: kubectl -n {namespace} get pvc",
        )

    def _unusable(self, claim: Object) -> Blocker | None:
        key = key_of(claim)
        show = f"kubectl -n {key.namespace} describe pvc {key.name}"
        if is_deleting(claim):
            return Blocker(f"PersistentVolumeClaim {key} is being deleted", "use another, or create it anew")
        if (claim.get("status") or {}).get("phase") == "Lost":
            return Blocker(f"PersistentVolumeClaim {key} has lost its volume", show)
        if holder := self._sole_user(claim):
            return Blocker(
                f"PersistentVolumeClaim {key} may be used by one pod at a time (ReadWriteOncePod), and pod {holder} uses it",
                f"end pod {holder}, or use another claim",
            )
        if claim["spec"].get("volumeName"):
            return None
        storage = self._class(claim)
        if storage is None or storage.get("volumeBindingMode") == _LATE:
            return None
        return Blocker(
            f"PersistentVolumeClaim {key} has no volume yet; its class {name_of(storage)} binds before pods are scheduled",
            f"look why none is made or fits ({storage.get('provisioner', 'no provisioner')}): {show}",
        )

    def _sole_user(self, claim: Object) -> str:
        """The other pod that has a claim which only one may have, or ""."""
        if "ReadWriteOncePod" not in (claim["spec"].get("accessModes") or ()):
            return ""
        for pod in self._snapshot.pods:
            mine = key_of(pod) == key_of(self._pod) or namespace_of(pod) != namespace_of(self._pod)
            if mine or is_terminal(pod) or not pod["spec"].get("nodeName"):
                continue
            if name_of(claim) in volume_claims_of(pod):
                return name_of(pod)
        return ""

    def _not_provisioned_there(self, claim: Object, node: Object) -> Iterator[Against]:
        storage = self._class(claim)
        topologies = (storage or {}).get("allowedTopologies") or ()
        terms = [_as_term(topology) for topology in topologies]
        if terms and not matches_node_selector({"nodeSelectorTerms": terms}, node):
            assert storage is not None
            yield Against(
                f"volume claim {name_of(claim)}: class {name_of(storage)} makes volumes elsewhere only: {node_terms_against(terms, node)}",
                f"use another StorageClass for {name_of(claim)}",
            )


def _tied(claim: Object, volume: Object, node: Object) -> Iterator[Against]:
    required = (volume["spec"].get("nodeAffinity") or {}).get("required")
    if required is not None and not matches_node_selector(required, node):
        terms = required.get("nodeSelectorTerms") or ()
        yield Against(
            f"volume {name_of(volume)} of claim {name_of(claim)} cannot be used there: {node_terms_against(terms, node)}",
            f"the pod has to go where volume {name_of(volume)} is; or use a claim with another volume",
        )


def _as_term(topology: Mapping[str, Any]) -> Object:
    expressions = [
        {"key": each["key"], "operator": "In", "values": each.get("values") or []}
        for each in topology.get("matchLabelExpressions") or ()
    ]
    return {"matchExpressions": expressions}
