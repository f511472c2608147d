"""Objects from manifests, as the API server would have them: of the newest version, complete, valid."""

import dataclasses
import datetime as dt
from collections.abc import Hashable, Sequence

from dray.api.features import FeatureGates
from dray.api.meta import Object, name_of
from dray.api.resources import (
    DEVICE_CLASSES,
    DEVICE_TAINT_RULES,
    NAMESPACES,
    RESOURCE_CLAIM_TEMPLATES,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
    Resource,
)
from dray.api.schema import decode, schema_for
from dray.api.schema.inspection import DecodeError
from dray.api.validation.resource.claim import ADMIN_ACCESS_LABEL
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.registry.kind import Kind, User
from dray.cli.kubectl.manifests import read_manifests
from dray.cli.kubectl.session import Failure
from dray.insight.whatif.scenario import NotThere

_VALIDATED = (RESOURCE_CLAIMS, RESOURCE_CLAIM_TEMPLATES, DEVICE_CLASSES, RESOURCE_SLICES, DEVICE_TAINT_RULES)
"""Kinds whose rules need nothing but the object."""


@dataclasses.dataclass(slots=True)
class _Write:
    """What the rules of a kind may ask about a write that nobody makes."""

    features: FeatureGates
    now: dt.datetime
    user: User = dataclasses.field(default_factory=lambda: User("what-if"))
    verb: str = "create"
    old: Object | None = None
    warnings: list[str] = dataclasses.field(default_factory=list)

    def find(self, resource: Resource, name: str, namespace: str = "") -> Object | None:
        # Whether a namespace allows admin access is not what is asked here.
        return {"metadata": {"labels": {ADMIN_ACCESS_LABEL: "true"}}} if resource == NAMESPACES else None

    def stored_objects(self, resource: Resource) -> Sequence[Object]:
        return ()

    def plural_of(self, group: str, version: str, kind: str) -> str:
        return ""

    def hold(self, key: Hashable) -> bool:
        return True

    def authorize(
        self, *, verb: str, group: str, resource: str, subresource: str = "", namespace: str = "", name: str = ""
    ) -> tuple[bool, str]:  # fmt: skip
        return True, ""


def read_objects(
    files: Sequence[str], namespace: str, now: dt.datetime, features: FeatureGates
) -> list[Object]:
    """In the order of the files; `features` are the server's. Raises NotThere."""
    try:
        objects = read_manifests(files)
    except Failure as failure:
        raise NotThere(str(failure).removeprefix("error: ")) from failure
    except OSError as failure:
        raise NotThere(str(failure)) from failure
    return [complete(obj, namespace, now, features) for obj in objects]


def complete(obj: Object, namespace: str, now: dt.datetime, features: FeatureGates) -> Object:
    """The object in the version that is stored, with defaults and a namespace. Raises NotThere."""
    group, _, version = str(obj.get("apiVersion", "")).rpartition("/")
    named = f"{obj.get('kind')} {(obj.get('metadata') or {}).get('name', '')}"
    kind = next(
        (
            k
            for k in catalog(features.release)
            if k.resource.kind == obj.get("kind") and k.resource.group == group
        ),
        None,
    )
    if kind is None:
        return {**obj, "metadata": {"name": "", **(obj.get("metadata") or {})}}
    if version not in kind.versions:
        raise NotThere(
            f"{named}: there is no version {version} of it; write one of: {', '.join(kind.versions)}"
        )
    hub = _decoded(obj, kind, version, named, features)
    if kind.resource.namespaced:
        hub["metadata"] = {**hub["metadata"], "namespace": hub["metadata"].get("namespace") or namespace}
    if kind.resource in _VALIDATED:
        _validate(hub, kind, named, _Write(features, now))
    return hub


def _decoded(obj: Object, kind: Kind, version: str, named: str, features: FeatureGates) -> Object:
    schema = schema_for(kind.resource.at(version).api_version, kind.resource.kind)
    if schema is None:
        return obj
    try:
        decoded = decode(obj, schema, gates=features.later())
    except DecodeError as error:
        raise NotThere(f"{named}: {error}") from error
    if decoded.strict_errors:
        raise NotThere(f"{named}: {', '.join(decoded.strict_errors)}")
    made = {**decoded.object, "apiVersion": obj["apiVersion"], "kind": obj["kind"]}
    made["metadata"] = made.get("metadata") or {}
    kind.default(made, version)
    hub = kind.to_hub(made, version)
    return {**hub, "apiVersion": kind.resource.api_version, "kind": kind.resource.kind}


def _validate(obj: Object, kind: Kind, named: str, context: _Write) -> None:
    errors = kind.authorize_create(context, obj) + kind.validate_create(context, obj)
    if not name_of(obj):
        raise NotThere(f"{named}: metadata.name: Required value")
    if errors:
        raise NotThere(f"{named}: " + "; ".join(map(str, errors)))
