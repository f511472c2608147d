"""Namespace: holds other objects; deleted in two steps, since its content goes first."""

from dray.api import names
from dray.api.fields import Choice, FieldError, Path, invalid
from dray.api.meta import Object
from dray.api.resources import NAMESPACES
from dray.apiserver.registry.columns import AGE, NAME, at, find
from dray.apiserver.registry.kind import Column, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.selection import FIELD_LABEL_TEXT
from dray.apiserver.registry.writes import keep_spec, keep_status

FINALIZER = "kubernetes"
NAME_LABEL = "kubernetes.io/metadata.name"


def _default(obj: Object, version: str) -> None:
    """Every namespace carries its name as a label, so that selectors can name it."""
    meta = obj["metadata"]
    if meta.get("name"):
        meta["labels"] = {**(meta.get("labels") or {}), NAME_LABEL: meta["name"]}
    status = obj.setdefault("status", {})
    if not status.get("phase"):
        status["phase"] = "Active"


def _prepare_create(context: WriteContext, obj: Object) -> None:
    _default(obj, "v1")
    spec = obj.setdefault("spec", {})
    finalizers = spec.get("finalizers") or []
    if FINALIZER not in finalizers:
        spec["finalizers"] = [*finalizers, FINALIZER]
    obj["status"] = {"phase": "Active"}


def _prepare_update(context: WriteContext, obj: Object) -> None:
    keep_spec(context, obj)
    keep_status(context, obj)


def _validate(context: WriteContext, obj: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    path = Path("spec.finalizers")
    for name in find(obj, "spec", "finalizers", default=[]):
        errors += [invalid(path, name, text) for text in names.qualified_name(name)]
        errors += _check_standard(name, path)
    return errors


def _check_standard(name: str, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    if "/" not in name and name not in ("kubernetes", "orphan", "foregroundDeletion"):
        text = "name is neither a standard finalizer name nor is it fully qualified"
        errors.append(invalid(path, name, text))
    return errors


def _validate_status(context: WriteContext, obj: Object) -> list[FieldError]:
    phase = find(obj, "status", "phase", default="")
    deleting = bool(obj["metadata"].get("deletionTimestamp"))
    # Kubernetes prints Go's field name here.
    at_phase = Path("status.Phase")
    if not deleting and phase != "Active":
        return [invalid(at_phase, Choice(phase), "may only be 'Active' if `deletionTimestamp` is empty")]
    if deleting and phase != "Terminating":
        return [
            invalid(at_phase, Choice(phase), "may only be 'Terminating' if `deletionTimestamp` is not empty")
        ]
    return []


def _begin_deletion(obj: Object) -> None:
    obj["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}


def _keep_all_but_finalizers(context: WriteContext, obj: Object) -> None:
    keep_status(context, obj)


NAMESPACE = Kind(
    NAMESPACES,
    singular="namespace",
    short_names=("ns",),
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    columns=(
        NAME,
        Column("Status", at("status", "phase"), description="Active, or Terminating while it is emptied."),
        AGE,
    ),
    default=_default,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    validate_create=_validate,
    validate_update=_validate,
    metadata_checks=("whole", "change"),
    status=StatusStrategy(keep_spec, _validate_status),
    subresources=("finalize",),
    updatable={"finalize": StatusStrategy(_keep_all_but_finalizers, _validate)},
    name_rule=names.dns_label,
    holds_deletion=lambda obj: bool(find(obj, "spec", "finalizers")),
    begin_deletion=_begin_deletion,
    field_labels={
        "name": lambda obj: obj["metadata"]["name"],
        "status.phase": lambda obj: find(obj, "status", "phase", default=""),
    },
    unknown_field_text=FIELD_LABEL_TEXT,
)
