"""Numbers that 64 bits do not hold are floats for every reader, so that what is read can be written again."""

import orjson
import pytest

from dray.api.schema import decode, schema_for
from dray.api.schema.inspection import DecodeError

CLAIM = schema_for("resource.k8s.io/v1", "ResourceClaim")
BODY = '{"spec":{"devices":{"config":[{"opaque":{"driver":"a.b","parameters":{"a":%s}}}]}}}'


def parameter(number: str, *, strict: bool) -> object:
    assert CLAIM is not None
    obj = decode((BODY % number).encode(), CLAIM, strict=strict).object
    orjson.dumps(obj)
    return obj["spec"]["devices"]["config"][0]["opaque"]["parameters"]["a"]


@pytest.mark.parametrize(
    ("number", "value"),
    [
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", 2.0**64),
        ("-9223372036854775808", -(2**63)),
        ("-9223372036854775809", -(2.0**63)),
        ("1" + "0" * 30, 1e30),
    ],
)
def test_strict_and_lenient_readers_agree(number: str, value: float) -> None:
    assert parameter(number, strict=True) == parameter(number, strict=False) == value


def test_a_number_that_no_float_holds_is_refused() -> None:
    for strict in (True, False):
        with pytest.raises(DecodeError):
            parameter("9" * 400, strict=strict)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("number", ["18446744073709551617", "123456789012345678901", "-9223372036854775809"])
def test_an_amount_keeps_all_its_digits(number: str, strict: bool) -> None:
    quota = schema_for("v1", "ResourceQuota")
    assert quota is not None
    body = b'{"spec":{"hard":{"pods":%s}}}' % number.encode()
    assert decode(body, quota, strict=strict).object["spec"]["hard"]["pods"] == number


def test_an_amount_in_a_list_keeps_all_its_digits() -> None:
    ranges = schema_for("resource.k8s.io/v1", "ResourceSlice")
    assert ranges is not None
    body = b'{"spec":{"devices":[{"name":"d","capacity":{"m":{"value":123456789012345678901}}}]}}'
    (device,) = decode(body, ranges).object["spec"]["devices"]
    assert device["capacity"]["m"]["value"] == "123456789012345678901"
