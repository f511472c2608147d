"""Workloads with another number of pods, and those that are not there yet."""

from collections.abc import Iterator, Sequence
from typing import Any

from dray.api.meta import Object, is_deleting, key_of, name_of, namespace_of
from dray.api.placement import find_untolerated_taint, matches_pod_node_rules
from dray.api.pods import is_terminal
from dray.api.resources import (
    DAEMON_SETS,
    DEPLOYMENTS,
    JOBS,
    POD_TEMPLATES,
    PODS,
    REPLICA_SETS,
    REPLICATION_CONTROLLERS,
    RESOURCE_CLAIM_TEMPLATES,
    RESOURCE_CLAIMS,
    STATEFUL_SETS,
    Resource,
)
from dray.insight.snapshot import Snapshot
from dray.insight.whatif.evicting import evict, has_place, removed
from dray.insight.whatif.pods import Made, like, of_template, template_names
from dray.insight.whatif.scenario import NotThere, Scenario, Workload, workload_of

MAX_PODS = 100_000
KINDS: dict[str, Resource] = {
    "deployment": DEPLOYMENTS,
    "replicaset": REPLICA_SETS,
    "replicationcontroller": REPLICATION_CONTROLLERS,
    "statefulset": STATEFUL_SETS,
    "job": JOBS,
    "daemonset": DAEMON_SETS,
    "podtemplate": POD_TEMPLATES,
    "pod": PODS,
}
SHORT = {
    "deploy": "deployment", "deployments": "deployment", "rs": "replicaset", "rc": "replicationcontroller",
    "sts": "statefulset", "statefulsets": "statefulset", "jobs": "job", "ds": "daemonset", "daemonsets": "daemonset",
    "po": "pod", "pods": "pod",
}  # fmt: skip
_DAEMON_TOLERATIONS = tuple(
    {"key": f"node.kubernetes.io/{name}", "operator": "Exists"}
    for name in (
        "not-ready", "unreachable", "disk-pressure", "memory-pressure", "pid-pressure", "unschedulable",
        "network-unavailable",
    )
)  # fmt: skip
"""What the pods of every DaemonSet tolerate."""


def find_workload(snapshot: Snapshot, kind: str, name: str, namespace: str) -> tuple[Workload, Object | None]:
    """A workload by kind (short names too), and its object where it could be read. Raises NotThere."""
    kind = SHORT.get(kind.lower(), kind.lower())
    resource = KINDS.get(kind)
    if resource is None:
        raise NotThere(f"{kind} is no workload; say one of: {', '.join(KINDS)}")
    obj = snapshot.find(resource, name, namespace)
    if obj is None and snapshot.knows(resource):
        there = sorted(name_of(each) for each in snapshot.of(resource) if namespace_of(each) == namespace)
        known = ", ".join(there[:5]) + (f" and {len(there) - 5} more" if len(there) > 5 else "") or "none"
        raise NotThere(f"there is no {kind} {name} in namespace {namespace}; there: {known}")
    return Workload(kind, namespace, name), obj


def pods_of(snapshot: Snapshot, workload: Workload) -> list[Object]:
    """Its pods that have not ended and are not about to."""
    if workload.kind == "pod":
        pod = snapshot.find(PODS, workload.name, workload.namespace)
        return [pod] if pod is not None else []
    return [
        pod
        for pod in snapshot.pods
        if namespace_of(pod) == workload.namespace
        and workload_of(pod) == workload
        and not is_terminal(pod)
        and not is_deleting(pod)
    ]


def scale(scenario: Scenario, workload: Workload, obj: Object | None, count: int) -> Scenario:
    """The workload with `count` pods, of a job: so many at once. Of `pod`: the pod and others like it.

    Raises NotThere where nothing tells what its pods are like.
    """
    there = pods_of(scenario.snapshot, workload)
    if count > MAX_PODS:
        raise NotThere(f"{count} pods are more than the {MAX_PODS} that are looked at")
    if workload.kind == "daemonset":
        raise NotThere(
            f"{workload} has a pod on each node that suits; add or remove nodes instead of scaling it"
        )
    scenario = scenario.about(workload)
    if count < len(there):
        # As controllers do: first those that have no place yet.
        spare = sorted(there, key=has_place)[: len(there) - count]
        return removed(scenario, spare)
    taken = {name_of(pod) for pod in scenario.snapshot.pods if namespace_of(pod) == workload.namespace}
    names = _free_names(workload.name, taken)
    made = [
        _one_more(scenario.snapshot, workload, obj, there, next(names)) for _ in range(count - len(there))
    ]  # fmt: skip
    return with_made(scenario, made)


