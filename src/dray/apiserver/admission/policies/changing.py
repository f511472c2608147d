"""Applying mutating policies to a write: which are meant, what they make of the object, and what they have against it.

Source: kubernetes apiserver/pkg/admission/plugin/policy/{generic/policy_dispatcher,mutating/dispatcher}.go, 1.36.
"""

import functools
from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

from dray.api import errors
from dray.api.meta import Object, clone, name_of, namespace_of
from dray.apiserver.admission.conditions import MatchFault
from dray.apiserver.admission.matching import BadCriteria
from dray.apiserver.admission.policies.application import shown_name
from dray.apiserver.admission.policies.binding import BadBinding, BadPolicy, Binding, param_kind
from dray.apiserver.admission.policies.mutation import MutatingPolicy, MutationFault, mutated
from dray.apiserver.admission.policies.patience import patiently
from dray.apiserver.admission.view import Form, View

PLUGIN = "policies"
"""Under which name the second round is told what this plugin saw in the first."""


class Fault(NamedTuple):
    """What stands in the way of one policy, under one binding if it came that far."""

    policy: MutatingPolicy
    binding: Binding | None
    why: str
    reason: str = "Forbidden"

    @property
    def message(self) -> str:
        name = self.policy.terms.name
        by = f"policy '{name}' with binding '{self.binding.name}'" if self.binding else f'policy "{name}"'
        return f"{by} denied request: {self.why}"


class Invocation(NamedTuple):
    """A policy under a binding, with one of its parameters, on the object in one of its forms."""

    policy: MutatingPolicy
    binding: Binding
    form: Form
    param: Object | None

    @property
    def key(self) -> Hashable:
        param = (namespace_of(self.param), name_of(self.param)) if self.param is not None else ("", "")
        return self.policy.terms.name, self.binding.name, param


async def change(bound: Sequence[tuple[MutatingPolicy, list[Binding]]], view: View) -> None:
    """Raises Forbidden where a policy that is to fail cannot be applied; what the others made stays made."""
    faults: list[Fault] = []
    invocations: list[Invocation] = []
    for policy, bindings in bound:
        for found in _invocations(policy, bindings, view):
            if isinstance(found, Fault):
                faults.append(found)
            else:
                invocations.append(found)
    if invocations:
        faults += await _invoke(invocations, view)
    if failed := [fault for fault in faults if fault.policy.terms.fails]:
        raise _refused(failed, view)


def _invocations(
    policy: MutatingPolicy, bindings: Sequence[Binding], view: View
) -> Iterator[Invocation | Fault]:
    terms = policy.terms
    try:
        form = terms.criteria.match(view)
        if form is None:
            return
        kind = param_kind(terms, view.request.call.core)
    except (BadCriteria, BadPolicy) as error:
        yield Fault(policy, None, f"failed to configure policy: {error}")
        return
    for binding in bindings:
        try:
            if binding.criteria.match(view) is None:
                continue
            params = binding.params(terms, kind, view)
        except (BadCriteria, BadBinding) as error:
            yield Fault(policy, binding, f"failed to configure binding: {error}")
            continue
        for param in params:
            yield Invocation(policy, binding, form, param)


async def _invoke(invocations: Sequence[Invocation], view: View) -> list[Fault]:
    rounds = view.request.reinvocation
    applied = rounds.of(PLUGIN)
    rounds.begins(applied, view.request.object)
    faults: list[Fault] = []
    has_written = False
    for invocation in invocations:
        policy, form = invocation.policy, invocation.form
        try:
            if not await patiently(view, form, invocation.param, policy.is_meant):
                continue
        except MatchFault as fault:
            faults.append(Fault(policy, invocation.binding, str(fault), "Invalid"))
            continue
        if rounds.skips(applied, invocation.key):
            continue
        before = view.object(form)
        failed = await _mutate(invocation, view)
        faults += failed
        has_written = has_written or len(failed) < len(policy.mutations)
        if before != view.object(form):
            rounds.changed(applied)
        if policy.is_reinvoked:
            applied.saw(invocation.key)
    if has_written and view.request.object is not None:
        # Whatever was written, even if nothing came of it, upstream takes for a change.
        rounds.changed(applied)
    rounds.ends(applied, view.request.object)
    return faults


async def _mutate(invocation: Invocation, view: View) -> list[Fault]:
    """One mutation after the other, each on what those before it made; one that fails leaves the object alone."""
    policy, form = invocation.policy, invocation.form
    faults: list[Fault] = []
    for mutation in policy.mutations:
        obj = view.object(form)
        if obj is None:
            continue
        evaluate = functools.partial(policy.evaluate, mutation)
        try:
            value = await patiently(view, form, invocation.param, evaluate)
            made = mutated(mutation, value, obj, form.type)
        except MutationFault as fault:
            faults.append(Fault(policy, invocation.binding, str(fault), "Invalid"))
            continue
        view.replace(clone(made), form)
    return faults


def _refused(faults: Sequence[Fault], view: View) -> errors.StatusError:
    """In the form of a Forbidden, with the first fault's reason and the messages of all."""
    first = faults[0]
    forbidden = errors.forbidden(view.asked.group, view.asked.plural, shown_name(view), first.message)
    causes = [{"message": fault.message} for fault in faults]
    return errors.StatusError(
        first.message, details={**(forbidden.details or {}), "causes": causes}, code=403, reason=first.reason
    )
