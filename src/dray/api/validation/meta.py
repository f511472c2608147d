"""ObjectMeta: names, labels, annotations, owners, finalizers; what may appear and what an update may change.

Applies to every kind alike; a kind only chooses the rule of its name.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from dray.api import names
from dray.api.fields import FieldError, Path, forbidden, invalid, quote, required, too_long
from dray.api.meta import Object
from dray.api.names import NameRule

ANNOTATIONS_MAX_BYTES = 256 * 1024
METADATA = Path("metadata")
IMMUTABLE = "field is immutable"

_STANDARD_FINALIZERS = {"kubernetes", "orphan", "foregroundDeletion"}
_SET_BY_OTHERS = (
    "name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp",
    "deletionTimestamp", "deletionGracePeriodSeconds", "ownerReferences", "finalizers", "managedFields",
)  # fmt: skip
# Kubernetes derives the shown name from Go's.
_SHOWN_FIELDS = {"uid": "uID"}
_OWNER_FIELDS = ("apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion")
_ABSENT: Any = object()
"""What is not even the zero time, which is written as null."""
_FIXED_FIELDS = (
    ("name", ""),
    ("namespace", ""),
    ("uid", ""),
    ("creationTimestamp", None),
    ("deletionTimestamp", _ABSENT),
    ("deletionGracePeriodSeconds", None),
)


def validate_meta_create(
    meta: Object,
    *,
    namespaced: bool,
    name_rule: NameRule = names.dns_subdomain,
    reads_generate_name: bool = True,
    reads_finalizers: bool = True,
    path: Path = METADATA,
) -> list[FieldError]:
    """Findings on the metadata of an object about to be created, its namespace and name already filled in.

    Newer kinds of Kubernetes look only at the name, not at the generateName it was made of (`reads_generate_name`), and
    some do not ask whether a finalizer is a known one (`reads_finalizers`).
    """
    errors: list[FieldError] = []
    generate_name, name = meta.get("generateName") or "", meta.get("name") or ""
    if generate_name and reads_generate_name:
        at = path.child("generateName")
        errors += [invalid(at, generate_name, text) for text in names.prefix_of(generate_name, name_rule)]
    if not name:
        errors.append(required(path.child("name"), "name or generateName is required"))
    else:
        errors += [invalid(path.child("name"), name, text) for text in name_rule(name)]
    errors += _validate_namespace(meta.get("namespace") or "", namespaced, path.child("namespace"))
    if (meta.get("generation") or 0) < 0:
        at = path.child("generation")
        errors.append(invalid(at, meta["generation"], "must be greater than or equal to 0"))
    errors += _validate_contents(meta, path)
    finalizers, at = meta.get("finalizers") or (), path.child("finalizers")
    errors += _validate_finalizers(finalizers, at)
    return errors + (_validate_standard_finalizers(finalizers, at) if reads_finalizers else [])


def validate_meta_update(
    new: Object, old: Object, path: Path = METADATA, *, reads_finalizers: bool = True
) -> list[FieldError]:
    """Findings on replacing the metadata `old` by `new`, as the kind at hand looks at it; see `validate_meta_create`."""
    errors = validate_change(new, old, path) + _validate_contents(new, path)
    if not reads_finalizers:
        return errors
    return errors + _validate_standard_finalizers(new.get("finalizers") or (), path.child("finalizers"))


def validate_any_update(new: Object, old: Object, path: Path = METADATA) -> list[FieldError]:
    """Findings that are told before any kind looks, most of them twice."""
    contents = _validate_contents(new, path)
    finalizers = _validate_finalizers(new.get("finalizers") or (), path.child("finalizers"))
    return contents + finalizers + validate_change(new, old, path) + contents


def validate_change(new: Object, old: Object, path: Path = METADATA) -> list[FieldError]:
    """Findings on what changed, whatever the metadata says now."""
    errors: list[FieldError] = []
    if old.get("deletionTimestamp"):
        added = sorted(set(new.get("finalizers") or ()) - set(old.get("finalizers") or ()))
        if added:
            listing = "[]string{" + ", ".join(quote(name) for name in added) + "}"
            text = "no new finalizers can be added if the object is being deleted, found new finalizers "
            errors.append(forbidden(path.child("finalizers"), text + listing))
    if not new.get("resourceVersion"):
        errors.append(invalid(path.child("resourceVersion"), "", "must be specified for an update"))
    if (new.get("generation") or 0) < (old.get("generation") or 0):
        at = path.child("generation")
        errors.append(invalid(at, new.get("generation") or 0, "must not be decremented"))
    for field, zero in _FIXED_FIELDS:
        value = new.get(field, zero)
        if value != old.get(field, zero):
            errors.append(invalid(path.child(field), None if value is _ABSENT else value, IMMUTABLE))
    return errors


def immutable(new: Any, old: Any, path: Path) -> list[FieldError]:
    return [] if new == old else [invalid(path, new, IMMUTABLE)]


def validate_template_metadata(meta: Object, path: Path) -> list[FieldError]:
    """Metadata that a claim made from a template gets: labels and annotations, nothing else."""
    errors = validate_annotations(meta.get("annotations") or {}, path.child("annotations"))
    errors += validate_labels(meta.get("labels") or {}, path.child("labels"))
    return errors + [
        forbidden(path.child(_SHOWN_FIELDS.get(field, field)), "cannot be set")
        for field in _SET_BY_OTHERS
        if _is_set(field, meta.get(field))
    ]


def _is_set(field: str, value: Any) -> bool:
    """Whether the field differs from Go's zero value, as an empty list does."""
    return value is not None and value != "" and (field, value) != ("generation", 0)


