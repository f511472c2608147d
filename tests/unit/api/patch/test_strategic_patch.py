"""Strategic merge patch: lists of named things merge by name, and the directives do what they say."""

import copy
from typing import Any

import pytest

from dray.api.patch import PatchError, strategic_merge_patch
from dray.api.schema import Schema, schema_for

CONTAINERS = [
    {"name": "a", "image": "i:1", "env": [{"name": "X", "value": "1"}]},
    {"name": "b", "image": "i:2"},
]
POD: dict[str, Any] = {
    "metadata": {"labels": {"a": "1", "b": "2"}, "finalizers": ["x", "y"]},
    "spec": {
        "containers": CONTAINERS,
        "tolerations": [{"key": "t"}],
        "nodeSelector": {"n": "1"},
        "resourceClaims": [{"name": "g", "resourceClaimName": "x"}],
        "securityContext": {"runAsUser": 1, "fsGroup": 2},
    },
}


@pytest.fixture
def pod() -> Schema:
    schema = schema_for("v1", "Pod")
    assert schema is not None
    return schema


def _spec(patch: dict[str, Any], schema: Schema) -> dict[str, Any]:
    before = copy.deepcopy(POD)
    spec = strategic_merge_patch(POD, {"spec": patch}, schema)["spec"]
    assert before == POD, "the input must not change"
    assert isinstance(spec, dict)
    return spec


def _names(items: list[dict[str, Any]]) -> list[str]:
    return [item["name"] for item in items]


def test_elements_merge_by_their_merge_key(pod: Schema) -> None:
    patch = {"containers": [{"name": "a", "env": [{"name": "Y", "value": "2"}]}]}

    merged = _spec(patch, pod)["containers"]

    assert {item["name"]: item for item in merged} == {
        "a": {
            "name": "a",
            "image": "i:1",
            "env": [{"name": "Y", "value": "2"}, {"name": "X", "value": "1"}],
        },
        "b": {"name": "b", "image": "i:2"},
    }


def test_patched_elements_keep_their_place_among_the_others(pod: Schema) -> None:
    assert _names(_spec({"containers": [{"name": "b", "image": "i:9"}]}, pod)["containers"]) == ["a", "b"]
    assert _names(_spec({"containers": [{"name": "c"}]}, pod)["containers"]) == ["c", "a", "b"]


def test_lists_without_merge_strategy_are_replaced(pod: Schema) -> None:
    assert _spec({"tolerations": [{"key": "u"}]}, pod)["tolerations"] == [{"key": "u"}]


def test_maps_merge_and_null_removes(pod: Schema) -> None:
    merged = strategic_merge_patch(POD, {"metadata": {"labels": {"a": None, "c": "3"}}}, pod)

    assert merged["metadata"]["labels"] == {"b": "2", "c": "3"}


def test_sets_of_scalars_are_united(pod: Schema) -> None:
    merged = strategic_merge_patch(POD, {"metadata": {"finalizers": ["z", "x"]}}, pod)

    assert sorted(merged["metadata"]["finalizers"]) == ["x", "y", "z"]


def test_patch_delete_removes_an_element(pod: Schema) -> None:
    assert _names(_spec({"containers": [{"name": "a", "$patch": "delete"}]}, pod)["containers"]) == ["b"]


def test_patch_replace_replaces_the_list_or_the_map(pod: Schema) -> None:
    containers = _spec({"containers": [{"$patch": "replace"}, {"name": "q"}]}, pod)["containers"]
    context = _spec({"securityContext": {"$patch": "replace", "runAsUser": 5}}, pod)["securityContext"]

    assert containers == [{"name": "q"}]
    assert context == {"runAsUser": 5}


def test_patch_delete_empties_a_map(pod: Schema) -> None:
    assert _spec({"securityContext": {"$patch": "delete"}}, pod)["securityContext"] == {}


def test_retain_keys_drops_the_other_fields(pod: Schema) -> None:
    claim = {
        "$retainKeys": ["name", "resourceClaimTemplateName"],
        "name": "g",
        "resourceClaimTemplateName": "y",
    }

    assert _spec({"resourceClaims": [claim]}, pod)["resourceClaims"] == [
        {"name": "g", "resourceClaimTemplateName": "y"}
    ]


def test_set_element_order_orders_with_or_without_a_change(pod: Schema) -> None:
    order = {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}

    assert _names(_spec(order, pod)["containers"]) == ["b", "a"]
    changed = _spec({**order, "containers": [{"name": "a", "image": "i:9"}]}, pod)["containers"]
    assert [(item["name"], item["image"]) for item in changed] == [("b", "i:2"), ("a", "i:9")]


def test_elements_outside_the_order_keep_their_place(pod: Schema) -> None:
    live = {"spec": {"containers": [{"name": name} for name in "abcd"]}}
    patch = {"spec": {"$setElementOrder/containers": [{"name": "d"}, {"name": "b"}]}}

    merged = strategic_merge_patch(live, patch, pod)["spec"]["containers"]

    assert _names(merged) == ["a", "c", "d", "b"]


def test_delete_from_primitive_list_removes_scalars(pod: Schema) -> None:
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["x"], "$setElementOrder/finalizers": ["y"]}}

    assert strategic_merge_patch(POD, patch, pod)["metadata"]["finalizers"] == ["y"]


def test_new_values_lose_their_directives_and_nulls(pod: Schema) -> None:
    patch = {
        "affinity": {
            "$retainKeys": ["nodeAffinity"],
            "nodeAffinity": None,
            "podAffinity": {"$patch": "delete"},
        }
    }

    assert _spec(patch, pod)["affinity"] == {}


def test_an_element_without_its_merge_key_is_refused(pod: Schema) -> None:
    with pytest.raises(PatchError) as refused:
        _spec({"containers": [{"image": "q"}]}, pod)

    assert str(refused.value) == "map: map[image:q] does not contain declared merge key: name"


@pytest.mark.parametrize(
    "patch",
    [
        {"$patch": "zork"},
        {"containers": [{"name": "a", "$patch": "merge"}]},
        {"containers": ["a"]},
        {"$setElementOrder/containers": "x"},
        {"$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "b"}]},
        {"$retainKeys": ["containers"], "nodeName": "n"},
    ],
)
def test_contradictions_are_refused(patch: dict[str, Any], pod: Schema) -> None:
    with pytest.raises(PatchError):
        _spec(patch, pod)


def test_lists_of_dra_kinds_are_replaced_unless_they_have_a_merge_key() -> None:
    claim = schema_for("resource.k8s.io/v1", "ResourceClaim")
    assert claim is not None
    live = {"status": {"reservedFor": [{"uid": "1"}], "devices": [{"driver": "a"}]}}
    patch = {"status": {"reservedFor": [{"uid": "2"}], "devices": [{"driver": "b"}]}}

    status = strategic_merge_patch(live, patch, claim)["status"]

    assert sorted(item["uid"] for item in status["reservedFor"]) == ["1", "2"]
    assert status["devices"] == [{"driver": "b"}]
