"""The document at /openapi/v2, which older clients read: the schemas of the v3 documents in the older form.

Clients that write ask the server to validate, so the document describes kinds and no paths. Two encodings: JSON, and the
protobuf messages of gnostic's OpenAPIv2.proto, which kubectl asks for.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

Node = Mapping[str, Any]

_V3_REFERENCE: Final = "#/components/schemas/"
_REFERENCE: Final = "#/definitions/"


def openapi_v2(documents: Iterable[Node], release: str) -> dict[str, Any]:
    """`documents` are the v3 documents of every group version."""
    definitions: dict[str, Any] = {}
    for document in documents:
        for name, schema in document["components"]["schemas"].items():
            found = _older(schema)
            _join_kinds(found, definitions.get(name, {}))
            definitions[name] = found
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": release},
        "paths": {},
        "definitions": dict(sorted(definitions.items())),
    }


_KINDS: Final = "x-kubernetes-group-version-kind"


def _join_kinds(schema: dict[str, Any], known: Node) -> None:
    """Options and Status are kinds of every group version, and each document names its own."""
    kinds = [*known.get(_KINDS, ()), *schema.get(_KINDS, ())]
    if kinds:
        schema[_KINDS] = [kind for place, kind in enumerate(kinds) if kind not in kinds[:place]]


def _older(schema: Node) -> dict[str, Any]:
    """v2 has neither `allOf` around a reference nor alternatives."""
    if "allOf" in schema:
        siblings = {key: value for key, value in schema.items() if key not in ("allOf", "default")}
        return {**siblings, **_older(schema["allOf"][0])}
    if "$ref" in schema:
        return {"$ref": schema["$ref"].replace(_V3_REFERENCE, _REFERENCE)}
    out = {key: value for key, value in schema.items() if key not in ("oneOf", "anyOf")}
    if len(out) < len(schema):
        out |= {"type": "string", "format": schema.get("format", "int-or-string")}
    for key in ("items", "additionalProperties"):
        if isinstance(out.get(key), Mapping):
            out[key] = _older(out[key])
    if "properties" in out:
        out["properties"] = {name: _older(value) for name, value in out["properties"].items()}
    return out


# --- protobuf


def as_protobuf(document: Node) -> bytes:
    """A gnostic Document."""
    info = _text(1, document["info"]["title"]) + _text(2, document["info"]["version"])
    definitions = _named(1, document["definitions"])
    return _text(1, document["swagger"]) + _field(2, info) + _field(8, b"") + _field(9, definitions)


def _named(number: int, schemas: Mapping[str, Node]) -> bytes:
    entries = (_text(1, name) + _field(2, _schema(schema)) for name, schema in schemas.items())
    return b"".join(_field(number, entry) for entry in entries)


def _schema(schema: Node) -> bytes:
    parts = [
        _text(number, schema[key])
        for number, key in ((1, "$ref"), (2, "format"), (4, "description"))
        if key in schema
    ]
    if "default" in schema:
        parts.append(_field(5, _any(schema["default"])))
    parts += [_text(19, name) for name in schema.get("required", ())]
    if "additionalProperties" in schema:
        parts.append(_field(21, _field(1, _schema(schema["additionalProperties"]))))
    if "type" in schema:
        parts.append(_field(22, _text(1, schema["type"])))
    if "items" in schema:
        parts.append(_field(23, _field(1, _schema(schema["items"]))))
    if "properties" in schema:
        parts.append(_field(25, _named(1, schema["properties"])))
    parts += [
        _field(31, _text(1, key) + _field(2, _any(value)))
        for key, value in schema.items()
        if key.startswith("x-")
    ]
    return b"".join(parts)


def _any(value: Any) -> bytes:
    """An Any says what it holds as YAML, and JSON is YAML."""
    return _text(2, json.dumps(value))


def _text(number: int, text: str) -> bytes:
    return _field(number, text.encode())


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])
