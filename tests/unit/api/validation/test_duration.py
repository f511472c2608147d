"""Ages as kubectl prints them."""

import datetime as dt

import pytest

from dray.api.duration import age, human_duration

MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 365 * 86400


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-2, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (200, "3m20s"),
        (10 * MINUTE - 1, "9m59s"),
        (10 * MINUTE, "10m"),
        (3 * HOUR - 1, "179m"),
        (3 * HOUR, "3h"),
        (3 * HOUR + 5 * MINUTE, "3h5m"),
        (8 * HOUR, "8h"),
        (48 * HOUR - 1, "47h"),
        (2 * DAY, "2d"),
        (2 * DAY + HOUR, "2d1h"),
        (8 * DAY, "8d"),
        (2 * YEAR - 1, "729d"),
        (2 * YEAR, "2y"),
        (2 * YEAR + DAY, "2y1d"),
        (8 * YEAR, "8y"),
        (9 * YEAR + 100 * DAY, "9y"),
    ],
)
def test_durations_grow_coarser(seconds, shown):
    assert human_duration(seconds) == shown


def test_age_of_a_moment():
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    assert age("2025-12-31T23:57:00Z", now) == "3m"
    assert age("2026-01-01T00:00:05Z", now) == "<invalid>"
    assert age(None, now) == "<unknown>"
