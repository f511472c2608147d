"""Which OpenAPI v3 documents there are, and what each is about; how one is written is `dray.api.schema.openapi`'s.

kubectl reads them before it applies, creates, replaces, diffs or explains, and caches them by the hash in their URL.
"""

import hashlib

import dray
from dray.api.meta import Object
from dray.api.releases import git_version
from dray.apiserver.discovery import group_version, subresources_of
from dray.apiserver.index import KindIndex


def older_document(kinds: KindIndex, release: str) -> Object:
    """The document at /openapi/v2: every kind of every group version."""
    from dray.api.schema.openapi_v2 import openapi_v2

    documents = (
        document(kinds, group.name, version, release) for group in kinds.groups for version in group.versions
    )
    return openapi_v2(documents, git_version(release))


def older_protobuf(kinds: KindIndex, release: str) -> bytes:
    """The same as a gnostic Document."""
    from dray.api.schema.openapi_v2 import as_protobuf

    return as_protobuf(older_document(kinds, release))


def index(kinds: KindIndex) -> Object:
    """The document at /openapi/v3: where the others are, each with a hash that changes when it does."""
    paths: Object = {}
    for group in kinds.groups:
        for version in group.versions:
            place = f"apis/{group.name}/{version}" if group.name else f"api/{version}"
            tag = digest(kinds, group.name, version)
            paths[place] = {"serverRelativeURL": f"/openapi/v3/{place}?hash={tag}"}
    return {"paths": paths}


def digest(kinds: KindIndex, group: str, version: str) -> str:
    """Of a document, without writing it: the release and what is served decide every byte of it."""
    served = [
        f"{kind.resource.plural}:{','.join(part.name for part in subresources_of(kind))}"
        for kind in kinds.in_version(group, version)
    ]
    later = sorted({gate for kind in kinds.in_version(group, version) for gate in kind.gates})
    text = "\n".join(
        [dray.__version__, dray.KUBERNETES_VERSION, group_version(group, version), *served, *later]
    )
    return hashlib.sha512(text.encode()).hexdigest().upper()


def document(kinds: KindIndex, group: str, version: str, release: str) -> Object:
    """The document of one group version."""
    from dray.api.schema.openapi import Served, openapi_v3  # here: a server may never be asked for one

    served = [
        Served(
            kind.resource.at(version),
            verbs=kind.verbs,
            subresources=tuple(part.name for part in subresources_of(kind)),
            later=kind.gates,
        )
        for kind in kinds.in_version(group, version)
    ]
    return openapi_v3(group_version(group, version), served, git_version(release))
