"""The state of a job: what it may be at all, and how it may go on from the stored one.

Most rules are asked only where what they speak of changes, so that a state that broke one before can still be worked with.
"""

import dataclasses
from typing import Any, Final

from dray.api.fields import OMIT, FieldError, Path, duplicate, invalid, required
from dray.api.meta import Object
from dray.api.pods import condition_status
from dray.api.validation.core.job_indexes import UnreadableIndexes, common_index, count_indexes
from dray.api.validation.core.workload_forms import FORMS
from dray.api.validation.core.workload_parts import not_negative
from dray.api.validation.sameness import same

_STATUS: Final = Path("status")
_CONDITIONS: Final = _STATUS.child("conditions")
_LISTS: Final = ("succeeded", "failed")
_FIXED: Final = "field is immutable"


@dataclasses.dataclass(frozen=True, slots=True)
class _State:
    """Which conditions hold for a job, and what its state says beside."""

    complete: bool
    failed: bool
    failing: bool
    succeeding: bool
    status: Object

    @property
    def finished(self) -> bool:
        return self.complete or self.failed


def _state(job: Object) -> _State:
    complete, failed, failing, succeeding = (
        condition_status(job, kind) == "True"
        for kind in ("Complete", "Failed", "FailureTarget", "SuccessCriteriaMet")
    )
    return _State(complete, failed, failing, succeeding, job.get("status") or {})


def validate_job_status(new: Object, old: Object) -> list[FieldError]:
    state, before = _state(new), _state(old)
    spec = new.get("spec") or {}
    return [
        *not_negative(state.status, ("active", "succeeded", "failed", "ready", "terminating"), _STATUS),
        *_validate_uncounted(state.status.get("uncountedTerminatedPods") or {}),
        *_validate_end(state, before),
        *_validate_pods_at_end(state, before, spec),
        *_validate_indexes(state.status, before.status, spec),
        *_validate_counts(state, before),
        *_validate_success(state, spec),
        *_validate_transition(new, old, state, before),
    ]


