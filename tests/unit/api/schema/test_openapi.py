"""The OpenAPI documents have what kubectl looks for, and explain the DRA kinds in full."""

from typing import Any

import pytest

from dray.api import resources
from dray.api.features import FeatureGates
from dray.api.schema.descriptions import _texts, describe
from dray.api.schema.openapi import Served, openapi_v3
from dray.api.schema.registry import type_schema, types_of

DRA_PACKAGES = (
    "resource/v1",
    "resource/v1beta2",
    "resource/v1beta1",
    "resource/v1alpha3",
    "scheduling/v1alpha2",
    "scheduling/v1alpha3",
    "scheduling/v1beta1",
)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi_v3(
        "resource.k8s.io/v1",
        [Served(resources.RESOURCE_CLAIMS, subresources=("status",)), Served(resources.DEVICE_CLASSES)],
    )


def _schemas(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document["components"]["schemas"]
    assert isinstance(schemas, dict)
    return schemas


def _references(node: object) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if "$ref" in node else set()
        return own.union(*(_references(value) for value in node.values()))
    return set().union(*(_references(item) for item in node)) if isinstance(node, list) else set()


def test_every_patch_operation_shows_what_kubectl_requires(document: dict[str, Any]) -> None:
    patches = [item["patch"] for item in document["paths"].values() if "patch" in item]

    assert len(patches) == 3
    for operation in patches:
        names = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "query"}
        assert {"fieldValidation", "dryRun", "fieldManager", "force"} <= names
        assert "application/strategic-merge-patch+json" in operation["requestBody"]["content"]
        assert operation["x-kubernetes-group-version-kind"]["version"] == "v1"


def test_paths_cover_both_scopes(document: dict[str, Any]) -> None:
    base = "/apis/resource.k8s.io/v1"

    assert set(document["paths"]) == {
        f"{base}/deviceclasses",
        f"{base}/deviceclasses/{{name}}",
        f"{base}/resourceclaims",
        f"{base}/namespaces/{{namespace}}/resourceclaims",
        f"{base}/namespaces/{{namespace}}/resourceclaims/{{name}}",
        f"{base}/namespaces/{{namespace}}/resourceclaims/{{name}}/status",
    }


def test_references_are_complete_and_have_no_siblings(document: dict[str, Any]) -> None:
    schemas = _schemas(document)

    assert {reference.rpartition("/")[2] for reference in _references(document)} <= set(schemas)
    for schema in schemas.values():
        for prop in schema.get("properties", {}).values():
            assert set(prop) == {"$ref"} or "$ref" not in prop


def test_kinds_and_their_lists_carry_their_names(document: dict[str, Any]) -> None:
    schemas = _schemas(document)
    group = {"group": "resource.k8s.io", "version": "v1"}

    claim = schemas["io.k8s.api.resource.v1.ResourceClaim"]
    claims = schemas["io.k8s.api.resource.v1.ResourceClaimList"]
    assert claim["x-kubernetes-group-version-kind"] == [{**group, "kind": "ResourceClaim"}]
    assert claims["x-kubernetes-group-version-kind"] == [{**group, "kind": "ResourceClaimList"}]


def test_merge_keys_and_list_types_are_published(document: dict[str, Any]) -> None:
    status = _schemas(document)["io.k8s.api.resource.v1.ResourceClaimStatus"]["properties"]

    assert status["reservedFor"]["x-kubernetes-patch-merge-key"] == "uid"
    assert status["reservedFor"]["x-kubernetes-patch-strategy"] == "merge"
    assert status["devices"]["x-kubernetes-list-map-keys"] == ["driver", "device", "pool", "shareID"]


@pytest.mark.parametrize("package", DRA_PACKAGES)
def test_every_dra_field_is_explained(package: str) -> None:
    for name in types_of(package):
        definition = f"{package}.{name}"
        assert describe(definition), definition
        for field in type_schema(package, name).fields.values():
            assert describe(definition, field.name), f"{definition}.{field.name}"


def test_nothing_is_explained_that_does_not_exist() -> None:
    for name, texts in _texts().items():
        if name == "meta.Object":
            continue
        packages = ("meta/v1",) if name.startswith("meta.") else DRA_PACKAGES
        short = name.removeprefix("meta.")
        known = {
            f
            for package in packages
            if short in types_of(package)
            for f in type_schema(package, short).fields
        }
        assert set(texts) - {""} <= known, name


def test_field_of_a_later_release_is_published_where_that_is_stood_for() -> None:
    def properties(later: frozenset[str]) -> set[str]:
        served = [Served(resources.RESOURCE_SLICES, later=later)]
        schemas = openapi_v3("resource.k8s.io/v1", served)["components"]["schemas"]
        return {
            *schemas["io.k8s.api.resource.v1.ResourceSliceSpec"]["properties"],
            *schemas["io.k8s.api.resource.v1.Device"]["properties"],
        }

    older, newer = properties(frozenset()), properties(FeatureGates(release="1.37").later())
    assert "skipNodeOperations" in newer - older
    assert "nodeAllocatableResourceMappings" in older - newer
    assert properties(frozenset({"DRAOptionalNodeOperations"})) - older == {"skipNodeOperations"}


def test_types_of_a_later_release_are_published_where_a_field_leads_to_them() -> None:
    def definitions(later: frozenset[str]) -> set[str]:
        served = [Served(resources.RESOURCE_POOL_STATUS_REQUESTS, subresources=("status",), later=later)]
        schemas = openapi_v3("resource.k8s.io/v1alpha3", served)["components"]["schemas"]
        return {name.rpartition(".")[2] for name in schemas}

    newer = definitions(frozenset({"DRAPartitionableDevicesType"})) - definitions(frozenset())
    assert newer == {"PartitionTypeStatus", "ShareableSummaryStatus", "ShareableCapacityStatus"}
