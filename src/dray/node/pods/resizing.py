"""What the node grants the containers of a pod, and how that follows what the pod asks for by now. Pure.

A pod that is resized asks for other amounts than it was granted. They are granted as soon as there is room; until then all
goes on as before. Nothing here is enforced, so containers have what they are granted at once, but those that want to be
started again for it. Source: kubernetes pkg/kubelet/allocation, 1.36.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dray.api.meta import Object
from dray.api.pod_requests import parse_amounts
from dray.node.pods.status import Failure
from dray.node.pods.view import ContainerView

PENDING: Final = "PodResizePending"
IN_PROGRESS: Final = "PodResizeInProgress"
_FIELDS: Final = ("initContainers", "containers")
_PARTS: Final = ("limits", "requests")
_STATUSES: Final = ("initContainerStatuses", "containerStatuses")


@dataclasses.dataclass(frozen=True, slots=True)
class Grant:
    """Resources by container, and those of the pod as a whole."""

    containers: Mapping[str, Object]
    whole: Object

    @classmethod
    def asked(cls, pod: Mapping[str, Any]) -> "Grant":
        spec = pod["spec"]
        named = {each["name"]: _amounts(each.get("resources")) for each in _containers(spec)}
        return cls(named, _amounts(spec.get("resources")))

    @classmethod
    def told(cls, pod: Mapping[str, Any]) -> "Grant":
        """What an agent before this one granted: its containers tell of it, and it goes on."""
        asked, status = cls.asked(pod), pod.get("status") or {}
        known = {
            each["name"]: _amounts(each["resources"])
            for field in _STATUSES
            for each in status.get(field) or ()
            if each.get("resources") is not None and "running" in (each.get("state") or {})
        }
        own = _amounts(status.get("resources"))
        whole = {
            part: {name: (own.get(part) or {}).get(name, amount) for name, amount in amounts.items()}
            for part, amounts in asked.whole.items()
        }
        return cls(
            {**asked.containers, **{name: known[name] for name in known if name in asked.containers}}, whole
        )

    def is_same(self, other: "Grant") -> bool:
        """However the amounts are written."""
        return _read(self.whole) == _read(other.whole) and {
            name: _read(each) for name, each in self.containers.items()
        } == {name: _read(each) for name, each in other.containers.items()}

    def applied(self, pod: Object) -> Object:
        """The pod as if it asked for this."""
        spec = dict(pod["spec"])
        for field in _FIELDS:
            if spec.get(field):
                spec[field] = [self._resized(each) for each in spec[field]]
        if spec.get("resources"):
            spec["resources"] = {**spec["resources"], **self.whole}
        return {**pod, "spec": spec}

    def _resized(self, container: Object) -> Object:
        granted = self.containers.get(container["name"])
        if granted is None:
            return container
        kept = {key: value for key, value in (container.get("resources") or {}).items() if key not in _PARTS}
        return {**container, "resources": {**kept, **granted}}


def accounted(pod: Object) -> Object:
    """The pod with what its spec asks for, whatever its status still says."""
    left = {
        key: value
        for key, value in (pod.get("status") or {}).items()
        if key not in (*_STATUSES, "resources", "allocatedResources")
    }
    return {**pod, "status": left}


def outgrown(views: Sequence[ContainerView], before: Grant, after: Grant) -> dict[str, Object]:
    """Containers that run and want to be started again for what changes, by id: what they have until then."""
    return {
        view.current.id: before.containers.get(view.name, {})
        for view in views
        if view.current is not None and view.is_running and _restarts(view, before, after)
    }


def _restarts(view: ContainerView, before: Grant, after: Grant) -> bool:
    old, new = (_read(grant.containers.get(view.name, {})) for grant in (before, after))
    changed = {
        name
        for part in _PARTS
        for name in old[part].keys() | new[part].keys()
        if old[part].get(name) != new[part].get(name)
    }
    policies = view.spec.get("resizePolicy") or ()
    return any(
        policy.get("resourceName") in changed and policy.get("restartPolicy") == "RestartContainer"
        for policy in policies
    )


def conditions(refusal: Failure | None, generation: int, *, is_under_way: bool) -> list[Object]:
    """`refusal`: why what the pod asks for is not granted now; `generation`: the one that asked."""
    found: list[Object] = []
    if refusal is not None:
        pending = {"type": PENDING, "status": "True", "reason": "Deferred", "message": why(refusal)}
        found.append(pending | ({"observedGeneration": generation} if generation else {}))
    if is_under_way:
        under_way: Object = {"type": IN_PROGRESS, "status": "True"}
        found.append(under_way | ({"observedGeneration": generation} if generation else {}))
    return found


def why(refusal: Failure) -> str:
    return refusal.message.removeprefix("Pod was rejected: ")


def summary(pod: Mapping[str, Any], error: str = "") -> str:
    """The resources that the pod asks for, as events tell of them."""
    told: Object = {}
    for field in _FIELDS:
        if containers := pod["spec"].get(field):
            told[field] = [
                {"name": each["name"], "resources": _amounts(each.get("resources"))} for each in containers
            ]
    told["generation"] = pod["metadata"].get("generation") or 0
    if error:
        told["error"] = error
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False)


def _containers(spec: Mapping[str, Any]) -> list[Object]:
    return [each for field in _FIELDS for each in spec.get(field) or ()]


def _amounts(resources: Mapping[str, Any] | None) -> Object:
    return {part: dict(resources[part]) for part in _PARTS if resources and resources.get(part)}


def _read(resources: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    return {part: parse_amounts(resources.get(part)) for part in _PARTS}
