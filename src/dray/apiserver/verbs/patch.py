"""PATCH: change an object by a description of the change. Four languages, one way through validation to the store.

A patch is applied to the object in the version the client speaks, so paths and merge keys are those it sees. Without
a resourceVersion in it, a patch that lost a race is applied again to the newer object.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from dray.api import errors
from dray.api import patch as languages
from dray.api.meta import Object, clone
from dray.api.schema import json_text
from dray.api.schema.duplicates import duplicate_members
from dray.api.schema.inspection import DecodeError, syntax_error
from dray.apiserver.core import Call
from dray.apiserver.large_bodies import worked_out
from dray.apiserver.structure import (
    Body,
    from_hub,
    json_type,
    no_conversion,
    strict_decode,
    to_hub,
    told_singly,
    untyped,
)
from dray.apiserver.type_name import TypeName, type_name
from dray.apiserver.verbs import managed, metadata
from dray.apiserver.verbs.create import create
from dray.apiserver.verbs.update import replace
from dray.apiserver.verbs.writing import conflict
from dray.client.protocol import PatchType
from dray.store.record import Record


async def patch(call: Call, patch_type: PatchType, body: Body) -> Record:
    """Apply a JSON, merge or strategic merge patch to the stored object.

    Raises BadRequest for a patch that cannot be read, NotFound, Conflict, Invalid, or what admission says.
    """
    wanted = LazyPatch(call, patch_type, body, type_name(call.kind, call.version))
    asked = _asks_version(patch_type, body)

    def change(stored: Object) -> Object:
        shown = from_hub(call.kind, stored, call.version)
        obj = wanted(shown)
        metadata.match_name(call, obj["metadata"])
        hub = to_hub(call.kind, obj, call.version)
        managed.record(call, hub, stored)
        managed.disown(hub, wanted.document)
        return hub

    return await replace(call, change, is_unconditional=not asked, sent=lambda: wanted.document)


async def apply(call: Call, body: Body) -> tuple[Record, bool]:
    """Server-side apply. Also tells whether the object was created.

    Raises BadRequest, NotFound (for a subresource), Conflict, Invalid, or what admission says.
    """
    config = body.tree
    _check_configuration(call, config)
    if call.record() is None and not call.subresource:
        _check_absent(call, config)
        try:
            merged = await worked_out(call.size, lambda: _merged(call, None, body))
            return await create(call, merged, is_owned=True), True
        except errors.AlreadyExists:
            pass  # somebody was faster: apply to what they made

    def change(stored: Object) -> Object:
        return _merged(call, stored, body)

    meta = config.get("metadata")
    asked = isinstance(meta, Mapping) and meta.get("resourceVersion")
    return await replace(call, change, is_unconditional=not asked), False


def _take_complaints(call: Call, body: Body) -> None:
    """What a strict reader of the configuration found. Raises BadRequest where the client wants that."""
    if body.complaints and call.options.field_validation == "Strict":
        why = ", ".join(body.complaints)
        raise errors.BadRequest(f"error strict decoding YAML: error converting YAML to JSON: {why}")
    if call.options.field_validation == "Warn":
        told = [line for complaint in body.complaints for line in told_singly(complaint)]
        call.warnings += [line for line in told if line not in call.warnings]


def _check_absent(call: Call, config: Mapping[str, Any]) -> None:
    """Raises Conflict for a configuration of an object that was here once, by its uid."""
    meta = config.get("metadata")
    uid = meta.get("uid") if isinstance(meta, Mapping) else None
    if uid:
        why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        raise conflict(call, why)


def _merged(call: Call, stored: Object | None, body: Body) -> Object:
    live = from_hub(call.kind, stored, call.version) if stored is not None else None
    merged = managed.applied(call, live, body.tree)
    obj = strict_decode(Body(merged), type_name(call.kind, call.version), None)
    _take_complaints(call, body)
    metadata.match_name(call, obj["metadata"])
    if stored is None:
        obj["metadata"].pop("resourceVersion", None)
    return to_hub(call.kind, obj, call.version)


def _check_configuration(call: Call, config: Any) -> None:
    """Raises BadRequest for a configuration of another kind."""
    given = config if isinstance(config, Mapping) else {}
    wanted = type_name(call.kind, call.version)
    api_version, kind = given.get("apiVersion") or "", given.get("kind") or ""
    if (api_version, kind) != (wanted.api_version, wanted.kind):
        group, _, version = str(api_version).rpartition("/")
        raise errors.BadRequest(f"invalid object type: {group}/{version}, Kind={kind}")


def _asks_version(patch_type: PatchType, body: Body) -> bool:
    tree = body.tree
    if patch_type is PatchType.JSON:
        operations = tree if isinstance(tree, list) else ()
        paths = (operation.get("path") for operation in operations if isinstance(operation, Mapping))
        return "/metadata/resourceVersion" in paths
    meta = tree.get("metadata") if isinstance(tree, Mapping) else None
    return isinstance(meta, Mapping) and bool(meta.get("resourceVersion"))


def read_patch(data: bytes) -> Body:
    """A patch as it was sent, its numbers as they are written. One that is no JSON is refused only once it is to be applied."""
    try:
        read = json_text.read_spelled(data)
    except json_text.JsonError:
        return Body(None, data)
    return Body(read.value, read.text, careful=read.has_numbers)


class _Applier:
    """One patch, ready to be applied to any number of versions of the object."""

    restores = False
    """The result is read from values, not from JSON text: its errors read differently."""

    def __init__(self, call: Call, type: TypeName, body: Body) -> None:
        self.careful = body.careful
        self.call = call
        self.type = type
        self.document: Any = None
        """What the patch last made, before it was read as an object."""
        self.complaints: list[str] = []
        """What a strict reader of the patch itself found."""

    @property
    def is_lenient(self) -> bool:
        return self.call.options.field_validation == "Ignore"

    def __call__(self, shown: Object) -> Object:
        """The object (client's version, new) that the patch makes of `shown`. Raises BadRequest or Invalid."""
        raise NotImplementedError

    @property
    def touched(self) -> Any:
        """What the patch went into, nested as in the document: there the keys stand sorted afterwards."""
        return {}

    def _decoded(self, document: Any, shown_patch: Any) -> Object:
        self.document = document
        why = "" if self.restores or not isinstance(document, dict) else self._foreign(document)
        if why is None:
            members = (name for name in sorted(document) if name not in ("apiVersion", "kind"))
            self._complain([f'unknown field "{name}"' for name in members], shown_patch)
            return {"apiVersion": self.type.api_version, "kind": self.type.kind, "metadata": {}}
        if why:
            raise languages.invalid_patch(shown_patch(), why)
        try:
            obj, found = self._read_object(document)
        except DecodeError as error:
            raise languages.invalid_patch(shown_patch(), str(error)) from None
        self._complain(found, shown_patch)
        return obj

    def _read_object(self, document: Any) -> tuple[Object, list[str]]:
        """With what a strict reader found. Raises DecodeError."""
        found: list[str] = []
        try:
            body = Body(document, careful=self.careful)
            obj = strict_decode(body, self.type, found, restores=self.restores)
        except DecodeError:
            if self.restores:
                raise
            obj = None
        if self.restores or (obj is not None and not found):
            return obj or {}, found
        # What is wrong is told in the order in which it stands.
        found = []
        body = Body(languages.arranged(document, self.touched), careful=True)
        return strict_decode(body, self.type, found), found

    def _complain(self, found: list[str], shown_patch: Any) -> None:
        """Raises Invalid where the client wants that."""
        validation = self.call.options.field_validation
        found = [*self.complaints, *found]
        if found and validation == "Strict":
            text = "strict decoding error: " + ", ".join(found)
            raise languages.invalid_patch(shown_patch(), text)
        if validation == "Warn":
            self.call.warnings += [text for text in found if text not in self.call.warnings]

    def _foreign(self, document: Object) -> str | None:
        """Why a patched document is none of its type any more, "" if it is one.

        None where it says no version: upstream takes that for its internal one, in which no field has that name.
        """
        for key in ("apiVersion", "kind"):
            value = document.get(key)
            if value is not None and not isinstance(value, str):
                what = f"json: cannot unmarshal {json_type(value)} into Go struct field .{key} of type string"
                return f"couldn't get version/kind; json parse error: {what}"
        version, kind = document.get("apiVersion"), document.get("kind") or self.type.kind
        if not version:
            return None
        given = TypeName(version, kind, self.type.gates)
        if given == self.type or (kind == self.type.kind and given.schema is not None):
            return ""
        if given.schema is not None:
            try:
                strict_decode(Body(document), given, [])
            except DecodeError as error:
                return str(error)
        return no_conversion(given, self.type)


class _JsonPatch(_Applier):
    def __init__(self, call: Call, type: TypeName, body: Body) -> None:
        super().__init__(call, type, body)
        text = body.text if body.text is not None else orjson.dumps(body.tree)
        self.operations = languages.parse_operations(text, is_lenient=self.is_lenient)
        if not self.is_lenient:
            unknown = languages.unknown_members(self.operations)
            again = (path for path in duplicate_members(text) if languages.is_known_member(path))
            self.complaints = [f'json patch duplicate field "{path}"' for path in again]
            self.complaints += [f'json patch unknown field "{path}"' for path in unknown]

    def __call__(self, shown: Object) -> Object:
        try:
            document = languages.json_patch(shown, self.operations)
        except languages.PatchError:
            raise languages.unprocessable() from None
        return self._decoded(document, lambda: languages.rendered(document, self.touched))

    @property
    def touched(self) -> dict[str, Any]:
        """The objects the operations went into, nested as in the document."""
        touched: dict[str, Any] = {}
        for operation in self.operations:
            at = touched
            for part in str(operation.get("path", "")).split("/")[1:-1]:
                at = at.setdefault(part, {})
        return touched


class _MergePatch(_Applier):
    def __init__(self, call: Call, type: TypeName, body: Body) -> None:
        super().__init__(call, type, body)
        self.patch = self._read(body)
        self._check_numbers()
        if body.text is not None and not self.is_lenient:
            self.complaints = [f'duplicate field "{path}"' for path in duplicate_members(body.text)]

    def _read(self, body: Body) -> Mapping[str, Any]:
        """Raises BadRequest, or Invalid for a list that nobody wanted read strictly."""
        if self.is_lenient and isinstance(body.tree, list):
            raise languages.invalid_patch(
                orjson.dumps(body.tree, option=orjson.OPT_SORT_KEYS).decode(), untyped(body.tree)
            )
        if self.is_lenient and not isinstance(body.tree, Mapping):
            raise _unfit()
        members = _members(body, "error decoding patch: ")
        if members is None:
            raise _unfit()
        return members

    def _check_numbers(self) -> None:
        if not self.careful or self.is_lenient:
            return
        if (number := json_text.first_infinite(self.patch)) is not None:
            prefix = "" if self.restores else "error decoding patch: "
            raise errors.BadRequest(
                f"{prefix}json: cannot unmarshal number {number} into Go value of type float64"
            )

    @property
    def touched(self) -> Any:
        return self.patch

    def __call__(self, shown: Object) -> Object:
        document = languages.merge_patch(shown, self.patch)
        return self._decoded(document, lambda: languages.rendered(document, self.patch))


class _StrategicPatch(_MergePatch):
    restores = True

    def _read(self, body: Body) -> Mapping[str, Any]:
        return _members(body, "") or {}

    @property
    def is_lenient(self) -> bool:
        return False

    def __call__(self, shown: Object) -> Object:
        patch = json_text.as_untyped(self.patch) if self.careful else clone(self.patch)
        try:
            document = languages.use_up(shown, patch, self.type.schema)
        except languages.PatchFormatError as error:
            raise errors.BadRequest(str(error)) from None
        except languages.PatchError as error:
            raise errors.StatusError(str(error)) from None
        return self._decoded(document, lambda: languages.rendered_strategic(patch))


def patcher(call: Call, patch_type: PatchType, body: Body, type: TypeName) -> _Applier:
    """A function from an object of `type` to what the patch makes of it, new. Raises BadRequest for a bad patch."""
    if patch_type is PatchType.JSON:
        return _JsonPatch(call, type, body)
    if patch_type is PatchType.MERGE:
        return _MergePatch(call, type, body)
    return _StrategicPatch(call, type, body)


class LazyPatch:
    """A patch that is read when it is first applied: whether its object exists is looked at before."""

    def __init__(self, call: Call, patch_type: PatchType, body: Body, type: TypeName) -> None:
        self._parts = (call, patch_type, body, type)
        self._patcher: _Applier | None = None

    def __call__(self, shown: Object) -> Object:
        """Raises BadRequest or Invalid."""
        if self._patcher is None:
            self._patcher = patcher(*self._parts)
        return self._patcher(shown)

    @property
    def document(self) -> Any:
        return self._patcher.document if self._patcher is not None else None


def _members(body: Body, prefix: str) -> Mapping[str, Any] | None:
    """None for null. Raises BadRequest for a patch that is no JSON object."""
    tree = body.tree
    if isinstance(tree, Mapping):
        return tree
    if tree is None:
        if body.text is not None and body.text.strip() != b"null":
            raise errors.BadRequest(f"{prefix}{syntax_error(body.text)}")
        return None
    text = f"json: cannot unmarshal {json_type(tree)} into Go value of type map[string]interface {{}}"
    raise errors.BadRequest(f"{prefix}{text}")


def _unfit() -> errors.BadRequest:
    return errors.BadRequest("Invalid JSON Patch")
