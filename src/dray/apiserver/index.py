"""Which kinds are served, found by what a client names: group, version and plural."""

import dataclasses
from collections.abc import Iterable, Sequence

from dray.api.resources import Resource
from dray.apiserver.registry.kind import Kind

# Kubernetes' group priorities; the rest follow by name.
_GROUP_ORDER = (
    "", "apiregistration.k8s.io", "apps", "events.k8s.io", "authentication.k8s.io", "authorization.k8s.io",
    "autoscaling", "batch", "certificates.k8s.io", "networking.k8s.io", "policy", "rbac.authorization.k8s.io",
    "storage.k8s.io", "admissionregistration.k8s.io", "apiextensions.k8s.io", "scheduling.k8s.io",
    "coordination.k8s.io", "node.k8s.io", "discovery.k8s.io", "resource.k8s.io",
)  # fmt: skip
_VERSION_ORDER = ("v2", "v1", "v1beta3", "v1beta2", "v1beta1", "v1alpha3", "v1alpha2", "v1alpha1")


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    name: str
    versions: tuple[str, ...]
    """The preferred first."""


class KindIndex:
    def __init__(self, kinds: Iterable[Kind]) -> None:
        self.kinds: tuple[Kind, ...] = tuple(kinds)
        self._by_plural: dict[tuple[str, str, str], Kind] = {}
        self._by_name: dict[tuple[str, str, str], Kind] = {}
        for kind in self.kinds:
            for version in kind.versions:
                self._by_plural[kind.resource.group, version, kind.resource.plural] = kind
                self._by_name[kind.resource.group, version, kind.resource.kind] = kind
        self.groups: tuple[Group, ...] = tuple(_groups(self.kinds))
        self._versions = {group.name: frozenset(group.versions) for group in self.groups}

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        return self._by_plural.get((group, version, plural))

    def find_kind(self, group: str, version: str, name: str) -> Kind | None:
        """By the kind's own name, e.g. ("apps", "v1", "Deployment")."""
        return self._by_name.get((group, version, name))

    def of(self, resource: Resource) -> Kind | None:
        return self._by_plural.get((resource.group, resource.version, resource.plural))

    def has_group(self, group: str) -> bool:
        return group in self._versions

    def has_version(self, group: str, version: str) -> bool:
        return version in self._versions.get(group, ())

    def in_version(self, group: str, version: str) -> list[Kind]:
        """The kinds served in one group version, by plural."""
        served = (kind for kind in self.kinds if kind.resource.group == group and version in kind.versions)
        return sorted(served, key=lambda kind: kind.resource.plural)


def _groups(kinds: Sequence[Kind]) -> list[Group]:
    versions: dict[str, set[str]] = {}
    for kind in kinds:
        versions.setdefault(kind.resource.group, set()).update(kind.versions)
    names = sorted(versions, key=lambda name: (_rank(name, _GROUP_ORDER), name))
    return [
        Group(name, tuple(sorted(versions[name], key=lambda version: _rank(version, _VERSION_ORDER))))
        for name in names
    ]


def _rank(name: str, order: Sequence[str]) -> int:
    return order.index(name) if name in order else len(order)
