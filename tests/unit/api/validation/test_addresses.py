"""Addresses in their several spellings, in the words of kube-apiserver 1.36.2."""

import pytest

from dray.api.fields import Path
from dray.api.validation.addresses import (
    address_warnings,
    one_of_each_family,
    parse_address,
    validate_plain_address,
)

AT = Path("ip")
BAD = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
ZEROS = "must not have leading 0s"
MAPPED = "must not be an IPv4-mapped IPv6 address"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("10.0.0.1", ""),
        ("2001:DB8::1", ""),
        ("0001:2::3", ""),
        ("010.0.0.1", ZEROS),
        ("::ffff:01.2.3.4", ZEROS),
        ("::ffff:1.2.3.4", MAPPED),
        ("::ffff:0102:0304", MAPPED),
        ("010.256.0.1", BAD),
        ("0xa.1.1.1", BAD),
        ("1.2.3", BAD),
        ("fe80::1%eth0", BAD),
        ("", BAD),
    ],
)
def test_a_plain_address_has_no_leading_zeros_and_is_no_ipv4_in_ipv6(text: str, problem: str) -> None:
    expected = [f'ip: Invalid value: "{text}": {problem}'] if problem else []
    assert [str(error) for error in validate_plain_address(text, AT)] == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("10.0.0.1", None),
        ("2001:db8::1", None),
        ("no address", None),
        ("010.0.0.1", 'non-standard IP address "010.0.0.1" is invalid: use "10.0.0.1"'),
        ("::ffff:1.2.3.4", 'non-standard IP address "::ffff:1.2.3.4" is invalid: use "1.2.3.4"'),
        (
            "2001:DB8:0::1",
            'IPv6 address "2001:DB8:0::1" should be in RFC 5952 canonical format ("2001:db8::1")',
        ),
    ],
)
def test_an_address_that_may_be_written_better_is_told_of(text: str, told: str | None) -> None:
    assert address_warnings(text, AT) == ([f"ip: {told}"] if told else [])


@pytest.mark.parametrize(
    ("texts", "are"),
    [
        (["10.0.0.1", "::1"], True),
        (["::1", "10.0.0.1"], True),
        (["10.0.0.1", "::ffff:1.2.3.4"], False),
        (["::1", "::ffff:1.2.3.4"], True),
        (["10.0.0.1"], False),
        (["10.0.0.1", "::1", "::2"], False),
    ],
)
def test_ipv4_in_ipv6_is_of_the_family_of_ipv4(texts: list[str], are: bool) -> None:
    assert one_of_each_family(texts) is are


def test_zeros_in_numbers_of_ipv4_are_read_wherever_they_stand() -> None:
    assert str(parse_address("010.00.0.1")) == "10.0.0.1"
    assert parse_address("::ffff:01.2.3.4") == parse_address("::ffff:1.2.3.4")
