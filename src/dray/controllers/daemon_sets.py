"""Runs one pod of each DaemonSet on every node it may be on, and replaces them when the template changes.

A daemon pod is pinned to its node by affinity and placed by the scheduler, so that claims and quotas apply to it as to
any pod. `updateStrategy: RollingUpdate` replaces up to maxUnavailable pods at a time, or puts up to maxSurge new ones beside
the old. Source: kubernetes pkg/controller/daemon, 1.36.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from dray.api import errors
from dray.api.meta import (
    Object,
    ObjectKey,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
    owner_reference,
    uid_of,
)
from dray.api.placement import find_untolerated_taint, matches_pod_node_rules
from dray.api.pods import is_ready, is_terminal
from dray.api.resources import CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS
from dray.controllers.base import OWNER_INDEX, Context, Controller, ignore_missing, index_by_owner
from dray.controllers.daemon_rollout import (
    HASH_LABEL,
    is_current,
    is_rolling,
    one_by_one,
    side_by_side,
    surge_of,
)
from dray.controllers.pod_templates import (
    PodControl,
    pod_from,
    seconds_until_available,
    template_hash,
)

GENERATION_LABEL = "pod-template-generation"
GENERATION_ANNOTATION = "deprecated.daemonset.template.generation"
DAEMON_TOLERATIONS = (
    {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"},
    {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute"},
    {"key": "node.kubernetes.io/disk-pressure", "operator": "Exists", "effect": "NoSchedule"},
    {"key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule"},
    {"key": "node.kubernetes.io/pid-pressure", "operator": "Exists", "effect": "NoSchedule"},
    {"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"},
)
HOST_NETWORK_TOLERATION = {
    "key": "node.kubernetes.io/network-unavailable",
    "operator": "Exists",
    "effect": "NoSchedule",
}


@dataclasses.dataclass(slots=True)
class _Plan:
    """What the pods of one DaemonSet should become."""

    wanted_on: list[str] = dataclasses.field(default_factory=list)
    """Nodes that should run a pod, in the order of the node cache."""
    pods: dict[str, list[Object]] = dataclasses.field(default_factory=dict)
    missing_on: list[str] = dataclasses.field(default_factory=list)
    surplus: list[Object] = dataclasses.field(default_factory=list)
    misscheduled: int = 0


class DaemonSets(Controller):
    name: ClassVar[str] = "daemon-set-controller"
    component: ClassVar[str] = "daemonset-controller"
    workers: ClassVar[int] = 2

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.daemon_sets = self.watch(DAEMON_SETS)
        self.pods = index_by_owner(self.watch_owned(PODS, "DaemonSet"))
        self.revisions = index_by_owner(self.informer(CONTROLLER_REVISIONS))
        self.nodes = self.informer(NODES)
        self.nodes.add_handler(
            on_add=self._nodes_changed, on_update=self._node_updated, on_delete=self._nodes_changed
        )
        self.control = PodControl(self.client, self.pods, self.recorder)

    def _nodes_changed(self, node: Object) -> None:
        for key in self.daemon_sets.cache.keys():  # noqa: SIM118 - a cache, not a dict
            self.queue.add(key)

    def _node_updated(self, old: Object, new: Object) -> None:
        if labels_of(old) != labels_of(new) or old.get("spec") != new.get("spec"):
            self._nodes_changed(new)

    async def sync(self, key: ObjectKey) -> None:
        daemon_set = self.daemon_sets.cache.get(key)
        if daemon_set is None:
            return
        revision = template_hash(daemon_set["spec"]["template"])
        if not is_deleting(daemon_set):
            await self._record_revision(daemon_set, revision)
            await self._prune(daemon_set, revision)
            plan = self._plan(daemon_set, revision)
            self._tell_ended(daemon_set, plan)
            await self._replace_outdated(daemon_set, plan, revision)
            await self.control.delete(daemon_set, plan.surplus)
            await self.control.create(
                daemon_set, [_daemon_pod(daemon_set, node, revision) for node in plan.missing_on]
            )
        await self._report(daemon_set, revision)

    def _plan(self, daemon_set: Object, revision: str) -> _Plan:
        plan = _Plan()
        # Any number will do: whether there may be two pods does not depend on how many nodes there are.
        has_surge = surge_of(daemon_set, 1) > 0
        for pod in self.control.pods_of(daemon_set):
            plan.pods.setdefault(_node_of(pod), []).append(pod)
        spec = _daemon_spec(daemon_set)
        for node in self.nodes.cache.list():
            name = name_of(node)
            pods = plan.pods.get(name, [])
            if should_run(spec, node):
                plan.wanted_on.append(name)
                _plan_node(plan, name, pods, revision if has_surge else None)
            elif pods:
                plan.misscheduled += 1
                if not should_stay(spec, node):
                    plan.surplus += [pod for pod in pods if not is_deleting(pod)]
        for name, pods in plan.pods.items():
            if self.nodes.cache.find(name) is None:
                plan.surplus += [pod for pod in pods if not is_deleting(pod)]
        return plan

    def _tell_ended(self, daemon_set: Object, plan: _Plan) -> None:
        for pod in plan.surplus:
            if not is_terminal(pod):
                continue
            what, where = f"daemon pod {namespace_of(pod)}/{name_of(pod)}", f"on node {_node_of(pod)}"
            if pod["status"]["phase"] == "Failed":
                message = f"Found failed {what} {where}, will try to kill it"
                self.recorder.event(daemon_set, "Warning", "FailedDaemonPod", message)
            else:
                message = f"Found succeeded {what} {where}, will try to delete it"
                self.recorder.event(daemon_set, "Normal", "SucceededDaemonPod", message)

    async def _replace_outdated(self, daemon_set: Object, plan: _Plan, revision: str) -> None:
        if not is_rolling(daemon_set):
            return
        pods = {
            node: [pod for pod in plan.pods.get(node, ()) if pod not in plan.surplus]
            for node in plan.wanted_on
        }
        min_ready = int(daemon_set["spec"].get("minReadySeconds") or 0)

        def is_available(pod: Object) -> bool:
            return seconds_until_available(pod, min_ready, self.clock) == 0.0

        surge = surge_of(daemon_set, len(pods))
        if surge:
            rollout = side_by_side(surge, pods, revision, is_available)
        else:
            rollout = one_by_one(daemon_set, pods, revision, is_available)
        plan.missing_on += rollout.new_on
        await self.control.delete(daemon_set, rollout.outdated)

    async def _prune(self, daemon_set: Object, revision: str) -> None:
        """Forget the oldest templates beyond revisionHistoryLimit, but for those that pods still have."""
        alive = {revision, *(labels_of(pod).get(HASH_LABEL) for pod in self.control.pods_of(daemon_set))}
        known = self.revisions.cache.by_index(OWNER_INDEX, uid_of(daemon_set))
        dead = [each for each in known if labels_of(each).get(HASH_LABEL) not in alive]
        dead.sort(key=lambda each: int(each.get("revision", 0)))
        limit = int(daemon_set["spec"].get("revisionHistoryLimit", 10))
        for each in dead[: max(0, len(dead) - limit)]:
            deleting = self.client.delete(CONTROLLER_REVISIONS, name_of(each), namespace_of(each))
            await ignore_missing(deleting)

    async def _record_revision(self, daemon_set: Object, revision: str) -> None:
        """History for `kubectl rollout history|undo`."""
        known = self.revisions.cache.by_index(OWNER_INDEX, uid_of(daemon_set))
        latest = max((int(each.get("revision", 0)) for each in known), default=0)
        present = next((each for each in known if labels_of(each).get(HASH_LABEL) == revision), None)
        if present is not None:
            if int(present.get("revision", 0)) < latest:
                # Rolled back: the old template is the newest revision again.
                newest = {**present, "revision": latest + 1}
                await self.revisions.wait_seen(await self.client.update(CONTROLLER_REVISIONS, newest))
            return
        try:
            created = await self.client.create(
                CONTROLLER_REVISIONS, _revision_of(daemon_set, revision, known), namespace_of(daemon_set)
            )
        except (errors.AlreadyExists, errors.Forbidden):
            return
        await self.revisions.wait_seen(created)

    async def _report(self, daemon_set: Object, revision: str) -> None:
        current = self.daemon_sets.cache.get(ObjectKey(namespace_of(daemon_set), name_of(daemon_set)))
        if current is None or uid_of(current) != uid_of(daemon_set):
            return
        status = self._status(current, self._plan(current, revision), revision)
        old = dict(current.get("status") or {})
        if old != status:
            await self.client.update(DAEMON_SETS, {**current, "status": status}, subresource="status")

    def _status(self, daemon_set: Object, plan: _Plan, revision: str) -> Object:
        min_ready = int(daemon_set["spec"].get("minReadySeconds") or 0)
        counted = [min(plan.pods.get(node, ()), key=_first_counts, default=None) for node in plan.wanted_on]
        present = [pod for pod in counted if pod is not None]
        waits = [seconds_until_available(pod, min_ready, self.clock) for pod in present]
        available = waits.count(0.0)
        for wait in waits:
            if wait:
                self.queue.add_after(ObjectKey(namespace_of(daemon_set), name_of(daemon_set)), wait)
        status: Object = {
            "currentNumberScheduled": len(present),
            "numberMisscheduled": plan.misscheduled,
            "desiredNumberScheduled": len(plan.wanted_on),
            "numberReady": sum(is_ready(pod) for pod in present),
        }
        optional = {
            "observedGeneration": daemon_set["metadata"].get("generation", 0),
            "updatedNumberScheduled": sum(labels_of(pod).get(HASH_LABEL) == revision for pod in present),
            "numberAvailable": available,
            "numberUnavailable": len(plan.wanted_on) - available,
        }
        return status | {key: value for key, value in optional.items() if value}


def _plan_node(plan: _Plan, node: str, pods: Sequence[Object], surging: str | None) -> None:
    """`surging`: the revision of which one pod may stand beside one of an older revision."""
    failed = [pod for pod in pods if is_terminal(pod)]
    plan.surplus += [pod for pod in failed if not is_deleting(pod)]
    running = sorted((pod for pod in pods if not is_terminal(pod)), key=_first_counts)
    if not running and not failed:
        plan.missing_on.append(node)
    kept = running[:1]
    if surging is not None:
        current = [pod for pod in running if is_current(pod, surging)]
        kept = current[:1] + [pod for pod in running if pod not in current][:1]
    plan.surplus += [pod for pod in running if pod not in kept and not is_deleting(pod)]


def _first_counts(pod: Mapping[str, Any]) -> tuple[bool, bool, str]:
    """Of several pods on a node the ready one counts, then the oldest."""
    return (is_deleting(pod), not is_ready(pod), str(pod["metadata"].get("creationTimestamp")))


def _daemon_spec(daemon_set: Object) -> Object:
    spec = dict(daemon_set["spec"]["template"]["spec"])
    spec["tolerations"] = daemon_tolerations(spec)
    return spec


def daemon_tolerations(spec: Mapping[str, Any]) -> list[Object]:
    """The template's tolerations and those that every daemon pod gets."""
    added = [*DAEMON_TOLERATIONS, *([HOST_NETWORK_TOLERATION] if spec.get("hostNetwork") else [])]
    own = list(spec.get("tolerations") or ())
    return own + [dict(each) for each in added if each not in own]


