"""Finds the schema of a kind in the package data, reading each group version when it is first asked for.

The data (`data/*.json.gz`, written by scripts/extract_schema.py) holds `{type: {"kinds", "map", "fields"}}`, a field being
`[name, type code, flags, extras?]`:
- type codes: s string, i int32, l int64, b bool, n float64, B bytes, q quantity, t time, u micro time, x int-or-string,
  a any JSON, F fieldsV1; `.Type` in the same package, `core/v1.Type` in another; `[]code` lists, `{}code` maps;
- flags: r required, p pointer, k kept (written even when empty), e empty told from absent,
  z left out when zero;
- extras: lt/lk list type and keys, mt map type, mk/ms merge key and strategy, go type name, d default.
"""

import functools
from collections.abc import Mapping
from typing import Any

import orjson

from dray.api.schema.later import (
    CHANGED_BY,
    changed_rows,
    dropped_field,
    is_changed,
    later_fields,
    later_types,
)
from dray.api.schema.model import ABSENT, Field, Scalar, Schema

PACKAGES: Mapping[str, str] = {
    "v1": "core/v1",
    "apps/v1": "apps/v1",
    "batch/v1": "batch/v1",
    "rbac.authorization.k8s.io/v1": "rbac/v1",
    "scheduling.k8s.io/v1": "scheduling/v1",
    "scheduling.k8s.io/v1alpha2": "scheduling/v1alpha2",
    "scheduling.k8s.io/v1alpha3": "scheduling/v1alpha3",
    "scheduling.k8s.io/v1beta1": "scheduling/v1beta1",
    "coordination.k8s.io/v1": "coordination/v1",
    "events.k8s.io/v1": "events/v1",
    "authentication.k8s.io/v1": "authentication/v1",
    "authorization.k8s.io/v1": "authorization/v1",
    "policy/v1": "policy/v1",
    "admissionregistration.k8s.io/v1": "admissionregistration/v1",
    "discovery.k8s.io/v1": "discovery/v1",
    "storage.k8s.io/v1": "storage/v1",
    "autoscaling/v1": "autoscaling/v1",
    "autoscaling/v2": "autoscaling/v2",
    "certificates.k8s.io/v1": "certificates/v1",
    "networking.k8s.io/v1": "networking/v1",
    "node.k8s.io/v1": "node/v1",
    "resource.k8s.io/v1": "resource/v1",
    "resource.k8s.io/v1beta2": "resource/v1beta2",
    "resource.k8s.io/v1beta1": "resource/v1beta1",
    "resource.k8s.io/v1alpha3": "resource/v1alpha3",
    "meta.k8s.io/v1": "meta/v1",
}
"""API version -> package of types."""

META_KINDS = frozenset({"DeleteOptions", "Status"})
"""Kinds that exist in every group version."""

_SCALARS: Mapping[str, tuple[Scalar, str]] = {
    "s": ("string", "string"),
    "i": ("int32", "int32"),
    "l": ("int64", "int64"),
    "b": ("bool", "bool"),
    "n": ("float64", "float64"),
    "B": ("bytes", "[]uint8"),
    "q": ("quantity", "resource.Quantity"),
    "t": ("time", "v1.Time"),
    "u": ("microTime", "v1.MicroTime"),
    "x": ("intOrString", "intstr.IntOrString"),
}


def schema_for(api_version: str, kind: str, later: frozenset[str] = frozenset()) -> Schema | None:
    """The schema of `kind` objects in `api_version` (e.g. `apps/v1`, `v1`); None when dray has none.

    `later` (as in `Field.exists`) tells which form a type has that a later release changed.
    """
    if kind in META_KINDS:
        return type_schema("meta/v1", kind)
    package = PACKAGES.get(api_version)
    if package is None or "kinds" not in types_of(package).get(kind, ()):
        return None
    return type_schema(package, kind, changed=CHANGED_BY in later and is_changed(package, kind))


@functools.cache
def types_of(package: str) -> dict[str, dict[str, Any]]:
    """The stored form of every type of a package such as `core/v1`."""
    import gzip  # here: half of this module's import time, and only needed once a kind is used
    import importlib.resources

    data = importlib.resources.files("dray.api.schema") / "data" / f"{package.replace('/', '.')}.json.gz"
    types: dict[str, dict[str, Any]] = orjson.loads(gzip.decompress(data.read_bytes()))
    return {**types, **later_types(package)}


def kinds_of(package: str, name: str) -> list[tuple[str, str, str]]:
    """The (group, version, kind) that a type stands for; none for a type that is only part of others."""
    return [(group, version, kind) for group, version, kind in types_of(package)[name].get("kinds", ())]


@functools.cache
def type_schema(package: str, name: str, changed: bool = False) -> Schema:
    """The schema of one struct, e.g. `("resource/v1", "DeviceRequest")`; `changed`: as a later release has it."""
    stored = types_of(package)[name]
    version = package.partition("/")[2]
    return Schema(
        "struct",
        f"{version}.{name}",
        definition=f"{package}.{name}",
        map_type=stored.get("map", "granular"),
        load=lambda: _fields(package, name, stored["fields"], changed),
    )


def _fields(package: str, name: str, rows: list[list[Any]], changed: bool) -> dict[str, Field]:
    if changed:
        return {row[0]: _field(package, *row, changed=True) for row in changed_rows(package, name, rows)}
    fields = {row[0]: _field(package, *row, until=dropped_field(package, name, row[0])) for row in rows}
    for field, (gate, code, flags, extras) in later_fields(package, name).items():
        fields[field] = _field(package, field, code, flags, extras, gate=gate)
    return fields


def _field(
    package: str,
    name: str,
    code: str,
    flags: str,
    extras: Mapping[str, Any] = {},
    *,
    gate: str = "",
    until: str = "",
    changed: bool = False,
) -> Field:
    return Field(
        name,
        _schema(package, code, extras, changed),
        required="r" in flags,
        pointer="p" in flags,
        always="k" in flags,
        distinct="e" in flags,
        zeroless="z" in flags,
        merge_key=extras.get("mk", ""),
        strategies=frozenset(extras.get("ms", "").split(",")) - {""},
        default=extras.get("d", ABSENT),
        gate=gate,
        until=until,
    )


def _schema(package: str, code: str, extras: Mapping[str, Any], changed: bool) -> Schema:
    go_type = extras.get("go", "")
    if code.startswith("[]"):
        items = _schema(package, code[2:], {"go": go_type[2:]} if go_type.startswith("[]") else {}, changed)
        return Schema(
            "list",
            go_type or f"[]{items.go_type}",
            items=items,
            list_type=extras.get("lt", "atomic"),
            list_keys=tuple(extras.get("lk", ())),
        )
    if code.startswith("{}"):
        inner = go_type.partition("]")[2] if go_type.startswith("map[") else ""
        values = _schema(package, code[2:], {"go": inner} if inner else {}, changed)
        return Schema(
            "map",
            go_type or f"map[string]{values.go_type}",
            values=values,
            map_type=extras.get("mt", "granular"),
        )
    if "." in code:
        target, _, name = code.rpartition(".")
        package = target or package
        return type_schema(package, name, changed=changed and is_changed(package, name))
    if code in ("a", "F"):
        return Schema("any", "runtime.RawExtension" if code == "a" else "v1.FieldsV1")
    scalar, default_type = _SCALARS[code]
    return Schema("scalar", go_type or default_type, scalar=scalar)
