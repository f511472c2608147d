"""Schedules in cron's notation, durations and time zones, and what is said of those that are none."""

import pytest

from dray.api.fields import Path
from dray.api.validation.core.job_policies import validate_success_policy
from dray.api.validation.core.schedule import schedule_problem, zone_problem


@pytest.mark.parametrize(
    "schedule",
    ["* * * * *", "*/5 0-23/2 1,15 jan-MAR sun", "? * * * ?", "@daily", "@every 1h30m", "59/70 * * * *"],
)
def test_a_schedule_of_five_fields_or_a_nickname_is_read(schedule):
    assert schedule_problem(schedule) == ""


@pytest.mark.parametrize(
    ("schedule", "problem"),
    [
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("a * * * *", 'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax'),
        ("@never", "unrecognized descriptor: @never"),
        ("@every 5", 'failed to parse duration @every 5: time: missing unit in duration "5"'),
        ("TZ=Nowhere * * * * *", "provided bad location Nowhere: unknown time zone Nowhere"),
    ],
)
def test_a_schedule_that_cannot_be_read_says_why(schedule, problem):
    assert schedule_problem(schedule) == problem


@pytest.mark.parametrize(
    ("zone", "problem"),
    [
        ("Europe/Berlin", ""),
        ("UTC", ""),
        ("Nowhere", "unknown time zone Nowhere"),
        ("Europe/../UTC", "unknown time zone Europe/../UTC"),
        ("a..b", "time: invalid location name"),
    ],
)
def test_a_time_zone_is_known_by_its_name(zone, problem):
    assert zone_problem(zone) == problem


@pytest.mark.parametrize(
    ("indexes", "problem"),
    [
        ("0,2-4", None),
        ("2,1", "error parsing succeededIndexes: non-increasing order, previous: 2, current: 1"),
        ("7", 'error parsing succeededIndexes: too large index: "7"'),
        ("x", 'error parsing succeededIndexes: cannot convert string to integer for index: "x"'),
    ],
)
def test_indexes_of_success_rise_and_stay_below_the_completions(indexes, problem):
    policy = {"rules": [{"succeededIndexes": indexes}]}
    spec = {"completionMode": "Indexed", "completions": 5, "successPolicy": policy}
    found = validate_success_policy(spec, Path("spec.successPolicy"))
    assert [error.detail for error in found] == ([problem] if problem else [])
