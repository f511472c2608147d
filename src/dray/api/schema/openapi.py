"""The OpenAPI v3 document of a group version, as `/openapi/v3/...` serves it.

Decides which definitions it holds (the kinds, their lists, and everything they reach) and which operations it lists:
those in which kubectl looks for query parameters and patch types before it applies, edits or explains. Prose is
dray's own and covers the DRA kinds.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import dray
from dray.api.resources import Resource
from dray.api.schema.descriptions import describe
from dray.api.schema.model import ABSENT, ZEROS, Field, Schema
from dray.api.schema.registry import META_KINDS, kinds_of, schema_for, type_schema

_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1"
_TIME: Final = f"{_META}.Time"
_MICRO_TIME: Final = f"{_META}.MicroTime"
_QUANTITY: Final = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_INT_OR_STRING: Final = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_RAW: Final = "io.k8s.apimachinery.pkg.runtime.RawExtension"
_FIELDS: Final = f"{_META}.FieldsV1"
_PATCH: Final = f"{_META}.Patch"

_LEAVES: Final[dict[str, dict[str, Any]]] = {
    _TIME: {"type": "string", "format": "date-time"},
    _MICRO_TIME: {"type": "string", "format": "date-time"},
    _QUANTITY: {"oneOf": [{"type": "string"}, {"type": "number"}]},
    _INT_OR_STRING: {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
    _RAW: {"type": "object"},
    _FIELDS: {"type": "object"},
    _PATCH: {"type": "object"},
}
_SCALARS: Final[dict[str, dict[str, Any]]] = {
    "string": {"type": "string"},
    "bytes": {"type": "string", "format": "byte"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "bool": {"type": "boolean"},
    "float64": {"type": "number", "format": "double"},
}
_SCALAR_REFERENCES: Final = {
    "time": _TIME,
    "microTime": _MICRO_TIME,
    "quantity": _QUANTITY,
    "intOrString": _INT_OR_STRING,
}

_PATCH_TYPES: Final = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)
_PARAMETERS: Final[dict[str, tuple[str, str]]] = {
    "allowWatchBookmarks": ("boolean", "A watch may send bookmarks."),
    "continue": ("string", "Where the previous part of the list ended."),
    "dryRun": ("string", "Run every step but the storing: All."),
    "fieldManager": ("string", "The name under which the fields this write sets are recorded."),
    "fieldSelector": ("string", "Only objects with these field values."),
    "fieldValidation": ("string", "What becomes of unknown and duplicate fields: Ignore, Warn or Strict."),
    "force": ("boolean", "Take over fields that others own (apply only)."),
    "gracePeriodSeconds": ("integer", "How long the object has to finish; 0 deletes at once."),
    "labelSelector": ("string", "Only objects with these labels."),
    "limit": ("integer", "At most this many objects at a time."),
    "orphanDependents": ("boolean", "Replaced by propagationPolicy."),
    "propagationPolicy": ("string", "What becomes of owned objects: Orphan, Background or Foreground."),
    "resourceVersion": ("string", "How fresh the answer must be."),
    "resourceVersionMatch": ("string", "What resourceVersion means: NotOlderThan or Exact."),
    "sendInitialEvents": ("boolean", "A watch begins with what is there."),
    "timeoutSeconds": ("integer", "When a watch ends."),
    "watch": ("boolean", "Stream changes instead of listing."),
}
_READ_MANY: Final = (
    "allowWatchBookmarks", "continue", "fieldSelector", "labelSelector", "limit", "resourceVersion",
    "resourceVersionMatch", "sendInitialEvents", "timeoutSeconds", "watch",
)  # fmt: skip
_WRITE: Final = ("dryRun", "fieldManager", "fieldValidation")
_DELETE: Final = ("dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy")


@dataclasses.dataclass(frozen=True, slots=True)
class Served:
    """One resource of the document, and which of its subresources are served (`status`, `scale`, ...)."""

    resource: Resource
    """In the version of the document."""
    verbs: tuple[str, ...] = (
        "create",
        "delete",
        "deletecollection",
        "get",
        "list",
        "patch",
        "update",
        "watch",
    )
    subresources: tuple[str, ...] = ()
    """Any; the document shows those through which the object itself is written."""
    later: frozenset[str] = frozenset()
    """What brings fields of later releases to it."""


def openapi_v3(
    group_version: str, kinds: Iterable[Served], release: str = dray.KUBERNETES_VERSION
) -> dict[str, Any]:
    """The document of `group_version` (`v1`, `apps/v1`), ready to be encoded as JSON."""
    served = [item for item in kinds if schema_for(group_version, item.resource.kind)]
    schemas = dict(sorted(_schemas(group_version, served)))
    paths: dict[str, Any] = {}
    for item in served:
        paths |= _paths(item)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": release},
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": schemas},
    }


def definition_name(definition: str) -> str:
    """`core/v1.Pod` -> `io.k8s.api.core.v1.Pod`."""
    package, _, name = definition.rpartition(".")
    return f"{_META}.{name}" if package == "meta/v1" else f"io.k8s.api.{package.replace('/', '.')}.{name}"


def _schemas(group_version: str, served: list[Served]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from _LEAVES.items()
    roots = [schema_for(group_version, item.resource.kind, item.later) for item in served]
    metas = [type_schema("meta/v1", name) for name in (*sorted(META_KINDS), "ListMeta")]
    later = frozenset[str]().union(*(item.later for item in served))
    for schema in _reached([root for root in roots if root] + metas, later):
        yield definition_name(schema.definition), _struct(schema, group_version, later)
    for item, root in zip(served, roots, strict=True):
        if root and "list" in item.verbs:
            yield definition_name(f"{root.definition}List"), _list_kind(item.resource, root)


def _reached(roots: list[Schema], later: frozenset[str]) -> Iterator[Schema]:
    """Every struct below `roots`, once."""
    seen: set[str] = set()
    waiting = list(roots)
    while waiting:
        schema = waiting.pop()
        inner = schema.items or schema.values
        if inner is not None:
            waiting.append(inner)
        elif schema.shape == "struct" and schema.definition not in seen:
            seen.add(schema.definition)
            yield schema
            waiting += [field.schema for field in schema.fields.values() if field.exists(later)]


def _struct(schema: Schema, group_version: str, later: frozenset[str]) -> dict[str, Any]:
    out: dict[str, Any] = {"type": "object"}
    if text := describe(schema.definition):
        out["description"] = text
    required = [name for name, field in schema.fields.items() if field.required]
    if required:
        out["required"] = required
    if schema.fields:
        out["properties"] = {
            name: _property(field, describe(schema.definition, name))
            for name, field in sorted(schema.fields.items())
            if field.exists(later)
        }
    package, _, name = schema.definition.rpartition(".")
    kinds = kinds_of(package, name)
    if package == "meta/v1" and name in META_KINDS:
        group, _, version = group_version.rpartition("/")
        kinds = [(group, version, name)]
    if kinds:
        out["x-kubernetes-group-version-kind"] = [_gvk(*kind) for kind in kinds]
    if schema.map_type == "atomic":
        out["x-kubernetes-map-type"] = "atomic"
    return out


def _gvk(group: str, version: str, kind: str) -> dict[str, str]:
    return {"group": group, "kind": kind, "version": version}


def _property(field: Field, text: str) -> dict[str, Any]:
    schema = field.schema
    out = _value(schema)
    siblings: dict[str, Any] = {"description": text} if text else {}
    if field.default is not ABSENT:
        siblings["default"] = field.default
    elif field.required and not field.pointer and field.schema.shape in ("scalar", "struct"):
        default = {} if schema.shape == "struct" else ZEROS[schema.scalar]
        siblings |= {"default": default} if default is not None else {}
    if schema.shape == "list":
        siblings["x-kubernetes-list-type"] = schema.list_type
        if schema.list_keys:
            siblings["x-kubernetes-list-map-keys"] = list(schema.list_keys)
    if schema.shape == "map" and schema.map_type == "atomic":
        siblings["x-kubernetes-map-type"] = "atomic"
    if field.strategies:
        siblings["x-kubernetes-patch-strategy"] = ",".join(sorted(field.strategies))
    if field.merge_key:
        siblings["x-kubernetes-patch-merge-key"] = field.merge_key
    # A reference may have no siblings, so it is wrapped where it would.
    return {"allOf": [out], **siblings} if "$ref" in out and siblings else out | siblings


def _value(schema: Schema) -> dict[str, Any]:
    if schema.shape == "scalar":
        plain = _SCALARS.get(schema.scalar)
        return dict(plain) if plain else _reference(_SCALAR_REFERENCES[schema.scalar])
    if schema.shape == "any":
        return _reference(_FIELDS if schema.go_type == "v1.FieldsV1" else _RAW)
    if schema.items is not None:
        return {"type": "array", "items": _element(schema.items)}
    if schema.values is not None:
        return {"type": "object", "additionalProperties": _element(schema.values)}
    return _reference(definition_name(schema.definition))


def _element(schema: Schema) -> dict[str, Any]:
    """An item of a list or map: never null, so structs and strings have a default."""
    out = _value(schema)
    if schema.shape == "struct":
        return {"allOf": [out], "default": {}}
    return out | {"default": ""} if schema.scalar == "string" else out


def _reference(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _list_kind(resource: Resource, schema: Schema) -> dict[str, Any]:
    item = _element(schema)
    return {
        "type": "object",
        "description": f"A list of {resource.kind} objects.",
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"},
            "items": {"type": "array", "items": item},
            "kind": {"type": "string"},
            "metadata": {"allOf": [_reference(f"{_META}.ListMeta")], "default": {}},
        },
        "x-kubernetes-group-version-kind": [_gvk(resource.group, resource.version, f"{resource.kind}List")],
    }


def _paths(item: Served) -> dict[str, Any]:
    resource = item.resource
    namespace = "{namespace}" if resource.namespaced else ""
    schema = schema_for(resource.api_version, resource.kind)
    assert schema is not None
    body = definition_name(schema.definition)
    placed = _path_parameters("namespace") if resource.namespaced else []
    named = [*_path_parameters("name"), *placed]

    def operations(methods: Mapping[str, str], verbs: Iterable[str], parameters: list[Any]) -> dict[str, Any]:
        found = {
            method: _operation(resource, verb, body) for verb, method in methods.items() if verb in verbs
        }
        return found | ({"parameters": parameters} if found and parameters else {})

    paths = {
        resource.path(): operations({"list": "get"}, item.verbs, []),
        resource.path(namespace): operations(_COLLECTION, item.verbs, placed),
        resource.path(namespace, "{name}"): operations(_ITEM, item.verbs, named),
    }
    for name in item.subresources:
        if name in _PARTS:
            paths[resource.path(namespace, "{name}", name)] = operations(_ITEM, _PART_VERBS, named)
    return {path: found for path, found in paths.items() if found}


_COLLECTION: Final = {"list": "get", "create": "post", "deletecollection": "delete"}
_ITEM: Final = {"get": "get", "update": "put", "patch": "patch", "delete": "delete"}
_PARTS: Final = ("status", "ephemeralcontainers", "resize")
_PART_VERBS: Final = ("get", "patch", "update")
_QUERIES: Final = {
    "list": _READ_MANY,
    "create": _WRITE,
    "update": _WRITE,
    "patch": (*_WRITE, "force"),
    "get": ("resourceVersion",),
    "delete": _DELETE,
    "deletecollection": (*_READ_MANY, *_DELETE),
}


def _operation(resource: Resource, verb: str, body: str) -> dict[str, Any]:
    shown = f"{body}List" if verb == "list" else f"{_META}.Status" if verb == "deletecollection" else body
    out: dict[str, Any] = {
        "description": f"{verb} {resource.plural}",
        "parameters": [_query(name) for name in _QUERIES.get(verb, ())],
        "responses": {"200": {"description": "OK", "content": _content(_reference(shown))}},
        "x-kubernetes-action": {"create": "post", "update": "put"}.get(verb, verb),
        "x-kubernetes-group-version-kind": _gvk(resource.group, resource.version, resource.kind),
    }
    if verb == "patch":
        out["requestBody"] = {"required": True, "content": _content(_reference(_PATCH), *_PATCH_TYPES)}
    elif verb in ("create", "update"):
        out["requestBody"] = {"required": True, "content": _content(_reference(body))}
    elif verb.startswith("delete"):
        out["requestBody"] = {"content": _content(_reference(f"{_META}.DeleteOptions"))}
    return out


def _content(schema: dict[str, Any], *types: str) -> dict[str, Any]:
    return {media_type: {"schema": schema} for media_type in types or ("application/json",)}


def _query(name: str) -> dict[str, Any]:
    kind, text = _PARAMETERS[name]
    return {"name": name, "in": "query", "description": text, "schema": {"type": kind, "uniqueItems": True}}


def _path_parameters(*names: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "uniqueItems": True}}
        for name in names
    ]
