"""The older OpenAPI document says of each kind what the newer ones say, in the older form."""

import json
import re

from dray.api.schema.openapi import Served, openapi_v3
from dray.api.schema.openapi_v2 import as_protobuf, openapi_v2
from dray.apiserver.registry.catalog import catalog

GROUPS = ("v1", "apps/v1", "resource.k8s.io/v1")


def document():
    served = {}
    for kind in catalog():
        served.setdefault(kind.resource.api_version, []).append(Served(kind.resource))
    return openapi_v2([openapi_v3(group, served[group]) for group in GROUPS], "v1.36.2")


def test_every_reference_leads_to_a_definition():
    text = json.dumps(document()["definitions"])
    assert set(re.findall(r"#/definitions/([\w.]+)", text)) <= document()["definitions"].keys()
    assert "#/components" not in text


def test_nothing_is_said_in_ways_that_only_the_newer_form_knows():
    text = json.dumps(document())
    assert not any(word in text for word in ('"allOf"', '"oneOf"', '"anyOf"'))


def test_a_field_that_is_a_struct_is_a_reference_with_its_merge_key():
    properties = document()["definitions"]["io.k8s.api.core.v1.PodSpec"]["properties"]
    containers = properties["containers"]
    assert containers["items"] == {"$ref": "#/definitions/io.k8s.api.core.v1.Container"}
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert properties["affinity"]["$ref"] == "#/definitions/io.k8s.api.core.v1.Affinity"


def test_options_are_a_kind_of_every_group_version():
    kinds = document()["definitions"]["io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"]
    found = {(kind["group"], kind["version"]) for kind in kinds["x-kubernetes-group-version-kind"]}
    assert found == {("", "v1"), ("apps", "v1"), ("resource.k8s.io", "v1")}


def test_a_number_or_text_is_one_string_of_its_own_format():
    definition = document()["definitions"]["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]
    assert (definition["type"], definition["format"]) == ("string", "int-or-string")


def test_the_protobuf_form_is_a_document_of_named_schemas():
    small = {
        "swagger": "2.0",
        "info": {"title": "T", "version": "V"},
        "definitions": {"A": {"type": "object", "properties": {"b": {"$ref": "#/definitions/B"}}}},
    }
    info = b"\x12\x06\x0a\x01T\x12\x01V"
    reference = b"\x0a\x0f#/definitions/B"
    properties = b"\xca\x01\x18\x0a\x16\x0a\x01b\x12\x11" + reference
    schema = b"\xb2\x01\x08\x0a\x06object" + properties
    named = b"\x0a\x01A\x12" + bytes([len(schema)]) + schema
    definitions = b"\x0a" + bytes([len(named)]) + named
    expected = b"\x0a\x032.0" + info + b"\x42\x00" + b"\x4a" + bytes([len(definitions)]) + definitions
    assert as_protobuf(small) == expected
