"""Versions of resource.k8s.io to and from the hub."""

import copy

import pytest

from dray.api.conversion.resource import (
    claim_from_hub,
    claim_to_hub,
    same_from_hub,
    slice_from_hub,
    slice_to_hub,
    template_from_hub,
    template_to_hub,
)
from dray.api.schema import decode, schema_for


def a_claim(version, *requests):
    return {
        "apiVersion": f"resource.k8s.io/{version}",
        "kind": "ResourceClaim",
        "spec": {"devices": {"requests": list(requests)}},
    }


EXACTLY = {"deviceClassName": "c", "allocationMode": "All", "adminAccess": False, "selectors": [{}]}


def test_flat_request_becomes_exactly_and_back():
    flat = a_claim("v1beta1", {"name": "r", **EXACTLY})
    hub = a_claim("v1", {"name": "r", "exactly": EXACTLY})
    assert claim_to_hub(copy.deepcopy(flat), "v1beta1") == hub
    assert claim_from_hub(hub, "v1beta1") == flat


def test_alternatives_are_shown_with_an_empty_class():
    hub = a_claim("v1", {"name": "r", "firstAvailable": [{"name": "a"}]})
    shown = claim_from_hub(hub, "v1beta1")["spec"]["devices"]["requests"]
    assert shown == [{"name": "r", "firstAvailable": [{"name": "a"}], "deviceClassName": ""}]
    assert claim_to_hub(a_claim("v1beta1", *shown), "v1beta1") == hub


@pytest.mark.parametrize(
    "field", [{"count": 1}, {"adminAccess": False}, {"tolerations": [{}]}, {"allocationMode": "All"}]
)
def test_any_flat_field_makes_a_request_exact(field):
    hub = claim_to_hub(
        a_claim("v1beta1", {"name": "r", "firstAvailable": [{"name": "a"}], **field}), "v1beta1"
    )
    assert hub["spec"]["devices"]["requests"][0]["exactly"] == field


@pytest.mark.parametrize("field", ["selectors", "tolerations"])
def test_empty_list_makes_a_request_exact_too_and_is_not_kept(field):
    sent = a_claim("v1beta1", {"name": "r", field: []})
    read = decode(sent, schema_for("resource.k8s.io/v1beta1", "ResourceClaim")).object
    hub = claim_to_hub(read, "v1beta1")
    assert hub["spec"]["devices"]["requests"] == [{"name": "r", "exactly": {"deviceClassName": ""}}]


def test_unset_flat_fields_make_nothing():
    hub = claim_to_hub(a_claim("v1beta1", {"name": "r", "count": 0, "deviceClassName": ""}), "v1beta1")
    assert hub["spec"]["devices"]["requests"] == [{"name": "r"}]


def test_converting_from_the_hub_leaves_the_hub_alone():
    hub = a_claim("v1", {"name": "r", "exactly": EXACTLY})
    before = copy.deepcopy(hub)
    claim_from_hub(hub, "v1beta1")
    claim_from_hub(hub, "v1beta2")
    assert hub == before


def test_later_versions_have_the_fields_of_the_hub():
    hub = a_claim("v1", {"name": "r", "exactly": EXACTLY})
    assert claim_from_hub(hub, "v1beta2") == {**hub, "apiVersion": "resource.k8s.io/v1beta2"}
    assert claim_to_hub({**hub, "apiVersion": "resource.k8s.io/v1beta2"}, "v1beta2") == hub
    assert same_from_hub(hub, "v1") is hub


def test_template_is_flat_within_its_spec():
    flat = {
        "apiVersion": "resource.k8s.io/v1beta1",
        "spec": {"spec": {"devices": {"requests": [{"name": "r", **EXACTLY}]}}},
    }
    hub = template_to_hub(copy.deepcopy(flat), "v1beta1")
    assert hub["spec"]["spec"]["devices"]["requests"] == [{"name": "r", "exactly": EXACTLY}]
    assert template_from_hub(hub, "v1beta1") == flat


@pytest.mark.parametrize("spec", [{}, {"devices": {}}, {"devices": {"requests": None}}])
def test_claim_without_requests_converts(spec):
    obj = {"apiVersion": "resource.k8s.io/v1beta1", "kind": "ResourceClaim", "spec": spec}
    hub = claim_to_hub(copy.deepcopy(obj), "v1beta1")
    assert hub["spec"] == spec
    assert claim_from_hub(hub, "v1beta1") == obj


def a_slice(version, *devices, **spec):
    return {
        "apiVersion": f"resource.k8s.io/{version}",
        "kind": "ResourceSlice",
        "spec": {"devices": list(devices), **spec},
    }


def test_device_is_wrapped_and_unwrapped():
    basic = {"attributes": {"a": {"int": 1}}, "taints": [{"key": "k"}]}
    wrapped = a_slice("v1beta1", {"name": "x", "basic": basic}, nodeName="n")
    hub = a_slice("v1", {"name": "x", **basic}, nodeName="n")
    assert slice_to_hub(copy.deepcopy(wrapped), "v1beta1") == hub
    assert slice_from_hub(hub, "v1beta1") == wrapped


def test_device_without_content_has_an_empty_basic():
    assert slice_to_hub(a_slice("v1beta1", {"name": "x", "basic": None}), "v1beta1") == a_slice(
        "v1", {"name": "x"}
    )
    assert slice_from_hub(a_slice("v1", {"name": "x"}), "v1beta1") == a_slice(
        "v1beta1", {"name": "x", "basic": {}}
    )


def test_empty_node_name_and_false_are_unset_in_the_first_version():
    hub = slice_to_hub(a_slice("v1beta1", nodeName="", allNodes=False), "v1beta1")
    assert hub["spec"] == {"devices": []}


def test_empty_maps_of_a_device_vanish():
    wrapped = a_slice("v1beta1", {"name": "x", "basic": {"attributes": {}, "capacity": {}}})
    assert slice_to_hub(wrapped, "v1beta1") == a_slice("v1", {"name": "x"})