def validate_labels(labels: Mapping[str, str], path: Path) -> list[FieldError]:
    """Findings on a label map; both keys and values are reported at the map itself."""
    errors: list[FieldError] = []
    for key, value in labels.items():
        errors += [invalid(path, key, text) for text in names.qualified_name(key)]
        errors += [invalid(path, value, text) for text in names.label_value(value)]
    return errors


def validate_annotations(annotations: Mapping[str, str], path: Path) -> list[FieldError]:
    """Keys are qualified names in any case; values are free, all together at most 256 KiB."""
    errors = [invalid(path, key, text) for key in annotations for text in names.qualified_name(key.lower())]
    size = sum(names.byte_length(key) + names.byte_length(value) for key, value in annotations.items())
    if size > ANNOTATIONS_MAX_BYTES:
        errors.append(too_long(path, ANNOTATIONS_MAX_BYTES))
    return errors


def _validate_namespace(namespace: str, namespaced: bool, path: Path) -> list[FieldError]:
    if not namespaced:
        return [forbidden(path, "not allowed on this type")] if namespace else []
    if not namespace:
        return [required(path)]
    return [invalid(path, namespace, text) for text in names.dns_label(namespace)]


def _validate_contents(meta: Object, path: Path) -> list[FieldError]:
    errors = validate_labels(meta.get("labels") or {}, path.child("labels"))
    errors += validate_annotations(meta.get("annotations") or {}, path.child("annotations"))
    return errors + _validate_owners(meta.get("ownerReferences") or (), path.child("ownerReferences"))


_CONTROLLERS_TOLD = 10
"""Each is told together with all owners: the text would else grow with the square of their number."""


def _validate_owners(owners: Sequence[Object], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    controllers: list[str] = []
    for owner in owners:
        errors += _validate_owner(owner, path)
        if not owner.get("controller"):
            continue
        controllers.append(f"{owner.get('kind', '')}/{owner.get('name', '')}")
        if 1 < len(controllers) <= _CONTROLLERS_TOLD:
            text = 'Only one reference can have Controller set to true. Found "true" in references for '
            written = [_as_written(each) for each in owners]
            errors.append(invalid(path, written, f"{text}{controllers[0]} and {controllers[-1]}"))
    return errors


def _validate_owner(owner: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    api_version = owner.get("apiVersion") or ""
    group, slash, version = api_version.rpartition("/")
    if not version or "/" in group:
        errors.append(invalid(path.child("apiVersion"), api_version, "version must not be empty"))
    for field in ("kind", "name", "uid"):
        if not owner.get(field):
            errors.append(invalid(path.child(field), "", "must not be empty"))
    if owner.get("kind") == "Event" and version == "v1" and not slash and not group:
        errors.append(invalid(path, _as_written(owner), "/v1, Kind=Event is disallowed from being an owner"))
    return errors


def _as_written(owner: Object) -> Object:
    """In the order of Kubernetes' fields, which a message shows."""
    return {field: owner[field] for field in _OWNER_FIELDS if field in owner}


def _validate_finalizers(finalizers: Sequence[str], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for finalizer in finalizers:
        errors += [invalid(path, finalizer, text) for text in names.qualified_name(finalizer)]
    if {"orphan", "foregroundDeletion"} <= set(finalizers):
        text = "finalizer orphan and foregroundDeletion cannot be both set"
        errors.append(invalid(path, list(finalizers), text))
    return errors


def _validate_standard_finalizers(finalizers: Sequence[str], path: Path) -> list[FieldError]:
    """A plain name is one of Kubernetes' own."""
    errors: list[FieldError] = []
    text = "name is neither a standard finalizer name nor is it fully qualified"
    for index, finalizer in enumerate(finalizers):
        if "/" not in finalizer and finalizer not in _STANDARD_FINALIZERS:
            errors.append(invalid(path.index(index), finalizer, text))
    return errors
