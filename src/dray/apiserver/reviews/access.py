"""Questions about access: SubjectAccessReview and its kin, SelfSubjectRulesReview.

Each takes the object as posted and returns it with its status filled; nothing is stored.
Source: kubernetes pkg/registry/authorization, 1.36.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from dray.api import errors, fields
from dray.api.fields import FieldError, Path
from dray.api.meta import Object
from dray.apiserver.access import MASTERS, Attributes
from dray.apiserver.authorization.chain import AuthorizerChain
from dray.apiserver.authorization.rules import Rule
from dray.apiserver.registry.kind import User
from dray.apiserver.reviews.selectors import selector_errors, unread

GROUP = "authorization.k8s.io"


class AccessReviews:
    def __init__(self, authorizer: AuthorizerChain) -> None:
        self._authorizer = authorizer

    def self_subject(self, user: User, review: Object) -> Object:
        """SelfSubjectAccessReview: may I?"""
        return self._answer(review, user)

    def subject(self, review: Object, namespace: str = "") -> Object:
        """SubjectAccessReview and LocalSubjectAccessReview: may they? Raises Invalid."""
        spec = review.get("spec") or {}
        if not spec.get("user") and not spec.get("groups"):
            problem = fields.invalid(Path("spec.user"), "", "at least one of user or group must be specified")
            raise _invalid(review, [*_attribute_errors(spec), problem])
        resource = spec.get("resourceAttributes") or {}
        if namespace and resource.get("namespace", "") != namespace:
            text = "must match metadata.namespace"
            raise _invalid(
                review,
                [
                    fields.invalid(
                        Path("spec.resourceAttributes.namespace"), resource.get("namespace", ""), text
                    )
                ],
            )
        extra = {key.lower(): tuple(values) for key, values in (spec.get("extra") or {}).items()}
        user = User(spec.get("user", ""), tuple(spec.get("groups") or ()), spec.get("uid", ""), extra)
        return self._answer(review, user)

    def _answer(self, review: Object, user: User) -> Object:
        spec = review.get("spec") or {}
        if problems := _attribute_errors(spec):
            raise _invalid(review, problems)
        decision = self._authorizer.authorize(_attributes(user, spec))
        status: Object = {"allowed": decision.allowed}
        if decision.reason:
            status["reason"] = decision.reason
        if problem := unread(spec.get("resourceAttributes") or {}):
            status["evaluationError"] = problem
        return {**review, "status": status}

    def self_rules(self, user: User, review: Object) -> Object:
        """SelfSubjectRulesReview: what may I, in this namespace?"""
        namespace = (review.get("spec") or {}).get("namespace", "")
        if not namespace:
            raise errors.BadRequest("no namespace on request")
        rules = self._authorizer.rbac.rules_of(user, namespace)
        if MASTERS in user.groups:
            rules = [_EVERYTHING, _EVERY_PATH, *rules]
        status = {
            "resourceRules": [
                _shown(rule, "apiGroups", "resources", "resourceNames")
                for rule in rules
                if rule.get("resources")
            ],
            "nonResourceRules": [
                _shown(rule, "nonResourceURLs") for rule in rules if rule.get("nonResourceURLs")
            ],
            "incomplete": False,
        }
        unlisted = self._authorizer.unlisted(user)
        problems = ", ".join(filter(None, (unlisted, self._authorizer.rbac.missing_roles(user, namespace))))
        if problems:
            status |= {"incomplete": bool(unlisted), "evaluationError": problems}
        return {**review, "spec": {}, "status": status}


_EVERYTHING: Rule = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
_EVERY_PATH: Rule = {"nonResourceURLs": ["*"], "verbs": ["*"]}


def _shown(rule: Rule, *names: str) -> Object:
    return {"verbs": rule["verbs"]} | {name: rule[name] for name in names if rule.get(name)}


def _attributes(user: User, spec: Mapping[str, Any]) -> Attributes:
    path = spec.get("nonResourceAttributes")
    if path is not None:
        return Attributes(user, path.get("verb", ""), path=path.get("path", ""))
    resource = spec["resourceAttributes"]
    return Attributes(
        user,
        resource.get("verb", ""),
        group=resource.get("group", ""),
        version=resource.get("version", ""),
        resource=resource.get("resource", ""),
        subresource=resource.get("subresource", ""),
        namespace=resource.get("namespace", ""),
        name=resource.get("name", ""),
    )


def _attribute_errors(spec: Mapping[str, Any]) -> Sequence[FieldError]:
    path = spec.get("nonResourceAttributes")
    if spec.get("resourceAttributes") is not None:
        selectors = selector_errors(spec["resourceAttributes"])
        if path is None:
            return selectors
        text = "cannot be specified in combination with resourceAttributes"
        # Shown with the names that Go has for the fields.
        shown = {"Path": path.get("path", ""), "Verb": path.get("verb", "")}
        return [fields.invalid(Path("spec.nonResourceAttributes"), shown, text), *selectors]
    if path is not None:
        return []
    return [
        fields.invalid(
            Path("spec.resourceAttributes"),
            None,
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        )
    ]


def _invalid(review: Object, problems: Sequence[FieldError]) -> errors.Invalid:
    # The kind is missing from upstream's text: these objects have none once they are decoded.
    return errors.invalid(GROUP, "", "", problems)
