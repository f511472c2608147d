"""ResourceClaimTemplate: the claim it makes, and the little metadata that claim may be given."""

from typing import Any

from dray.api.fields import FieldError, Path, forbidden, invalid
from dray.api.meta import Object
from dray.api.validation.meta import IMMUTABLE, validate_annotations, validate_labels
from dray.api.validation.resource.claim import ClaimRules, validate_claim_spec
from dray.api.validation.resource.internal import FORMS
from dray.api.validation.sameness import same

SPEC = Path("spec")

_OTHER_FIELDS = (
    "name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp",
    "deletionTimestamp", "deletionGracePeriodSeconds", "ownerReferences", "finalizers", "managedFields",
)  # fmt: skip
# Kubernetes derives the shown name from Go's.
_SHOWN_FIELDS = {"uid": "uID"}


def validate_template_spec(spec: Object, rules: ClaimRules) -> list[FieldError]:
    meta = spec.get("metadata") or {}
    at = SPEC.child("metadata")
    errors = validate_annotations(meta.get("annotations") or {}, at.child("annotations"))
    errors += validate_labels(meta.get("labels") or {}, at.child("labels"))
    errors += [
        forbidden(at.child(_SHOWN_FIELDS.get(field, field)), "cannot be set")
        for field in _OTHER_FIELDS
        if _is_set(field, meta.get(field))
    ]
    return errors + validate_claim_spec(spec.get("spec") or {}, SPEC.child("spec"), rules)


def _is_set(field: str, value: Any) -> bool:
    """Whether the field differs from Go's zero value, as an empty list does."""
    return value is not None and value != "" and (field, value) != ("generation", 0)


def validate_template_update(new: Object, old: Object, rules: ClaimRules) -> list[FieldError]:
    """`new` and `old` are specs. The whole spec is immutable, and is checked again besides."""
    errors = validate_template_spec(new, rules)
    if not same(new, old):
        errors.append(invalid(SPEC, FORMS.show("ResourceClaimTemplateSpec", new), IMMUTABLE))
    return errors
