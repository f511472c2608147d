"""Static types of expressions: what the checker infers and what errors print.

Types are immutable values, compared structurally with `==`; the frequent ones are constants of this module.
`text` is how cel-go's checker prints a type in an error, `description` how `must evaluate to ...` prints it; the
two differ for the well-known protobuf types only.
"""

import enum
from collections.abc import Sequence


class Kind(enum.IntEnum):
    DYN = 1
    ANY = 2
    BOOL = 3
    BYTES = 4
    DOUBLE = 5
    DURATION = 6
    ERROR = 7
    INT = 8
    LIST = 9
    MAP = 10
    NULL = 11
    OPAQUE = 12
    STRING = 13
    STRUCT = 14
    TIMESTAMP = 15
    TYPE = 16
    PARAM = 17
    UINT = 18


_PRINTED_KINDS = {
    Kind.ANY: "any",
    Kind.DURATION: "duration",
    Kind.ERROR: "!error!",
    Kind.NULL: "null",
    Kind.TIMESTAMP: "timestamp",
}


class CelType:
    """One type. `name` is its run-time name, `params` the element types of lists, maps, optionals and `type(T)`.

    `nullable` marks the protobuf wrapper types, which accept null beside their value.
    """

    __slots__ = ("has_params", "kind", "name", "nullable", "params", "text")

    has_params: bool
    text: str

    def __init__(
        self, kind: Kind, name: str, params: Sequence["CelType"] = (), *, nullable: bool = False
    ) -> None:
        self.kind = kind
        self.name = name
        self.params = tuple(params)
        self.nullable = nullable
        self.has_params = kind is Kind.PARAM or any(param.has_params for param in self.params)
        self.text = self._print()

    def _print(self) -> str:
        if self.kind in _PRINTED_KINDS:
            return _PRINTED_KINDS[self.kind]
        if not self.params:
            return f"wrapper({self.name})" if self.nullable else self.name
        return f"{self.name}({', '.join(param.text for param in self.params)})"

    @property
    def description(self) -> str:
        if self.kind is Kind.PARAM:
            return f"<{self.name}>"
        if not self.params:
            return f"wrapper({self.name})" if self.nullable else self.name
        return f"{self.name}({', '.join(param.description for param in self.params)})"

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, CelType):
            return NotImplemented
        return self.kind is other.kind and self.name == other.name and self.params == other.params

    def __hash__(self) -> int:
        return hash((self.kind, self.name, self.params))

    def __repr__(self) -> str:
        return f"CelType({self.text})"

    @property
    def is_dyn(self) -> bool:
        return self.kind in (Kind.DYN, Kind.ANY)

    @property
    def is_optional(self) -> bool:
        return self.kind is Kind.OPAQUE and self.name == "optional_type"


ANY = CelType(Kind.ANY, "google.protobuf.Any")
BOOL = CelType(Kind.BOOL, "bool")
BYTES = CelType(Kind.BYTES, "bytes")
DOUBLE = CelType(Kind.DOUBLE, "double")
DURATION = CelType(Kind.DURATION, "google.protobuf.Duration")
DYN = CelType(Kind.DYN, "dyn")
ERROR = CelType(Kind.ERROR, "error")
INT = CelType(Kind.INT, "int")
NULL = CelType(Kind.NULL, "null_type")
STRING = CelType(Kind.STRING, "string")
TIMESTAMP = CelType(Kind.TIMESTAMP, "google.protobuf.Timestamp")
TYPE = CelType(Kind.TYPE, "type")
UINT = CelType(Kind.UINT, "uint")


def list_of(element: CelType) -> CelType:
    return CelType(Kind.LIST, "list", (element,))


def map_of(key: CelType, value: CelType) -> CelType:
    return CelType(Kind.MAP, "map", (key, value))


def optional_of(value: CelType) -> CelType:
    return CelType(Kind.OPAQUE, "optional_type", (value,))


def type_of(value: CelType) -> CelType:
    """The type of a type: `int` used as a value has type `type(int)`."""
    return CelType(Kind.TYPE, "type", (value,))


def param(name: str) -> CelType:
    """A type variable of a function declaration."""
    return CelType(Kind.PARAM, name)


def opaque(name: str) -> CelType:
    """A type known only by name, such as `net.IP`."""
    return CelType(Kind.OPAQUE, name)


def struct(name: str) -> CelType:
    """A type with declared fields, or a Kubernetes value type."""
    return CelType(Kind.STRUCT, name)


def wrapper(value: CelType) -> CelType:
    """The protobuf wrapper of a primitive type."""
    return CelType(value.kind, value.name, value.params, nullable=True)


LIST_DYN = list_of(DYN)
MAP_STRING_DYN = map_of(STRING, DYN)
LIST_STRING = list_of(STRING)

WELL_KNOWN: dict[str, CelType] = {
    "google.protobuf.Any": ANY,
    "google.protobuf.BoolValue": wrapper(BOOL),
    "google.protobuf.BytesValue": wrapper(BYTES),
    "google.protobuf.DoubleValue": wrapper(DOUBLE),
    "google.protobuf.Duration": DURATION,
    "google.protobuf.FloatValue": wrapper(DOUBLE),
    "google.protobuf.Int32Value": wrapper(INT),
    "google.protobuf.Int64Value": wrapper(INT),
    "google.protobuf.ListValue": LIST_DYN,
    "google.protobuf.NullValue": NULL,
    "google.protobuf.StringValue": wrapper(STRING),
    "google.protobuf.Struct": MAP_STRING_DYN,
    "google.protobuf.Timestamp": TIMESTAMP,
    "google.protobuf.UInt32Value": wrapper(UINT),
    "google.protobuf.UInt64Value": wrapper(UINT),
    "google.protobuf.Value": DYN,
}
"""Protobuf message names that stand for CEL's own types."""
