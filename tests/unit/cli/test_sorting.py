"""`--sort-by` orders as kubectl does: quantities by amount, what lacks the field first, and no order at all is said."""

from typing import Any

import pytest

from dray.cli.kubectl.session import Failure
from dray.cli.kubectl.sorting import NoOrder, sorted_by


def _sorted(values: list[Any], path: str = ".v", *, is_path: bool = True) -> list[Any]:
    objects = [{} if value is None else {"v": value} for value in values]
    return [obj.get("v") for obj in sorted_by(objects, path, lambda obj: obj, is_path=is_path)]


@pytest.mark.parametrize(
    ("values", "ordered"),
    [
        (["b", "a", "c"], ["a", "b", "c"]),
        (["10", "9", "1Ki"], ["9", "10", "1Ki"]),
        (["10", "9", "x"], ["9", "10", "x"]),
        ([3, 1, 2], [1, 2, 3]),
        ([2, None, 1, None], [None, None, 1, 2]),
    ],
)
def test_values_are_ordered_by_kind(values: list[Any], ordered: list[Any]) -> None:
    assert _sorted(values) == ordered


def test_long_list_is_ordered_too() -> None:
    values = list(range(40, 0, -1))
    assert _sorted(values) == sorted(values)


def test_field_that_nothing_has_is_refused() -> None:
    with pytest.raises(
        NoOrder, match=r'^error: couldn\'t find any field with path "{.x}" in the list of objects$'
    ):
        _sorted(["a", "b"], ".x")


def test_template_is_refused_for_objects_and_followed_for_rows() -> None:
    with pytest.raises(NoOrder, match=r"^error: unexpected path string"):
        _sorted(["b", "a"], "{.v}x")
    assert _sorted(["b", "a"], "{.v}x", is_path=False) == ["a", "b"]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ([{}, {}], r"unsortable type: map\[string\]interface {}"),
        ([True, False], "unsortable type: bool"),
        ([1, "a"], "unsortable interface: interface"),
    ],
)
def test_values_without_order_are_refused(values: list[Any], why: str) -> None:
    with pytest.raises(Failure, match=f"^error: Field {{.v}} is an unsortable type: interface, err: {why}$"):
        _sorted(values)
