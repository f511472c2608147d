"""YAML is laid out as Kubernetes lays it out, and reads back as what was written."""

import pytest
import yaml

from dray.api.schema.go_yaml import to_yaml


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"kind": "K", "apiVersion": "v1", "No": 1}, '"No": 1\napiVersion: v1\nkind: K\n'),
        ({"a10": 1, "a2": 2, "a.b": 3}, "a.b: 3\na2: 2\na10: 1\n"),
        ({"a": ["x", {"b": None, "c": True}]}, "a:\n- x\n- b: null\n  c: true\n"),
        ("a: b", "'a: b'\n"),
        ({"a": "x\ny\n", "b": "x\ny"}, "a: |\n  x\n  y\nb: |-\n  x\n  y\n"),
        ({"a": {}, "b": [], "c": 1.5}, "a: {}\nb: []\nc: 1.5\n"),
        ({"a": "=", "b": "é"}, "a: =\nb: é\n"),
    ],
)
def test_layout(value: object, text: str) -> None:
    assert to_yaml(value).decode() == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "1.5",
        "1e3",
        "0x1f",
        "017",
        "1_000",
        ".inf",
        "true",
        "y",
        "on",
        "No",
        "null",
        "~",
        "2020-01-01",
        "1:30",
    ],
)
def test_texts_that_stand_for_something_else_are_in_double_quotes(text: str) -> None:
    written = to_yaml({"k": text}).decode()
    assert written == f'k: "{text}"\n'
    assert yaml.safe_load(written) == {"k": text}
