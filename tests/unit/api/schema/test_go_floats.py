"""Floats as Go prints them, and as they come back from its JSON."""

import pytest

from dray.api.schema.go_text import json_number, reread, show


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (1e3, "1000"),
        (123456.5, "123456.5"),
        (1e6, "1e+06"),
        (1234567.5, "1.2345675e+06"),
        (-1.5e7, "-1.5e+07"),
        (2.0**63, "9.223372036854776e+18"),
        (0.0001, "0.0001"),
        (1e-5, "1e-05"),
        (1.5e300, "1.5e+300"),
    ],
)
def test_a_float_is_printed_with_an_exponent_from_a_million_on(value: float, text: str) -> None:
    assert show(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (-0.0, "-0"),
        (0.5, "0.5"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.2345678901234568e18, "1234567890123456800"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (1.5e300, "1.5e+300"),
    ],
)
def test_json_has_digits_up_to_twenty_one(value: float, text: str) -> None:
    assert json_number(value) == text


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (1e3, 1000),
        (-0.0, 0),
        (1e18, 10**18),
        (1.2345678901234568e18, 1234567890123456800),
        (-(2.0**63), -(2.0**63)),
        (2.0**63, 2.0**63),
        (1e20, 1e20),
        (1.5, 1.5),
    ],
)
def test_a_float_comes_back_as_a_whole_number_where_it_can(value: float, found: float) -> None:
    assert (reread(value), reread(value).__class__) == (found, found.__class__)
