"""When one container is started again, whatever the pod says of all of them."""

from dray.api.fields import FieldError, Path, not_supported, required, too_many
from dray.api.meta import Object
from dray.api.validation.lists import items_of

_POLICIES = ("Always", "Never", "OnFailure")
_ACTIONS = ("Restart", "RestartAllContainers")
_OPERATORS = ("In", "NotIn")
_RULES_MAX = 20
_CODES_MAX = 255


def validate_restart_rules(container: Object, path: Path, *, is_init: bool = False) -> list[FieldError]:
    """Of an init container without a policy the rules are not looked at."""
    policy, rules = container.get("restartPolicy"), items_of(container.get("restartPolicyRules"))
    at = path.child("restartPolicy")
    errors: list[FieldError] = []
    if policy is not None and policy not in _POLICIES:
        errors.append(not_supported(at, policy, _POLICIES))
    if policy is None and rules:
        errors.append(required(at, "must specify restartPolicy when restart rules are used"))
        if is_init:
            return errors
    at = path.child("restartPolicyRules")
    if len(rules) > _RULES_MAX:
        errors.append(too_many(at, len(rules), _RULES_MAX))
    for index, rule in enumerate(rules):
        errors += _validate_rule(rule, at.index(index))
    return errors


def _validate_rule(rule: Object, path: Path) -> list[FieldError]:
    action, codes = rule.get("action") or "", rule.get("exitCodes")
    errors = [] if action in _ACTIONS else [not_supported(path.child("action"), action, _ACTIONS)]
    if codes is None:
        return [*errors, required(path.child("exitCodes"), "must be specified")]
    operator, values = codes.get("operator") or "", codes.get("values") or []
    at = path.child("exitCodes")
    if operator not in _OPERATORS:
        errors.append(not_supported(at.child("operator"), operator, _OPERATORS))
    if len(values) > _CODES_MAX:
        errors.append(too_many(at.child("values"), len(values), _CODES_MAX))
    return errors
