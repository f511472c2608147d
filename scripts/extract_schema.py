"""Writes dray's structural schemas (`src/dray/api/schema/data/*.json.gz`) from published facts about the API.

Run by hand when the reproduced Kubernetes release changes; never at install or test time:

    pip download --no-deps -d /somewhere kubernetes-validate==1.36.0
    python scripts/extract_schema.py --wheel /somewhere/kubernetes_validate-1.36.0-py3-none-any.whl

Three sources are joined, field by field:
- the JSON schemas of release 1.36 inside the PyPI package kubernetes-validate: which fields exist, their types,
  list types and keys, merge keys. Prose is dropped;
- the field numbers of the protobuf forms (`dray.wire`'s data): the order in which the API server writes fields;
- `schema_facts.json` beside this script: what JSON schema cannot say. Per type, where it differs from the rule:
  `order` of fields, `pointers` (a zero value survives decoding), `values` (it does not), `always` (written even
  when empty), `omitted` (required, yet left out when empty), `types` (the type name that error texts show), `distinct`
  (an empty list is told from an absent one until the object is stored), `zeroless` (a zero value is left out).

Packages that came after the release stand in `schema_later.json` as they are written out; one that has the types of
another names that.

The rule where the facts say nothing: required fields are values and always written; of the optional ones bools,
integers, quantities and structs are pointers, strings and times are values; `metadata`, `spec` and `status` are values.

Output, one file for each package (`core.v1.json.gz`): `{type: {"kinds": [gvk..]?, "map": "atomic"?,
"fields": [[name, type code, flags, extras?]..]}}`; `dray.api.schema.registry` documents the codes where it reads them.
"""

import argparse
import gzip
import json
import pathlib
import sys
import zipfile
from collections.abc import Iterator
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = ROOT / "src/dray/api/schema/data"
FACTS = pathlib.Path(__file__).with_name("schema_facts.json")
LATER = pathlib.Path(__file__).with_name("schema_later.json")
RELEASE = "1.36.0"
DEFINITIONS = f"kubernetes_validate/kubernetes-json-schema/v{RELEASE}-local/_definitions.json"
META = "io.k8s.apimachinery.pkg.apis.meta.v1."

PACKAGES = (
    "core/v1", "apps/v1", "batch/v1", "rbac/v1", "scheduling/v1", "scheduling/v1alpha2", "coordination/v1", "events/v1",
    "authentication/v1", "authorization/v1", "policy/v1", "admissionregistration/v1", "discovery/v1", "storage/v1",
    "autoscaling/v1", "autoscaling/v2", "certificates/v1", "networking/v1", "node/v1", "resource/v1",
    "resource/v1beta2", "resource/v1beta1", "resource/v1alpha3", "meta/v1",
)  # fmt: skip
META_KINDS = ("DeleteOptions", "Status", "LabelSelector", "ObjectMeta", "ListMeta")

SPECIAL = {
    META + "Time": "t",
    META + "MicroTime": "u",
    META + "FieldsV1": "F",
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "q",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "x",
    "io.k8s.apimachinery.pkg.runtime.RawExtension": "a",
}
SCALARS = {
    ("string", ""): "s",
    ("string", "byte"): "B",
    ("string", "date-time"): "t",
    ("integer", "int32"): "i",
    ("integer", "int64"): "l",
    ("boolean", ""): "b",
    ("number", "double"): "n",
}
EXPLICIT_DEFAULTS = {"core/v1.ContainerPort.protocol": "TCP", "core/v1.ServicePort.protocol": "TCP"}

Definition = dict[str, Any]


def package_of(definition_name: str) -> tuple[str, str]:
    """`io.k8s.api.core.v1.Pod` -> (`core/v1`, `Pod`)."""
    if definition_name.startswith(META):
        return "meta/v1", definition_name.removeprefix(META)
    group, version, name = definition_name.removeprefix("io.k8s.api.").split(".")
    return f"{group}/{version}", name


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value.rsplit("/", 1)[-1]
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def wanted(definitions: dict[str, Definition]) -> set[str]:
    """Every definition that a kind of PACKAGES reaches; lists of kinds are made up at run time instead."""
    starts = [META + name for name in META_KINDS]
    for name, definition in definitions.items():
        is_kind = "x-kubernetes-group-version-kind" in definition
        if is_kind and name.startswith("io.k8s.api.") and package_of(name)[0] in PACKAGES:
            is_list = name.endswith("List") and "items" in definition["properties"]
            starts += [] if is_list else [name]
    reached: set[str] = set()
    while starts:
        name = starts.pop()
        if name not in reached and name not in SPECIAL:
            reached.add(name)
            starts += references(definitions[name])
    return reached


def json_type(schema: Definition) -> str:
    kind = schema.get("type", "")
    return next(item for item in kind if item != "null") if isinstance(kind, list) else kind


