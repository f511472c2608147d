"""Annotations that Kubernetes reads on pods: mirrors, the cost of deletion, and what was an annotation before it was a field."""

import json
import re
from typing import Final

from dray.api.fields import FieldError, Path, forbidden, invalid
from dray.api.meta import Object, annotations_of
from dray.api.schema.decoding import decode
from dray.api.schema.inspection import DecodeError
from dray.api.schema.json_syntax import syntax_error
from dray.api.schema.registry import type_schema
from dray.api.validation.lists import items_of
from dray.api.validation.pod.mounts import validate_local_path
from dray.api.validation.pod.placement import validate_tolerations

MIRROR_ANNOTATION: Final = "kubernetes.io/config.mirror"
APP_ARMOR_PREFIX: Final = "container.apparmor.security.beta.kubernetes.io/"
SECCOMP: Final = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP_PREFIX: Final = "container.seccomp.security.alpha.kubernetes.io/"

_TOLERATIONS: Final = "scheduler.alpha.kubernetes.io/tolerations"
_DELETION_COST: Final = "controller.kubernetes.io/pod-deletion-cost"
_SECCOMP_PROFILES: Final = ("runtime/default", "docker/default", "unconfined")
_APP_ARMOR_PROFILES: Final = ("", "runtime/default", "unconfined")
_COST: Final = re.compile(r"0|-?[1-9][0-9]{0,9}")
_INT32: Final = 2**31
_AT: Final = Path("metadata").child("annotations")


def validate_pod_annotations(
    pod: Object, path: Path = _AT, *, may_cost_anything: bool = False
) -> list[FieldError]:
    """Of a pod, or of a template of one, whose annotations stand at `path`.

    `may_cost_anything`: the stored pod has a cost that is no number, which then may stay.
    """
    annotations, spec = annotations_of(pod), pod.get("spec") or {}
    errors: list[FieldError] = []
    if MIRROR_ANNOTATION in annotations and not spec.get("nodeName"):
        text = "must set spec.nodeName if mirror pod annotation is set"
        errors.append(invalid(path.key(MIRROR_ANNOTATION), annotations[MIRROR_ANNOTATION], text))
    if annotations.get(_TOLERATIONS):
        errors += _validate_tolerations(annotations[_TOLERATIONS], path)
    if not may_cost_anything and not has_valid_cost(pod):
        at = path.key(_DELETION_COST)
        errors.append(invalid(at, annotations[_DELETION_COST], "must be a 32bit integer"))
    for key, profile in annotations.items():
        if key == SECCOMP or key.startswith(SECCOMP_PREFIX):
            errors += _validate_seccomp(profile, path.child(key))
    return errors + _validate_app_armor(annotations, spec, path)


def has_valid_cost(pod: Object) -> bool:
    cost = annotations_of(pod).get(_DELETION_COST)
    return cost is None or (_COST.fullmatch(cost) is not None and -_INT32 <= int(cost) < _INT32)


def validate_annotation_changes(new: Object, old: Object) -> list[FieldError]:
    """Whether a pod is a mirror, and how it is confined, was said once and for all."""
    after, before = annotations_of(new), annotations_of(old)
    errors: list[FieldError] = []
    for key in before:
        if after.get(key) != before[key] and (what := _fixed(key)):
            errors.append(forbidden(_AT.key(key), f"may not remove or update {what}"))
    for key in after:
        if key not in before and (what := _fixed(key)):
            errors.append(forbidden(_AT.key(key), f"may not add {what}"))
    return errors + validate_pod_annotations(new, may_cost_anything=not has_valid_cost(old))


def _fixed(key: str) -> str:
    if key.startswith(APP_ARMOR_PREFIX):
        return "AppArmor annotations"
    return "mirror pod annotation" if key == MIRROR_ANNOTATION else ""


def _validate_tolerations(text: str, path: Path) -> list[FieldError]:
    try:
        found = json.loads(text)
    except ValueError:
        return [invalid(path, _TOLERATIONS, syntax_error(text.encode()))]
    tolerations = found if isinstance(found, list) else []
    schema = type_schema("core/v1", "Toleration")
    try:
        read = [decode(one, schema, strict=False).object for one in tolerations if isinstance(one, dict)]
    except DecodeError as error:
        return [invalid(path, _TOLERATIONS, str(error))]
    return validate_tolerations(read, path.child(_TOLERATIONS))


def _validate_seccomp(profile: str, path: Path) -> list[FieldError]:
    if profile in _SECCOMP_PROFILES:
        return []
    if profile.startswith("localhost/"):
        return validate_local_path(profile.removeprefix("localhost/"), path)
    return [invalid(path, profile, "must be a valid seccomp profile")]


def _validate_app_armor(annotations: dict[str, str], spec: Object, path: Path) -> list[FieldError]:
    fields = ("initContainers", "containers", "ephemeralContainers")
    known = {one.get("name") for field in fields for one in items_of(spec.get(field))}
    errors: list[FieldError] = []
    for key, profile in annotations.items():
        if not key.startswith(APP_ARMOR_PREFIX):
            continue
        name = key.removeprefix(APP_ARMOR_PREFIX)
        if name not in known:
            errors.append(invalid(path.key(key), name, "container not found"))
        if profile not in _APP_ARMOR_PROFILES and not profile.startswith("localhost/"):
            errors.append(invalid(path.key(key), profile, f'invalid AppArmor profile name: "{profile}"'))
    return errors
