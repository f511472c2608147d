"""Role-based access control over the stored Roles and bindings.

The bindings are indexed by subject. The index follows the store through watches that are only looked at when a
question is asked, so a cluster whose policy rests pays nothing for it. Source: kubernetes plugin/pkg/auth/authorizer/rbac.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from dray.api.meta import name_of, namespace_of
from dray.api.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES, Resource
from dray.apiserver.access import Attributes, Decision
from dray.apiserver.authorization.rules import Rule, rule_allows
from dray.apiserver.core import path_of
from dray.apiserver.registry.kind import User
from dray.store.backend import Store
from dray.store.errors import Compacted
from dray.store.table import Watch

SERVICE_ACCOUNT_PREFIX = "system:serviceaccount:"
DENIED = Decision(False)


class _Grant(NamedTuple):
    """One subject of one binding."""

    namespace: str
    """"" for a ClusterRoleBinding, which grants everywhere."""
    binding: str
    role_kind: str
    role: str
    subject: str
    """As reasons print it: `User "alice"`."""

    @property
    def reason(self) -> str:
        kind, name = (
            ("RoleBinding", f"{self.binding}/{self.namespace}")
            if self.namespace
            else ("ClusterRoleBinding", self.binding)
        )
        return f'RBAC: allowed by {kind} "{name}" of {self.role_kind} "{self.role}" to {self.subject}'


class Rbac:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._watches: list[Watch] = []
        self._by_subject: dict[tuple[str, str], list[_Grant]] = {}

    def authorize(self, attributes: Attributes) -> Decision:
        for grant, rules in self.grants_of(attributes.user, attributes.namespace):
            if any(rule_allows(rule, attributes) for rule in rules):
                return Decision(True, grant.reason)
        missing = self.missing_roles(attributes.user, attributes.namespace)
        return Decision(False, f"RBAC: {missing}") if missing else DENIED

    def missing_roles(self, user: User, namespace: str) -> str:
        """What is wrong with the grants of `user` in `namespace`: they name roles that do not exist; "" if all do."""
        found = [
            f'{grant.role_kind.lower()}.rbac.authorization.k8s.io "{grant.role}" not found'
            for grant in self._grants(user, namespace)
            if self.role_rules(grant.role_kind, grant.role, grant.namespace) is None
        ]
        texts = list(dict.fromkeys(found))
        return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]" if texts else ""

    def rules_of(self, user: User, namespace: str) -> list[Rule]:
        """Every rule that holds for `user` in `namespace` ("": cluster-wide ones only)."""
        return [rule for _, rules in self.grants_of(user, namespace) for rule in rules]

    def grants_of(self, user: User, namespace: str) -> Iterator[tuple[_Grant, list[Rule]]]:
        """Cluster-wide grants first, then those of the namespace, as upstream visits them."""
        for grant in self._grants(user, namespace):
            yield grant, self.role_rules(grant.role_kind, grant.role, grant.namespace) or []

    def _grants(self, user: User, namespace: str) -> list[_Grant]:
        self._refresh()
        grants = [grant for subject in _subjects_of(user) for grant in self._by_subject.get(subject, ())]
        return sorted((grant for grant in grants if grant.namespace in ("", namespace)), key=_is_namespaced)

    def role_rules(self, kind: str, name: str, namespace: str) -> list[Rule] | None:
        """The rules of a role; None when it does not exist."""
        resource = ROLES if kind == "Role" else CLUSTER_ROLES
        record = self._store.get(resource.qualified, path_of(resource, namespace, name))
        return (record.obj.get("rules") or []) if record else None

    def _refresh(self) -> None:
        if self._watches and not self._has_news():
            return
        for watch in self._watches:
            watch.close()
        revision = self._store.revision
        watches = [
            self._store.watch(each.qualified, revision) for each in (ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS)
        ]
        index: dict[tuple[str, str], list[_Grant]] = {}
        for resource in (CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS):
            self._index(resource, index)
        # Whole at once: a large body is judged in a thread, which may ask, too.
        self._by_subject, self._watches = index, watches

    def _has_news(self) -> bool:
        try:
            return any(watch.ready() for watch in self._watches)
        except Compacted:
            return True

    def _index(self, resource: Resource, index: dict[tuple[str, str], list[_Grant]]) -> None:
        for record in self._store.page(resource.qualified).records:
            binding = record.obj
            reference = binding.get("roleRef") or {}
            for subject in binding.get("subjects") or ():
                grant = _Grant(
                    namespace_of(binding),
                    name_of(binding),
                    reference.get("kind", ""),
                    reference.get("name", ""),
                    _show_subject(subject, namespace_of(binding)),
                )
                index.setdefault(_subject_key(subject, namespace_of(binding)), []).append(grant)


def _is_namespaced(grant: _Grant) -> bool:
    return bool(grant.namespace)


def _subject_key(subject: Mapping[str, str], namespace: str) -> tuple[str, str]:
    if subject.get("kind") == "ServiceAccount":
        return (
            "User",
            f"{SERVICE_ACCOUNT_PREFIX}{subject.get('namespace') or namespace}:{subject.get('name')}",
        )
    return subject.get("kind", ""), subject.get("name", "")


def _show_subject(subject: Mapping[str, str], namespace: str) -> str:
    if subject.get("kind") == "ServiceAccount":
        return f'ServiceAccount "{subject.get("name")}/{subject.get("namespace") or namespace}"'
    return f'{subject.get("kind")} "{subject.get("name")}"'


def _subjects_of(user: User) -> list[tuple[str, str]]:
    return [("User", user.name), *(("Group", group) for group in user.groups)]
