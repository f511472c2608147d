"""Quantities read, print, compare and add as Kubernetes does."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dray.api.quantity import Format, InvalidQuantity, Quantity, parse_quantity

CANONICAL = {
    "0": "0",
    "00": "0",
    "-0": "0",
    "1024Mi": "1Gi",
    "1.5Gi": "1536Mi",
    "1025Mi": "1025Mi",
    "512Ki": "512Ki",
    "0.5Ki": "512",
    "1.1Ki": "1126400m",
    "0.5": "500m",
    "-0.5": "-500m",
    "1000": "1k",
    "1500": "1500",
    "1234567": "1234567",
    "1000000000": "1G",
    "1e3": "1e3",
    "12E6": "12E6",
    "1000e3": "1e6",
    "1E": "1E",
    "1Ei": "1Ei",
    "100n": "100n",
    "0.0000000001": "1n",
    "1e-10": "1e-9",
    ".5": "500m",
    "5.": "5.",
    "1024": "1024",
    "1Ki": "1Ki",
    "1000E": "1000E",
}


@pytest.mark.parametrize(("text", "printed"), CANONICAL.items())
def test_text_prints_canonically(text: str, printed: str) -> None:
    assert str(parse_quantity(text)) == printed


@pytest.mark.parametrize("text", ["1.500", "+5", "01Ki", "1.500k"])
def test_text_that_upstream_takes_for_canonical_is_kept_as_written(text: str) -> None:
    assert str(parse_quantity(text)) == text


@pytest.mark.parametrize(
    "text", ["", "abc", "1.5.5", "1 ", " 1", "1\n", "1Gi2x", "1Mib", "1g", "١", "1_0", "0x10"]
)
def test_wrong_shape_is_refused_with_the_pattern(text: str) -> None:
    with pytest.raises(InvalidQuantity, match=r"^quantities must match the regular expression '\^\("):
        parse_quantity(text)


@pytest.mark.parametrize("text", ["1K", "1mi", "1e", "1E+", "1-5", "1kk", "1iG"])
def test_unknown_suffix_is_refused(text: str) -> None:
    with pytest.raises(InvalidQuantity, match=r"^unable to parse quantity's suffix$"):
        parse_quantity(text)


@pytest.mark.parametrize("text", ["9" * 1025, "1e1001", "1e-1001", "1" + "0" * 9000 + "Ki"])
def test_numbers_that_would_eat_the_machine_are_refused(text: str) -> None:
    with pytest.raises(InvalidQuantity, match="numeric part"):
        parse_quantity(text)


def test_json_numbers_stand_for_their_text() -> None:
    assert str(parse_quantity(1024)) == "1024"
    assert parse_quantity(0.5) == parse_quantity("500m")
    assert parse_quantity(2.0) == parse_quantity("2")


@pytest.mark.parametrize("not_a_number", [True, math.nan, math.inf])
def test_values_without_a_decimal_text_are_refused(not_a_number: float) -> None:
    with pytest.raises(InvalidQuantity):
        parse_quantity(not_a_number)


def test_quantities_are_equal_and_hashed_by_value() -> None:
    assert parse_quantity("1Gi") == parse_quantity("1024Mi")
    assert len({parse_quantity("1"), parse_quantity("1000m"), parse_quantity("1e0")}) == 1
    assert parse_quantity("1") != 1


def test_order_is_exact() -> None:
    assert parse_quantity("9007199254740993") > parse_quantity("9007199254740992")
    assert parse_quantity("1n") > parse_quantity("0")
    assert sorted(map(parse_quantity, ["1Gi", "1G", "-1"])) == list(map(parse_quantity, ["-1", "1G", "1Gi"]))


def test_values_round_away_from_zero() -> None:
    assert parse_quantity("1.1").value() == 2
    assert parse_quantity("-1.1").value() == -2
    assert parse_quantity("1500u").milli_value() == 2
    assert parse_quantity("3").milli_value() == 3000


def test_binary_quantities_are_capped_at_the_largest_int64() -> None:
    assert str(parse_quantity("8Ei")) == "9223372036854775807"
    assert str(parse_quantity("-9Ei")) == "-9223372036854775807"


@pytest.mark.parametrize(
    ("text", "number"),
    [("5", 5), ("5k", 5000), ("1Gi", 2**30), ("1e3", 1000), ("1.0", None), ("1Pi", None), ("1.5Ki", None)],
)
def test_int64_form_depends_on_the_writing(text: str, number: int | None) -> None:
    quantity = parse_quantity(text)
    assert quantity.as_int64() == number
    assert quantity.is_integer() == (number is not None)


def test_int64_form_that_overflows_is_none() -> None:
    assert parse_quantity("9223372036E").as_int64() is None


def test_sum_takes_the_format_of_the_first_unless_it_is_zero() -> None:
    assert str(parse_quantity("1Gi") + parse_quantity("1G")) == "2073741824"
    assert str(parse_quantity("0") + parse_quantity("1Gi")) == "1Gi"
    assert str(parse_quantity("1Gi") - parse_quantity("512Mi")) == "512Mi"
    assert str(parse_quantity("2Ki") + parse_quantity("0.5")) == "2048500m"


def test_sum_beyond_int64_is_exact() -> None:
    limit = parse_quantity("9223372036854775807")
    assert (limit + limit).value() == 2 * (2**63 - 1)
    assert (limit + limit).as_int64() is None


def test_negation_and_sign() -> None:
    assert str(-parse_quantity("500m")) == "-500m"
    assert [parse_quantity(text).sign() for text in ("-1", "0", "1n")] == [-1, 0, 1]


def test_largest_suffix_is_never_lost() -> None:
    exa = parse_quantity("1000E")
    assert str(exa + exa) == "2000E"


def test_whole_numbers_become_quantities() -> None:
    assert str(Quantity.of(2**30, Format.BINARY_SI)) == "1Gi"
    assert Quantity.of(2**70).as_int64() is None


def test_approximate_float_is_infinite_past_the_range() -> None:
    assert parse_quantity("1e400").approximate_float() == math.inf
    assert parse_quantity("0.1").approximate_float() == 0.1


@given(st.integers(-(10**30), 10**30), st.sampled_from(["", "m", "k", "Ki", "Gi", "E", "e3", "e-3", "n"]))
def test_canonical_text_reads_back_as_the_same_value(number: int, suffix: str) -> None:
    quantity = parse_quantity(f"{number}{suffix}")
    assert parse_quantity(str(quantity)) == quantity


@given(st.text(alphabet="0123456789.+-eEinumkKMGTP", max_size=12))
def test_any_text_is_a_quantity_or_refused(text: str) -> None:
    try:
        quantity = parse_quantity(text)
    except InvalidQuantity:
        return
    assert parse_quantity(str(quantity)) == quantity
