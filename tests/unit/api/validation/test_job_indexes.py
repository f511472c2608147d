"""Texts that name pods of indexed jobs."""

import pytest

from dray.api.validation.core.job_indexes import UnreadableIndexes, common_index, count_indexes


@pytest.mark.parametrize(("text", "count"), [("", 0), ("0", 1), ("0,2-4", 4), ("0-1,3", 3), ("+1,2", 2)])
def test_indexes_are_counted(text: str, count: int) -> None:
    assert count_indexes(text, 5) == count


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("5", 'too large index: "5"'),
        ("1,0", "non-increasing order, previous: 1, current: 0"),
        ("1,1", "non-increasing order, previous: 1, current: 1"),
        ("2-2", "non-increasing order, previous: 2, current: 2"),
        ("x", 'cannot convert string to integer for index: "x"'),
        ("0,", 'cannot convert string to integer for index: ""'),
        (
            "0-1-2",
            'the fragment "0-1-2" violates the requirement that an index interval can have at most two parts '
            "separated by '-'",
        ),
    ],
)
def test_indexes_rise_and_are_those_of_the_job(text: str, why: str) -> None:
    with pytest.raises(UnreadableIndexes) as raised:
        count_indexes(text, 5)
    assert str(raised.value) == why


@pytest.mark.parametrize(
    ("left", "right", "both"),
    [
        ("", "0", None),
        ("0,2", "1,3", None),
        ("0-3", "2", 2),
        ("2", "0-3", 2),
        ("0,4", "1-4", 4),
        ("x,2", "2", 2),
    ],
)
def test_the_first_index_that_two_texts_share(left: str, right: str, both: int | None) -> None:
    assert common_index(left, right, 5) == both
