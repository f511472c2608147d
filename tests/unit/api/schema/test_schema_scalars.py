"""Scalars are read as Go's own parsers read them."""

import pytest

from dray.api.schema.scalars import (
    BadScalar,
    WrongType,
    read_bytes,
    read_int32,
    read_int64,
    read_int_or_string,
    read_micro_time,
    read_quantity,
    read_resource,
    read_time,
)

TIMES = {
    "2026-01-02T03:04:05Z": "2026-01-02T03:04:05Z",
    "2026-01-02T03:04:05.987654Z": "2026-01-02T03:04:05Z",
    "2026-01-02T03:04:05+02:00": "2026-01-02T01:04:05Z",
    "2026-01-02T3:04:05Z": "2026-01-02T03:04:05Z",
    "0001-01-01T00:00:00Z": None,
}

BAD_TIMES = {
    "yesterday": 'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"',
    "": 'parsing time "" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "2006"',
    "2026": 'parsing time "2026" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "-"',
    "2026-01-02": 'parsing time "2026-01-02" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "T"',
    "2026-01-02T03:04:05": (
        'parsing time "2026-01-02T03:04:05" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "Z07:00"'
    ),
    "2026-01-02T03:04:05Zx": 'parsing time "2026-01-02T03:04:05Zx": extra text: "x"',
    "2026-13-02T03:04:05Z": 'parsing time "2026-13-02T03:04:05Z": month out of range',
    "2026-02-30T03:04:05Z": 'parsing time "2026-02-30T03:04:05Z": day out of range',
    "2026-01-02T25:04:05Z": 'parsing time "2026-01-02T25:04:05Z": hour out of range',
}


@pytest.mark.parametrize("text", TIMES)
def test_times_are_whole_seconds_in_utc(text: str) -> None:
    assert read_time(text) == TIMES[text]


@pytest.mark.parametrize("text", BAD_TIMES)
def test_bad_times_say_where_they_stop_making_sense(text: str) -> None:
    with pytest.raises(BadScalar) as refused:
        read_time(text)

    assert str(refused.value) == BAD_TIMES[text]


def test_micro_times_need_exactly_six_digits() -> None:
    assert read_micro_time("2026-01-02T03:04:05.000001Z") == "2026-01-02T03:04:05.000001Z"
    assert read_micro_time("2026-01-02T03:04:05.100000+01:00") == "2026-01-02T02:04:05.100000Z"
    with pytest.raises(BadScalar, match=r'cannot parse "Z" as "\.000000"'):
        read_micro_time("2026-01-02T03:04:05Z")
    with pytest.raises(BadScalar, match='cannot parse "7Z" as "Z07:00"'):
        read_micro_time("2026-01-02T03:04:05.1234567Z")


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 1.0, True, "1", None])
def test_int32_takes_whole_numbers_in_range(value: object) -> None:
    with pytest.raises(WrongType):
        read_int32(value)


def test_the_ends_of_the_integer_ranges_fit() -> None:
    assert read_int32(2**31 - 1) == 2**31 - 1
    assert read_int64(-(2**63)) == -(2**63)
    with pytest.raises(WrongType):
        read_int64(2**63)


def test_int_or_string_takes_both_but_not_fractions() -> None:
    assert read_int_or_string(80) == 80
    assert read_int_or_string("80%") == "80%"
    with pytest.raises(WrongType):
        read_int_or_string(1.5)


@pytest.mark.parametrize("value", [True, {}, [], "", "1GB", "ten"])
def test_only_quantities_are_quantities(value: object) -> None:
    with pytest.raises(BadScalar, match="quantities must match the regular expression"):
        read_quantity(value)


def test_base64_may_be_broken_into_lines() -> None:
    assert read_bytes("YWJj\nZGVm") == "YWJjZGVm"
    with pytest.raises(BadScalar, match="illegal base64 data at input byte 4"):
        read_bytes("YWJjZ")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("1e-9", "1e-3"),
        ("1e-400", "1e-3"),
        (1e-7, "1e-3"),
        ("0.0000001", "1m"),
        ("100n", "1m"),
        ("1e-3", "1e-3"),
        ("1e3", "1e3"),
        ("1Gi", "1Gi"),
    ],
)
def test_an_amount_of_a_resource_is_rounded_up_to_thousandths(sent: object, kept: str) -> None:
    assert read_resource(sent) == kept
