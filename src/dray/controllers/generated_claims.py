"""Makes one ResourceClaim from a template for whoever needs it, a pod or a PodGroup.

A generated claim belongs to its owner (controller reference) and carries the annotation that says which entry of
spec.resourceClaims it stands for; by that a claim whose creation outlived a crash is found again.
Source: kubernetes pkg/controller/resourceclaim, 1.36.
"""

from dray.api import errors
from dray.api.meta import Object, annotations_of, is_deleting, name_of, namespace_of, owner_reference, uid_of
from dray.api.pods import POD_CLAIM_ANNOTATION
from dray.api.resources import RESOURCE_CLAIM_TEMPLATES, RESOURCE_CLAIMS, Resource
from dray.client.informer import Informer
from dray.client.protocol import Client, PatchType
from dray.controllers.base import OWNER_INDEX, Controller, index_by_owner

FIELD_MANAGER = "ResourceClaimController"
MAX_GENERATED_BASE = 57


class TemplateError(Exception):
    """A claim cannot be generated; the text is what the owner's event says."""


class GeneratedClaims:
    """The claims made so far, and the templates for more. `kind`: of the owners."""

    def __init__(self, controller: Controller, kind: Resource) -> None:
        self._kind = kind
        self._client: Client = controller.client
        self.claims: Informer = index_by_owner(controller.informer(RESOURCE_CLAIMS))
        self.templates: Informer = controller.informer(RESOURCE_CLAIM_TEMPLATES)

    def find(self, owner: Object, entry: str) -> str | None:
        """The claim that was made for that entry of the owner's spec.resourceClaims."""
        for claim in self.claims.cache.by_index(OWNER_INDEX, uid_of(owner)):
            if annotations_of(claim).get(POD_CLAIM_ANNOTATION) == entry and not is_deleting(claim):
                return name_of(claim)
        return None

    async def find_or_create(self, owner: Object, entry: str, template_name: str) -> str:
        """Raises TemplateError without the template, StatusError where the claim is refused."""
        if (found := self.find(owner, entry)) is not None:
            return found
        template = self.templates.cache.find(template_name, namespace_of(owner))
        if template is None:
            missing = f'resourceclaimtemplate.resource.k8s.io "{template_name}" not found'
            raise TemplateError(f'resource claim template "{template_name}": {missing}')
        body = self._claim_from(template, owner, entry)
        claim = await self._client.create(RESOURCE_CLAIMS, body, namespace_of(owner))
        await self.claims.wait_seen(claim)
        return name_of(claim)

    def _claim_from(self, template: Object, owner: Object, entry: str) -> Object:
        meta = template["spec"].get("metadata") or {}
        typed = {**owner, "apiVersion": self._kind.api_version, "kind": self._kind.kind}
        return {
            "apiVersion": RESOURCE_CLAIMS.api_version,
            "kind": RESOURCE_CLAIMS.kind,
            "metadata": {
                "generateName": generated_base(name_of(owner), entry),
                "namespace": namespace_of(owner),
                **({"labels": meta["labels"]} if meta.get("labels") else {}),
                "annotations": {**(meta.get("annotations") or {}), POD_CLAIM_ANNOTATION: entry},
                "ownerReferences": [owner_reference(typed, block=False)],
            },
            "spec": template["spec"]["spec"],
        }

    async def report(self, owner: Object, statuses: list[Object]) -> Object:
        """Let the owner's status.resourceClaimStatuses name its claims."""
        patch: Object = {
            "apiVersion": self._kind.api_version,
            "kind": self._kind.kind,
            "metadata": {"name": name_of(owner), "namespace": namespace_of(owner), "uid": uid_of(owner)},
            "status": {"resourceClaimStatuses": statuses},
        }
        return await self._client.patch(
            self._kind,
            name_of(owner),
            patch,
            namespace_of(owner),
            patch_type=PatchType.APPLY,
            subresource="status",
            field_manager=FIELD_MANAGER,
            force=True,
        )


def creation_failure(entry: str, error: Exception, what: str) -> str:
    """The words of the event about a claim that could not be made; `what`: PodResourceClaim or the like."""
    # The blank stands where Kubernetes would have a name that the server is still to make up.
    step = "create ResourceClaim : " if isinstance(error, errors.StatusError) else ""
    return f"{what} {entry}: {step}{error}"


def claim_status(entry: str, claim: str | None) -> Object:
    """An entry of resourceClaimStatuses; no claim: none was needed."""
    return {"name": entry, **({"resourceClaimName": claim} if claim else {})}


def generated_base(owner: str, entry: str) -> str:
    """generateName of a claim: both names, cut in proportion when together they exceed 57 characters."""
    base = f"{owner}-{entry}-"
    if len(base) <= MAX_GENERATED_BASE:
        return base
    whole = len(base)
    owner_part = owner[: len(owner) * MAX_GENERATED_BASE // whole]
    return f"{owner_part}-{entry[: len(entry) * MAX_GENERATED_BASE // whole]}"
