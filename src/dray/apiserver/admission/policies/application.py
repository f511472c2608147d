"""Applying validating policies to a write: which are meant, what they have against it, and what follows.

Source: kubernetes apiserver/pkg/admission/plugin/policy/validating/dispatcher.go, 1.36.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Final

from dray.api import errors
from dray.apiserver.admission.matching import BadCriteria
from dray.apiserver.admission.policies.binding import BadBinding, BadPolicy, Binding, param_kind
from dray.apiserver.admission.policies.patience import patiently
from dray.apiserver.admission.policies.policy import Denial, Policy, Verdict
from dray.apiserver.admission.view import View
from dray.kits import go_json

FAILURE_ANNOTATION: Final = "validation.policy.admission.k8s.io/validation_failure"
_CODES: Final = {"Forbidden": 403, "Unauthorized": 401, "RequestEntityTooLarge": 413, "Invalid": 422}


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """What one policy, under one binding if it came that far, has against the write."""

    policy: Policy
    binding: Binding | None
    denial: Denial

    @property
    def message(self) -> str:
        by = f"with binding '{self.binding.name}' " if self.binding else ""
        return (
            f"ValidatingAdmissionPolicy '{self.policy.terms.name}' {by}denied request: {self.denial.message}"
        )


async def apply_policies(bound: Sequence[tuple[Policy, list[Binding]]], view: View) -> None:
    """Raises what the first refusal says; all policies are asked, since each may warn and note."""
    refusals: list[Refusal] = []
    for policy, bindings in bound:
        refusals += await _apply(policy, bindings, view)
    if refusals:
        raise _refused(refusals[0], view)


async def _apply(policy: Policy, bindings: Sequence[Binding], view: View) -> list[Refusal]:
    try:
        form = policy.terms.criteria.match(view)
        if form is None:
            return []
        kind = param_kind(policy.terms, view.request.call.core)
    except (BadCriteria, BadPolicy) as error:
        return _misconfigured(policy, None, error)
    refusals: list[Refusal] = []
    notes: dict[str, list[str]] = {}
    for binding in bindings:
        try:
            if binding.criteria.match(view) is None:
                continue
            params = binding.params(policy.terms, kind, view)
        except (BadCriteria, BadBinding) as error:
            refusals += _misconfigured(policy, binding, error)
            continue
        for param in params:
            verdict = await patiently(view, form, param, policy.judge)
            refusals += _follow(policy, binding, verdict, view)
            _note(notes, verdict)
    for key, values in notes.items():
        view.request.call.annotations[f"{policy.terms.name}/{key}"] = ", ".join(values)
    return refusals


def _misconfigured(policy: Policy, binding: Binding | None, error: Exception) -> list[Refusal]:
    if not policy.terms.fails:
        return []
    what = "binding" if binding else "policy"
    return [Refusal(policy, binding, Denial(f"failed to configure {what}: {error}"))]


def _follow(policy: Policy, binding: Binding, verdict: Verdict, view: View) -> Iterator[Refusal]:
    """Do what the binding says about each denial; gives those that refuse the write."""
    call = view.request.call
    for denial in verdict.denials:
        if "Deny" in binding.actions:
            yield Refusal(policy, binding, denial)
        if "Warn" in binding.actions:
            what = f"ValidatingAdmissionPolicy '{policy.terms.name}' with binding '{binding.name}'"
            call.warnings.append(f"Validation failed for {what}: {denial.message}")
        if "Audit" in binding.actions:
            call.annotations.setdefault(FAILURE_ANNOTATION, _failure(policy, binding, denial))
    for fault in verdict.faults:
        yield Refusal(policy, binding, fault)


def _failure(policy: Policy, binding: Binding, denial: Denial) -> str:
    failure = {
        "message": denial.message,
        "policy": policy.terms.name,
        "binding": binding.name,
        "expressionIndex": denial.index,
        "validationActions": list(binding.actions),
    }
    return go_json.encode_text([failure])


def _note(notes: dict[str, list[str]], verdict: Verdict) -> None:
    for key, value in verdict.annotations:
        known = notes.setdefault(key, [])
        if value not in known:
            known.append(value)


def _refused(refusal: Refusal, view: View) -> errors.StatusError:
    """In the form of a Forbidden, but with the reason that the rule gives."""
    reason = refusal.denial.reason or "Invalid"
    forbidden = errors.forbidden(view.asked.group, view.asked.plural, shown_name(view), refusal.message)
    causes = [{"message": refusal.message}]
    return errors.StatusError(
        forbidden.message,
        details={**(forbidden.details or {}), "causes": causes},
        code=_CODES.get(reason, 422),
        reason=reason,
    )


def shown_name(view: View) -> str:
    """The name of the object as refusals give it."""
    meta = (view.request.object or {}).get("metadata") or {}
    return view.request.name or meta.get("name") or meta.get("generateName") or "Unknown"