def should_run(spec: Mapping[str, Any], node: Object) -> bool:
    taints = (node.get("spec") or {}).get("taints") or ()
    return matches_pod_node_rules(spec, node) and find_untolerated_taint(taints, spec["tolerations"]) is None


def should_stay(spec: Mapping[str, Any], node: Object) -> bool:
    """A pod already there leaves only for a NoExecute taint or when the node no longer fits."""
    taints = (node.get("spec") or {}).get("taints") or ()
    untolerated = find_untolerated_taint(taints, spec["tolerations"], ("NoExecute",))
    return matches_pod_node_rules(spec, node) and untolerated is None


def _node_of(pod: Object) -> str:
    """The node a daemon pod is on, or is pinned to while it waits for the scheduler."""
    if node := pod["spec"].get("nodeName"):
        return str(node)
    terms = _required_terms(pod["spec"])
    for term in terms:
        for field in term.get("matchFields") or ():
            if field["key"] == "metadata.name" and field["operator"] == "In" and field.get("values"):
                return str(field["values"][0])
    return ""


def _required_terms(spec: Mapping[str, Any]) -> list[Object]:
    node_affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = node_affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    return list(required.get("nodeSelectorTerms") or ())


def _daemon_pod(daemon_set: Object, node: str, revision: str) -> Object:
    generation = (daemon_set["metadata"].get("annotations") or {}).get(GENERATION_ANNOTATION)
    labels = {HASH_LABEL: revision} | ({GENERATION_LABEL: generation} if generation else {})
    pod = pod_from(daemon_set["spec"]["template"], daemon_set, labels=labels)
    spec = dict(pod["spec"])
    spec["tolerations"] = daemon_tolerations(spec)
    spec["affinity"] = pinned_affinity(spec, node)
    return {**pod, "spec": spec}


