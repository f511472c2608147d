"""JSON merge patch: objects merge, null removes, everything else replaces."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dray.api.patch import invalid_patch, merge_patch, rendered, rendered_strategic

CASES: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    ({"a": "c"}, {"a": {"b": None, "c": {"d": None, "e": 1}}}, {"a": {"c": {"e": 1}}}),
    ({}, {"a": {"b": {"c": None}}}, {"a": {"b": {}}}),
    ({"a": 1}, ["c"], ["c"]),
    (["a"], {"b": 1}, {"b": 1}),
]


@pytest.mark.parametrize(("document", "patch", "expected"), CASES)
def test_merging(document: Any, patch: Any, expected: Any) -> None:
    assert merge_patch(document, patch) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_merging_twice_changes_nothing_more(document: Any, patch: Any) -> None:
    once = merge_patch(document, patch)

    assert merge_patch(once, patch) == once


def test_what_was_not_touched_is_shared() -> None:
    document = {"spec": {"big": [1, 2]}, "metadata": {"labels": {"a": "b"}}}

    merged = merge_patch(document, {"metadata": {"labels": {"c": "d"}}})

    assert merged["spec"] is document["spec"]
    assert document["metadata"] == {"labels": {"a": "b"}}


def test_objects_the_patch_went_into_are_shown_sorted_the_others_as_written() -> None:
    document = {"kind": "ConfigMap", "metadata": {"name": "cm", "labels": {}}, "data": {"b": "1", "a": "2"}}

    assert rendered(document, {"data": {"a": "2"}}) == (
        '{"data":{"a":"2","b":"1"},"kind":"ConfigMap","metadata":{"name":"cm","labels":{}}}'
    )


def test_an_unreadable_result_is_invalid_at_the_patch_itself() -> None:
    error = invalid_patch(rendered_strategic({"data": "x"}), "cannot restore map from string")

    assert error.status == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": ' "" is invalid: patch: Invalid value: "map[data:x]": cannot restore map from string',
        "reason": "Invalid",
        "details": {
            "causes": [
                {
                    "reason": "FieldValueInvalid",
                    "message": 'Invalid value: "map[data:x]": cannot restore map from string',
                    "field": "patch",
                }
            ]
        },
        "code": 422,
    }
