"""What a ResourceClaim's spec may ask: requests, constraints among them, configuration for them."""

import dataclasses

from dray.api import names
from dray.api.fields import FieldError, Path, forbidden, invalid, not_supported, required
from dray.api.meta import Object
from dray.api.validation.lists import each, each_unique, items_of
from dray.api.validation.meta import IMMUTABLE
from dray.api.validation.resource.derived import DerivationCheck, DerivedAttributes
from dray.api.validation.resource.internal import FORMS
from dray.api.validation.resource.naming import check_name, validate_fully_qualified_name
from dray.api.validation.resource.opaque import validate_device_configuration
from dray.api.validation.resource.selectors import ExpressionCheck, validate_selectors
from dray.api.validation.resource.taints import EFFECTS
from dray.api.validation.sameness import same

REQUESTS_MAX = 32
SUBREQUESTS_MAX = 8
CONSTRAINTS_MAX = 32
CONFIG_MAX = 32

_ONE_REQUEST_KIND = "exactly one of `exactly` or `firstAvailable` is required"
_NOT_A_REQUEST = (
    "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
)
# Upstream's text says "multiple" although none is set; clients see it as it is.
_ONE_CONSTRAINT_KIND = (
    'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
)


@dataclasses.dataclass(frozen=True, slots=True)
class ClaimRules:
    """What the rules of a claim's spec depend on beside the spec."""

    check_expression: ExpressionCheck
    check_derivation: DerivationCheck
    consumable_capacity: bool = True
    """Gate DRAConsumableCapacity: distinctAttribute may replace matchAttribute."""
    stored: bool = False
    """The spec was accepted before: limits introduced since do not apply."""
    is_137: bool = False
    """Rules that came with 1.37 without a gate hold too."""


def validate_claim_spec(spec: Object, path: Path, rules: ClaimRules) -> list[FieldError]:
    devices = spec.get("devices") or {}
    at = path.child("devices")
    references = RequestNames.of(devices)
    derived = DerivedAttributes(devices, rules.check_derivation, stored=rules.stored)
    errors = each_unique(
        items_of(devices.get("requests")),
        at.child("requests"),
        lambda request, item: _validate_request(request, item, rules, derived),
        key=lambda request: request.get("name") or "",
        most=REQUESTS_MAX,
    )
    errors += each(
        items_of(devices.get("constraints")),
        at.child("constraints"),
        lambda constraint, item: _validate_constraint(constraint, item, references, rules),
        most=CONSTRAINTS_MAX,
    )
    errors += each(
        items_of(devices.get("config")),
        at.child("config"),
        lambda config, item: validate_claim_configuration(config, item, references, stored=rules.stored),
        most=CONFIG_MAX,
    )
    return errors + derived.validate_cost(at)


def validate_claim_spec_update(new: Object, old: Object, path: Path) -> list[FieldError]:
    """A claim's spec never changes; the new content is not looked at otherwise."""
    if same(new, old):
        return []
    return [invalid(path, FORMS.show("ResourceClaimSpec", new), IMMUTABLE)]


def validate_admin_access_label(spec: Object, namespace: Object | None) -> list[FieldError]:
    """Only namespaces labelled for it may ask for admin access; the first request at fault is named.

    The path is that of a claim without `exactly`, for templates too, as Kubernetes prints it.
    """
    labels = ((namespace or {}).get("metadata") or {}).get("labels") or {}
    if labels.get(ADMIN_ACCESS_LABEL) == "true":
        return []
    for index, request in enumerate(items_of((spec.get("devices") or {}).get("requests"))):
        if (request.get("exactly") or {}).get("adminAccess"):
            at = Path("spec.devices.requests").index(index).child("adminAccess")
            return [forbidden(at, ADMIN_ACCESS_REFUSAL)]
    return []


def asks_admin_access(spec: Object) -> bool:
    requests = items_of((spec.get("devices") or {}).get("requests"))
    return any((request.get("exactly") or {}).get("adminAccess") for request in requests)


ADMIN_ACCESS_LABEL = "resource.kubernetes.io/admin-access"
ADMIN_ACCESS_REFUSAL = (
    f"admin access to devices requires the `{ADMIN_ACCESS_LABEL}: true` label on the containing namespace"
)


@dataclasses.dataclass(frozen=True, slots=True)
class RequestNames:
    """The requests of a claim by name, each with the names of its subrequests."""

    subrequests: dict[str, frozenset[str]]

    @classmethod
    def of(cls, devices: Object) -> "RequestNames":
        return cls(
            {
                request.get("name") or "": frozenset(
                    sub.get("name") or "" for sub in items_of(request.get("firstAvailable"))
                )
                for request in items_of(devices.get("requests"))
            }
        )

    def has(self, reference: str) -> bool:
        """Whether `request` or `request/subrequest` exists in the claim."""
        request, slash, subrequest = reference.partition("/")
        if request not in self.subrequests:
            return False
        return not slash or subrequest in self.subrequests[request]


