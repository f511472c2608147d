"""Which writes a policy, a binding or a webhook is about: rules on resources, selectors on labels.

Source: kubernetes apiserver/pkg/admission/plugin/{policy/matching,webhook/predicates}, 1.36.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dray.api.meta import Object, labels_of
from dray.api.resources import NAMESPACES
from dray.api.selectors import LabelSelector, SelectorError, label_selector_of
from dray.api.validation.lists import items_of
from dray.apiserver.admission.view import Form, View


class BadCriteria(Exception):
    """What is to be matched cannot be understood; `str()` says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    operations: Sequence[str]
    groups: Sequence[str]
    versions: Sequence[str]
    resources: Sequence[str]
    scope: str = "*"
    names: Sequence[str] = ()

    @classmethod
    def of(cls, rule: Mapping[str, Any]) -> "Rule":
        return cls(
            rule.get("operations") or (),
            rule.get("apiGroups") or (),
            rule.get("apiVersions") or (),
            rule.get("resources") or (),
            rule.get("scope") or "*",
            rule.get("resourceNames") or (),
        )

    def matches(self, view: View, form: Form) -> bool:
        """Whether the write, spoken of in this form, is one that the rule names."""
        return (
            _includes(self.groups, form.group)
            and _includes(self.versions, form.version)
            and _includes(self.operations, view.request.operation)
            and any(_is_named(entry, form.plural, view.subresource) for entry in self.resources)
            and self._has_scope(view)
            and (not self.names or view.request.name in self.names)
        )

    def _has_scope(self, view: View) -> bool:
        if self.scope == "*":
            return True
        is_cluster_wide = view.is_namespace or not view.namespace
        return is_cluster_wide is (self.scope == "Cluster")


def _includes(choices: Sequence[str], value: str) -> bool:
    return value in choices or "*" in choices


def _is_named(entry: str, plural: str, subresource: str) -> bool:
    wanted, _, part = entry.partition("/")
    return wanted in ("*", plural) and part in ("*", subresource)


@dataclasses.dataclass(frozen=True, slots=True)
class Criteria:
    """`rules` of None: everything matches."""

    rules: Sequence[Rule] | None
    excluded: Sequence[Rule] = ()
    namespaces: LabelSelector | None = None
    objects: LabelSelector | None = None
    is_equivalent: bool = True
    fault: str = ""
    """Why the selectors cannot be used."""

    @classmethod
    def of_resources(cls, match: Mapping[str, Any]) -> "Criteria":
        """From the MatchResources of a policy or a binding, which mean everything when they have no rules."""
        rules = [Rule.of(rule) for rule in items_of(match.get("resourceRules"))]
        return cls._of(match, rules or None)

    @classmethod
    def of_webhook(cls, hook: Mapping[str, Any]) -> "Criteria":
        """From a webhook, which means nothing when it has no rules."""
        return cls._of(hook, [Rule.of(rule) for rule in items_of(hook.get("rules"))])

    @classmethod
    def _of(cls, match: Mapping[str, Any], rules: Sequence[Rule] | None) -> "Criteria":
        namespaces = objects = None
        fault = ""
        try:
            namespaces = _selector(match.get("namespaceSelector"))
            objects = _selector(match.get("objectSelector"))
        except SelectorError as error:
            fault = str(error)
        excluded = [Rule.of(rule) for rule in items_of(match.get("excludeResourceRules"))]
        return cls(rules, excluded, namespaces, objects, match.get("matchPolicy") == "Equivalent", fault)

    def match(self, view: View) -> Form | None:
        """The form in which the write matches, or None. Raises BadCriteria when it does but for the selectors."""
        if not self.fault and not (self._selects_namespace(view) and self._selects_object(view)):
            return None
        if self.excluded and self._by_rules(self.excluded, view) is not None:
            return None
        form = view.asked if self.rules is None else self._by_rules(self.rules, view)
        if form is not None and self.fault:
            raise BadCriteria(self.fault)
        return form

    def _by_rules(self, rules: Sequence[Rule], view: View) -> Form | None:
        if any(rule.matches(view, view.asked) for rule in rules):
            return view.asked
        if not self.is_equivalent:
            return None
        others = ((rule, form) for rule in rules for form in view.equivalents)
        return next((form for rule, form in others if rule.matches(view, form)), None)

    def _selects_namespace(self, view: View) -> bool:
        if self.namespaces is None or not (view.namespace or view.is_namespace):
            return True
        return self.namespaces.matches(_namespace_labels(view))

    def _selects_object(self, view: View) -> bool:
        if self.objects is None:
            return True
        return any(self.objects.matches(labels) for labels in _object_labels(view))


def _selector(selector: Object | None) -> LabelSelector | None:
    """None for one that selects everything. Raises SelectorError."""
    if not selector:
        return None
    parsed = label_selector_of(selector)
    return None if parsed is None or parsed.is_everything else parsed


def _namespace_labels(view: View) -> Mapping[str, str]:
    """Of a namespace that is being written, the labels it will have."""
    request = view.request
    if view.is_namespace and not view.subresource and request.object is not None:
        return labels_of(request.object)
    found = request.call.find(NAMESPACES, view.namespace)
    return {} if found is None else labels_of(found)


def _object_labels(view: View) -> Iterator[Mapping[str, str]]:
    for obj in (view.request.object, view.request.old):
        if obj is not None and "metadata" in obj:
            yield labels_of(obj)
