"""Roles and bindings: what a rule must name, and whom a binding may name. Says nothing of who may grant what."""

from dray.api import names
from dray.api.fields import FieldError, Path, invalid, not_supported, required
from dray.api.meta import Object
from dray.api.validation.internal_form import InternalForms
from dray.api.validation.label_selector import validate_label_selector
from dray.api.validation.lists import items_of
from dray.api.validation.sameness import same

GROUP = "rbac.authorization.k8s.io"

_FORMS = InternalForms("""
RoleRef:
  APIGroup apiGroup string
  Kind kind string
  Name name string
""")


def validate_role(obj: Object) -> list[FieldError]:
    return _validate_rules(obj, namespaced=True)


def validate_cluster_role(obj: Object) -> list[FieldError]:
    errors = _validate_rules(obj, namespaced=False)
    aggregation = obj.get("aggregationRule")
    if aggregation is None:
        return errors
    at = Path("aggregationRule.clusterRoleSelectors")
    selectors = items_of(aggregation.get("clusterRoleSelectors"))
    if not selectors:
        errors.append(required(at, "at least one clusterRoleSelector required if aggregationRule is non-nil"))
    for index, selector in enumerate(selectors):
        found = validate_label_selector(selector, at.index(index))
        if found:
            found.append(invalid(at.index(index), None, "invalid label selector."))
        errors += found
    return errors


def _validate_rules(obj: Object, *, namespaced: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, rule in enumerate(items_of(obj.get("rules"))):
        errors += _validate_rule(rule, Path("rules").index(index), namespaced)
    return errors


def _validate_rule(rule: Object, path: Path, namespaced: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    if not rule.get("verbs"):
        errors.append(required(path.child("verbs"), "verbs must contain at least one value"))
    urls = rule.get("nonResourceURLs")
    if urls:
        at = path.child("nonResourceURLs")
        if namespaced:
            text = "namespaced rules cannot apply to non-resource URLs"
            errors.append(invalid(at, urls, text))
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            text = "rules cannot apply to both regular resources and non-resource URLs"
            errors.append(invalid(at, urls, text))
        return errors
    if not rule.get("apiGroups"):
        text = "resource rules must supply at least one api group"
        errors.append(required(path.child("apiGroups"), text))
    if not rule.get("resources"):
        text = "resource rules must supply at least one resource"
        errors.append(required(path.child("resources"), text))
    return errors


def validate_binding(obj: Object, *, namespaced: bool) -> list[FieldError]:
    role = obj.get("roleRef") or {}
    at = Path("roleRef")
    errors: list[FieldError] = []
    if role.get("apiGroup") != GROUP:
        errors.append(
            not_supported(at.child("apiGroup"), role.get("apiGroup") or "", (GROUP,), is_plain=True)
        )
    kinds = ("Role", "ClusterRole") if namespaced else ("ClusterRole",)
    if role.get("kind") not in kinds:
        errors.append(
            not_supported(at.child("kind"), role.get("kind") or "", kinds, in_order=True, is_plain=True)
        )
    if name := role.get("name"):
        errors += [invalid(at.child("name"), name, text) for text in names.path_segment(name)]
    else:
        errors.append(required(at.child("name")))
    for index, subject in enumerate(items_of(obj.get("subjects"))):
        errors += _validate_subject(subject, Path("subjects").index(index), namespaced)
    return errors


def validate_binding_update(new: Object, old: Object, *, namespaced: bool) -> list[FieldError]:
    errors = validate_binding(new, namespaced=namespaced)
    if not same(new.get("roleRef"), old.get("roleRef")):
        shown = _FORMS.show("RoleRef", new.get("roleRef"))
        errors.append(invalid(Path("roleRef"), shown, "cannot change roleRef"))
    return errors


def _validate_subject(subject: Object, path: Path, namespaced: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    name, group = subject.get("name") or "", subject.get("apiGroup") or ""
    if not name:
        errors.append(required(path.child("name")))
    kind = subject.get("kind") or ""
    if kind == "ServiceAccount":
        if name:
            errors += [invalid(path.child("name"), name, text) for text in names.dns_subdomain(name)]
        if group:
            errors.append(not_supported(path.child("apiGroup"), group, ("",), is_plain=True))
        if not namespaced and not subject.get("namespace"):
            errors.append(required(path.child("namespace")))
    elif kind in ("User", "Group"):
        if group != GROUP:
            errors.append(not_supported(path.child("apiGroup"), group, (GROUP,), is_plain=True))
    else:
        kinds = ("ServiceAccount", "User", "Group")
        errors.append(not_supported(path.child("kind"), kind, kinds, in_order=True, is_plain=True))
    return errors
