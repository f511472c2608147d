"""Field sets obey the laws of sets, over paths."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dray.apiserver.ownership.fieldset import (
    EMPTY,
    difference,
    in_order,
    intersection,
    members,
    of_members,
    union,
    without_subtrees,
)

STEPS = st.sampled_from(["f:a", "f:b", 'k:{"n":"x"}', 'v:"y"'])
PATHS = st.sets(st.lists(STEPS, min_size=1, max_size=4).map(tuple), max_size=8)
Paths = set[tuple[str, ...]]


def _set(paths: Paths) -> Any:
    return of_members(sorted(paths))


@given(PATHS)
def test_a_set_lists_what_it_was_made_of(paths: Paths) -> None:
    assert set(members(_set(paths))) == paths


@given(PATHS, PATHS)
def test_union_difference_and_intersection_are_those_of_paths(left: Paths, right: Paths) -> None:
    a, b = _set(left), _set(right)

    assert set(members(union(a, b))) == left | right
    assert set(members(difference(a, b))) == left - right
    assert set(members(intersection(a, b))) == left & right


@given(PATHS, PATHS)
def test_without_subtrees_removes_everything_below(paths: Paths, roots: Paths) -> None:
    left = set(members(without_subtrees(_set(paths), _set(roots))))

    assert left == {path for path in paths if not any(path[: len(root)] == root for root in roots)}


@given(PATHS, PATHS)
def test_what_did_not_change_is_the_very_same_set(left: Paths, right: Paths) -> None:
    a, b = _set(left), _set(right)

    assert (difference(a, b) is a) == (not left & right)
    assert union(a, EMPTY) is a


@given(PATHS, PATHS)
def test_operations_never_change_their_operands(left: Paths, right: Paths) -> None:
    a, b = _set(left), _set(right)
    for operation in (union, difference, intersection, without_subtrees):
        operation(a, b)

    assert (set(members(a)), set(members(b))) == (left, right)


def test_containers_that_are_members_are_written_with_a_dot() -> None:
    fields = of_members([("f:b",), ("f:a",), ("f:a", "f:x")])

    assert list(in_order(fields).items()) == [("f:a", {".": {}, "f:x": {}}), ("f:b", {})]


def test_members_come_before_what_is_below_them() -> None:
    fields = of_members([("f:a", "f:x"), ("f:b",), ("f:a", "f:c", "f:d")])

    assert list(members(fields)) == [("f:b",), ("f:a", "f:x"), ("f:a", "f:c", "f:d")]
