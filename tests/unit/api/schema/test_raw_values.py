"""Opaque values are measured as they were sent."""

import json

import pytest

from dray.api.schema.raw_values import size_of, with_sent_sizes

LIMIT = 20


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ('{"parameters":{"a":"1234567890"}}', 18),
        ('{"parameters": {"a":    "1234567890"}}', 22),
        ('{"parameters": {"a": "1234567890"}}', 18),  # not over the limit: nobody asks how it was sent
        ('{"parameters":\n{"a":"1234567890","b":"c"}}', 26),
        ('{"x":"\\"parameters\\":{","parameters":{"a":"123456" , "b":1}}', 22),
        ('{"parameters":{"é":    "12345678"}}', 21),
    ],
)
def test_blanks_count_where_they_make_a_value_too_long(text, size):
    value = with_sent_sizes(json.loads(text), text.encode(), LIMIT)["parameters"]
    assert value == json.loads(text)["parameters"]
    assert size_of(value) == size


def test_value_that_is_no_object_or_broken_is_left_to_others():
    for text in ('{"parameters": [1,    2,      3,     4,     5]}', '{"data": {"a":                   '):
        assert with_sent_sizes({"x": 1}, text.encode(), LIMIT) == {"x": 1}
