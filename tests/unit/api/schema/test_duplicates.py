"""Members given more than once are told by their paths, in the order of the text."""

import pytest

from dray.api.schema.duplicates import duplicate_members


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        (b'{"a": 1, "b": 1}', []),
        (b'{"a": 1, "a": {"b": 1, "b": 2}}', ["a", "a.b"]),
        (b'[{"a": {"b": [{"c": 1, "c": 2, "c": 3}]}}]', ["[0].a.b[0].c", "[0].a.b[0].c"]),
        (b"5", []),
    ],
)
def test_a_member_is_told_each_time_it_is_repeated(text: bytes, paths: list[str]) -> None:
    assert duplicate_members(text) == paths
