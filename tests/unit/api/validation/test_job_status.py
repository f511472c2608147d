"""The state of a job: what it may be, and how it may go on, in the words of kube-apiserver 1.36.2."""

import pytest

from dray.api.meta import Object
from dray.api.validation.core.job_status import validate_job_status

START, END, BEFORE = "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z", "2025-01-01T00:00:00Z"
PLAIN: Object = {"completionMode": "NonIndexed", "completions": 3, "parallelism": 1}
INDEXED: Object = {"completionMode": "Indexed", "completions": 3, "parallelism": 1, "backoffLimitPerIndex": 1}
CONDITIONS = "status.conditions: Invalid value: "
RUNNING: Object = {"startTime": START, "active": 1, "ready": 1}


def holding(*kinds: str, **status: object) -> Object:
    return {"startTime": START, **status, "conditions": [{"type": kind, "status": "True"} for kind in kinds]}


COMPLETE = holding("SuccessCriteriaMet", "Complete", completionTime=END)
FAILED = holding("FailureTarget", "Failed")


def told(new: Object, old: Object | None = None, spec: Object = PLAIN) -> list[str]:
    before = {"spec": spec, "status": old if old is not None else {}}
    return [str(error) for error in validate_job_status({"spec": spec, "status": new}, before)]


@pytest.mark.parametrize("status", [RUNNING, COMPLETE, FAILED, {}])
def test_a_job_that_runs_or_has_ended_is_taken(status: Object) -> None:
    assert told(status) == []


@pytest.mark.parametrize(
    ("status", "finding"),
    [
        (holding("Complete", "Failed", "FailureTarget", "SuccessCriteriaMet", completionTime=END),
         "cannot set Complete=True and Failed=true conditions"),
        (holding("Complete", "FailureTarget", "SuccessCriteriaMet", completionTime=END),
         "cannot set Complete=True and FailureTarget=true conditions"),
        (holding("Failed"), "cannot set Failed=True condition without the FailureTarget=true condition"),
        (holding("Complete", completionTime=END),
         "cannot set Complete=True condition without the SuccessCriteriaMet=true condition"),
        (holding("SuccessCriteriaMet", "FailureTarget"),
         "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"),
        (holding("SuccessCriteriaMet", "Failed", "FailureTarget"),
         "cannot set SuccessCriteriaMet=True and Failed=true conditions"),
    ],
)  # fmt: skip
def test_conditions_of_a_job_go_together(status: Object, finding: str) -> None:
    assert CONDITIONS + finding in told(status)


@pytest.mark.parametrize(
    ("status", "finding"),
    [
        ({**COMPLETE, "completionTime": None},
         "status.completionTime: Required value: completionTime is required for Complete jobs"),
        ({**RUNNING, "completionTime": END},
         f'status.completionTime: Invalid value: "{END}": cannot set completionTime when there is no Complete=True '
         "condition"),
        ({**COMPLETE, "completionTime": BEFORE},
         f'status.completionTime: Invalid value: "{BEFORE}": must be equal to or after `startTime`'),
        ({**COMPLETE, "startTime": None},
         "status.startTime: Required value: startTime is required for finished job"),
        ({**COMPLETE, "active": 1}, "status.active: Invalid value: 1: active>0 is invalid for finished job"),
        ({**FAILED, "terminating": 2},
         "status.terminating: Invalid value: 2: terminating>0 is invalid for finished job"),
        ({**FAILED, "uncountedTerminatedPods": {"failed": ["u"]}},
         'status.uncountedTerminatedPods: Invalid value: {"Succeeded":null,"Failed":["u"]}: must be empty for finished job'),
        ({**RUNNING, "ready": 2}, "status.ready: Invalid value: 2: cannot set more ready pods than active"),
        ({"active": -1}, "status.active: Invalid value: -1: must be greater than or equal to 0"),
        ({"uncountedTerminatedPods": {"succeeded": ["u"], "failed": ["u"]}},
         'status.uncountedTerminatedPods.failed[0]: Duplicate value: "u"'),
        ({"uncountedTerminatedPods": {"succeeded": [""]}},
         'status.uncountedTerminatedPods.succeeded[0]: Invalid value: "": must not be empty'),
    ],
)  # fmt: skip
def test_times_and_counts_fit_the_conditions(status: Object, finding: str) -> None:
    assert finding in told(status)


