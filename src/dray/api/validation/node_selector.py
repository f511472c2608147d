"""Node selectors: the terms by which pods, volumes and device allocations choose nodes."""

from collections.abc import Callable

from dray.api import names
from dray.api.fields import Choice, FieldError, Path, forbidden, invalid, required
from dray.api.meta import Object
from dray.api.validation.lists import items_of

Rule = Callable[[Object, Path], list[FieldError]]


def validate_node_selector(selector: Object, path: Path, *, strict_values: bool = False) -> list[FieldError]:
    """At least one term; `strict_values` also wants the values of expressions to be label values."""
    at = path.child("nodeSelectorTerms")
    terms = items_of(selector.get("nodeSelectorTerms"))
    if not terms:
        return [required(at, "must have at least one node selector term")]
    return [
        error
        for index, term in enumerate(terms)
        for error in validate_node_selector_term(term, at.index(index), strict_values=strict_values)
    ]


def validate_node_selector_term(term: Object, path: Path, *, strict_values: bool = False) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, requirement in enumerate(items_of(term.get("matchExpressions"))):
        at = path.child("matchExpressions").index(index)
        errors += _validate_expression(requirement, at, strict_values)
    for index, requirement in enumerate(items_of(term.get("matchFields"))):
        errors += _validate_field(requirement, path.child("matchFields").index(index))
    return errors


def _validate_expression(requirement: Object, path: Path, strict_values: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    operator, values = requirement.get("operator") or "", requirement.get("values") or []
    at = path.child("values")
    if operator in ("In", "NotIn"):
        if not values:
            errors.append(required(at, "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            errors.append(forbidden(at, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
    elif operator in ("Gt", "Lt"):
        if len(values) != 1:
            errors.append(required(at, "must be specified single value when `operator` is 'Lt' or 'Gt'"))
    else:
        errors.append(invalid(path.child("operator"), Choice(operator), "not a valid selector operator"))
    key = requirement.get("key") or ""
    errors += [invalid(path.child("key"), key, text) for text in names.qualified_name(key)]
    if strict_values:
        for index, value in enumerate(values):
            errors += [invalid(at.index(index), value, text) for text in names.label_value(value)]
    return errors


def _validate_field(requirement: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    operator, values = requirement.get("operator") or "", requirement.get("values") or []
    if operator in ("In", "NotIn"):
        if len(values) != 1:
            text = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
            errors.append(required(path.child("values"), text))
    else:
        errors.append(invalid(path.child("operator"), Choice(operator), "not a valid selector operator"))
    key = requirement.get("key") or ""
    if key != "metadata.name":
        errors.append(invalid(path.child("key"), key, "not a valid field selector key"))
        return errors
    for index, value in enumerate(values):
        at = path.child("values").index(index)
        errors += [invalid(at, value, text) for text in names.dns_subdomain(value)]
    return errors
