"""Finds what is wrong with a document, in Go's words: unknown and duplicate fields, and the first value that does not fit.

The careful half of `decoding`, used only when the fast reader met a surprise. It reads the JSON text again, keeping
duplicate keys and the digits of numbers, since the texts quote them.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any

from dray.api.schema import go_text
from dray.api.schema.json_syntax import TOO_DEEP, syntax_error
from dray.api.schema.json_text import Number, first_infinite, number_of
from dray.api.schema.model import Field, Schema
from dray.api.schema.scalars import READERS, BadScalar, WrongType

__all__ = ["DecodeError", "Inspection", "Walk", "finished", "inspect", "syntax_error"]

_MOST_MESSAGES = 100
_EMBEDDED = {
    (struct, field): embedded
    for embedded, structs, fields in (
        (
            "DeviceConfiguration",
            "DeviceClaimConfiguration DeviceClassConfiguration DeviceAllocationConfiguration",
            "opaque",
        ),
        ("IngressRuleValue", "IngressRule", "http"),
        ("RuleWithOperations", "NamedRuleWithOperations", "operations"),
        ("Rule", "RuleWithOperations", "apiGroups apiVersions resources scope"),
        ("RuleWithOperations.Rule", "NamedRuleWithOperations", "apiGroups apiVersions resources scope"),
        ("ProbeHandler", "Probe", "exec httpGet tcpSocket grpc"),
        (
            "LocalObjectReference",
            "ConfigMapEnvSource ConfigMapKeySelector ConfigMapProjection ConfigMapVolumeSource "
            "SecretEnvSource SecretKeySelector SecretProjection",
            "name",
        ),
        (
            "EphemeralContainerCommon",
            "EphemeralContainer",
            "args command env envFrom image imagePullPolicy lifecycle livenessProbe name ports readinessProbe "
            "resizePolicy resources restartPolicy restartPolicyRules securityContext startupProbe stdin stdinOnce "
            "terminationMessagePath terminationMessagePolicy tty volumeDevices volumeMounts workingDir",
        ),
        (
            "VolumeSource",
            "Volume",
            "awsElasticBlockStore azureDisk azureFile cephfs cinder configMap csi downwardAPI emptyDir ephemeral fc "
            "flexVolume flocker gcePersistentDisk gitRepo glusterfs hostPath image iscsi nfs persistentVolumeClaim "
            "photonPersistentDisk portworxVolume projected quobyte rbd scaleIO secret storageos vsphereVolume",
        ),
        (
            "PersistentVolumeSource",
            "PersistentVolumeSpec",
            "awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume flocker gcePersistentDisk "
            "glusterfs hostPath iscsi local nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos "
            "vsphereVolume",
        ),
    )
    for struct in structs.split()
    for field in fields.split()
}
"""Fields that Go's type has from a type within: paths in errors name that, too. By type and field."""


class DecodeError(ValueError):
    """The document cannot become an object of its kind; `str()` is Go's text."""


