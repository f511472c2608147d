"""Creates that a real API server answered, run through a kind's functions alone: no server, no store, no admission."""

import dataclasses
import datetime as dt
import gzip
import json
import pathlib
import re
from collections.abc import Hashable, Iterable
from typing import Any

from dray.api import errors
from dray.api.features import FeatureGates
from dray.api.names import dns_subdomain
from dray.api.resources import NAMESPACES, Resource
from dray.api.schema.emptiness import with_empties, without_empties
from dray.api.validation.meta import validate_meta_create
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.registry.kind import Kind, User
from dray.apiserver.structure import Body, from_hub, structured
from dray.apiserver.type_name import TypeName

CORPUS = pathlib.Path(__file__).parents[3] / "corpus" / "registry" / "creates.jsonl.gz"
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
NAMESPACE = "ns-abcdefgh"
ADMIN = User("admin", ("system:masters",))
DEFAULT_GATES = FeatureGates()


@dataclasses.dataclass
class Context:
    """A WriteContext of an administrator; `others` are the objects that can be found."""

    user: User = ADMIN
    now: dt.datetime = NOW
    features: FeatureGates = DEFAULT_GATES
    verb: str = "create"
    old: dict[str, Any] | None = None
    others: dict[tuple[str, str, str], dict[str, Any]] = dataclasses.field(default_factory=dict)
    refused: tuple[str, ...] = ()
    warnings: list[str] = dataclasses.field(default_factory=list)

    def find(self, resource: Resource, name: str, namespace: str = "") -> dict[str, Any] | None:
        return self.others.get((resource.plural, namespace, name))

    def stored_objects(self, resource: Resource) -> Iterable[dict[str, Any]]:
        return [obj for (plural, _, _), obj in self.others.items() if plural == resource.plural]

    def plural_of(self, group: str, version: str, kind: str) -> str:
        served = (known for known in catalog() if known.resource.group == group and version in known.versions)
        return next((known.resource.plural for known in served if known.resource.kind == kind), "")

    def hold(self, key: Hashable) -> bool:
        return True

    def authorize(
        self,
        *,
        verb: str,
        group: str,
        resource: str,
        subresource: str = "",
        namespace: str = "",
        name: str = "",
    ) -> tuple[bool, str]:
        asked = f"{verb} {resource}/{subresource} {namespace}/{name}"
        return asked not in self.refused, f"may not {asked}"


def load_cases() -> list[dict[str, Any]]:
    with gzip.open(CORPUS, "rt") as lines:
        return [json.loads(line) for line in lines]


def kind_at(path: str) -> tuple[Kind, str] | None:
    """The kind and version that a collection's URL is about."""
    parts = path.strip("/").split("/")
    group, version = ("", parts[1]) if parts[0] == "api" else (parts[1], parts[2])
    for kind in catalog():
        resource = kind.resource
        if (resource.group, resource.plural) == (group, parts[-1]) and version in kind.versions:
            return kind, version
    return None


def create(case: dict[str, Any]) -> dict[str, Any]:
    """The body of the answer: the object as it would be stored, in the version asked for, or a Status."""
    found = kind_at(case["path"])
    assert found is not None
    kind, version = found
    context = Context()
    labels = case.get("namespaceLabels") or {}
    context.others[NAMESPACES.plural, "", NAMESPACE] = {"metadata": {"name": NAMESPACE, "labels": labels}}
    wanted = TypeName(kind.resource.at(version).api_version, kind.resource.kind)
    try:
        obj = structured(Body(case["body"]), wanted)
        return _create(kind, version, context, obj, case["body"])
    except errors.StatusError as error:
        return error.status


def _create(
    kind: Kind, version: str, context: Context, obj: dict[str, Any], sent: dict[str, Any]
) -> dict[str, Any]:
    kind.default(obj, version)
    schema = TypeName(kind.resource.api_version, kind.resource.kind).schema
    assert schema is not None
    obj = with_empties(kind.to_hub(obj, version), sent, schema)
    meta = obj["metadata"]
    _begin(kind, meta)
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = meta["generateName"] + "abcde"
    kind.prepare_create(context, obj)
    rule = kind.name_rule or dns_subdomain
    found = validate_meta_create(meta, namespaced=kind.resource.namespaced, name_rule=rule)
    found += [*kind.authorize_create(context, obj), *kind.validate_create(context, obj)]
    if found:
        raise errors.invalid(kind.resource.group, kind.resource.kind, meta.get("name") or "", found)
    return from_hub(kind, without_empties(obj, schema), version)


def _begin(kind: Kind, meta: dict[str, Any]) -> None:
    for field in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"):
        if field != "generation" or kind.has_generation:
            meta.pop(field, None)
    if kind.resource.namespaced:
        meta["namespace"] = NAMESPACE
    else:
        meta.pop("namespace", None)
    if kind.has_generation:
        meta["generation"] = 1


_SERVER_FIELDS = ("uid", "creationTimestamp", "resourceVersion", "managedFields", "namespace", "name")
_NAME = re.compile('-abcde(?=")|-<name:1>')
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


def comparable(body: dict[str, Any]) -> Any:
    """An answer without what differs at each recording: identities and times."""
    if body.get("kind") == "Status":
        return {"message": body["message"], "causes": body["details"].get("causes")}
    body = json.loads(_NAME.sub("", _TIME.sub("<time>", json.dumps(body))))
    _forget_admission(body)
    meta = {key: value for key, value in body["metadata"].items() if key not in _SERVER_FIELDS}
    return {**body, "metadata": meta}


_POD_ADMISSION_FIELDS = (
    "preemptionPolicy",
    "priority",
    "serviceAccount",
    "serviceAccountName",
    "tolerations",
)


def _forget_admission(body: dict[str, Any]) -> None:
    """Without what admission adds: it is not the kind's doing."""
    spec = body.get("spec") or {}
    if body["kind"] == "Node":
        spec.pop("taints", None)
    if body["kind"] != "Pod":
        return
    for field in _POD_ADMISSION_FIELDS:
        spec.pop(field, None)
    volumes = [one for one in spec.get("volumes") or () if not one["name"].startswith("kube-api-access")]
    spec["volumes"] = volumes
    for container in (*(spec.get("containers") or ()), *spec.get("initContainers", ())):
        mounts = container.get("volumeMounts") or ()
        container["volumeMounts"] = [one for one in mounts if not one["name"].startswith("kube-api-access")]
