"""From what a client sent to an object of a known kind, in Kubernetes' words where that fails.

Decides which kind a body may claim to be, what `fieldValidation` makes of unknown fields, and the order of defaulting
and conversion. The structure of each kind is `dray.api.schema`'s, its defaults and conversions are the `Kind`'s.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

import orjson

from dray.api import errors
from dray.api.fields import quote
from dray.api.meta import Object, clone
from dray.api.schema import decode, json_text, schema_for
from dray.api.schema.conversion import restore
from dray.api.schema.emptiness import may_be_empty
from dray.api.schema.inspection import DecodeError
from dray.api.schema.raw_values import with_sent_sizes
from dray.api.validation.resource.opaque import PARAMETERS_MAX_BYTES
from dray.apiserver.core import FieldValidation
from dray.apiserver.registry.kind import Kind
from dray.apiserver.type_name import DELETE_OPTIONS, TypeName

_SCHEME: Final = "k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30"
MACHINERY: Final = "pkg/runtime/scheme.go:111"
"""As what Kubernetes names its schemes: of its own kinds, and of what every API has."""
_TYPE_META: Final = (
    'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
)
_SUMMARY: Final = 30
"""Bytes of an unreadable body that the error shows."""


@dataclasses.dataclass(frozen=True, slots=True)
class Body:
    """A request body, read: the JSON value, and the text it came as where duplicate keys can be found in it."""

    tree: Any
    text: bytes | None = None
    complaints: tuple[str, ...] = ()
    """What a strict reader of the text found already."""
    careful: bool = False
    """The numbers of the value may be `json_text.Number`s."""
    yaml: bytes | None = None
    """What it came as, if that was YAML."""
    skips_unknown: bool = False
    """Of a form whose readers skip what they do not know, however strict: protobuf."""

    @property
    def sent(self) -> bytes:
        """What errors show of it."""
        if self.text is not None:
            return self.text
        return self.yaml if self.yaml is not None else orjson.dumps(self.tree)

    @property
    def may_be_empty(self) -> bool:
        """Whether there may be empty lists and maps in it; protobuf has none."""
        return not self.skips_unknown if self.text is None else may_be_empty(self.text)


def read_json(data: bytes, kind_name: str) -> Body:
    """Raises BadRequest for a text that is no JSON."""
    try:
        read = json_text.read(data)
    except json_text.JsonError as error:
        raise unrecognized(data, kind_name, f"couldn't get version/kind; json parse error: {error}") from None
    return Body(read.value, read.text)


def read_delete_options(body: Body) -> Object:
    """DeleteOptions exist in every group version and mean the same in each; unknown fields are ignored.

    Raises BadRequest.
    """
    tree = body.tree
    if isinstance(tree, Mapping):
        kind, api_version = tree.get("kind") or "", tree.get("apiVersion") or ""
        if isinstance(kind, str) and isinstance(api_version, str):
            _check_delete_options(kind, api_version)
            tree = {key: value for key, value in tree.items() if key not in ("apiVersion", "kind")}
    _check_type(Body(tree), DELETE_OPTIONS)
    try:
        return strict_decode(dataclasses.replace(body, tree=tree), DELETE_OPTIONS, None)
    except DecodeError as error:
        raise errors.BadRequest(str(error)) from None


_TOGETHER: Final = "yaml: unmarshal errors:"


def _check_delete_options(kind: str, api_version: str) -> None:
    if api_version.count("/") > 1:
        raise errors.BadRequest(f"unexpected GroupVersion string: {api_version}")
    if kind in ("", DELETE_OPTIONS.kind):
        return
    if kind == "Status":
        raise errors.BadRequest("converting (v1.Status) to (v1.DeleteOptions): unknown conversion")
    if api_version in ("", "/"):
        api_version = "meta.k8s.io/v1"
    raise errors.BadRequest(not_registered(TypeName(api_version.removeprefix("/"), kind)))


def unrecognized(data: bytes, kind_name: str, why: str) -> errors.BadRequest:
    """A body of which not even the kind can be told; `kind_name` "": any kind would have done."""
    if kind_name in ("", DELETE_OPTIONS.kind):
        return errors.BadRequest(why)
    return errors.BadRequest(
        f"the object provided is unrecognized (must be of type {kind_name}): {why} ({_summary(data)})"
    )


def _summary(data: bytes) -> str:
    if not data:
        return "<empty>"
    cut = " ..." if len(data) > _SUMMARY else ""
    shown = data[:_SUMMARY]
    return (shown.decode("utf-8", "replace") if shown.startswith(b"{") else shown.hex()) + cut


def structured(
    body: Body,
    wanted: TypeName,
    field_validation: FieldValidation = "Ignore",
    warnings: list[str] | None = None,
) -> Object:
    """The object a body holds, new throughout and canonical, with its apiVersion and kind.

    Raises BadRequest when it is another kind, does not fit the kind's structure or, under Strict, has unknown or
    duplicate fields; under Warn those go to `warnings`.
    """
    _check_type(body, wanted, warnings if field_validation == "Warn" else None)
    found: list[str] | None = None if field_validation == "Ignore" or body.skips_unknown else []
    try:
        obj = strict_decode(body, wanted, found)
    except DecodeError as error:
        raise errors.BadRequest(_cannot_handle(wanted.kind, wanted, str(error))) from None
    if found and field_validation == "Strict":
        text = "strict decoding error: " + ", ".join(found)
        raise errors.BadRequest(_cannot_handle(wanted.kind, wanted, text))
    if warnings is not None:
        warnings += [line for text in found or () for line in told_singly(text)]
    return obj


def told_singly(complaint: str) -> list[str]:
    """What YAML refuses all together is warned of line by line."""
    head, *lines = complaint.split("\n")
    return [line.strip() for line in lines] if lines and head == _TOGETHER else [complaint]


def strict_decode(body: Body, wanted: TypeName, found: list[str] | None, *, restores: bool = False) -> Object:
    """As `structured`, taking the type for granted; unknown and duplicate fields go to `found`, if it is given.

    `restores`: errors read as those of Go's converter from untyped values. Raises DecodeError.
    """
    schema = wanted.schema
    if schema is None:
        obj: Object = clone(body.tree or {})
    else:
        text = body.text if body.tree is not None else None
        source = text if text is not None else body.tree or {}
        if restores:
            decoded = restore(body.tree or {}, schema, gates=wanted.gates)
        else:
            decoded = decode(source, schema, gates=wanted.gates, careful=body.careful)
        obj = decoded.object
        if body.text is not None and wanted.api_version.startswith("resource.k8s.io/"):
            obj = with_sent_sizes(obj, body.text, PARAMETERS_MAX_BYTES)
        if found is not None:
            found += (*body.complaints, *decoded.strict_errors)
    obj["apiVersion"], obj["kind"] = wanted.api_version, wanted.kind
    if obj.get("metadata") is None:
        obj["metadata"] = {}
    return obj


def to_hub(kind: Kind, obj: Object, version: str) -> Object:
    """The stored form of an object that a client of `version` sent; `obj` is taken over."""
    kind.default(obj, version)
    hub = kind.to_hub(obj, version)
    hub["apiVersion"], hub["kind"] = kind.stored.api_version, kind.stored.kind
    return hub


def from_hub(kind: Kind, obj: Object, version: str) -> Object:
    """What a client of `version` sees; may be `obj` itself."""
    resource = kind.resource
    if kind.stored_as is None and version == resource.version:
        return obj
    shown = kind.from_hub(obj, version)
    return {**shown, "apiVersion": resource.at(version).api_version, "kind": resource.kind}


def _check_type(body: Body, wanted: TypeName, warnings: list[str] | None = None) -> None:
    """`warnings` takes what a strict reader finds in an object of another version."""
    tree = {} if body.tree is None else body.tree
    if not isinstance(tree, Mapping):
        data = body.sent
        raise unrecognized(data, wanted.kind, untyped(tree))
    for key in ("apiVersion", "kind"):
        value = tree.get(key)
        if value is not None and not isinstance(value, str):
            why = f"cannot unmarshal {json_type(value)} into Go struct field .{key} of type string"
            raise _not_typed(body, wanted, why)
    api_version = tree.get("apiVersion") or wanted.api_version
    if api_version.count("/") > 1:
        data = body.sent
        raise unrecognized(data, wanted.kind, f"unexpected GroupVersion string: {api_version}")
    group, _, version = api_version.rpartition("/")
    if group and not version and group != wanted.api_version.rpartition("/")[0]:
        data = body.sent
        why = f"Object 'apiVersion' is missing in '{data.decode('utf-8', 'replace')}'"
        empty = TypeName("", str(tree.get("kind") or wanted.kind))
        raise errors.BadRequest(_cannot_handle(empty.kind, empty, why, expected=wanted.kind))
    if api_version == "/" or (not version and group == wanted.api_version.rpartition("/")[0]):
        api_version = wanted.api_version
    elif not group:
        api_version = version
    kind = tree.get("kind") or wanted.kind
    if (api_version, kind) == (wanted.api_version, wanted.kind):
        return
    given = TypeName(api_version, kind, wanted.gates)
    if given.kind == wanted.kind and given.schema is not None and not _misfit(tree, given):
        if warnings is not None:
            strict_decode(body, given, warnings)
        raise errors.BadRequest(
            f"the API version in the data ({api_version}) does not match "
            f"the expected API version ({wanted.api_version})"
        )
    why = _misfit(tree, given) or no_conversion(given, wanted)
    raise errors.BadRequest(_cannot_handle(kind, given, why, expected=wanted.kind))


def _misfit(tree: Any, given: TypeName) -> str:
    """Why a document is no object of the kind it claims to be: told before that another was wanted. "" if it is one."""
    try:
        strict_decode(Body(tree), given, None)
    except DecodeError as error:
        return str(error)
    return ""


def not_registered(given: TypeName, scheme: str = _SCHEME) -> str:
    kind, version = quote(given.kind), quote(given.api_version)
    return f'no kind {kind} is registered for version {version} in scheme "{scheme}"'


def untyped(tree: Any) -> str:
    """Why a value that is no object has no kind."""
    why = f"json: cannot unmarshal {json_type(tree)} into Go value of type {_TYPE_META}"
    return f"couldn't get version/kind; json parse error: {why}"


def package_of(group: str) -> str:
    """Of Kubernetes' own types, as texts name it."""
    return group.partition(".")[0] or "core"


def no_conversion(given: TypeName, wanted: TypeName) -> str:
    """Why an object of one type cannot be read as one of another."""
    item = given.kind.removesuffix("List")
    is_list = item != given.kind and (
        schema_for(given.api_version, item) is not None if item else given.api_version == "v1"
    )
    if given.schema is None and not is_list:
        return not_registered(given)
    go_type = given.schema.go_type if given.schema is not None else f"{given.version}.{given.kind}"
    package = package_of(wanted.api_version.rpartition("/")[0])
    return f"converting ({go_type}) to ({package}.{wanted.kind}): unknown conversion"


def _not_typed(body: Body, wanted: TypeName, why: str) -> errors.BadRequest:
    data = body.sent
    return unrecognized(data, wanted.kind, f"couldn't get version/kind; json parse error: json: {why}")


def _cannot_handle(kind: str, given: TypeName, why: str, expected: str = "") -> str:
    return f"{kind} in version {quote(given.version)} cannot be handled as a {expected or kind}: {why}"


def json_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float | json_text.Number):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"
