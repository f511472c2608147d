"""What a command is about: one object, or all of a type in one namespace or in all."""

import dataclasses
from collections.abc import Sequence

from dray.api.meta import Object, name_of, namespace_of
from dray.cli.kubectl.manifests import Manifest, read_sources
from dray.cli.kubectl.naming import Served, UnknownResource
from dray.cli.kubectl.session import Failure, Session, split_arguments
from dray.client.protocol import Selection


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    served: Served
    namespace: str
    """"" for a type without namespaces, and for all of them."""
    name: str = ""
    """"" for all objects."""
    source: str = ""
    """The file that names it."""

    @property
    def path(self) -> str:
        return self.served.resource.path(self.namespace, self.name)


async def named_in_files(session: Session, files: Sequence[str]) -> list[Target]:
    """The objects whose manifests are in `files`."""
    targets = []
    for manifest in read_sources(files):
        served, obj = await served_manifest(session, manifest), manifest.object
        namespace = namespace_of_manifest(session, served, obj)
        targets.append(Target(served, namespace, obj["metadata"]["name"], manifest.source))
    return targets


@dataclasses.dataclass(frozen=True, slots=True)
class Selecting:
    """Of a type that is given without names: which objects."""

    labels: str = ""
    fields: str = ""
    every: bool = False
    all_namespaces: bool = False

    @property
    def is_selector(self) -> bool:
        return bool(self.labels or self.fields)


async def named_or_selected(
    session: Session, words: Sequence[str], verb: str, selecting: Selecting
) -> list[Target]:
    """The objects that the arguments of `verb` name; of a type without names all, or those that are selected."""
    targets: list[Target] = []
    for served, name in await kinds_and_names(session, words, verb, selecting):
        is_inside = served.resource.namespaced and not selecting.all_namespaces
        namespace = session.namespace if is_inside else ""
        if name:
            targets.append(Target(served, namespace, name))
        elif selecting.every or selecting.is_selector:
            selection = Selection(namespace, selecting.labels, selecting.fields)
            selected = await session.client.list(served.resource, selection)
            targets += [Target(served, namespace_of(obj), name_of(obj)) for obj in selected.items]
        else:
            raise Failure("error: resource(s) were provided, but no name was specified")
    return targets


async def kinds_and_names(
    session: Session, words: Sequence[str], verb: str, selecting: Selecting
) -> list[tuple[Served, str]]:
    """The types and names in the arguments, categories such as `all` opened; name "" means all of the type."""
    wanted = split_arguments(words, verb)
    if any(name for _, name in wanted):
        _check_named(words, selecting)
    found: dict[tuple[Served, str], None] = {}
    repeated: list[tuple[Served, str]] = []
    for kind, name in wanted:
        members = [] if name else (await session.discovery()).category(kind.lower())
        for served in members or [await session.find(kind)]:
            if name:
                repeated.append((served, name))
            found[served, name] = None
    return repeated or list(found)


def _check_named(words: Sequence[str], selecting: Selecting) -> None:
    if selecting.is_selector and any("/" in word for word in words):
        raise Failure("error: selectors and the all flag cannot be used when passing resource/name arguments")
    if selecting.is_selector:
        raise Failure("error: name cannot be provided when a selector is specified")
    if selecting.all_namespaces:
        raise Failure("error: a resource cannot be retrieved by name across all namespaces")


async def served_manifest(session: Session, manifest: Manifest) -> Served:
    """The resource of a manifest's object. Raises Failure where there is none."""
    obj = manifest.object
    try:
        return (await session.discovery()).find_kind(obj["apiVersion"], obj["kind"])
    except UnknownResource:
        meta = obj.get("metadata") or {}
        raise Failure(
            f'error: resource mapping not found for name: "{meta.get("name", "")}" '
            f'namespace: "{meta.get("namespace", "")}" from "{manifest.source}": '
            f'no matches for kind "{obj["kind"]}" in version "{obj["apiVersion"]}"\n'
            "ensure CRDs are installed first"
        ) from None


def namespace_of_manifest(session: Session, served: Served, obj: Object) -> str:
    """Where a manifest's object belongs. Raises Failure when the user names another namespace than it does."""
    if not served.resource.namespaced:
        return ""
    own = str((obj.get("metadata") or {}).get("namespace") or "")
    if own and session.is_namespace_given and own != session.namespace:
        raise Failure(
            f'error: the namespace from the provided object "{own}" does not match the namespace "{session.namespace}". '
            f"You must pass '--namespace={own}' to perform this operation."
        )
    return own or session.namespace
