"""Annotations of old that say how containers are confined agree with the fields that took their place."""

from collections.abc import Iterator, Mapping
from typing import Final

from dray.api.fields import FieldError, Path, forbidden
from dray.api.meta import Object, annotations_of
from dray.api.validation.lists import items_of
from dray.api.validation.pod.annotations import APP_ARMOR_PREFIX, SECCOMP, SECCOMP_PREFIX

_WORDS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "seccomp": {"Unconfined": ("unconfined",), "RuntimeDefault": ("runtime/default", "docker/default")},
    "apparmor": {"Unconfined": ("unconfined",), "RuntimeDefault": ("runtime/default",)},
}
"""What an annotation says for each type of profile."""
_LOCAL: Final = "localhost/"


def validate_agreement(holder: Object, path: Path) -> list[FieldError]:
    """`holder`: a pod or a template of one; `path` is that of its spec."""
    return _validate_seccomp(holder, path) + _validate_app_armor(holder, path)


def _validate_seccomp(holder: Object, path: Path) -> list[FieldError]:
    annotations, spec = annotations_of(holder), holder.get("spec") or {}
    errors: list[FieldError] = []
    whole = (spec.get("securityContext") or {}).get("seccompProfile")
    if whole is not None and SECCOMP in annotations:
        at = path.child("securityContext", "seccompProfile")
        errors += _compare("seccomp", annotations[SECCOMP], whole, at)
    for at, container in containers_with_paths(spec, path):
        profile = (container.get("securityContext") or {}).get("seccompProfile")
        annotation = annotations.get(f"{SECCOMP_PREFIX}{container.get('name') or ''}")
        if profile is not None and annotation is not None:
            errors += _compare("seccomp", annotation, profile, at.child("securityContext", "seccompProfile"))
    return errors


def _validate_app_armor(holder: Object, path: Path) -> list[FieldError]:
    annotations, spec = annotations_of(holder), holder.get("spec") or {}
    if (spec.get("os") or {}).get("name") == "windows":
        return []
    errors: list[FieldError] = []
    whole = (spec.get("securityContext") or {}).get("appArmorProfile")
    for at, container in containers_with_paths(spec, path):
        own = (container.get("securityContext") or {}).get("appArmorProfile")
        profile = own if own is not None else whole
        annotation = annotations.get(f"{APP_ARMOR_PREFIX}{container.get('name') or ''}")
        if profile is not None and annotation is not None:
            errors += _compare(
                "apparmor", annotation, profile, at.child("securityContext", "appArmorProfile")
            )
    return errors


def _compare(what: str, annotation: str, profile: Object, path: Path) -> list[FieldError]:
    kind = profile.get("type") or ""
    expected = _WORDS[what].get(kind)
    if expected is not None:
        agrees = annotation in expected
    elif kind != "Localhost":
        agrees = True
    else:
        agrees = annotation.startswith(_LOCAL)
        if agrees and annotation.removeprefix(_LOCAL) != profile.get("localhostProfile"):
            return [
                forbidden(
                    path.child("localhostProfile"), f"{what} profile in annotation and field must match"
                )
            ]
    return (
        [] if agrees else [forbidden(path.child("type"), f"{what} type in annotation and field must match")]
    )


def containers_with_paths(spec: Object, path: Path) -> Iterator[tuple[Path, Object]]:
    """All containers of a spec, those that start first first."""
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(items_of(spec.get(field))):
            yield path.child(field).index(index), container
