"""The binding of a policy: for which writes a policy holds, with which parameters, and what follows.

Source: kubernetes apiserver/pkg/admission/plugin/policy/generic/policy_dispatcher.go, 1.36.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dray.api.meta import Object, labels_of, name_of
from dray.api.selectors import SelectorError, label_selector_of
from dray.apiserver.admission.matching import Criteria
from dray.apiserver.admission.view import View
from dray.apiserver.core import Core, prefix_of
from dray.apiserver.registry.kind import Kind
from dray.apiserver.structure import from_hub

if TYPE_CHECKING:
    from dray.apiserver.admission.policies.terms import Terms


class BadBinding(Exception):
    """A policy with this binding cannot be applied to the write; `str()` says why."""


class BadPolicy(Exception):
    """The policy cannot be applied, whatever the binding; `str()` says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Binding:
    name: str
    policy: str
    criteria: Criteria
    actions: Sequence[str]
    """What follows from a denial; nothing is denied by a policy that changes objects."""
    param_ref: Mapping[str, Any] | None

    @classmethod
    def of(cls, obj: Object) -> "Binding":
        spec = obj.get("spec") or {}
        return cls(
            name_of(obj),
            spec.get("policyName") or "",
            Criteria.of_resources(spec.get("matchResources") or {}),
            spec.get("validationActions") or (),
            spec.get("paramRef"),
        )

    def params(self, terms: "Terms", kind: Kind | None, view: View) -> list[Object | None]:
        """The parameters with which the policy is applied, once each; [None] for a policy without. Raises BadBinding."""
        if terms.param_kind is None or kind is None or self.param_ref is None:
            return [None]
        reference = self.param_ref
        namespace = _namespace(reference, kind, view)
        core, version = view.request.call.core, terms.param_kind[0].rpartition("/")[2]
        found: list[Object | None] = [
            from_hub(kind, obj, version) for obj in _find(core, kind, namespace, reference)
        ]
        if not found and reference.get("parameterNotFoundAction") == "Deny":
            raise BadBinding("no params found for policy binding with `Deny` parameterNotFoundAction")
        return found


def param_kind(terms: "Terms", core: Core) -> Kind | None:
    """Raises BadPolicy for a kind that is not served."""
    if terms.param_kind is None:
        return None
    api_version, name = terms.param_kind
    group, _, version = api_version.rpartition("/")
    kind = core.kinds.find_kind(group, version, name)
    if kind is None:
        shown = f"{group}/{version}, Kind={name}"
        raise BadPolicy(f"failed to find resource referenced by paramKind: '{shown}'")
    return kind


def _namespace(reference: Mapping[str, Any], kind: Kind, view: View) -> str:
    namespace = reference.get("namespace") or ""
    if not kind.resource.namespaced:
        if namespace:
            raise BadBinding("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
        return ""
    namespace = namespace or view.namespace
    if not namespace:
        why = "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
        raise BadBinding(why)
    return str(namespace)


def _find(core: Core, kind: Kind, namespace: str, reference: Mapping[str, Any]) -> list[Object]:
    resource = kind.stored
    if name := reference.get("name"):
        obj = core.find(resource, name, namespace)
        return [] if obj is None else [obj]
    try:
        selector = label_selector_of(reference.get("selector"))
    except SelectorError as error:
        raise BadBinding(str(error)) from None
    records = core.store.page(resource.qualified, prefix_of(resource, namespace)).records
    return [record.obj for record in records if selector and selector.matches(labels_of(record.obj))]