def pinned_affinity(spec: Mapping[str, Any], node: str) -> Object:
    """The template's affinity with its required node terms replaced by one for `node`.

    The terms themselves were already checked: a pod is only made for nodes that match them.
    """
    pin = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    affinity = dict(spec.get("affinity") or {})
    node_affinity = dict(affinity.get("nodeAffinity") or {})
    node_affinity["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": [pin]}
    affinity["nodeAffinity"] = node_affinity
    return affinity


def _revision_of(daemon_set: Object, revision: str, known: Sequence[Object]) -> Object:
    template = {**daemon_set["spec"]["template"], "$patch": "replace"}
    labels = (daemon_set["spec"]["template"].get("metadata") or {}).get("labels") or {}
    return {
        "apiVersion": CONTROLLER_REVISIONS.api_version,
        "kind": CONTROLLER_REVISIONS.kind,
        "metadata": {
            "name": f"{name_of(daemon_set)}-{revision}",
            "namespace": namespace_of(daemon_set),
            "labels": {**labels, HASH_LABEL: revision},
            "annotations": daemon_set["metadata"].get("annotations") or {},
            "ownerReferences": [owner_reference(daemon_set)],
        },
        "data": {"spec": {"template": template}},
        "revision": 1 + max((int(each.get("revision", 0)) for each in known), default=0),
    }
