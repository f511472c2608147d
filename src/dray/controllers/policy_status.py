"""Writes into the status of admission policies what the types of the kinds have against their expressions."""

import functools
from collections.abc import Mapping
from typing import ClassVar

from dray.api import resources
from dray.api.meta import Object, ObjectKey
from dray.api.resources import VALIDATING_ADMISSION_POLICIES, Resource
from dray.api.schema import schema_for
from dray.client.protocol import PatchType
from dray.controllers.base import Context, Controller


class PolicyStatus(Controller):
    name: ClassVar[str] = "validatingadmissionpolicy-status-controller"
    workers: ClassVar[int] = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.policies = self.informer(VALIDATING_ADMISSION_POLICIES)
        self.policies.add_handler(on_add=self._enqueue, on_update=lambda _, new: self._enqueue(new))

    async def sync(self, key: ObjectKey) -> None:
        policy = self.policies.cache.get(key)
        if policy is None or _is_checked(policy):
            return
        # Here: the compiler takes long to import, and many clusters have no policies.
        from dray.cel.admission.advice import expression_warnings

        warnings = expression_warnings(policy, _kind_of)
        status: Object = {
            "observedGeneration": policy["metadata"]["generation"],
            "typeChecking": {"expressionWarnings": warnings} if warnings else {},
        }
        applied = {
            "apiVersion": VALIDATING_ADMISSION_POLICIES.api_version,
            "kind": VALIDATING_ADMISSION_POLICIES.kind,
            "metadata": {"name": key.name},
            "status": status,
        }
        updated = await self.client.patch(
            VALIDATING_ADMISSION_POLICIES,
            key.name,
            applied,
            patch_type=PatchType.APPLY,
            subresource="status",
            field_manager=self.name,
            force=True,
        )
        await self.policies.wait_seen(updated)


def _is_checked(policy: Object) -> bool:
    observed: int = (policy.get("status") or {}).get("observedGeneration") or 0
    return observed == int(policy["metadata"].get("generation") or 0)


def _kind_of(group: str, version: str, plural: str) -> str:
    kind = _kinds().get((group, plural), "")
    api_version = f"{group}/{version}" if group else version
    return kind if kind and schema_for(api_version, kind) is not None else ""


@functools.cache
def _kinds() -> Mapping[tuple[str, str], str]:
    known = (each for each in vars(resources).values() if isinstance(each, Resource))
    return {(each.group, each.plural): each.kind for each in known}