def validate_request_reference(reference: str, path: Path, references: RequestNames) -> list[FieldError]:
    parts = reference.split("/")
    if len(parts) > 2:
        return [invalid(path, reference, _NOT_A_REQUEST)]
    errors = [error for part in parts for error in check_name(part, path, names.dns_label)]
    if not references.has(reference):
        errors.append(invalid(path, reference, _NOT_A_REQUEST))
    return errors


def validate_request_references(
    items: list[str] | None, path: Path, references: RequestNames
) -> list[FieldError]:
    return each_unique(
        items or [],
        path,
        lambda reference, at: validate_request_reference(reference, at, references),
        most=REQUESTS_MAX,
    )


def validate_claim_configuration(
    config: Object, path: Path, references: RequestNames, *, stored: bool
) -> list[FieldError]:
    errors = validate_request_references(config.get("requests"), path.child("requests"), references)
    return errors + validate_device_configuration(config, path, stored=stored)


def _validate_request(
    request: Object, path: Path, rules: ClaimRules, derived: DerivedAttributes
) -> list[FieldError]:
    name: str = request.get("name") or ""
    errors = check_name(name, path.child("name"), names.dns_label)
    exactly, alternatives = request.get("exactly"), items_of(request.get("firstAvailable"))
    if exactly is not None and alternatives:
        errors.append(invalid(path, None, f"{_ONE_REQUEST_KIND}, but multiple fields are set"))
    elif exactly is not None:
        errors += _validate_selection(exactly, path.child("exactly"), name, rules, derived)
    elif alternatives:
        errors += each_unique(
            alternatives,
            path.child("firstAvailable"),
            lambda sub, at: _validate_subrequest(sub, at, name, rules, derived),
            key=lambda sub: sub.get("name") or "",
            most=SUBREQUESTS_MAX,
        )
    else:
        errors.append(required(path, _ONE_REQUEST_KIND))
    return errors


def _validate_subrequest(
    request: Object, path: Path, parent: str, rules: ClaimRules, derived: DerivedAttributes
) -> list[FieldError]:
    name: str = request.get("name") or ""
    errors = check_name(name, path.child("name"), names.dns_label)
    return errors + _validate_selection(request, path, f"{parent}/{name}", rules, derived)


def _validate_selection(
    request: Object, path: Path, name: str, rules: ClaimRules, derived: DerivedAttributes
) -> list[FieldError]:
    """What `exactly` and a subrequest have in common: which devices and how many. `name` is for constraints."""
    class_name = request.get("deviceClassName") or ""
    at = path.child("deviceClassName")
    errors = check_name(class_name, at, names.dns_subdomain) if class_name else [required(at)]
    errors += validate_selectors(
        request.get("selectors"), path.child("selectors"), rules.check_expression, stored=rules.stored
    )
    errors += derived.validate(request.get("derivedAttributes"), path.child("derivedAttributes"), name)
    errors += _validate_amount(request.get("allocationMode") or "", request.get("count") or 0, path)
    for index, toleration in enumerate(items_of(request.get("tolerations"))):
        errors += validate_toleration(toleration, path.child("tolerations").index(index))
    return errors


def _validate_amount(mode: str, count: int, path: Path) -> list[FieldError]:
    if mode == "All":
        if count:
            text = "must not be specified when allocationMode is 'All'"
            return [invalid(path.child("count"), count, text)]
    elif mode == "ExactCount":
        if count <= 0:
            return [invalid(path.child("count"), count, "must be greater than zero")]
    else:
        return [not_supported(path.child("allocationMode"), mode, ("All", "ExactCount"))]
    return []


def validate_toleration(toleration: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    key, value = toleration.get("key") or "", toleration.get("value") or ""
    operator, effect = toleration.get("operator") or "", toleration.get("effect") or ""
    if key:
        errors += check_name(key, path.child("key"), names.qualified_name)
    if operator == "Exists":
        if value:
            errors.append(invalid(path.child("value"), value, "must be empty for operator `Exists`"))
    elif operator == "Equal":
        errors += check_name(value, path.child("value"), names.label_value)
    elif operator:
        errors.append(not_supported(path.child("operator"), operator, ("Equal", "Exists")))
    else:
        errors.append(required(path.child("operator")))
    if effect and effect not in EFFECTS:
        errors.append(not_supported(path.child("effect"), effect, EFFECTS))
    return errors


def _validate_attribute_name(name: str, path: Path, rules: ClaimRules) -> list[FieldError]:
    return validate_fully_qualified_name(name, path, one_slash=rules.is_137)


def _validate_constraint(
    constraint: Object, path: Path, references: RequestNames, rules: ClaimRules
) -> list[FieldError]:
    errors = validate_request_references(constraint.get("requests"), path.child("requests"), references)
    match, distinct = constraint.get("matchAttribute"), constraint.get("distinctAttribute")
    # Both set: only matchAttribute is looked at, and the claim is accepted (1.36 and 1.37).
    if match is not None:
        errors += _validate_attribute_name(match, path.child("matchAttribute"), rules)
    elif not rules.consumable_capacity:
        errors.append(required(path.child("matchAttribute")))
    elif distinct is not None:
        errors += _validate_attribute_name(distinct, path.child("distinctAttribute"), rules)
    else:
        errors.append(required(path, _ONE_CONSTRAINT_KIND))
    return errors