def _validate_uncounted(uncounted: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for field in _LISTS:
        for index, uid in enumerate(uncounted.get(field) or ()):
            at = _STATUS.child("uncountedTerminatedPods", field).index(index)
            if not uid:
                errors.append(invalid(at, "", "must not be empty"))
            elif uid in seen:
                errors.append(duplicate(at, uid))
            seen.add(uid)
    return errors


def _validate_end(state: _State, before: _State) -> list[FieldError]:
    """Of being complete and failed, of times, and of what precedes each."""
    complete, failed = state.complete != before.complete, state.failed != before.failed
    started, completed = (state.status.get(field) for field in ("startTime", "completionTime"))
    restarted = started != before.status.get("startTime")
    recompleted = completed != before.status.get("completionTime")
    at = _STATUS.child("completionTime")
    errors: list[FieldError] = []
    if (complete or failed) and state.complete and state.failed:
        errors.append(_wrong("cannot set Complete=True and Failed=true conditions"))
    if (complete or state.failing != before.failing) and state.complete and state.failing:
        errors.append(_wrong("cannot set Complete=True and FailureTarget=true conditions"))
    if (complete or recompleted) and completed is not None and not state.complete:
        text = "cannot set completionTime when there is no Complete=True condition"
        errors.append(invalid(at, completed, text))
    if (complete or recompleted) and completed is None and state.complete:
        errors.append(required(at, "completionTime is required for Complete jobs"))
    if (restarted or recompleted) and started and completed and completed < started:
        errors.append(invalid(at, completed, "must be equal to or after `startTime`"))
    reindexed = state.status.get("failedIndexes") != before.status.get("failedIndexes")
    if (failed or reindexed) and state.failed and not state.failing:
        errors.append(_wrong("cannot set Failed=True condition without the FailureTarget=true condition"))
    if (complete or state.succeeding != before.succeeding) and state.complete and not state.succeeding:
        text = "cannot set Complete=True condition without the SuccessCriteriaMet=true condition"
        errors.append(_wrong(text))
    return errors


def _validate_pods_at_end(state: _State, before: _State, spec: Object) -> list[FieldError]:
    status, was = state.status, before.status
    ended = state.finished != before.finished
    errors: list[FieldError] = []
    if not state.finished:
        return errors
    active = status.get("active") or 0
    if (ended or active != (was.get("active") or 0)) and active > 0:
        errors.append(invalid(_STATUS.child("active"), active, "active>0 is invalid for finished job"))
    rests = spec.get("suspend") is True and spec.get("completions") == 0
    started = status.get("startTime")
    if (ended or started != was.get("startTime")) and not rests and started is None:
        errors.append(required(_STATUS.child("startTime"), "startTime is required for finished job"))
    field = "uncountedTerminatedPods"
    uncounted = status.get(field)
    if (ended or not same(uncounted, was.get(field))) and any((uncounted or {}).get(one) for one in _LISTS):
        shown = FORMS.show("UncountedTerminatedPods", uncounted)
        errors.append(invalid(_STATUS.child(field), shown, "must be empty for finished job"))
    return errors


def _validate_indexes(status: Object, was: Object, spec: Object) -> list[FieldError]:
    completed, failed = status.get("completedIndexes") or "", status.get("failedIndexes")
    recompleted, refailed = (
        completed != (was.get("completedIndexes") or ""),
        failed != was.get("failedIndexes"),
    )
    completions, per_index = spec.get("completions"), spec.get("backoffLimitPerIndex")
    at, failed_at = _STATUS.child("completedIndexes"), _STATUS.child("failedIndexes")
    errors: list[FieldError] = []
    if recompleted and completions is not None:
        errors += _read(completed, completions, at, "completedIndexes")
    if refailed and completions is not None and per_index is not None and failed is not None:
        errors += _read(failed, completions, failed_at, "failedIndexes")
    if recompleted and completed and spec.get("completionMode") != "Indexed":
        text = "cannot set non-empty completedIndexes when non-indexed completion mode"
        errors.append(invalid(at, completed, text))
    if refailed and per_index is None and failed is not None:
        text = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
        errors.append(invalid(failed_at, failed, text))
    if (refailed or recompleted) and completions is not None and failed is not None:
        both = common_index(completed, failed, completions)
        if both is not None:
            text = f"failedIndexes and completedIndexes overlap at index: {both}"
            errors.append(invalid(failed_at, failed, text))
    return errors


def _read(text: str, completions: int, path: Path, field: str) -> list[FieldError]:
    try:
        count_indexes(text, completions)
    except UnreadableIndexes as error:
        return [invalid(path, text, f"error parsing {field}: {error}")]
    return []


def _validate_counts(state: _State, before: _State) -> list[FieldError]:
    status, was = state.status, before.status
    terminating, ready, active = status.get("terminating"), status.get("ready"), status.get("active") or 0
    errors: list[FieldError] = []
    changed = state.finished != before.finished or terminating != was.get("terminating")
    if changed and state.finished and (terminating or 0) > 0:
        text = "terminating>0 is invalid for finished job"
        errors.append(invalid(_STATUS.child("terminating"), terminating, text))
    changed = ready != was.get("ready") or active != (was.get("active") or 0)
    if changed and ready is not None and ready > active:
        errors.append(invalid(_STATUS.child("ready"), ready, "cannot set more ready pods than active"))
    return errors


def _validate_success(state: _State, spec: Object) -> list[FieldError]:
    """That it has succeeded is known before it is complete."""
    errors: list[FieldError] = []
    if state.succeeding and state.failed:
        errors.append(_wrong("cannot set SuccessCriteriaMet=True and Failed=true conditions"))
    if state.succeeding and state.failing:
        errors.append(_wrong("cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"))
    if spec.get("successPolicy") is not None and not state.succeeding and state.complete:
        text = "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True"
        errors.append(_wrong(text))
    return errors


def _validate_transition(new: Object, old: Object, state: _State, before: _State) -> list[FieldError]:
    errors = [
        _wrong(f"cannot disable the terminal {kind}=True condition")
        for kind, was, holds in (
            ("Failed", before.failed, state.failed),
            ("Complete", before.complete, state.complete),
            ("FailureTarget", before.failing, state.failing),
        )
        if was and not holds
    ]
    spec = new.get("spec") or {}
    is_indexed = spec.get("completionMode") == "Indexed"
    may_shrink = is_indexed and spec.get("completions") == spec.get("parallelism")
    for field in ("failed",) if may_shrink else ("failed", "succeeded"):
        value: Any = state.status.get(field) or 0
        if value < (before.status.get(field) or 0):
            errors.append(invalid(_STATUS.child(field), value, f"cannot decrease the {field} counter"))
    errors += _validate_times(new, old, state, before)
    if before.succeeding and not state.succeeding:
        errors.append(_wrong("cannot disable the SuccessCriteriaMet=True condition"))
    if before.complete and not before.succeeding and state.succeeding:
        text = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions"
        errors.append(_wrong(text))
    return errors


def _validate_times(new: Object, old: Object, state: _State, before: _State) -> list[FieldError]:
    errors: list[FieldError] = []
    completed, was = (one.status.get("completionTime") for one in (state, before))
    if completed is not None and was is not None and completed != was:
        errors.append(invalid(_STATUS.child("completionTime"), completed, _FIXED))
    started, began = (one.status.get("startTime") for one in (state, before))
    resumes = condition_status(old, "Suspended") == "True" and condition_status(new, "Suspended") == "False"
    is_suspended = (new.get("spec") or {}).get("suspend") is True
    if began is not None and started != began and not is_suspended and not resumes:
        text = "field is immutable for unsuspended job once set"
        errors.append(invalid(_STATUS.child("startTime"), started, text))
    return errors


def _wrong(text: str) -> FieldError:
    """Of the conditions together."""
    return invalid(_CONDITIONS, OMIT, text)
