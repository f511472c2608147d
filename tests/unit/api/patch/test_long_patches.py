"""Patches of any length and depth are applied in time or refused, and change nothing but what they return."""

import copy
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from dray.api.patch.json_patch import json_patch, parse_operations
from dray.api.patch.refusals import PatchError
from dray.api.patch.strategic import strategic_merge_patch
from dray.api.schema import schema_for

MANY = 10_000
SECONDS = 5.0
"""Many times what it takes, and a fraction of what the square of it would take."""


@pytest.fixture(autouse=True)
def in_time() -> Iterator[None]:
    start = time.process_time()
    yield
    assert time.process_time() - start < SECONDS


def op(name: str, path: str, **more: Any) -> dict[str, Any]:
    return {"op": name, "path": path, **more}


def deep(levels: int) -> Any:
    return json.loads('{"a":' * levels + "1" + "}" * levels)


def test_many_additions_to_a_large_map() -> None:
    document = {"data": {f"k{n}": "v" for n in range(100_000)}}
    before = len(document["data"])
    patched = json_patch(document, [op("add", f"/data/x{n}", value="y") for n in range(MANY - 1)])
    assert len(patched["data"]) == before + MANY - 1
    assert len(document["data"]) == before


@pytest.mark.parametrize("name", ["add", "remove", "replace"])
def test_many_changes_of_a_long_list(name: str) -> None:
    document = {"list": ["a"] * 100_000}
    json_patch(document, [op(name, "/list/0", value="b")] * (MANY - 1))
    assert document == {"list": ["a"] * 100_000}


def test_a_copy_is_not_changed_with_what_it_was_copied_from() -> None:
    document = {"a": {"b": [1]}}
    operations = [
        op("copy", "/c", **{"from": "/a"}),
        op("add", "/a/b/-", value=2),
        op("add", "/c/b/-", value=3),
    ]
    assert json_patch(document, operations) == {"a": {"b": [1, 2]}, "c": {"b": [1, 3]}}
    assert document == {"a": {"b": [1]}}


def test_the_values_of_a_patch_stay_as_they_were_sent() -> None:
    operations = [op("add", "/a", value={"b": []}), op("add", "/a/b/-", value=1), op("add", "/a/c", value=2)]
    sent = copy.deepcopy(operations)
    assert json_patch({}, operations) == json_patch({}, operations) == {"a": {"b": [1], "c": 2}}
    assert operations == sent


def test_a_patch_that_fails_leaves_the_document_alone() -> None:
    document = {"a": {"b": 1}}
    with pytest.raises(PatchError):
        json_patch(document, [op("add", "/a/c", value=2), op("remove", "/a/x")])
    assert document == {"a": {"b": 1}}


def test_a_patch_that_digs_ever_deeper_is_applied_or_refused() -> None:
    dig = [op("add", "/x" + "/a" * (200 * n), value=deep(200)) for n in range(30)]
    assert json_patch({}, dig)["x"]
    with pytest.raises(PatchError, match="exceeded max depth"):
        json_patch({}, [*dig, op("copy", "/y", **{"from": "/x"})])


def test_a_path_without_end_is_refused() -> None:
    with pytest.raises(PatchError):
        json_patch({"a": {}}, parse_operations(json.dumps([op("add", "/a" * 1_000_000, value=1)]).encode()))


POD = schema_for("v1", "Pod")


def containers(count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"name": f"c{n}", **more} for n in range(count)]


def test_long_lists_are_merged_by_their_keys() -> None:
    live = {"spec": {"containers": containers(MANY, image="a")}}
    patch = {"spec": {"containers": containers(MANY, image="b")[::-1]}}
    merged = strategic_merge_patch(live, patch, POD)["spec"]["containers"]
    assert {each["image"] for each in merged} == {"b"}
    assert len(merged) == MANY


def test_long_lists_are_put_in_order() -> None:
    order = [{"name": f"c{n}"} for n in reversed(range(MANY))]
    patch = {"spec": {"$setElementOrder/containers": order, "containers": containers(MANY, image="b")[::-1]}}
    merged = strategic_merge_patch({"spec": {"containers": containers(MANY)}}, patch, POD)["spec"][
        "containers"
    ]
    assert [each["name"] for each in merged] == [each["name"] for each in order]


def test_many_scalars_are_added_and_deleted() -> None:
    many = [f"a/{n}" for n in range(3 * MANY)]
    live = {"metadata": {"finalizers": many}}
    added = {"metadata": {"finalizers": [f"b/{n}" for n in range(3 * MANY)]}}
    deleted = {"metadata": {"$deleteFromPrimitiveList/finalizers": many}}
    assert len(strategic_merge_patch(live, added, POD)["metadata"]["finalizers"]) == 6 * MANY
    assert strategic_merge_patch(live, deleted, POD)["metadata"]["finalizers"] == []


def test_many_keys_are_retained_and_many_elements_deleted() -> None:
    keys = [f"k{n}" for n in range(3 * MANY)]
    patch = {"spec": {"$retainKeys": keys, **dict.fromkeys(keys, 1)}}
    assert len(strategic_merge_patch({"spec": {}}, patch, POD)["spec"]) == 3 * MANY
    gone = {"spec": {"containers": [{"name": f"c{n}", "$patch": "delete"} for n in range(MANY)]}}
    assert strategic_merge_patch({"spec": {"containers": containers(MANY)}}, gone, POD)["spec"] == {
        "containers": []
    }


@pytest.mark.parametrize(
    "spec",
    [
        {"$setElementOrder/containers": [1e308, {"name": "c0"}], "containers": [{"name": "c0"}]},
        {"$setElementOrder/containers": [{"name": "c0"}], "containers": 5},
        {"containers": [{"name": "c0"}, {"image": "b"}]},
    ],
    ids=["an order of no elements", "no list to be ordered", "no merge key"],
)
def test_lists_that_are_none_are_refused(spec: dict[str, Any]) -> None:
    with pytest.raises(PatchError):
        strategic_merge_patch({"spec": {"containers": containers(1)}}, {"spec": spec}, POD)
