"""Makes the ResourceClaims that pods ask for by template, and reserves allocated claims for pods placed by hand.

The pod learns the names through one server-side apply of status.resourceClaimStatuses. Where an entry means a claim of
the pod's group, none is made for the pod: it learns the name of the group's as soon as that exists (`group_claims`).
Source: kubernetes pkg/controller/resourceclaim, 1.36.
"""

from typing import ClassVar

from dray.api import errors
from dray.api.meta import Object, ObjectKey, is_deleting, name_of, namespace_of, replace_at, uid_of
from dray.api.pod_groups import (
    CLAIMS_GATE,
    group_consumer,
    group_key,
    is_group_claim,
    may_use,
    ownership_problem,
    pod_groups_in,
)
from dray.api.pods import PodClaim, claim_keys_of, claims_of, is_done_with_claims
from dray.api.resources import PODS, RESOURCE_CLAIMS
from dray.controllers.base import GROUP_INDEX, Context, Controller, index_by_group
from dray.controllers.generated_claims import GeneratedClaims, TemplateError, claim_status, creation_failure

CLAIM_INDEX = "claims"
TEMPLATE_INDEX = "templates"


class ClaimTemplates(Controller):
    name: ClassVar[str] = "resource-claim-controller"
    component: ClassVar[str] = "resource_claim"
    workers: ClassVar[int] = 10

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.pods = self.informer(PODS)
        self.made = GeneratedClaims(self, PODS)
        self.claims = self.made.claims
        self.with_groups = context.features.enabled(CLAIMS_GATE)
        self.groups = self.informer(pod_groups_in(context.features)) if self.with_groups else None
        self.pods.add_index(CLAIM_INDEX, lambda pod: [str(key) for key in claim_keys_of(pod)])
        self.pods.add_index(TEMPLATE_INDEX, _template_keys)
        self.pods.add_handler(on_add=self._consider, on_update=lambda _, pod: self._consider(pod))
        self.claims.add_handler(
            on_add=self._consider_users,
            on_update=lambda _, new: self._consider_users(new),
            on_delete=self._consider_users,
        )
        self.made.templates.add_handler(
            on_add=self._consider_template_users, on_update=lambda _, new: self._consider_template_users(new)
        )
        if self.groups is not None:
            index_by_group(self.pods)
            self.groups.add_handler(
                on_add=self._consider_members, on_update=lambda _, new: self._consider_members(new)
            )

    def _consider(self, pod: Object) -> None:
        if pod["spec"].get("resourceClaims") and not is_deleting(pod) and not is_done_with_claims(pod):
            self._enqueue(pod)

    def _consider_users(self, claim: Object) -> None:
        for pod in self.pods.cache.by_index(CLAIM_INDEX, f"{namespace_of(claim)}/{name_of(claim)}"):
            self._consider(pod)

    def _consider_template_users(self, template: Object) -> None:
        for pod in self.pods.cache.by_index(TEMPLATE_INDEX, f"{namespace_of(template)}/{name_of(template)}"):
            self._consider(pod)

    def _consider_members(self, group: Object) -> None:
        for pod in self.pods.cache.by_index(GROUP_INDEX, f"{namespace_of(group)}/{name_of(group)}"):
            self._consider(pod)

    async def sync(self, key: ObjectKey) -> None:
        pod = self.pods.cache.get(key)
        if pod is None or is_deleting(pod) or is_done_with_claims(pod):
            return
        group, belongs = None, group_key(pod)
        if self.groups is not None and belongs is not None:
            group = self.groups.cache.get(belongs)
            if group is None:
                # Which claims are the group's is not known before it is there.
                return
        await self._generate_missing(pod, group)
        if pod["spec"].get("nodeName"):
            await self._reserve_for_placed(pod, group)

    async def _generate_missing(self, pod: Object, group: Object | None) -> None:
        made: dict[str, str] = {}
        for entry in claims_of(pod):
            if entry.template is None or self._is_present(pod, entry):
                continue
            if group is not None and _is_of_group(entry, group):
                if (name := self.made.find(group, entry.name)) is not None:
                    made[entry.name] = name
                continue
            try:
                made[entry.name] = await self.made.find_or_create(pod, entry.name, entry.template)
            except (errors.StatusError, TemplateError) as error:
                message = creation_failure(entry.name, error, "PodResourceClaim")
                self.recorder.event(pod, "Warning", "FailedResourceClaimCreation", message)
                if isinstance(error, TemplateError):
                    raise errors.NotFound(str(error)) from error
                raise
        if made:
            await self._report(pod, made)

    def _is_present(self, pod: Object, entry: PodClaim) -> bool:
        if not entry.is_resolved:
            return False
        if entry.claim is None:
            return True
        claim = self.claims.cache.find(entry.claim, namespace_of(pod))
        return claim is not None and self._is_for(pod, claim)

    def _is_for(self, pod: Object, claim: Object) -> bool:
        return not ownership_problem(claim, pod, with_groups=self.with_groups)

    async def _report(self, pod: Object, made: dict[str, str]) -> None:
        statuses = [
            claim_status(entry.name, name)
            for entry in claims_of(pod)
            if (name := made.get(entry.name, entry.claim)) or entry.is_resolved
            if entry.template is not None
        ]
        await self.pods.wait_seen(await self.made.report(pod, statuses))

    async def _reserve_for_placed(self, pod: Object, group: Object | None) -> None:
        """Such pods never met the scheduler, and the kubelet starts none whose claims are not reserved for it."""
        for entry in claims_of(pod):
            claim = self.claims.cache.find(entry.claim or "", namespace_of(pod))
            if (
                claim is None
                or may_use(claim, pod, with_groups=self.with_groups)
                or not (claim.get("status") or {}).get("allocation")
            ):
                continue
            if entry.template is not None and not self._is_for(pod, claim):
                continue
            reference: Object = {"resource": "pods", "name": name_of(pod), "uid": uid_of(pod)}
            if group is not None and _is_of_group(entry, group):
                reference = group_consumer(group)
            reserved = [*(claim["status"].get("reservedFor") or ()), reference]
            await self.client.update(
                RESOURCE_CLAIMS, replace_at(claim, ("status", "reservedFor"), reserved), subresource="status"
            )


def _is_of_group(entry: PodClaim, group: Object) -> bool:
    name = None if entry.template is not None else entry.claim
    reference = {"name": entry.name, "resourceClaimName": name, "resourceClaimTemplateName": entry.template}
    return is_group_claim(reference, group)


def _template_keys(pod: Object) -> list[str]:
    return [f"{namespace_of(pod)}/{claim.template}" for claim in claims_of(pod) if claim.template]
