"""Objects as a manifest would make them, and single fields set to another value."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from dray.api.meta import Object, key_of, name_of, namespace_of
from dray.api.pods import claims_of
from dray.api.resources import (
    DEVICE_CLASSES,
    NODES,
    PODS,
    RESOURCE_CLAIM_TEMPLATES,
    RESOURCE_CLAIMS,
    Resource,
)
from dray.insight.snapshot import Snapshot
from dray.insight.whatif.devices import with_rule, with_slice
from dray.insight.whatif.evicting import evict, has_place
from dray.insight.whatif.pods import like, template_names
from dray.insight.whatif.scenario import NotThere, Scenario, workload_of
from dray.insight.whatif.workloads import KINDS, remade, with_workload

SETTABLE: dict[str, Resource] = {
    "claim": RESOURCE_CLAIMS,
    "template": RESOURCE_CLAIM_TEMPLATES,
    "class": DEVICE_CLASSES,
    "pod": PODS,
    "node": NODES,
}
_LONG = {
    "resourceclaim": "claim", "resourceclaimtemplate": "template", "deviceclass": "class", "po": "pod", "no": "node",
}  # fmt: skip


def with_object(scenario: Scenario, obj: Object) -> Scenario:
    """The cluster after the object was applied: v1 of its kind, defaults filled in, its namespace set. Raises NotThere."""
    kind = str(obj["kind"])
    apply = _APPLIED.get(kind)
    if apply is not None:
        return apply(scenario, obj)
    if kind.lower() in KINDS:
        return with_workload(scenario, obj)
    return scenario.noting(f"{kind} {name_of(obj)} changes nothing here and is passed over")


def _put(resource: Resource) -> Callable[[Scenario, Object], Scenario]:
    return lambda scenario, obj: scenario.put(resource, [obj])


def _with_pod(scenario: Scenario, pod: Object) -> Scenario:
    uid = pod["metadata"].get("uid") or f"new pod {key_of(pod)}"
    made = {"status": {}, **pod, "metadata": {**pod["metadata"], "uid": uid}}
    missing = [entry for entry in claims_of(made) if not entry.is_resolved]
    if missing:
        copied = like(scenario.snapshot, made, name_of(made))
        changed = scenario.put(PODS, [copied.pod]).put(RESOURCE_CLAIMS, copied.claims)
        return changed.about(workload_of(copied.pod))
    return scenario.put(PODS, [made]).about(workload_of(made))


def _with_claim(scenario: Scenario, claim: Object) -> Scenario:
    """A claim's spec cannot be changed in place: one that has devices is made anew, and its pods with it."""
    old = scenario.snapshot.find(RESOURCE_CLAIMS, name_of(claim), namespace_of(claim))
    if old is None:
        uid = f"new claim {key_of(claim)}"
        return scenario.put(
            RESOURCE_CLAIMS, [{**claim, "metadata": {"uid": uid, **claim["metadata"]}, "status": {}}]
        )
    if old["spec"] == claim["spec"]:
        return scenario
    users = scenario.snapshot.pods_by_claim.get(key_of(claim), ())
    changed = evict(scenario, users, f"claim {key_of(claim)} is made anew")
    return changed.put(RESOURCE_CLAIMS, [{**old, "spec": claim["spec"], "status": {}}])


def _with_template(scenario: Scenario, template: Object) -> Scenario:
    """Claims are made from a template once: those of pods that wait are made anew, pods that run keep theirs."""
    changed = scenario.put(RESOURCE_CLAIM_TEMPLATES, [template])
    specs = {}
    for pod in scenario.snapshot.pods:
        for key, name in template_names(pod).items():
            if (key.namespace, name) != (namespace_of(template), name_of(template)) or has_place(pod):
                continue
            claim = scenario.snapshot.find(RESOURCE_CLAIMS, key.name, key.namespace)
            if claim is not None and not (claim.get("status") or {}).get("allocation"):
                specs[key] = template["spec"]["spec"]
    changed = dataclasses.replace(changed, templates=(*changed.templates, key_of(template)))
    return remade(changed, specs)


_APPLIED: dict[str, Callable[[Scenario, Object], Scenario]] = {
    "Node": _put(NODES),
    "DeviceClass": _put(DEVICE_CLASSES),
    "ResourceSlice": with_slice,
    "DeviceTaintRule": with_rule,
    "Pod": _with_pod,
    "ResourceClaim": _with_claim,
    "ResourceClaimTemplate": _with_template,
}


def find_object(snapshot: Snapshot, target: str, namespace: str) -> Object:
    """`claim/NAME`, `template/NAME`, `class/NAME`, `pod/NAME`, `node/NAME` or a workload. Raises NotThere."""
    kind, _, name = target.partition("/")
    kind = _LONG.get(kind.lower(), kind.lower())
    resource = SETTABLE.get(kind) or KINDS.get(kind)
    if resource is None or not name:
        raise NotThere(f"{target} cannot be changed; say one of: {', '.join(f'{k}/NAME' for k in SETTABLE)}")
    obj = snapshot.find(resource, name, namespace if resource.namespaced else "")
    if obj is None:
        where = f" in namespace {namespace}" if resource.namespaced else ""
        there = [name_of(o) for o in snapshot.of(resource) if not where or namespace_of(o) == namespace]
        raise NotThere(f"there is no {kind} {name}{where}; there: {', '.join(there[:5]) or 'none'}")
    return {"apiVersion": resource.api_version, "kind": resource.kind, **obj}


def set_at(obj: Any, path: str, value: Any) -> Any:
    """A copy with the field at `spec.devices.requests[0].exactly.count` set; `[NAME]` finds a list's entry by its name.

    Raises NotThere.
    """
    return _set(obj, _steps(path), value, path)


def _steps(path: str) -> list[str]:
    steps: list[str] = []
    for part in path.split("."):
        name, *indexes = part.split("[")
        steps += [name] if name else []
        steps += [f"[{index}" for index in indexes]
    return steps


def _set(node: Any, steps: Sequence[str], value: Any, path: str) -> Any:
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if step.startswith("["):
        items = list(node) if isinstance(node, list) else []
        place = _place(items, step[1:].removesuffix("]"), path)
        items[place] = _set(items[place], rest, value, path)
        return items
    if node is not None and not isinstance(node, dict):
        raise NotThere(f"{path}: {step} is looked for in {node!r}, which has no fields")
    return {**(node or {}), step: _set((node or {}).get(step), rest, value, path)}


def _place(items: list[Any], index: str, path: str) -> int:
    if index.isdigit() and int(index) < len(items):
        return int(index)
    for place, item in enumerate(items):
        if isinstance(item, dict) and item.get("name") == index:
            return place
    named = [str(item["name"]) for item in items if isinstance(item, dict) and "name" in item]
    what = f"has {', '.join(named)}" if named else f"has {len(items)} entries"
    raise NotThere(f"{path}: there is no entry [{index}]; the list {what}")
