"""What a write to `resize` may change: how much CPU and memory a pod and its containers have, and nothing else."""

from collections.abc import Mapping
from typing import Any, Final

from dray.api.features import FeatureGates
from dray.api.fields import FieldError, Path, forbidden, invalid
from dray.api.meta import Object, annotations_of
from dray.api.qos import qos_class
from dray.api.validation.lists import items_of
from dray.api.validation.pod.rules import pod_rules
from dray.api.validation.pod.spec import SPEC, validate_pod
from dray.api.validation.sameness import same

MIRROR: Final = "kubernetes.io/config.mirror"
RESIZABLE: Final = ("cpu", "memory")
_WHOLE: Final = Path("[]")
"""What Kubernetes names where it means the pod as such."""
_LEVEL_GATE: Final = "InPlacePodLevelResourcesVerticalScaling"
_INIT_GATE: Final = "InPlacePodVerticalScalingInitContainers"


def validate_resize(new: Object, old: Object, features: FeatureGates) -> list[FieldError]:
    """All but the ObjectMeta that every kind has."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    if MIRROR in annotations_of(old):
        return [forbidden(_WHOLE, "static pods cannot be resized")]
    if (before.get("os") or {}).get("name") == "windows":
        return [forbidden(_WHOLE, "windows pods cannot be resized")]
    errors = validate_pod(new, pod_rules(features, before))
    if (old.get("status") or {}).get("qosClass", qos_class(before)) != qos_class(spec):
        shown = (new.get("status") or {}).get("qosClass") or ""
        errors.append(invalid(SPEC, shown, "Pod QOS Class may not change as a result of resizing"))
    if not _is_resizable(old):
        errors.append(forbidden(SPEC, "Pod running on node without support for resize"))
    if _has_own(spec) or _has_own(before):
        if not features.enabled(_LEVEL_GATE):
            text = (
                "resize of pods with pod-level resources is forbidden when "
                "InPlacePodLevelResourcesVerticalScalingEnabled feature gate is disabled"
            )
            return [*errors, forbidden(_WHOLE, text)]
        errors += _validate_own(spec.get("resources"), before.get("resources"))
    taking = (old.get("status") or {}).get("nodeAllocatableResourceClaimStatuses")
    if taking and not features.reaches("1.37"):
        text = "pods with node allocatable resource claims cannot be resized"
        errors.append(forbidden(SPEC, text))
    if misplaced := _validate_order(spec, before):
        return errors + misplaced
    errors += _validate_containers(spec, before, features)
    if not errors and not same(_without_amounts(spec), _without_amounts(before)):
        errors.append(forbidden(SPEC, "only cpu and memory resources are mutable"))
    return errors


def _is_resizable(pod: Object) -> bool:
    """Whether the node that runs the pod tells what its containers have; a pod that does not run yet may hope."""
    for status in items_of((pod.get("status") or {}).get("containerStatuses")):
        if (status.get("state") or {}).get("running") is not None:
            return status.get("resources") is not None
    return True


def _has_own(spec: Object) -> bool:
    own = spec.get("resources") or {}
    return bool(own.get("requests") or own.get("limits"))


def _validate_own(own: Object | None, before: Object | None) -> list[FieldError]:
    """Resources of the pod as a whole."""
    at = SPEC.child("resources")
    if before is not None and own is None:
        return [forbidden(at, "pod-level resources cannot be removed")]
    errors = [
        forbidden(at.child(part), f"pod-level resource {part} cannot be removed")
        for part in ("requests", "limits")
        if before is not None and _is_less((own or {}).get(part), before.get(part))
    ]
    if not same(_fixed(own), _fixed(before)):
        errors.append(forbidden(SPEC, "only cpu and memory resources are mutable at pod-level"))
    return errors


def _validate_order(spec: Object, before: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("containers", "initContainers"):
        at = SPEC.child(field)
        containers, earlier = items_of(spec.get(field)), items_of(before.get(field))
        if len(containers) != len(earlier):
            errors.append(forbidden(at, f"{field} may not be added or removed on resize"))
            continue
        for index, (container, known) in enumerate(zip(containers, earlier, strict=True)):
            if container.get("name") != known.get("name"):
                text = f"{field} may not be renamed or reordered on resize"
                errors.append(forbidden(at.index(index).child("name"), text))
    return errors


def _validate_containers(spec: Object, before: Object, features: FeatureGates) -> list[FieldError]:
    removed: list[FieldError] = []
    changed: list[FieldError] = []
    init = SPEC.child("initContainers")
    for index, (container, known) in enumerate(_pairs(spec, before, "initContainers")):
        is_sidecar = known.get("restartPolicy") == "Always"
        if is_sidecar or features.enabled(_INIT_GATE):
            removed += _validate_kept(container, known, init.index(index).child("resources"))
            if not _is_same_but_amounts(container, known):
                text = "only cpu and memory resources for init or sidecar containers are mutable"
                changed.append(forbidden(init.index(index), text))
            if not is_sidecar and not same(container, known) and _restarts(container):
                text = (
                    "non-sidecar init containers with a resize policy of RestartContainer cannot be resized"
                )
                changed.append(forbidden(init.index(index), text))
        elif not same(container, known):
            changed.append(forbidden(SPEC, "resources for non-sidecar init containers are immutable"))
    of_main: list[FieldError] = []
    for index, (container, known) in enumerate(_pairs(spec, before, "containers")):
        removed += _validate_kept(container, known, SPEC.child("containers").index(index).child("resources"))
        if not _is_same_but_amounts(container, known):
            of_main.append(forbidden(SPEC, "only cpu and memory resources are mutable"))
    return removed + of_main + changed


def _pairs(spec: Object, before: Object, field: str) -> list[tuple[Object, Object]]:
    return list(zip(items_of(spec.get(field)), items_of(before.get(field)), strict=True))


def _validate_kept(container: Object, known: Object, path: Path) -> list[FieldError]:
    resources, earlier = container.get("resources") or {}, known.get("resources") or {}
    return [
        forbidden(path.child(part), f"resource {part} cannot be removed")
        for part in ("requests", "limits")
        if _is_less(resources.get(part), earlier.get(part))
    ]


def _is_less(amounts: Mapping[str, Any] | None, earlier: Mapping[str, Any] | None) -> bool:
    return not set(earlier or ()) <= set(amounts or ())


def _restarts(container: Object) -> bool:
    return any(
        policy.get("restartPolicy") == "RestartContainer"
        for policy in items_of(container.get("resizePolicy"))
    )


def _is_same_but_amounts(container: Object, known: Object) -> bool:
    """Claims of a container do not survive the comparison in Kubernetes, so such a pod cannot be resized at all."""
    if (known.get("resources") or {}).get("claims"):
        return False
    resources = {"resources": _fixed(container.get("resources"))}
    return same({**container, **resources}, {**known, "resources": _fixed(known.get("resources"))})


def _without_amounts(spec: Object) -> Object:
    """The spec without what the checks of containers and of the pod as a whole are about."""
    left = ("containers", "initContainers", "resources")
    return {key: value for key, value in spec.items() if key not in left}


def _fixed(resources: Object | None) -> Object:
    """What of resources never changes."""
    found = dict(resources or {})
    for part in ("requests", "limits"):
        amounts = (resources or {}).get(part) or {}
        found[part] = {name: amount for name, amount in amounts.items() if name not in RESIZABLE}
    return found
