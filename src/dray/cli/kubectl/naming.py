"""What a user means by `pods`, `po`, `pod/x` or `resourceclaims.v1beta1.resource.k8s.io`: looked up in discovery."""

import dataclasses

from dray.api.meta import Object
from dray.api.resources import Resource
from dray.client.http import HttpClient

_ACCEPT = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
)


class UnknownResource(Exception):
    def __init__(self, name: str) -> None:
        super().__init__(f'error: the server doesn\'t have a resource type "{name}"')


@dataclasses.dataclass(frozen=True, slots=True)
class Served:
    resource: Resource
    names: frozenset[str]
    """Plural, singular, short names, lower-case kind."""
    categories: tuple[str, ...]
    short_names: tuple[str, ...]
    verbs: tuple[str, ...]

    @property
    def display(self) -> str:
        """`pod`, `resourceclaim.resource.k8s.io`: how kubectl names an object's type."""
        singular = self.resource.kind.lower()
        return f"{singular}.{self.resource.group}" if self.resource.group else singular


class Discovery:
    """The served resources, preferred versions first."""

    def __init__(self, served: list[Served]) -> None:
        self._served = served

    @classmethod
    async def read(cls, client: HttpClient) -> "Discovery":
        served: list[Served] = []
        for path in ("/api", "/apis"):
            document = await client.request("GET", path, accept=_ACCEPT)
            for group in document.get("items") or ():
                served += _group(group)
        return cls(served)

    def find(self, name: str) -> Served:
        """By any of its names, optionally with `.group` or `.version.group`. Raises UnknownResource."""
        asked = name.partition(".")[0]
        bare, _, rest = name.lower().partition(".")
        for each in self._served:
            if bare in each.names and _fits(rest, each.resource):
                return each
        raise UnknownResource(asked)

    def find_kind(self, api_version: str, kind: str) -> Served:
        """By what a manifest says. Raises UnknownResource."""
        for each in self._served:
            if each.resource.api_version == api_version and each.resource.kind == kind:
                return each
        raise UnknownResource(f"{kind} in version {api_version}")

    def preferred(self, *, any_version: bool = False) -> list[Served]:
        """Each resource of each group in its preferred version, or in every one."""
        found: dict[tuple[str, ...], Served] = {}
        for each in self._served:
            key = (each.resource.group, each.resource.plural)
            found.setdefault((*key, each.resource.version) if any_version else key, each)
        return list(found.values())

    def category(self, name: str) -> list[Served]:
        return [each for each in self._served if name in each.categories]


def _fits(rest: str, resource: Resource) -> bool:
    if not rest or rest == resource.group:
        return True
    version, dot, group = rest.partition(".")
    return bool(dot) and version == resource.version and group == resource.group


def _group(group: Object) -> list[Served]:
    name = group["metadata"].get("name") or ""
    return [
        _served(name, version["version"], entry)
        for version in group["versions"]
        for entry in version.get("resources") or ()
    ]


def _served(group: str, version: str, entry: Object) -> Served:
    kind = entry["responseKind"]["kind"]
    resource = Resource(group, version, entry["resource"], kind, entry["scope"] == "Namespaced")
    names = {entry["resource"], entry.get("singularResource") or kind.lower(), kind.lower()}
    return Served(
        resource,
        frozenset(names | set(entry.get("shortNames") or ())),
        tuple(entry.get("categories") or ()),
        tuple(entry.get("shortNames") or ()),
        tuple(entry.get("verbs") or ()),
    )
