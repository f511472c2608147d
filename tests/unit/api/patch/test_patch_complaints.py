"""What is wrong with a JSON patch, in the words that policies and webhooks pass on: kube-apiserver 1.36.2's."""

from typing import Any

import pytest

from dray.api.patch import PatchError, PatchTestError, json_patch

DOCUMENT = {"data": {"k": "v"}, "items": [{"name": "a"}]}


@pytest.mark.parametrize(
    ("operation", "complaint"),
    [
        (
            {"op": "remove", "path": "/data/nope"},
            "error in remove for path: '/data/nope': Unable to remove nonexistent key: nope: missing value",
        ),
        (
            {"op": "move", "from": "/data/nope", "path": "/data/z"},
            "error in move for path: 'nope': Unable to remove nonexistent key: nope: missing value",
        ),
        (
            {"op": "add", "path": "/items/9", "value": 1},
            "error in add for path: '/items/9': Unable to access invalid index: 9: invalid index referenced",
        ),
        (
            {"op": "add", "path": "/nope/nope", "value": 1},
            'add operation does not apply: doc is missing path: "/nope/nope": missing value',
        ),
        ({"op": "add", "path": "", "value": 1}, 'add operation does not apply: doc is missing path: "": missing value'),
        (
            {"op": "add", "path": "data", "value": 1},
            'add operation does not apply: doc is missing path: "data": missing value',
        ),
        (
            {"op": "copy", "path": "/data/z"},
            "copy operation failed to decode from: operation, missing from field: missing value",
        ),
        ({"op": "", "path": "/data"}, "Unexpected kind: "),
    ],
)  # fmt: skip
def test_complaint_names_the_operation_and_the_place(operation: dict[str, Any], complaint: str) -> None:
    with pytest.raises(PatchError) as raised:
        json_patch(DOCUMENT, [operation])
    assert str(raised.value) == complaint


def test_a_test_that_fails_is_told_from_other_misfits() -> None:
    with pytest.raises(PatchTestError):
        json_patch(DOCUMENT, [{"op": "test", "path": "/data/k", "value": "w"}])


def test_copying_what_is_not_there_gives_null() -> None:
    copied = json_patch(DOCUMENT, [{"op": "copy", "from": "/data/nope", "path": "/data/z"}])
    assert copied["data"] == {"k": "v", "z": None}