def _free_names(name: str, taken: set[str]) -> Iterator[str]:
    number = 0
    while True:
        number += 1
        if (candidate := f"{name}-new-{number}") not in taken:
            yield candidate


def _one_more(
    snapshot: Snapshot, workload: Workload, obj: Object | None, there: Sequence[Object], name: str
) -> Made:
    if workload.kind == "pod":
        made = like(snapshot, there[0], name)
        owner = [{"controller": True, "kind": "Pod", "name": workload.name, "uid": ""}]
        return made._replace(pod={**made.pod, "metadata": {**made.pod["metadata"], "ownerReferences": owner}})
    if obj is not None:
        return of_template(snapshot, obj, template_of(obj), name)
    if there:
        return like(snapshot, there[0], name)
    raise NotThere(f"{workload} cannot be read and has no pods, so nothing tells what its pods are like")


def template_of(obj: Object) -> Any:
    """The pod template of a workload."""
    return obj.get("template") or (obj.get("spec") or {}).get("template") or {}


def with_made(scenario: Scenario, made: Sequence[Made]) -> Scenario:
    return scenario.put(PODS, [each.pod for each in made]).put(
        RESOURCE_CLAIMS, [claim for each in made for claim in each.claims]
    )


def with_workload(scenario: Scenario, obj: Object) -> Scenario:
    """A workload as a manifest has it, with as many pods as it says. Raises NotThere."""
    kind = str(obj["kind"]).lower()
    workload = Workload(kind, namespace_of(obj), name_of(obj))
    scenario = scenario.put(KINDS[kind], [obj])
    if kind == "daemonset":
        return _on_every_node(scenario, workload, obj)
    spec = obj.get("spec") or {}
    count = spec.get("parallelism" if kind == "job" else "replicas")
    # Pods of before the change run on; what is new is made as the template says now.
    return scale(scenario, workload, obj, 1 if count is None else int(count))


def _on_every_node(scenario: Scenario, workload: Workload, obj: Object) -> Scenario:
    snapshot = scenario.snapshot
    template = template_of(obj)
    spec = template.get("spec") or {}
    tolerations = [*(spec.get("tolerations") or ()), *_DAEMON_TOLERATIONS]
    template = {**template, "spec": {**spec, "tolerations": tolerations}}
    covered = {pod["spec"].get("nodeName") for pod in pods_of(snapshot, workload)}
    made = [
        of_template(snapshot, obj, template, f"{workload.name}-{name_of(node)}", pin=name_of(node))
        for node in snapshot.nodes
        if name_of(node) not in covered
        and matches_pod_node_rules(spec, node)
        and find_untolerated_taint((node.get("spec") or {}).get("taints") or (), tolerations) is None
    ]
    return with_made(scenario.about(workload), made)


def restart(scenario: Scenario, workload: Workload) -> Scenario:
    """All its pods made anew at once, with claims as their templates are now."""
    snapshot = scenario.snapshot
    pods = pods_of(snapshot, workload)
    specs = {}
    for pod in pods:
        for key, name in template_names(pod).items():
            if template := snapshot.find(RESOURCE_CLAIM_TEMPLATES, name, key.namespace):
                specs[key] = template["spec"]["spec"]
    return remade(evict(scenario.about(workload), pods, f"{workload} is restarted"), specs)


def remade(scenario: Scenario, claims: dict[Any, Object]) -> Scenario:
    """Claims of pods that wait, with other specs; by key."""
    changed = [
        {**claim, "spec": claims[key_of(claim)]} if key_of(claim) in claims else claim
        for claim in scenario.snapshot.claims
    ]
    return scenario.replaced(RESOURCE_CLAIMS, changed)
