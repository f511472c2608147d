"""ResourceClaimTemplate: the claim it makes, and the little metadata that claim may be given."""

from dray.api.fields import FieldError, Path, invalid
from dray.api.meta import Object
from dray.api.validation.meta import IMMUTABLE, validate_template_metadata
from dray.api.validation.resource.claim import ClaimRules, validate_claim_spec
from dray.api.validation.resource.internal import FORMS
from dray.api.validation.sameness import same

SPEC = Path("spec")


def validate_template_spec(spec: Object, rules: ClaimRules) -> list[FieldError]:
    errors = validate_template_metadata(spec.get("metadata") or {}, SPEC.child("metadata"))
    return errors + validate_claim_spec(spec.get("spec") or {}, SPEC.child("spec"), rules)


def validate_template_update(new: Object, old: Object, rules: ClaimRules) -> list[FieldError]:
    """`new` and `old` are specs. The whole spec is immutable, and is checked again besides."""
    errors = validate_template_spec(new, rules)
    if not same(new, old):
        errors.append(invalid(SPEC, FORMS.show("ResourceClaimTemplateSpec", new), IMMUTABLE))
    return errors