def test_what_was_wrong_before_and_stays_is_not_told_again() -> None:
    wrong = {**COMPLETE, "active": 1, "completionTime": BEFORE}
    assert len(told(wrong)) == 2
    assert told(wrong, wrong) == []


@pytest.mark.parametrize(
    ("status", "spec", "finding"),
    [
        ({"completedIndexes": "0"}, PLAIN,
         'status.completedIndexes: Invalid value: "0": cannot set non-empty completedIndexes when non-indexed '
         "completion mode"),
        ({"failedIndexes": "0"}, {**INDEXED, "backoffLimitPerIndex": None},
         'status.failedIndexes: Invalid value: "0": cannot set non-null failedIndexes when backoffLimitPerIndex is null'),
        ({"completedIndexes": "1,0"}, INDEXED,
         'status.completedIndexes: Invalid value: "1,0": error parsing completedIndexes: non-increasing order, '
         "previous: 1, current: 0"),
        ({"failedIndexes": "3"}, INDEXED,
         'status.failedIndexes: Invalid value: "3": error parsing failedIndexes: too large index: "3"'),
        ({"completedIndexes": "0-1", "failedIndexes": "1,2"}, INDEXED,
         'status.failedIndexes: Invalid value: "1,2": failedIndexes and completedIndexes overlap at index: 1'),
    ],
)  # fmt: skip
def test_indexes_are_those_of_the_job(status: Object, spec: Object, finding: str) -> None:
    assert told(status, spec=spec) == [finding]


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        (FAILED, holding("FailureTarget"),
         "status.conditions: Invalid value: cannot disable the terminal Failed=True condition"),
        (holding("FailureTarget"), RUNNING,
         "status.conditions: Invalid value: cannot disable the terminal FailureTarget=True condition"),
        (holding("SuccessCriteriaMet"), RUNNING,
         "status.conditions: Invalid value: cannot disable the SuccessCriteriaMet=True condition"),
        ({**RUNNING, "failed": 2}, {**RUNNING, "failed": 1},
         "status.failed: Invalid value: 1: cannot decrease the failed counter"),
        ({**RUNNING, "succeeded": 2}, RUNNING,
         "status.succeeded: Invalid value: 0: cannot decrease the succeeded counter"),
        (RUNNING, {**RUNNING, "startTime": END},
         f'status.startTime: Invalid value: "{END}": field is immutable for unsuspended job once set'),
        (COMPLETE, {**COMPLETE, "completionTime": "2026-01-01T02:00:00Z"},
         'status.completionTime: Invalid value: "2026-01-01T02:00:00Z": field is immutable'),
    ],
)  # fmt: skip
def test_a_job_does_not_go_back(old: Object, new: Object, finding: str) -> None:
    assert finding in told(new, old)


def test_an_indexed_job_that_shrinks_may_have_fewer_successes() -> None:
    elastic = {"completionMode": "Indexed", "completions": 1, "parallelism": 1}
    assert told(RUNNING, {**RUNNING, "succeeded": 2}, elastic) == []


@pytest.mark.parametrize("states", [("True", "False"), ("False", "False")])
def test_only_a_job_that_resumes_starts_anew(states: tuple[str, str]) -> None:
    was, now = ({**RUNNING, "conditions": [{"type": "Suspended", "status": state}]} for state in states)
    assert bool(told({**now, "startTime": END}, was)) is (states[0] == "False")
    assert told({**now, "startTime": END}, was, {**PLAIN, "suspend": True}) == []
