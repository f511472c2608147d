"""Nobody grants what they do not hold: writes to roles and bindings are checked against the writer's own rules.

Who may `escalate` a role, or `bind` it, is exempt, as are the masters. Source: kubernetes pkg/registry/rbac/{...}/policybased.
"""

from collections.abc import Sequence

from dray.api import errors
from dray.api.meta import Object, namespace_of
from dray.apiserver.access import MASTERS, Attributes
from dray.apiserver.authorization.rbac import Rbac
from dray.apiserver.authorization.rules import Rule, find_uncovered, show_rule
from dray.apiserver.core import AdmissionRequest

GROUP = "rbac.authorization.k8s.io"


class EscalationCheck:
    def __init__(self, rbac: Rbac) -> None:
        self._rbac = rbac

    async def mutate(self, request: AdmissionRequest) -> None:
        return None

    async def validate(self, request: AdmissionRequest) -> None:
        obj, call = request.object, request.call
        if obj is None or MASTERS in call.user.groups:
            return
        plural = call.kind.resource.plural
        if plural in ("roles", "clusterroles"):
            self._check_role(request, obj)
        elif plural in ("rolebindings", "clusterrolebindings"):
            self._check_binding(request, obj)

    def _check_role(self, request: AdmissionRequest, role: Object) -> None:
        if (request.old or {}).get("rules") == role.get("rules") or self._may(
            request, "escalate", request.call.kind.resource.plural, role["metadata"].get("name", "")
        ):
            return
        rules = role.get("rules") or []
        if (
            role.get("aggregationRule")
            and (request.old or {}).get("aggregationRule") != role["aggregationRule"]
        ):
            rules = [
                {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
                {"nonResourceURLs": ["*"], "verbs": ["*"]},
            ]
        self._demand(request, rules, namespace_of(role))

    def _check_binding(self, request: AdmissionRequest, binding: Object) -> None:
        reference = binding.get("roleRef") or {}
        old = request.old or {}
        if old.get("roleRef") == reference and old.get("subjects") == binding.get("subjects"):
            return
        kind, name = reference.get("kind", ""), reference.get("name", "")
        plural = "roles" if kind == "Role" else "clusterroles"
        if self._may(request, "bind", plural, name):
            return
        namespace = namespace_of(binding)
        rules = self._rbac.role_rules(kind, name, namespace)
        if rules is None:
            # Upstream names the kind that is written, not the one that is missing.
            raise errors.not_found(GROUP, request.call.kind.resource.plural, name)
        self._demand(request, rules, namespace)

    def _may(self, request: AdmissionRequest, verb: str, plural: str, name: str) -> bool:
        call = request.call
        attributes = Attributes(
            call.user, verb, group=GROUP, version="v1", resource=plural, namespace=call.namespace, name=name
        )
        return self._rbac.authorize(attributes).allowed

    def _demand(self, request: AdmissionRequest, rules: Sequence[Rule], namespace: str) -> None:
        call = request.call
        missing = find_uncovered(self._rbac.rules_of(call.user, namespace), rules)
        if not missing:
            return
        shown = "\n".join(sorted(show_rule(rule) for rule in missing))
        groups = " ".join(f'"{group}"' for group in call.user.groups)
        why = f'user "{call.user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:\n{shown}'
        name = call.name or str((request.object or {}).get("metadata", {}).get("name") or "")
        raise errors.forbidden(GROUP, call.kind.resource.plural, name, why)
