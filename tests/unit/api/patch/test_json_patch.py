"""JSON patch applies as the API server's library does, leniences included."""

import copy
from typing import Any

import pytest

from dray.api.errors import BadRequest, RequestEntityTooLarge
from dray.api.patch import PatchError, json_patch, parse_operations, unprocessable

DOCUMENT = {"data": {"a": "1", "x~y/z": "2"}, "list": [1, 2, 3], "nested": [{"k": "v"}], "null": None}


def _op(op: str, path: str, **more: Any) -> dict[str, Any]:
    return {"op": op, "path": path, **more}


APPLIES = {
    "add_member": ([_op("add", "/data/b", value=5)], ("data", "b"), 5),
    "add_replaces_a_member": ([_op("add", "/data/a", value="9")], ("data", "a"), "9"),
    "add_inserts_into_lists": ([_op("add", "/list/1", value=9)], ("list",), [1, 9, 2, 3]),
    "add_appends_with_a_dash": ([_op("add", "/list/-", value=9)], ("list",), [1, 2, 3, 9]),
    "add_at_the_end": ([_op("add", "/list/3", value=9)], ("list",), [1, 2, 3, 9]),
    "replace_adds_an_absent_member": ([_op("replace", "/data/zz", value="1")], ("data", "zz"), "1"),
    "replace_in_a_list": ([_op("replace", "/list/0", value=9)], ("list",), [9, 2, 3]),
    "negative_indexes_count_from_the_end": ([_op("replace", "/list/-1", value=9)], ("list",), [1, 2, 9]),
    "remove_from_a_list": ([_op("remove", "/list/0")], ("list",), [2, 3]),
    "escapes_are_undone": ([_op("replace", "/data/x~0y~1z", value="9")], ("data", "x~y/z"), "9"),
    "deep_paths": ([_op("replace", "/nested/0/k", value="w")], ("nested",), [{"k": "w"}]),
    "move": ([{"op": "move", "from": "/data/a", "path": "/list/-"}], ("list",), [1, 2, 3, "1"]),
    "copy": ([{"op": "copy", "from": "/nested/0", "path": "/data/c"}], ("data", "c"), {"k": "v"}),
    "test_then_act": ([_op("test", "/data/a", value="1"), _op("add", "/b", value=1)], ("b",), 1),
    "an_absent_member_tests_as_null": ([_op("test", "/zz"), _op("add", "/b", value=1)], ("b",), 1),
}  # fmt: skip


@pytest.mark.parametrize("name", APPLIES)
def test_operations_apply(name: str) -> None:
    operations, path, expected = APPLIES[name]
    before = copy.deepcopy(DOCUMENT)

    found = json_patch(DOCUMENT, operations)
    for step in path:
        found = found[step]

    assert found == expected
    assert before == DOCUMENT, "the input must not change"


REFUSED = {
    "remove_absent": [_op("remove", "/data/zz")],
    "missing_parent": [_op("add", "/no/where", value=1)],
    "index_past_the_end": [_op("add", "/list/9", value=1)],
    "replace_past_the_end": [_op("replace", "/list/3", value=1)],
    "not_an_index": [_op("replace", "/list/x", value=1)],
    "into_a_scalar": [_op("add", "/data/a/b", value=1)],
    "failed_test": [_op("test", "/data/a", value="2")],
    "true_is_not_one": [_op("test", "/list/0", value=True)],
    "unknown_operation": [_op("zork", "/data")],
    "no_operation": [{"path": "/data/a", "value": "1"}],
    "no_path": [{"op": "add", "value": 1}],
    "whole_document_by_a_scalar": [_op("replace", "", value=1)],
    "move_from_nowhere": [{"op": "move", "from": "/zz", "path": "/data/a"}],
}


@pytest.mark.parametrize("name", REFUSED)
def test_operations_that_do_not_fit_are_refused(name: str) -> None:
    with pytest.raises(PatchError):
        json_patch(DOCUMENT, REFUSED[name])


def test_the_whole_document_can_be_replaced() -> None:
    assert json_patch(DOCUMENT, [_op("replace", "", value={"a": 1})]) == {"a": 1}


def test_what_was_not_touched_is_shared() -> None:
    assert json_patch(DOCUMENT, [_op("add", "/b", value=1)])["nested"] is DOCUMENT["nested"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"[", "error decoding patch: unexpected end of JSON input"),
        (
            b'{"op":"add"}',
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
        ),
        (
            b"[5]",
            "error decoding patch: json: cannot unmarshal number into Go value of type handlers.jsonPatchOp",
        ),
    ],
)
def test_bodies_that_are_no_patch_are_bad_requests(body: bytes, text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_operations(body)

    assert refused.value.message == text


def test_ten_thousand_operations_are_enough() -> None:
    one = b'{"op":"test","path":"/a","value":1}'

    assert len(parse_operations(b"[" + b",".join([one] * 10_000) + b"]")) == 10_000
    with pytest.raises(RequestEntityTooLarge, match="is 10000, got 10001"):
        parse_operations(b"[" + b",".join([one] * 10_001) + b"]")


def test_upstream_keeps_the_reason_of_a_misfit_to_itself() -> None:
    status = unprocessable().status

    assert status["message"] == "the server rejected our request due to an error in our request"
    assert (status["code"], status["reason"], status["details"]) == (422, "Invalid", {})


def test_copies_cannot_blow_up_the_document() -> None:
    double = [{"op": "copy", "from": "/data", "path": f"/data/k{index}"} for index in range(40)]

    with pytest.raises(PatchError, match="Unable to complete the copy"):
        json_patch(DOCUMENT, double)


def test_copies_cannot_nest_without_end() -> None:
    nest = [
        {"op": "copy", "from": "/data", "path": "/x"},
        {"op": "move", "from": "/x", "path": "/data/x"},
    ] * 300

    with pytest.raises(PatchError):
        json_patch({"data": {"a": "1"}}, nest)