@dataclasses.dataclass(frozen=True, slots=True)
class Inspection:
    clean: Any
    """The document without unknown and superseded fields."""
    messages: tuple[str, ...]

    @property
    def unknown(self) -> tuple[str, ...]:
        return tuple(text for text in self.messages if text.startswith("unknown"))


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with its duplicate keys."""


def inspect(
    data: bytes | Mapping[str, Any], schema: Schema, gates: frozenset[str] = frozenset()
) -> Inspection:
    """`gates`: those that are on, of fields behind one. Raises DecodeError for the first value that does not fit, in the words of encoding/json."""
    tree: Any = data
    if not isinstance(data, Mapping):
        try:
            tree = json.loads(data, object_pairs_hook=_Pairs, parse_int=Number, parse_float=Number)
        except ValueError:
            raise DecodeError(syntax_error(bytes(data))) from None
        except RecursionError:
            raise DecodeError(TOO_DEEP) from None
    return finished(Walk(gates), tree, schema)


def finished(walk: "Walk", tree: Any, schema: Schema) -> Inspection:
    """What `walk` makes of the document. Raises DecodeError."""
    try:
        clean = walk.value(tree, schema)
    except RecursionError:
        raise DecodeError(TOO_DEEP) from None
    if walk.first_error:
        raise DecodeError(walk.first_error)
    return Inspection(clean, tuple(walk.messages))


class Walk:
    """One pass over a document. Subclasses speak other words in `wrong_text`."""

    most_messages: int | None = _MOST_MESSAGES

    def __init__(self, gates: frozenset[str] = frozenset()) -> None:
        self.gates = gates
        self.messages: dict[str, None] = {}
        self.first_error = ""
        self.fields: list[str] = []
        """Names of struct fields only: the path in type errors."""
        self.places: list[str] = []
        """Names, keys and indexes: the path in strict messages."""
        self.struct = ""

    def value(self, tree: Any, schema: Schema) -> Any:
        if tree is None:
            return None
        if schema.shape in ("any", "scalar"):
            return self.scalar(tree, schema)
        if schema.shape == "list":
            return self.list(tree, schema)
        pairs = _pairs(tree)
        if pairs is None:
            return self.wrong(tree, schema.go_type, schema)
        return self.struct_(pairs, schema) if schema.shape == "struct" else self.map(pairs, schema)

    def struct_(self, pairs: Iterable[tuple[str, Any]], schema: Schema) -> dict[str, Any]:
        outer, self.struct = self.struct, schema.go_type.rpartition(".")[2]
        out: dict[str, Any] = {}
        for name, item in pairs:
            field = schema.fields.get(name)
            if field is None or not field.exists(self.gates):
                self.say("unknown", name)
                continue
            is_again = name in out
            if is_again:
                self.say("duplicate", name)
            embedded = _EMBEDDED.get((self.struct, name))
            self.fields.append(f"{embedded}.{name}" if embedded else name)
            value = self.inside(name, item, field.schema)
            out[name] = together(out[name], value, field) if is_again else value
            self.fields.pop()
        self.struct = outer
        return out

    def map(self, pairs: Iterable[tuple[str, Any]], schema: Schema) -> dict[str, Any]:
        assert schema.values is not None
        out: dict[str, Any] = {}
        for key, item in pairs:
            if key in out:
                self.say("duplicate", key)
            out[key] = self.inside(key, item, schema.values)
        return out

    def list(self, tree: Any, schema: Schema) -> Any:
        assert schema.items is not None
        if not isinstance(tree, list) or isinstance(tree, _Pairs):
            return self.wrong(tree, schema.go_type, schema)
        return [self.inside(f"[{index}]", item, schema.items) for index, item in enumerate(tree)]

    def inside(self, place: str, item: Any, schema: Schema) -> Any:
        self.places.append(place)
        out = self.value(item, schema)
        self.places.pop()
        return out

    def scalar(self, tree: Any, schema: Schema) -> Any:
        plain = str(tree) if schema.scalar == "quantity" and isinstance(tree, Number) else _plain(tree)
        if schema.shape == "any" and (number := first_infinite(plain)) is not None:
            raise DecodeError(f"json: cannot unmarshal number {number} into Go value of type float64")
        try:
            READERS[schema.scalar](plain)
        except WrongType as error:
            numeric = schema.scalar in ("int32", "int64", "float64") or error.go_type == "int32"
            return self.wrong(
                tree, error.go_type or schema.go_type, schema, numeric=numeric, aborts=error.aborts
            )
        except BadScalar as error:
            if error.aborts:
                raise DecodeError(str(error)) from None
            self.first_error = self.first_error or str(error)
            return None
        return plain

    def wrong(
        self, tree: Any, go_type: str, schema: Schema, *, numeric: bool = False, aborts: bool = False
    ) -> None:
        text = self.wrong_text(tree, go_type, schema.shape, schema.scalar, numeric)
        if aborts:
            raise DecodeError(text)
        self.first_error = self.first_error or text

    def wrong_text(self, tree: Any, go_type: str, shape: str, scalar: str, numeric: bool) -> str:
        where = f"struct field {self.struct}.{'.'.join(self.fields)}" if self.fields else "value"
        return f"json: cannot unmarshal {described(tree, numeric)} into Go {where} of type {go_type}"

    def say(self, what: str, name: str) -> None:
        place = "".join(part if part.startswith("[") else f".{part}" for part in (*self.places, name))
        if self.most_messages is None or len(self.messages) < self.most_messages:
            self.messages[f'{what} field "{place.removeprefix(".")}"'] = None


def together(before: Any, after: Any, field: Field) -> Any:
    """What two values of one field make that is given twice: maps and structs are filled twice, the rest is replaced."""
    schema = field.schema
    if after is None:
        return None if field.pointer or schema.shape in ("list", "map", "any") else before
    if before is None:
        return after
    if schema.shape == "map":
        return {**before, **after}
    if schema.shape == "struct":
        return _filled_twice(before, after, schema)
    if schema.shape == "list" and schema.items is not None:
        kept = [_filled_twice(*pair, schema.items) for pair in zip(before, after, strict=False)]
        return kept + after[len(before) :]
    return after


def _filled_twice(before: Any, after: Any, schema: Schema) -> Any:
    if after is None:
        return before
    if schema.shape != "struct" or not isinstance(before, dict) or not isinstance(after, dict):
        return after
    fields = schema.fields
    again = {
        name: together(before[name], item, fields[name]) for name, item in after.items() if name in before
    }
    return {**before, **after, **again}


def _pairs(tree: Any) -> Iterable[tuple[str, Any]] | None:
    if isinstance(tree, _Pairs):
        return tree
    return tree.items() if isinstance(tree, Mapping) else None


def _plain(tree: Any) -> Any:
    """The JSON value without the marks of this module."""
    if isinstance(tree, _Pairs):
        return {key: _plain(item) for key, item in tree}
    if isinstance(tree, list):
        return [_plain(item) for item in tree]
    if isinstance(tree, Number):
        try:
            return number_of(tree)
        except OverflowError:
            return tree
    return tree


def described(tree: Any, numeric: bool) -> str:
    """A value that does not fit, by its type; `numeric`: a number by itself, too."""
    if isinstance(tree, bool):
        return "bool"
    if isinstance(tree, Number | int | float):
        return f"number {go_text.json_number(tree)}" if numeric else "number"
    if isinstance(tree, str):
        return "string"
    return "object" if isinstance(tree, _Pairs | Mapping) else "array"
