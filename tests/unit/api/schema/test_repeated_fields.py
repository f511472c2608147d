"""A field that is given twice: Go fills maps and structs again, and replaces the rest."""

from typing import Any

import pytest

from dray.api.schema import decode, schema_for


def decoded(spec: str, strict: bool = True) -> Any:
    pod = schema_for("v1", "Pod")
    assert pod is not None
    return decode(f'{{"spec":{{{spec}}}}}'.encode(), pod, strict=strict).object["spec"]


@pytest.mark.parametrize(
    ("spec", "kept"),
    [
        ('"hostname":"a","hostname":"b"', {"hostname": "b"}),
        ('"hostname":"a","hostname":null', {"hostname": "a"}),
        ('"nodeSelector":{"a":"1","b":"1"},"nodeSelector":{"b":"2"}', {"nodeSelector": {"a": "1", "b": "2"}}),
        ('"nodeSelector":{"a":"1"},"nodeSelector":null', {}),
        ('"nodeSelector":null,"nodeSelector":{"a":"1"}', {"nodeSelector": {"a": "1"}}),
        ('"os":{"name":"linux"},"os":null', {}),
        ('"os":{"name":"linux"},"os":{}', {"os": {"name": "linux"}}),
        (
            '"tolerations":[{"key":"a","effect":"NoExecute"}],"tolerations":[{"key":"b"},{"key":"c"}]',
            {"tolerations": [{"key": "b", "effect": "NoExecute"}, {"key": "c"}]},
        ),
        ('"tolerations":[{"key":"a"},{"key":"b"}],"tolerations":[{}]', {"tolerations": [{"key": "a"}]}),
        ('"tolerations":[{"key":"a"}],"tolerations":[null,null]', {"tolerations": [{"key": "a"}, {}]}),
        (
            '"dnsConfig":{"searches":["a","b"]},"dnsConfig":{"searches":[null]}',
            {"dnsConfig": {"searches": ["a"]}},
        ),
    ],
)
def test_of_a_field_that_is_given_twice(spec: str, kept: dict[str, Any]) -> None:
    assert decoded(spec) == {"containers": None, **kept}


def test_members_of_a_map_are_replaced() -> None:
    claim = schema_for("resource.k8s.io/v1", "ResourceSlice")
    assert claim is not None
    body = b'{"spec":{"devices":[{"name":"d","attributes":{"a":{"int":1},"a":{"string":"x"}}}]}}'
    (device,) = decode(body, claim).object["spec"]["devices"]
    assert device["attributes"] == {"a": {"string": "x"}}