def type_code(schema: Definition, package: str) -> str:
    if "$ref" in schema:
        target = schema["$ref"].rsplit("/", 1)[-1]
        if target in SPECIAL:
            return SPECIAL[target]
        other, name = package_of(target)
        return f".{name}" if other == package else f"{other}.{name}"
    kind = json_type(schema)
    if kind == "array":
        return "[]" + type_code(schema["items"], package)
    if kind == "object":
        inner = schema.get("additionalProperties")
        return "{}" + type_code(inner, package) if inner else "a"
    return SCALARS[kind, schema.get("format", "")]


def is_pointer(name: str, code: str, required: bool, fact: Definition) -> bool:
    if name in fact.get("pointers", "").split():
        return True
    if name in fact.get("values", "").split() or required:
        return False
    is_struct = "." in code and code[0] not in "[{"
    return code in "bilnqx" or (is_struct and name not in ("metadata", "spec", "status"))


def field_row(
    name: str, schema: Definition, package: str, owner: str, required: bool, fact: Definition
) -> list[Any]:
    code = type_code(schema, package)
    pointer = is_pointer(name, code, required, fact)
    always = (required and name not in fact.get("omitted", "").split()) or name in fact.get(
        "always", ""
    ).split()
    distinct, zeroless = (name in fact.get(part, "").split() for part in ("distinct", "zeroless"))
    flags = "".join(
        flag for flag, on in zip("rpkez", (required, pointer, always, distinct, zeroless), strict=True) if on
    )
    extras = {
        "lt": schema.get("x-kubernetes-list-type"),
        "lk": schema.get("x-kubernetes-list-map-keys"),
        "mt": schema.get("x-kubernetes-map-type"),
        "mk": schema.get("x-kubernetes-patch-merge-key"),
        "ms": schema.get("x-kubernetes-patch-strategy"),
        "go": fact.get("types", {}).get(name),
        "d": EXPLICIT_DEFAULTS.get(f"{package}.{owner}.{name}"),
    }
    extras = {key: value for key, value in extras.items() if value is not None}
    return [name, code, flags, extras] if extras else [name, code, flags]


def ordered_names(definition: Definition, fact: Definition, numbers: dict[str, list[str]]) -> list[str]:
    names = list(definition["properties"])
    if "order" in fact:
        order = fact["order"].split()
    else:
        order = [row[0] for _, row in sorted(numbers.items(), key=lambda item: int(item[0]))]
    ranks = {name: rank for rank, name in enumerate(order)}
    ranks = {"kind": -2, "apiVersion": -1} | ranks
    return sorted(names, key=lambda name: ranks[name])


def convert(
    name: str, definition: Definition, facts: dict[str, Definition], numbers: dict[str, Any]
) -> Definition:
    package, short = package_of(name)
    fact = facts.get(f"{package}.{short}", {})
    required = set(definition.get("required", ()))
    message = numbers.get(name.replace("io.k8s", "k8s.io", 1), {})
    out: Definition = {}
    kinds = definition.get("x-kubernetes-group-version-kind")
    if kinds and package != "meta/v1":
        out["kinds"] = [[kind["group"], kind["version"], kind["kind"]] for kind in kinds]
    if "x-kubernetes-map-type" in definition:
        out["map"] = definition["x-kubernetes-map-type"]
    properties = definition.get("properties", {})
    out["fields"] = [
        field_row(field, properties[field], package, short, field in required, fact)
        for field in (ordered_names(definition, fact, message) if properties else ())
    ]
    return out


def later_packages() -> dict[str, dict[str, Definition]]:
    packages: dict[str, Any] = json.loads(LATER.read_text())
    for package, types in packages.items():
        if isinstance(types, str):
            # The version of a kind, and of the types that error texts show, is its package's.
            old, new = (name.partition("/")[2] for name in (types, package))
            packages[package] = json.loads(json.dumps(packages[types]).replace(old, new))
    return packages


def write(package: str, types: dict[str, Definition]) -> None:
    text = json.dumps(dict(sorted(types.items())), separators=(",", ":"), sort_keys=False)
    path = DATA / f"{package.replace('/', '.')}.json.gz"
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    sys.stdout.write(f"{path.relative_to(ROOT)}: {len(types)} types, {path.stat().st_size} bytes\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--wheel", type=pathlib.Path, required=True, help=f"kubernetes-validate {RELEASE} wheel"
    )
    parser.add_argument(
        "--protobuf-fields",
        type=pathlib.Path,
        default=ROOT / "src/dray/wire/data/kubernetes-protobuf-fields.json.gz",
    )
    options = parser.parse_args()
    with zipfile.ZipFile(options.wheel) as wheel:
        definitions = json.loads(wheel.read(DEFINITIONS))["$defs"]
    numbers = json.loads(gzip.decompress(options.protobuf_fields.read_bytes()))
    facts = json.loads(FACTS.read_text())
    packages: dict[str, dict[str, Definition]] = {}
    for name in wanted(definitions):
        package, short = package_of(name)
        packages.setdefault(package, {})[short] = convert(name, definitions[name], facts, numbers)
    DATA.mkdir(parents=True, exist_ok=True)
    for package, types in sorted({**packages, **later_packages()}.items()):
        write(package, types)


if __name__ == "__main__":
    main()
