"""Who may write which part of a claim's status, beyond the right to write the status at all.

`resourceclaims/binding` and `resourceclaims/driver` are permissions without endpoints: they exist for RBAC alone.
"""

from dray.api.fields import FieldError, Path, forbidden
from dray.api.meta import Object, namespace_of
from dray.api.validation.lists import items_of
from dray.api.validation.resource.claim_status import DeviceId
from dray.api.validation.sameness import same
from dray.apiserver.registry.kind import User, WriteContext

NODE_NAME_EXTRA = "authentication.kubernetes.io/node-name"
GROUP, RESOURCE = "resource.k8s.io", "resourceclaims"


def validate_status_permissions(context: WriteContext, new: Object, old: Object) -> list[FieldError]:
    """Findings, not a 403: a refusal is a Forbidden cause of a 422."""
    status, before = new.get("status") or {}, old.get("status") or {}
    errors: list[FieldError] = []
    if not _same_binding(status, before):
        errors += _check_binding(context)
    if status.get("allocation") is not None and context.features.enabled("DRAResourceClaimDeviceStatus"):
        pinned = _on_pinned_node(context.user, status["allocation"])
        for driver in _changed_drivers(status, before):
            errors += _check_driver(context, driver, namespace_of(new), pinned)
    return errors


def _same_binding(status: Object, before: Object) -> bool:
    return same(status.get("allocation"), before.get("allocation")) and same(
        status.get("reservedFor"), before.get("reservedFor")
    )


def _check_binding(context: WriteContext) -> list[FieldError]:
    """Asked for the whole cluster: a RoleBinding in the claim's namespace is not enough."""
    allowed, refusal = context.authorize(
        verb=context.verb, group=GROUP, resource=RESOURCE, subresource="binding"
    )
    if allowed:
        return []
    text = (
        f'changing status.allocation or status.reservedFor requires resource="{RESOURCE}/binding", '
        f'verb="{context.verb}" permission: {refusal}'
    )
    return [forbidden(Path("status.allocation"), text)]


def _check_driver(context: WriteContext, driver: str, namespace: str, pinned: bool) -> list[FieldError]:
    """A driver on the allocation's own node needs less than one that writes from anywhere."""
    verbs = [f"associated-node:{context.verb}"] if pinned else []
    verbs.append(f"arbitrary-node:{context.verb}")
    refusals = []
    for verb in verbs:
        allowed, refusal = context.authorize(
            verb=verb, group=GROUP, resource=RESOURCE, subresource="driver", namespace=namespace, name=driver
        )
        if allowed:
            return []
        refusals.append(refusal)
    text = (
        f'changing status.devices requires resource="{RESOURCE}/driver", verb="[{" ".join(verbs)}]" '
        f"permission: {refusals[0]}"
    )
    return [forbidden(Path("status.devices"), text)]


def _changed_drivers(status: Object, before: Object) -> list[str]:
    """Drivers of whose devices any entry was added, changed or removed; sorted."""
    new = {DeviceId.of(device): device for device in items_of(status.get("devices"))}
    old = {DeviceId.of(device): device for device in items_of(before.get("devices"))}
    return sorted({key.driver for key in new.keys() | old.keys() if not same(new.get(key), old.get(key))})


def _on_pinned_node(user: User, allocation: Object) -> bool:
    """Whether the user is a service account on the one node that the allocation names."""
    if not user.name.startswith("system:serviceaccount:"):
        return False
    nodes = tuple(user.extra.get(NODE_NAME_EXTRA) or ())
    return len(nodes) == 1 and bool(nodes[0]) and nodes[0] == _pinned_node(allocation.get("nodeSelector"))


def _pinned_node(selector: Object | None) -> str:
    """The node of a selector that is nothing but `metadata.name In [node]`; else ""."""
    terms = items_of((selector or {}).get("nodeSelectorTerms"))
    if len(terms) != 1 or terms[0].get("matchExpressions"):
        return ""
    fields = items_of(terms[0].get("matchFields"))
    if len(fields) != 1 or fields[0].get("key") != "metadata.name" or fields[0].get("operator") != "In":
        return ""
    values = fields[0].get("values") or []
    return str(values[0]) if len(values) == 1 else ""
