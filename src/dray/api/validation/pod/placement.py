"""Where a pod may run: affinity, tolerations, spreading, gates."""

from dray.api import names
from dray.api.fields import FieldError, Path, duplicate, invalid, not_supported, required
from dray.api.meta import Object
from dray.api.validation.core.node import TAINT_EFFECTS
from dray.api.validation.label_selector import validate_label_selector
from dray.api.validation.lists import items_of
from dray.api.validation.node_selector import validate_node_selector, validate_node_selector_term
from dray.api.validation.pod.label_keys import validate_term_keys, validate_unmerged_keys
from dray.api.validation.pod.rules import NEW_POD, PodRules

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_INCLUSION = ("Honor", "Ignore")
_UNSATISFIABLE = ("DoNotSchedule", "ScheduleAnyway")


def validate_affinity(affinity: Object | None, path: Path) -> list[FieldError]:
    if affinity is None:
        return []
    errors: list[FieldError] = []
    node = affinity.get("nodeAffinity") or {}
    at = path.child("nodeAffinity")
    if node.get(_REQUIRED) is not None:
        errors += validate_node_selector(node[_REQUIRED], at.child(_REQUIRED), strict_values=True)
    for index, term in enumerate(items_of(node.get(_PREFERRED))):
        where = at.child(_PREFERRED).index(index)
        errors += _validate_weight(term, where)
        errors += validate_node_selector_term(term.get("preference") or {}, where.child("preference"))
    for kind in ("podAffinity", "podAntiAffinity"):
        errors += _validate_pod_affinity(affinity.get(kind) or {}, path.child(kind))
    return errors


def _validate_pod_affinity(affinity: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, term in enumerate(items_of(affinity.get(_REQUIRED))):
        errors += _validate_pod_term(term, path.child(_REQUIRED).index(index))
    for index, term in enumerate(items_of(affinity.get(_PREFERRED))):
        at = path.child(_PREFERRED).index(index)
        errors += _validate_weight(term, at)
        errors += _validate_pod_term(term.get("podAffinityTerm") or {}, at.child("podAffinityTerm"))
    return errors


def _validate_pod_term(term: Object, path: Path) -> list[FieldError]:
    errors = validate_label_selector(term.get("labelSelector"), path.child("labelSelector"))
    errors += validate_label_selector(term.get("namespaceSelector"), path.child("namespaceSelector"))
    for name in term.get("namespaces") or ():
        errors += [invalid(path.child("namespace"), name, text) for text in names.dns_label(name)]
    errors += validate_term_keys(term, path)
    key, at = term.get("topologyKey") or "", path.child("topologyKey")
    if not key:
        errors.append(required(at, "can not be empty"))
    return errors + [invalid(at, key, text) for text in names.qualified_name(key)]


def _validate_weight(term: Object, path: Path) -> list[FieldError]:
    weight = term.get("weight") or 0
    if 1 <= weight <= 100:
        return []
    return [invalid(path.child("weight"), weight, "must be in the range 1-100")]


def validate_tolerations(tolerations: list[Object], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, toleration in enumerate(tolerations):
        errors += _validate_toleration(toleration, path.index(index))
    return errors


def _validate_toleration(toleration: Object, path: Path) -> list[FieldError]:
    key, value = toleration.get("key") or "", toleration.get("value") or ""
    operator, effect = toleration.get("operator") or "", toleration.get("effect") or ""
    errors = [invalid(path.child("key"), key, text) for text in names.qualified_name(key)] if key else []
    at = path.child("operator")
    if not key and operator != "Exists":
        text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        errors.append(invalid(at, operator, text))
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        text = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        errors.append(invalid(path.child("effect"), effect, text))
    if operator in ("", "Equal"):
        if complaints := names.label_value(value):
            errors.append(invalid(at, value, ";".join(complaints)))
    elif operator == "Exists":
        if value:
            errors.append(invalid(at, value, "value must be empty when `operator` is 'Exists'"))
    else:
        gated = ("Lt", "Gt") if operator in ("Lt", "Gt") else ()
        errors.append(not_supported(at, operator, ("Equal", "Exists", *gated), in_order=True))
    if effect and effect not in TAINT_EFFECTS:
        errors.append(not_supported(path.child("effect"), effect, TAINT_EFFECTS, in_order=True))
    return errors


def validate_spread(constraints: list[Object], path: Path, rules: PodRules = NEW_POD) -> list[FieldError]:
    errors: list[FieldError] = []
    pairs = [(one.get("topologyKey") or "", one.get("whenUnsatisfiable") or "") for one in constraints]
    last = {pair: index for index, pair in enumerate(pairs)}
    for index, constraint in enumerate(constraints):
        at = path.index(index)
        skew, key = constraint.get("maxSkew") or 0, constraint.get("topologyKey") or ""
        choice = constraint.get("whenUnsatisfiable") or ""
        if skew <= 0:
            errors.append(invalid(at.child("maxSkew"), skew, "must be greater than zero"))
        if not key:
            errors.append(required(at.child("topologyKey"), "can not be empty"))
        if choice not in _UNSATISFIABLE:
            errors.append(not_supported(at.child("whenUnsatisfiable"), choice, _UNSATISFIABLE))
        # Of two that are alike the first is told of.
        if last[pairs[index]] > index:
            pair = f"{{{key}, {choice}}}"
            errors.append(duplicate(at.child("{topologyKey, whenUnsatisfiable}"), pair))
        errors += _validate_domains(constraint.get("minDomains"), choice, at.child("minDomains"))
        for field in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            policy = constraint.get(field)
            if policy is not None and policy not in _INCLUSION:
                errors.append(not_supported(at.child(field), policy, _INCLUSION))
        if rules.merges_spread_keys:
            errors += validate_term_keys(constraint, at)
        else:
            errors += validate_unmerged_keys(constraint, at.child("matchLabelKeys"))
        errors += validate_label_selector(constraint.get("labelSelector"), at.child("labelSelector"))
    return errors


def _validate_domains(domains: int | None, choice: str, path: Path) -> list[FieldError]:
    if domains is None:
        return []
    errors = [invalid(path, domains, "must be greater than zero")] if domains <= 0 else []
    if choice != "DoNotSchedule":
        text = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {choice}"
        errors.append(invalid(path, domains, text))
    return errors


def validate_scheduling_gates(gates: list[Object], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, gate in enumerate(gates):
        at, name = path.index(index), gate.get("name") or ""
        errors += [invalid(at, name, text) for text in names.qualified_name(name)]
        if name in seen:
            errors.append(duplicate(at, name))
        seen.add(name)
    return errors


def validate_readiness_gates(gates: list[Object], path: Path) -> list[FieldError]:
    return [
        invalid(path.index(index).child("conditionType"), gate.get("conditionType") or "", text)
        for index, gate in enumerate(gates)
        for text in names.qualified_name(gate.get("conditionType") or "")
    ]
