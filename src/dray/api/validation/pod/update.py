"""What of a pod may change once it exists: images, tolerations added, gates removed, a deadline brought forward."""

from dray.api.fields import FieldError, Path, forbidden, invalid, required
from dray.api.meta import Object
from dray.api.validation.differences import difference
from dray.api.validation.lists import items_of
from dray.api.validation.pod.annotations import has_valid_cost, validate_annotation_changes
from dray.api.validation.pod.gated import validate_narrowing, with_node_affinity_of
from dray.api.validation.pod.internal import FORMS, internal_pod_spec
from dray.api.validation.pod.placement import validate_tolerations
from dray.api.validation.pod.rules import NEW_POD, PodRules
from dray.api.validation.pod.spec import SPEC, validate_pod
from dray.api.validation.sameness import same_forms

_CHANGEABLE = (
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` "
    "(only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it "
    "was previously negative)"
)
_EPHEMERAL = "EphemeralContainer"
_MAX_INT32 = 2**31 - 1


def validate_pod_update(new: Object, old: Object, rules: PodRules = NEW_POD) -> list[FieldError]:
    """All but the ObjectMeta that every kind has."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    errors = validate_pod(new, rules, may_cost_anything=not has_valid_cost(old))
    errors += validate_annotation_changes(new, old)
    for field in ("containers", "initContainers"):
        at = SPEC.child(field)
        containers, earlier = items_of(spec.get(field)), items_of(before.get(field))
        if len(containers) != len(earlier):
            return [*errors, forbidden(at, "pod updates may not add or remove containers")]
        errors += _validate_images(containers, at)
    late = _validate_deadline(spec, before, SPEC.child("activeDeadlineSeconds"))
    errors += late
    if late and spec.get("activeDeadlineSeconds") is not None:
        return errors
    errors += _validate_added_tolerations(spec, before, SPEC.child("tolerations"))
    errors += _validate_removed_gates(spec, before, SPEC.child("schedulingGates"))
    if same_specs(spec, before):
        return errors
    if before.get("schedulingGates"):
        errors += validate_narrowing(spec, before)
    return errors + _validate_rest(_without_changeable(spec, before), before)


def _validate_images(containers: list[Object], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, container in enumerate(containers):
        image, at = container.get("image") or "", path.index(index).child("image")
        if not image:
            errors.append(required(at))
        elif image != image.strip():
            errors.append(invalid(at, image, "must not have leading or trailing whitespace"))
    return errors


def _validate_deadline(spec: Object, before: Object, path: Path) -> list[FieldError]:
    deadline, earlier = spec.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds")
    if deadline is None:
        if earlier is None:
            return []
        return [invalid(path, None, "must not update from a positive integer to nil value")]
    if not 0 <= deadline <= _MAX_INT32:
        return [invalid(path, deadline, f"must be between 0 and {_MAX_INT32}, inclusive")]
    if earlier is not None and earlier < deadline:
        return [invalid(path, deadline, "must be less than or equal to previous value")]
    return []


def _validate_added_tolerations(spec: Object, before: Object, path: Path) -> list[FieldError]:
    tolerations = items_of(spec.get("tolerations"))
    for earlier in items_of(before.get("tolerations")):
        if not any(_same_toleration(earlier, toleration) for toleration in tolerations):
            text = "existing toleration can not be modified except its tolerationSeconds"
            return [forbidden(path, text)]
    return validate_tolerations(tolerations, path)


def _same_toleration(left: Object, right: Object) -> bool:
    fields = ("key", "operator", "value", "effect")
    return all((left.get(field) or "") == (right.get(field) or "") for field in fields)


def _validate_removed_gates(spec: Object, before: Object, path: Path) -> list[FieldError]:
    earlier = {gate.get("name") for gate in items_of(before.get("schedulingGates"))}
    # Of gates of one name the last is told of.
    last = {gate.get("name") or "": index for index, gate in enumerate(items_of(spec.get("schedulingGates")))}
    return [
        forbidden(
            path.index(index).child("name"),
            f"only deletion is allowed, but found new scheduling gate '{name}'",
        )
        for name, index in last.items()
        if name not in earlier
    ]


def _without_changeable(spec: Object, before: Object) -> Object:
    """The new spec with the old values wherever a change is allowed."""
    munged = dict(spec)
    for field in ("containers", "initContainers"):
        pairs = zip(items_of(spec.get(field)), items_of(before.get(field)), strict=True)
        kept = [{**container, "image": earlier.get("image", "")} for container, earlier in pairs]
        if kept:
            munged[field] = kept
    fields = ["activeDeadlineSeconds", "tolerations", "schedulingGates"]
    if (before.get("terminationGracePeriodSeconds") or 0) < 0:
        fields += ["terminationGracePeriodSeconds"] if spec.get("terminationGracePeriodSeconds") == 1 else []
    if before.get("schedulingGates"):
        fields.append("nodeSelector")
        munged = with_node_affinity_of(munged, before)
    for field in fields:
        if field in before:
            munged[field] = before[field]
        else:
            munged.pop(field, None)
    return munged


def _validate_rest(spec: Object, before: Object) -> list[FieldError]:
    if same_specs(spec, before):
        return []
    text = f"pod updates may not change fields other than {_CHANGEABLE}\n{spec_difference(before, spec)}"
    return [forbidden(SPEC, text)]


def same_specs(left: Object, right: Object) -> bool:
    """As `same`, but that a part which is there and says nothing is not as none."""
    return left == right or same_forms(internal_pod_spec(left), internal_pod_spec(right))


def spec_difference(old: Object, new: Object) -> str:
    """A unified diff of the two specs in internal form, as messages show it."""
    return difference(internal_pod_spec(old), internal_pod_spec(new))


def validate_ephemeral_update(new: Object, old: Object, rules: PodRules = NEW_POD) -> list[FieldError]:
    """A write to `ephemeralcontainers`: containers may be added, and none changed or taken away."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    at = SPEC.child("ephemeralContainers")
    containers = items_of(spec.get("ephemeralContainers"))
    errors = validate_pod(new, rules, may_cost_anything=not has_valid_cost(old))
    errors += validate_annotation_changes(new, old)
    by_name = {container.get("name"): container for container in containers}
    for container in items_of(before.get("ephemeralContainers")):
        name = container.get("name") or ""
        if name not in by_name:
            text = f'existing ephemeral containers "{name}" may not be removed\n'
            errors.append(forbidden(at, text))
            continue
        was, now = FORMS.show(_EPHEMERAL, container), FORMS.show(_EPHEMERAL, by_name[name])
        if not same_forms(was, now):
            text = f'existing ephemeral containers "{name}" may not be changed\n{difference(was, now)}'
            errors.append(forbidden(at, text))
    return errors
