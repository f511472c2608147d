"""OpenAPI v3 documents of what is served, built from the structural schemas when somebody asks.

What they are for: kubectl reads them before it applies, creates, replaces, diffs or explains, to learn which options a
patch takes and how lists merge. They hold structure and no prose.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import dray
from dray.api.meta import Object
from dray.api.resources import Resource
from dray.api.schema.registry import META_KINDS, PACKAGES, types_of
from dray.apiserver.discovery import group_version, subresources_of
from dray.apiserver.index import KindIndex
from dray.apiserver.registry.kind import Kind
from dray.client.protocol import PatchType

_META: Final = "meta/v1"
_GROUP_PACKAGE: Final = re.compile(r"([^/]+)/(.+)")

_SCALARS: Final[Mapping[str, Object]] = {
    "s": {"type": "string", "default": ""},
    "i": {"type": "integer", "format": "int32", "default": 0},
    "l": {"type": "integer", "format": "int64", "default": 0},
    "b": {"type": "boolean", "default": False},
    "n": {"type": "number", "format": "double", "default": 0},
    "B": {"type": "string", "format": "byte"},
}
_SPECIAL: Final[Mapping[str, tuple[str, Object]]] = {
    "q": (
        "io.k8s.apimachinery.pkg.api.resource.Quantity",
        {"oneOf": [{"type": "string"}, {"type": "number"}]},
    ),
    "t": ("io.k8s.apimachinery.pkg.apis.meta.v1.Time", {"type": "string", "format": "date-time"}),
    "u": ("io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime", {"type": "string", "format": "date-time"}),
    "x": (
        "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
        {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
    ),
    "a": ("io.k8s.apimachinery.pkg.runtime.RawExtension", {"type": "object"}),
    "F": ("io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1", {"type": "object"}),
}
_EXTENSIONS: Final[Mapping[str, str]] = {
    "lt": "x-kubernetes-list-type",
    "lk": "x-kubernetes-list-map-keys",
    "mt": "x-kubernetes-map-type",
    "mk": "x-kubernetes-patch-merge-key",
    "ms": "x-kubernetes-patch-strategy",
}


def index(kinds: KindIndex) -> Object:
    """Which documents there are, each with a hash that changes when it does."""
    return {
        "paths": {
            _place(group.name, version): {
                "serverRelativeURL": f"/openapi/v3/{_place(group.name, version)}?hash={digest(kinds, group.name, version)}"
            }
            for group in kinds.groups
            for version in group.versions
        }
    }


def digest(kinds: KindIndex, group: str, version: str) -> str:
    """Of a document, without building it: the release and what is served decide every byte of it."""
    served = [
        f"{kind.resource.plural}:{','.join(part.name for part in subresources_of(kind))}"
        for kind in kinds.in_version(group, version)
    ]
    text = "\n".join([dray.__version__, dray.KUBERNETES_VERSION, group_version(group, version), *served])
    return hashlib.sha512(text.encode()).hexdigest().upper()


def document(kinds: KindIndex, group: str, version: str) -> Object:
    """The document of one group version."""
    served = kinds.in_version(group, version)
    components = _Components()
    paths: dict[str, Object] = {}
    for kind in served:
        components.add_kind(kind, version)
        paths.update(_paths(kind, version))
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": dray.KUBERNETES_VERSION},
        "paths": paths,
        "components": {"schemas": dict(sorted(components.schemas.items()))},
    }


def _place(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


# --- schemas


class _Components:
    """The schemas a document needs: those of its kinds, and whatever they refer to."""

    def __init__(self) -> None:
        self.schemas: dict[str, Object] = {}

    def add_kind(self, kind: Kind, version: str) -> None:
        resource = kind.resource.at(version)
        package = PACKAGES.get(resource.api_version)
        if package is None or resource.kind not in types_of(package):
            return
        name = self._struct(package, resource.kind)
        self.schemas[name]["x-kubernetes-group-version-kind"] = [_gvk(resource)]
        self._struct(_META, "DeleteOptions")
        if kind.virtual:
            return
        list_meta = _reference(self._struct(_META, "ListMeta"))
        self.schemas[f"{name}List"] = {
            "type": "object",
            "required": ["items"],
            "properties": {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": {"allOf": [list_meta], "default": {}},
                "items": {"type": "array", "items": {"allOf": [_reference(name)], "default": {}}},
            },
            "x-kubernetes-group-version-kind": [{**_gvk(resource), "kind": f"{resource.kind}List"}],
        }

    def _struct(self, package: str, type_name: str) -> str:
        name = _component_name(package, type_name)
        if name in self.schemas:
            return name
        stored = types_of(package)[type_name]
        schema: Object = {"type": "object"}
        self.schemas[name] = schema  # before the fields: types may contain themselves
        properties: dict[str, Object] = {}
        required = []
        for field, code, flags, *extras in stored["fields"]:
            properties[field] = self._field(package, code, flags, extras[0] if extras else {})
            if "r" in flags:
                required.append(field)
        schema["properties"] = properties
        if required:
            schema["required"] = required
        if stored.get("map") == "atomic":
            schema["x-kubernetes-map-type"] = "atomic"
        if package == _META and type_name in META_KINDS:
            schema["x-kubernetes-group-version-kind"] = [{"group": "", "version": "v1", "kind": type_name}]
        return name

    def _field(self, package: str, code: str, flags: str, extras: Mapping[str, Any]) -> Object:
        schema = self._value(package, code)
        if "p" in flags or "r" not in flags:
            schema = {key: value for key, value in schema.items() if key != "default"}
        more: Object = {
            extension: extras[short] for short, extension in _EXTENSIONS.items() if short in extras
        }
        if "e" in extras:
            more["enum"] = extras["e"]
        if "d" in extras:
            more["default"] = extras["d"]
        if not more:
            return schema
        # A reference may have no siblings.
        return {"allOf": [schema], **more} if "$ref" in schema else {**schema, **more}

    def _value(self, package: str, code: str) -> Object:
        if code.startswith("[]"):
            return {"type": "array", "items": self._element(package, code[2:])}
        if code.startswith("{}"):
            return {"type": "object", "additionalProperties": self._element(package, code[2:])}
        if "." in code:
            target, _, name = code.rpartition(".")
            return _reference(self._struct(target or package, name))
        if code in _SPECIAL:
            name, schema = _SPECIAL[code]
            self.schemas.setdefault(name, dict(schema))
            return _reference(name)
        return dict(_SCALARS[code])

    def _element(self, package: str, code: str) -> Object:
        schema = self._value(package, code)
        return {"allOf": [schema], "default": {}} if "$ref" in schema else schema


def _component_name(package: str, type_name: str) -> str:
    match = _GROUP_PACKAGE.fullmatch(package)
    group, version = match.groups() if match else (package, "")
    root = "io.k8s.apimachinery.pkg.apis" if group == "meta" else "io.k8s.api"
    return f"{root}.{group}.{version}.{type_name}"


def _reference(name: str) -> Object:
    return {"$ref": f"#/components/schemas/{name}"}


def _gvk(resource: Resource) -> Object:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


# --- paths

_ACTIONS: Final[Mapping[str, tuple[str, str]]] = {
    "list": ("get", "list"),
    "create": ("post", "post"),
    "deletecollection": ("delete", "deletecollection"),
}
_OBJECT_ACTIONS: Final[Mapping[str, tuple[str, str]]] = {
    "get": ("get", "get"),
    "update": ("put", "put"),
    "patch": ("patch", "patch"),
    "delete": ("delete", "delete"),
}
_WRITE_PARAMETERS: Final = ("dryRun", "fieldManager", "fieldValidation")
_LIST_PARAMETERS: Final = (
    "continue", "fieldSelector", "labelSelector", "limit", "resourceVersion", "resourceVersionMatch",
    "sendInitialEvents", "timeoutSeconds", "watch", "allowWatchBookmarks",
)  # fmt: skip
_DELETE_PARAMETERS: Final = ("dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy")
_PARAMETER_TYPES: Final[Mapping[str, str]] = {
    "limit": "integer", "timeoutSeconds": "integer", "gracePeriodSeconds": "integer", "watch": "boolean",
    "allowWatchBookmarks": "boolean", "sendInitialEvents": "boolean", "orphanDependents": "boolean",
    "force": "boolean",
}  # fmt: skip


def _paths(kind: Kind, version: str) -> Iterator[tuple[str, Object]]:
    resource = kind.resource.at(version)
    scope = "{namespace}" if resource.namespaced else ""
    collection = resource.path(scope)
    yield collection, _operations(resource, _ACTIONS, kind.verbs, in_object=False)
    if kind.virtual:
        return
    single = resource.path(scope, "{name}")
    yield single, _operations(resource, _OBJECT_ACTIONS, kind.verbs, in_object=True)
    for part in subresources_of(kind):
        if "patch" in part.verbs and not part.group:
            yield (
                f"{single}/{part.name}",
                _operations(resource, _OBJECT_ACTIONS, part.verbs, in_object=True),
            )
    if resource.namespaced and "list" in kind.verbs:
        yield resource.path(), _operations(resource, _ACTIONS, ("list",), in_object=False)


def _operations(
    resource: Resource,
    actions: Mapping[str, tuple[str, str]],
    verbs: Sequence[str],
    *,
    in_object: bool,
) -> Object:
    operations: Object = {
        method: _operation(resource, verb, action)
        for verb, (method, action) in actions.items()
        if verb in verbs
    }
    names = [*(["name"] if in_object else []), *(["namespace"] if resource.namespaced else [])]
    operations["parameters"] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "uniqueItems": True}}
        for name in names
    ]
    return operations


def _operation(resource: Resource, verb: str, action: str) -> Object:
    package = PACKAGES.get(resource.api_version, "")
    reference = _reference(_component_name(package, resource.kind)) if package else {"type": "object"}
    operation: Object = {
        "tags": [f"{resource.group or 'core'}_{resource.version}"],
        "responses": {"200": {"description": "OK", "content": _content(reference, ["application/json"])}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _gvk(resource),
        "parameters": [_parameter(name) for name in _parameters(verb)],
    }
    if verb in ("create", "update"):
        operation["requestBody"] = {"content": _content(reference, ["*/*"]), "required": True}
    elif verb == "patch":
        types = [str(patch_type) for patch_type in PatchType]
        operation["requestBody"] = {"content": _content({"type": "object"}, types), "required": True}
    elif verb in ("delete", "deletecollection"):
        options = _reference(_component_name(_META, "DeleteOptions"))
        operation["requestBody"] = {"content": _content(options, ["*/*"])}
    return operation


def _parameters(verb: str) -> Sequence[str]:
    if verb == "list":
        return _LIST_PARAMETERS
    if verb == "deletecollection":
        return (*_LIST_PARAMETERS, *_DELETE_PARAMETERS)
    if verb == "delete":
        return _DELETE_PARAMETERS
    if verb == "patch":
        return (*_WRITE_PARAMETERS, "force")
    return _WRITE_PARAMETERS if verb in ("create", "update") else ("resourceVersion",)


def _parameter(name: str) -> Object:
    kind = _PARAMETER_TYPES.get(name, "string")
    return {"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": True}}


def _content(schema: Object, types: Sequence[str]) -> Object:
    return {media: {"schema": schema} for media in types}
