"""Makes the ResourceClaims that PodGroups ask for by template: one for each entry, for all pods of the group.

The group learns the names through one server-side apply of status.resourceClaimStatuses; `claim_templates` copies them
into the pods. Source: kubernetes pkg/controller/resourceclaim, 1.36.
"""

from typing import ClassVar

from dray.api import errors
from dray.api.meta import Object, ObjectKey, is_controlled_by, is_deleting, name_of, namespace_of
from dray.api.pod_groups import CLAIMS_GATE, claim_name_in, group_claims, pod_groups_in
from dray.controllers.base import Context, Controller
from dray.controllers.generated_claims import GeneratedClaims, TemplateError, claim_status, creation_failure

TEMPLATE_INDEX = "templates"
CLAIM_INDEX = "claims"


class GroupClaims(Controller):
    name: ClassVar[str] = "resource-claim-controller"
    component: ClassVar[str] = "resource_claim"
    gate: ClassVar[str] = CLAIMS_GATE
    workers: ClassVar[int] = 5

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.groups = self.informer(pod_groups_in(context.features))
        self.made = GeneratedClaims(self, pod_groups_in(context.features))
        self.groups.add_index(TEMPLATE_INDEX, _template_keys)
        self.groups.add_index(CLAIM_INDEX, lambda group: [str(key) for key in group_claim_keys(group)])
        self.groups.add_handler(on_add=self._consider, on_update=lambda _, group: self._consider(group))
        self.made.claims.add_handler(on_delete=lambda claim: self._consider_users(CLAIM_INDEX, claim))
        self.made.templates.add_handler(
            on_add=lambda template: self._consider_users(TEMPLATE_INDEX, template),
            on_update=lambda _, template: self._consider_users(TEMPLATE_INDEX, template),
        )

    def _consider(self, group: Object) -> None:
        if group_claims(group) and not is_deleting(group):
            self._enqueue(group)

    def _consider_users(self, index: str, used: Object) -> None:
        for group in self.groups.cache.by_index(index, f"{namespace_of(used)}/{name_of(used)}"):
            self._consider(group)

    async def sync(self, key: ObjectKey) -> None:
        group = self.groups.cache.get(key)
        if group is None or is_deleting(group):
            return
        statuses: list[Object] = []
        is_new = False
        for entry in group_claims(group):
            template = entry.get("resourceClaimTemplateName")
            if template is None:
                continue
            known, name = _status_of(group, entry["name"])
            if not known or (name is not None and not self._is_there(group, name)):
                name, is_new = await self._make(group, entry["name"], template), True
            statuses.append(claim_status(entry["name"], name))
        if is_new:
            await self.groups.wait_seen(await self.made.report(group, statuses))

    def _is_there(self, group: Object, name: str) -> bool:
        claim = self.made.claims.cache.find(name, namespace_of(group))
        return claim is not None and is_controlled_by(claim, group)

    async def _make(self, group: Object, entry: str, template: str) -> str:
        try:
            return await self.made.find_or_create(group, entry, template)
        except (errors.StatusError, TemplateError) as error:
            message = creation_failure(entry, error, "PodGroupResourceClaim")
            self.recorder.event(group, "Warning", "FailedResourceClaimCreation", message)
            if isinstance(error, TemplateError):
                raise errors.NotFound(str(error)) from error
            raise


def _status_of(group: Object, entry: str) -> tuple[bool, str | None]:
    return claim_name_in((group.get("status") or {}).get("resourceClaimStatuses"), entry)


def _template_keys(group: Object) -> list[str]:
    names = (entry.get("resourceClaimTemplateName") for entry in group_claims(group))
    return [f"{namespace_of(group)}/{name}" for name in names if name]


def group_claim_keys(group: Object) -> list[ObjectKey]:
    """The claims of a group as far as their names are known."""
    names = (
        entry.get("resourceClaimName") or _status_of(group, entry["name"])[1] for entry in group_claims(group)
    )
    return [ObjectKey(namespace_of(group), name) for name in names if name]
