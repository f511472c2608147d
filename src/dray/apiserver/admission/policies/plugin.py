"""The admission plugin that applies validating policies, with what it costs where there are none: a comparison."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dray.api.meta import Object
from dray.api.resources import VALIDATING_ADMISSION_POLICIES, VALIDATING_ADMISSION_POLICY_BINDINGS
from dray.apiserver.admission.configured import Stored
from dray.apiserver.admission.policies.binding import Binding
from dray.apiserver.admission.view import View
from dray.apiserver.core import AdmissionRequest
from dray.store.backend import Store

if TYPE_CHECKING:
    from dray.apiserver.admission.policies.policy import Policy


class PolicyAdmission:
    """Refuses, warns and notes as the stored policies say."""

    def __init__(self) -> None:
        self._policies = Stored(VALIDATING_ADMISSION_POLICIES, _compile)
        self._bindings = Stored(VALIDATING_ADMISSION_POLICY_BINDINGS, Binding.of)
        self._seen = (-1, -1)
        self._bound: list[tuple[Policy, list[Binding]]] = []

    async def mutate(self, request: AdmissionRequest) -> None:
        return None

    async def validate(self, request: AdmissionRequest) -> None:
        bound = self._in_force(request.call.core.store)
        if not bound:
            return
        view = View(request)
        if view.is_exempt:
            return
        from dray.apiserver.admission.policies.application import apply_policies

        await apply_policies(bound, view)

    def _in_force(self, store: Store) -> "Sequence[tuple[Policy, list[Binding]]]":
        """The policies that are bound at all, each with its bindings, by name."""
        bindings = self._bindings.current(store)
        if not bindings:
            return ()
        policies = self._policies.current(store)
        seen = self._policies.changes, self._bindings.changes
        if seen != self._seen:
            by_policy: dict[str, list[Binding]] = {}
            for binding in bindings:
                by_policy.setdefault(binding.policy, []).append(binding)
            self._bound = [(each, by_policy[each.name]) for each in policies if each.name in by_policy]
            self._seen = seen
        return self._bound


def _compile(obj: Object) -> "Policy":
    # Here: the compiler takes long to import, and many clusters have no policies.
    from dray.apiserver.admission.policies.policy import Policy

    return Policy.compile(obj)
