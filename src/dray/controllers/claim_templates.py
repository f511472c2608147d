"""Makes the ResourceClaims that pods ask for by template, and reserves allocated claims for pods placed by hand.

A generated claim belongs to its pod (controller reference) and carries the annotation that says which entry of
spec.resourceClaims it stands for; by that a claim whose creation outlived a crash is found again. The pod learns the
names through one server-side apply of status.resourceClaimStatuses.
Source: kubernetes pkg/controller/resourceclaim, 1.36.
"""

from typing import ClassVar

from dray.api import errors
from dray.api.meta import (
    Object,
    ObjectKey,
    annotations_of,
    is_deleting,
    name_of,
    namespace_of,
    owner_reference,
    replace_at,
    uid_of,
)
from dray.api.pods import (
    POD_CLAIM_ANNOTATION,
    PodClaim,
    claim_keys_of,
    claims_of,
    is_done_with_claims,
    is_for_pod,
    is_reserved_for,
)
from dray.api.resources import PODS, RESOURCE_CLAIM_TEMPLATES, RESOURCE_CLAIMS
from dray.client.protocol import PatchType
from dray.controllers.base import OWNER_INDEX, Context, Controller, index_by_owner

CLAIM_INDEX = "claims"
TEMPLATE_INDEX = "templates"
FIELD_MANAGER = "ResourceClaimController"
MAX_GENERATED_BASE = 57


class TemplateError(Exception):
    """A claim cannot be generated; the text is what the pod's event says."""


class ClaimTemplates(Controller):
    name: ClassVar[str] = "resource-claim-controller"
    component: ClassVar[str] = "resource_claim"
    workers: ClassVar[int] = 10

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.pods = self.informer(PODS)
        self.claims = index_by_owner(self.informer(RESOURCE_CLAIMS))
        self.templates = self.informer(RESOURCE_CLAIM_TEMPLATES)
        self.pods.add_index(CLAIM_INDEX, lambda pod: [str(key) for key in claim_keys_of(pod)])
        self.pods.add_index(TEMPLATE_INDEX, _template_keys)
        self.pods.add_handler(on_add=self._consider, on_update=lambda _, pod: self._consider(pod))
        self.claims.add_handler(
            on_add=self._consider_users,
            on_update=lambda _, new: self._consider_users(new),
            on_delete=self._consider_users,
        )
        self.templates.add_handler(
            on_add=self._consider_template_users, on_update=lambda _, new: self._consider_template_users(new)
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

    async def sync(self, key: ObjectKey) -> None:
        pod = self.pods.cache.get(key)
        if pod is None or is_deleting(pod) or is_done_with_claims(pod):
            return
        await self._generate_missing(pod)
        if pod["spec"].get("nodeName"):
            await self._reserve_for_placed(pod)

    async def _generate_missing(self, pod: Object) -> None:
        made: dict[str, str] = {}
        for entry in claims_of(pod):
            if entry.template is None or self._is_present(pod, entry):
                continue
            try:
                made[entry.name] = await self._find_or_create(pod, entry)
            except (errors.StatusError, TemplateError) as error:
                # The blank stands where Kubernetes would have a name that the server is still to make up.
                what = "create ResourceClaim : " if isinstance(error, errors.StatusError) else ""
                message = f"PodResourceClaim {entry.name}: {what}{error}"
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
        return claim is not None and is_for_pod(claim, pod)

    async def _find_or_create(self, pod: Object, entry: PodClaim) -> str:
        for claim in self.claims.cache.by_index(OWNER_INDEX, uid_of(pod)):
            if annotations_of(claim).get(POD_CLAIM_ANNOTATION) == entry.name and not is_deleting(claim):
                return name_of(claim)
        template = self.templates.cache.find(entry.template or "", namespace_of(pod))
        if template is None:
            missing = f'resourceclaimtemplate.resource.k8s.io "{entry.template}" not found'
            raise TemplateError(f'resource claim template "{entry.template}": {missing}')
        claim = await self.client.create(
            RESOURCE_CLAIMS, _claim_from(template, pod, entry.name), namespace_of(pod)
        )
        await self.claims.wait_seen(claim)
        return name_of(claim)

    async def _report(self, pod: Object, made: dict[str, str]) -> None:
        statuses = [
            {"name": entry.name, **({"resourceClaimName": name} if name else {})}
            for entry in claims_of(pod)
            if (name := made.get(entry.name, entry.claim)) or entry.is_resolved
            if entry.template is not None
        ]
        patch: Object = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name_of(pod), "namespace": namespace_of(pod), "uid": uid_of(pod)},
            "status": {"resourceClaimStatuses": statuses},
        }
        updated = await self.client.patch(
            PODS,
            name_of(pod),
            patch,
            namespace_of(pod),
            patch_type=PatchType.APPLY,
            subresource="status",
            field_manager=FIELD_MANAGER,
            force=True,
        )
        await self.pods.wait_seen(updated)

    async def _reserve_for_placed(self, pod: Object) -> None:
        """Such pods never met the scheduler, and the kubelet starts none whose claims are not reserved for it."""
        for entry in claims_of(pod):
            claim = self.claims.cache.find(entry.claim or "", namespace_of(pod))
            if (
                claim is None
                or is_reserved_for(claim, pod)
                or not (claim.get("status") or {}).get("allocation")
            ):
                continue
            if entry.template is not None and not is_for_pod(claim, pod):
                continue
            reference = {"resource": "pods", "name": name_of(pod), "uid": uid_of(pod)}
            reserved = [*(claim["status"].get("reservedFor") or ()), reference]
            await self.client.update(
                RESOURCE_CLAIMS, replace_at(claim, ("status", "reservedFor"), reserved), subresource="status"
            )


def _template_keys(pod: Object) -> list[str]:
    return [f"{namespace_of(pod)}/{claim.template}" for claim in claims_of(pod) if claim.template]


def _claim_from(template: Object, pod: Object, entry_name: str) -> Object:
    meta = template["spec"].get("metadata") or {}
    return {
        "apiVersion": RESOURCE_CLAIMS.api_version,
        "kind": RESOURCE_CLAIMS.kind,
        "metadata": {
            "generateName": generated_base(name_of(pod), entry_name),
            "namespace": namespace_of(pod),
            **({"labels": meta["labels"]} if meta.get("labels") else {}),
            "annotations": {**(meta.get("annotations") or {}), POD_CLAIM_ANNOTATION: entry_name},
            "ownerReferences": [owner_reference({**pod, "apiVersion": "v1", "kind": "Pod"}, block=False)],
        },
        "spec": template["spec"]["spec"],
    }


def generated_base(pod_name: str, entry_name: str) -> str:
    """generateName of a claim: both names, cut in proportion when together they exceed 57 characters."""
    base = f"{pod_name}-{entry_name}-"
    if len(base) <= MAX_GENERATED_BASE:
        return base
    whole = len(base)
    pod_part = pod_name[: len(pod_name) * MAX_GENERATED_BASE // whole]
    return f"{pod_part}-{entry_name[: len(entry_name) * MAX_GENERATED_BASE // whole]}"
