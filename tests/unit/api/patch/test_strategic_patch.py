"""Strategic merge patch: lists of named things merge by name, and the directives do what they say."""

import copy
from typing import Any

import pytest

from dray.api.patch import PatchError, strategic_merge_patch, use_up
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


def test_new_values_lose_what_says_to_delete_them_and_nulls(pod: Schema) -> None:
    patch = {
        "affinity": {
            "$retainKeys": ["nodeAffinity"],
            "nodeAffinity": None,
            "podAffinity": {"$patch": "delete"},
        }
    }

    assert _spec(patch, pod)["affinity"] == {"$retainKeys": ["nodeAffinity"]}


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


@pytest.mark.parametrize(
    ("patch", "text"),
    [
        ({"$setElementOrder/containers": "x"}, "expected a []interface {}, but received a string"),
        ({"$setElementOrder/nodeName": ["x"]}, "expected slice or array type, but got: struct"),
        ({"$setElementOrder/zork": ["x"]}, 'unable to find api field in struct PodSpec for the json field "zork"'),
        ({"nodeSelector": {"$setElementOrder/n": ["x"]}}, "expected a []interface {}, but received a string"),
        (
            {"nodeSelector": {"$setElementOrder/x": ["x"]}},
            "merging an object in json but data type is not struct, instead is: map",
        ),
        ({"$setElementOrder/containers": [], "containers": {}}, "expected a []interface {}, but received a map[string]interface {}"),
        ({"$setElementOrder/containers": [], "containers": None}, "expected a []interface {}, but received a %!s(<nil>)"),
        ({"$setElementOrder/containers": ["x"]}, "value for key 0 is not a map"),
        ({"$setElementOrder/containers": [{"q": 1}]}, "map: map[q:1] does not contain declared merge key: name"),
        (
            {"$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "b"}]},
            "The order in patch list:\n[map[name:b]]\n doesn't match $setElementOrder list:\n[map[name:a]]\n",
        ),
        ({"$setElementOrder": ["x"]}, "invalid patch format of setElementOrder list"),
        ({"$deleteFromPrimitiveList": ["x"]}, "invalid patch format of primitive list"),
        ({"$deleteFromPrimitiveList/containers": ["x"]}, "list element types are not identical: "),
        ({"$deleteFromPrimitiveList/tolerations": [{"key": "t"}]}, "cannot merge lists without merge key for struct"),
        ({"containers": [["a"]]}, "list element types are not identical: "),
        ({"$patch": ["x", 5]}, "unknown patch type: [x %!s(int64=5)] in map: map[$patch:[x 5]]"),
    ],
)  # fmt: skip
def test_directives_that_cannot_be_followed_are_refused_in_kubernetes_words(
    patch: dict[str, Any], text: str, pod: Schema
) -> None:
    with pytest.raises(PatchError) as refused:
        _spec(patch, pod)

    assert str(refused.value).startswith(text)


def test_a_deletion_of_values_that_is_no_list_is_taken_for_the_member_itself(pod: Schema) -> None:
    live = {"metadata": {"finalizers": ["x"], "labels": {"a": "1"}, "name": "n"}}
    patch = {
        "$deleteFromPrimitiveList/finalizers": None,
        "$deleteFromPrimitiveList/labels": {"b": "2"},
        "$deleteFromPrimitiveList/name": "m",
        "$deleteFromPrimitiveList/zork": "m",
    }

    assert strategic_merge_patch(live, {"metadata": patch}, pod)["metadata"] == {
        "labels": {"a": "1", "b": "2"},
        "name": "m",
    }


def test_retained_keys_need_not_name_what_the_patch_removes(pod: Schema) -> None:
    patch = {"securityContext": {"$retainKeys": ["fsGroup"], "runAsUser": None, "zork": None}}
    assert _spec(patch, pod)["securityContext"] == {"fsGroup": 2}


def test_a_new_element_is_taken_as_it_is_with_its_nulls_and_directives(pod: Schema) -> None:
    element = {"name": "c", "image": None, "resources": {"$patch": "delete"}}
    assert element in _spec({"containers": [element]}, pod)["containers"]


def test_in_a_list_that_is_new_what_says_to_delete_it_goes(pod: Schema) -> None:
    patch = {
        "initContainers": [{"name": "i", "$patch": "delete"}, {"name": "k", "$patch": None, "image": None}]
    }
    assert _spec(patch, pod)["initContainers"] == [{"name": "k"}]


def test_new_elements_that_an_empty_order_does_not_name_come_last_and_backwards(pod: Schema) -> None:
    patch = {"$setElementOrder/containers": [], "containers": [{"name": "c"}, {"name": "d"}]}
    assert _names(_spec(patch, pod)["containers"]) == ["a", "b", "d", "c"]


def test_a_patch_that_is_used_up_leaves_what_was_not_followed(pod: Schema) -> None:
    patch: dict[str, Any] = {
        "spec": {
            "$setElementOrder/containers": [{"name": "a"}],
            "containers": [{"name": "a"}],
            "securityContext": {"$retainKeys": ["fsGroup"]},
            "nodeSelector": {"$patch": "replace", "m": "2"},
        }
    }
    use_up(POD, patch, pod)
    assert patch == {"spec": {"securityContext": {}, "nodeSelector": {"m": "2"}}}
