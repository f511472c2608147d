"""The admission plugins that apply policies, with what they cost where there are none: a comparison."""

from typing import TYPE_CHECKING

from dray.api.meta import Object
from dray.api.resources import (
    MUTATING_ADMISSION_POLICIES,
    MUTATING_ADMISSION_POLICY_BINDINGS,
    VALIDATING_ADMISSION_POLICIES,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
)
from dray.apiserver.admission.policies.bound import BoundPolicies
from dray.apiserver.admission.view import View
from dray.apiserver.core import AdmissionRequest

if TYPE_CHECKING:
    from dray.apiserver.admission.policies.mutation import MutatingPolicy
    from dray.apiserver.admission.policies.policy import Policy


class PolicyAdmission:
    """Refuses, warns and notes as the stored policies say."""

    def __init__(self) -> None:
        self._policies = BoundPolicies(
            VALIDATING_ADMISSION_POLICIES, VALIDATING_ADMISSION_POLICY_BINDINGS, _compile
        )

    async def mutate(self, request: AdmissionRequest) -> None:
        return None

    async def validate(self, request: AdmissionRequest) -> None:
        bound = self._policies.in_force(request.call.core.store)
        if not bound:
            return
        view = View(request)
        if view.is_exempt:
            return
        from dray.apiserver.admission.policies.application import apply_policies

        await apply_policies(bound, view)


class PolicyMutation:
    """Changes what is written as the stored policies say; what is deleted has nothing to change."""

    def __init__(self) -> None:
        self._policies = BoundPolicies(
            MUTATING_ADMISSION_POLICIES, MUTATING_ADMISSION_POLICY_BINDINGS, _compile_mutating
        )

    async def mutate(self, request: AdmissionRequest) -> None:
        bound = self._policies.in_force(request.call.core.store)
        if not bound or request.operation == "DELETE":
            return
        view = View(request)
        if view.is_exempt:
            return
        from dray.apiserver.admission.policies.changing import change

        await change(bound, view)

    async def validate(self, request: AdmissionRequest) -> None:
        return None


def _compile(obj: Object) -> "Policy":
    # Here: the compiler takes long to import, and many clusters have no policies.
    from dray.apiserver.admission.policies.policy import Policy

    return Policy.compile(obj)


def _compile_mutating(obj: Object) -> "MutatingPolicy":
    from dray.apiserver.admission.policies.mutation import MutatingPolicy

    return MutatingPolicy.compile(obj)
