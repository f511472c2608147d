"""Which CEL type a run-time value has.

Values are Python's own where they can be: None, bool, int, float, str, bytes, list, dict; beside them `Uint`,
`Timestamp`, `Duration`, `Optional`, `TypeValue`, and the Kubernetes types `Quantity`, `Semver`, `URL`, `IP`, `CIDR`,
`NamedFormat` and those of `authorization`.
"""

from typing import Any

from dray.api.quantity import Quantity
from dray.api.semver import Semver
from dray.cel.types import CelType, Kind
from dray.cel.values import authorization
from dray.cel.values.container import DeviceMap, DomainMap, GrowingList, GrowingMap, LazyMap, keys_of
from dray.cel.values.named import TypeValue
from dray.cel.values.named_format import NamedFormat
from dray.cel.values.network import CIDR, IP
from dray.cel.values.optional import Optional
from dray.cel.values.patch import JSON_PATCH, Part, PatchOperation
from dray.cel.values.time import Duration, Timestamp
from dray.cel.values.uint import Uint
from dray.cel.values.url import URL

TYPE_NAMES: dict[type, str] = {
    bool: "bool",
    int: "int",
    Uint: "uint",
    float: "double",
    str: "string",
    bytes: "bytes",
    list: "list",
    GrowingList: "list",
    dict: "map",
    DeviceMap: "map",
    DomainMap: "map",
    GrowingMap: "map",
    type(None): "null_type",
    Timestamp: "google.protobuf.Timestamp",
    Duration: "google.protobuf.Duration",
    Optional: "optional_type",
    TypeValue: "type",
    Quantity: "kubernetes.Quantity",
    Semver: "kubernetes.Semver",
    URL: "kubernetes.URL",
    NamedFormat: "kubernetes.NamedFormat",
    IP: "net.IP",
    CIDR: "net.CIDR",
    LazyMap: "kubernetes.variables",
    PatchOperation: JSON_PATCH,
    authorization.Authorizer: "kubernetes.authorization.Authorizer",
    authorization.PathCheck: "kubernetes.authorization.PathCheck",
    authorization.GroupCheck: "kubernetes.authorization.GroupCheck",
    authorization.ResourceCheck: "kubernetes.authorization.ResourceCheck",
    authorization.Decision: "kubernetes.authorization.Decision",
}

_GO_TYPES: dict[type, str] = {
    bool: "types.Bool",
    int: "types.Int",
    Uint: "types.Uint",
    float: "types.Double",
    str: "types.String",
    bytes: "types.Bytes",
    type(None): "types.Null",
    Timestamp: "types.Timestamp",
    Duration: "types.Duration",
    list: "*types.baseList",
    dict: "*types.baseMap",
    Optional: "*types.Optional",
    TypeValue: "*types.Type",
    Quantity: "cel.Quantity",
    Semver: "cel.Semver",
    URL: "cel.URL",
    NamedFormat: "cel.Format",
    IP: "cel.IP",
    CIDR: "cel.CIDR",
}


def type_name(value: Any) -> str:
    """The run-time type name, as `type(x)` gives it and errors quote it."""
    return value.name if type(value) is Part else TYPE_NAMES[type(value)]


def go_type_name(value: Any) -> str:
    """What Go's %T prints for the value; a few errors of cel-go show it."""
    return _GO_TYPES.get(type(value), "types." + type_name(value))


def accepts(declared: CelType, value: Any) -> bool:
    """Whether a value may be passed where `declared` is asked for.

    Of a list or map only the first element is looked at, as upstream does.
    """
    kind = declared.kind
    if kind in (Kind.DYN, Kind.ANY, Kind.PARAM):
        return True
    name = type_name(value)
    if name != declared.name:
        return declared.nullable and value is None
    if kind is Kind.LIST and value:
        return accepts(declared.params[0], value[0])
    if kind is Kind.MAP and value:
        key = next(iter(keys_of(value)))
        return accepts(declared.params[0], key) and accepts(declared.params[1], next(iter(value.values())))
    return True
