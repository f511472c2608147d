"""The ResourceClaims a pod uses."""

from dray.api import names
from dray.api.fields import FieldError, Path, duplicate, invalid, required
from dray.api.meta import Object
from dray.api.validation.pod.internal import FORMS

_REFERENCES = ("resourceClaimName", "resourceClaimTemplateName")


def validate_resource_claims(claims: list[Object], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, claim in enumerate(claims):
        errors += _validate_claim(claim, seen, path.index(index))
    return errors


def _validate_claim(claim: Object, seen: set[str], path: Path) -> list[FieldError]:
    """A claim belongs to the pod by a name of its own, and refers to a claim or to a template for one."""
    name, at = claim.get("name") or "", path.child("name")
    errors: list[FieldError] = []
    if not name:
        errors.append(required(at))
    elif name in seen:
        errors.append(duplicate(at, name))
    else:
        errors += [invalid(at, name, text) for text in names.dns_label(name)]
        seen.add(name)
    present = [field for field in _REFERENCES if claim.get(field) is not None]
    if len(present) == 2:
        text = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
        errors.append(invalid(path, FORMS.show("PodResourceClaim", claim), text))
    elif not present:
        text = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
        errors.append(invalid(path, FORMS.show("PodResourceClaim", claim), text))
    for field in present:
        reference = claim[field]
        errors += [invalid(path.child(field), reference, text) for text in names.dns_subdomain(reference)]
    return errors
