"""What a structural schema says: the shape of one value, and how lists and maps of it merge.

A `Schema` is a node of a graph; `fields`, `items` and `values` lead to the next nodes. Structs resolve their fields when
first asked, so a kind costs nothing until it is used. Nodes are immutable and shared.
Knows nothing of how schemas are stored (`registry`) or of what is done with values (`decoding`, `dray.api.patch`).
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

Shape = Literal["struct", "map", "list", "scalar", "any"]
Scalar = Literal[
    "string", "int32", "int64", "bool", "float64", "bytes", "quantity", "time", "microTime", "intOrString", ""
]

ABSENT: Final = object()
"""What an empty field leaves behind in the written object: nothing."""

ZEROS: Mapping[str, Any] = {
    "string": "",
    "int32": 0,
    "int64": 0,
    "bool": False,
    "float64": 0,
    "bytes": None,
    "quantity": "0",
    "time": None,
    "microTime": None,
    "intOrString": 0,
}


class Schema:
    """One node. Which attributes mean something depends on `shape`:

    struct   fields (in the order the API server writes them), map_type
    map      values, map_type
    list     items, list_type, list_keys
    scalar   scalar
    any      opaque JSON, kept as it came (`runtime.RawExtension`)
    """

    __slots__ = (
        "_fields",
        "_load",
        "_unset",
        "definition",
        "go_type",
        "items",
        "list_keys",
        "list_type",
        "map_type",
        "scalar",
        "shape",
        "values",
    )

    shape: Shape
    go_type: str
    """The type's name in error texts: `v1.DeviceRequest`, `[]string`, `int64`."""
    definition: str
    """A struct's own name: `resource/v1.DeviceRequest`; "" for every other shape."""
    scalar: Scalar
    list_type: Literal["atomic", "set", "map"]
    list_keys: tuple[str, ...]
    map_type: Literal["granular", "atomic"]

    def __init__(
        self,
        shape: Shape,
        go_type: str,
        *,
        definition: str = "",
        scalar: Scalar = "",
        items: "Schema | None" = None,
        values: "Schema | None" = None,
        list_type: Literal["atomic", "set", "map"] = "atomic",
        list_keys: tuple[str, ...] = (),
        map_type: Literal["granular", "atomic"] = "granular",
        load: "Callable[[], Mapping[str, Field]] | None" = None,
    ) -> None:
        self.shape = shape
        self.go_type = go_type
        self.definition = definition
        self.scalar = scalar
        self.items = items
        self.values = values
        self.list_type = list_type
        self.list_keys = list_keys
        self.map_type = map_type
        self._load = load
        self._fields: Mapping[str, Field] | None = None
        self._unset: tuple[Field, ...] | None = None

    @property
    def fields(self) -> "Mapping[str, Field]":
        """A struct's fields by JSON name; empty for every other shape."""
        if self._fields is None:
            self._fields = self._load() if self._load else {}
        return self._fields

    @property
    def written_unset(self) -> "tuple[Field, ...]":
        """Those of a struct's fields that are written though nobody set them."""
        if self._unset is None:
            self._unset = tuple(field for field in self.fields.values() if field.zero() is not ABSENT)
        return self._unset

    @property
    def is_atomic(self) -> bool:
        """Whether the value is owned and replaced as a whole."""
        if self.shape == "list":
            return self.list_type == "atomic"
        return self.map_type == "atomic"

    def child(self, name: str) -> "Schema | None":
        """The schema under a key: of the field, or of any entry of a map; None where none is declared."""
        if self.shape == "struct":
            field = self.fields.get(name)
            return field.schema if field else None
        return self.values

    def __repr__(self) -> str:
        return f"<Schema {self.go_type}>"


class Field:
    """One field of a struct: its schema, and what becomes of its empty values."""

    __slots__ = (
        "always",
        "default",
        "distinct",
        "gate",
        "merge_key",
        "name",
        "pointer",
        "required",
        "schema",
        "strategies",
        "until",
        "zeroless",
    )

    def __init__(
        self,
        name: str,
        schema: Schema,
        *,
        required: bool = False,
        pointer: bool = False,
        always: bool = False,
        distinct: bool = False,
        zeroless: bool = False,
        merge_key: str = "",
        strategies: frozenset[str] = frozenset(),
        default: Any = ABSENT,
        gate: str = "",
        until: str = "",
    ) -> None:
        self.name = name
        self.schema = schema
        self.required = required
        self.pointer = pointer
        """Absent and zero differ: `replicas: 0` survives."""
        self.always = always
        """Written even when empty."""
        self.distinct = distinct
        """An empty list survives decoding, because validation tells it from an absent one. Not to be stored."""
        self.zeroless = zeroless
        """A value that is left out when it is zero, where Go would write one (`omitzero`)."""
        self.merge_key = merge_key
        self.strategies = strategies
        """Strategic merge patch: any of merge, retainKeys, replace."""
        self.default = default
        """What the key of an associative list counts as when it is absent (`protocol: TCP`); ABSENT for none."""
        self.gate = gate
        """The feature gate, or the later release, without which the field does not exist; "" for none."""
        self.until = until
        """The later release that has the field no more; "" for none."""

    def exists(self, later: frozenset[str]) -> bool:
        """`later`: the gates that are on and the later releases that are stood for."""
        return (not self.gate or self.gate in later) and self.until not in later

    def zero(self) -> Any:
        """What is written when the field is unset: a new value each time, or ABSENT."""
        shape = self.schema.shape
        if self.pointer:
            return None if self.always else ABSENT
        if self.zeroless:
            return ABSENT
        if shape == "struct":
            return zero_struct(self.schema)
        if self.always:
            return ZEROS[self.schema.scalar] if shape == "scalar" else None
        # Go leaves out empty scalars, lists and maps, but never structs, and these are structs in Go.
        if shape == "any" or self.schema.scalar in ("time", "microTime"):
            return None
        return ZEROS[self.schema.scalar] if self.schema.scalar in ("quantity", "intOrString") else ABSENT

    def __repr__(self) -> str:
        return f"<Field {self.name} {self.schema.go_type}>"


def zero_struct(schema: Schema) -> dict[str, Any]:
    """What an unset struct is written as: the fields that are written always."""
    return {field.name: field.zero() for field in schema.written_unset}
