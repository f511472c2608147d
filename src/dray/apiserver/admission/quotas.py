"""ResourceQuota: a write that would take more than its namespace may have is refused; one that fits is charged.

What a quota holds at all, and what is used of it, is for the controller to work out (`controllers/quotas.py`); until it
has, the quota limits nothing.
Source: kubernetes apiserver/pkg/admission/plugin/resourcequota and pkg/quota/v1/evaluator/core, 1.36.
"""

from collections.abc import Mapping, Sequence

from dray.api import errors
from dray.api.meta import Object, name_of
from dray.api.quantity import Quantity, parse_quantity
from dray.api.quota import Usage, extended_names, tracked, undeclared, usage_of
from dray.api.quota_scopes import is_about, is_terminating
from dray.api.resources import (
    DEVICE_CLASSES,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    RESOURCE_CLAIMS,
    RESOURCE_QUOTAS,
    SERVICES,
    Resource,
)
from dray.api.volumes import attributes_classes
from dray.apiserver.core import AdmissionRequest, Core, prefix_of
from dray.store.errors import KeyMissing, RevisionConflict
from dray.store.record import Record

_UPDATED = frozenset({RESOURCE_CLAIMS, SERVICES, PERSISTENT_VOLUME_CLAIMS})
"""Of these any update may take more."""
_RETRIES = 5


class QuotaAdmission:
    async def mutate(self, request: AdmissionRequest) -> None:
        return None

    async def validate(self, request: AdmissionRequest) -> None:
        kind = request.call.kind
        if request.object is None or not kind.resource.namespaced or kind.virtual or not _may_take(request):
            return
        for attempt in range(_RETRIES):
            charges = self._charges(request)
            if not charges or request.call.dry_run:
                return
            try:
                for record, used in charges:
                    await _write(request.call.core, record, used)
                return
            except (RevisionConflict, KeyMissing):
                if attempt == _RETRIES - 1:
                    raise

    def _charges(self, request: AdmissionRequest) -> list[tuple[Record, Usage]]:
        """The quotas that the write is charged to, with what is used after it. Raises Forbidden."""
        core, namespace = request.call.core, request.call.namespace
        records = core.store.page(RESOURCE_QUOTAS.qualified, prefix_of(RESOURCE_QUOTAS, namespace)).records
        if not records:
            return []
        concerned = [(record, names) for record in records if (names := _concerned(request, record.obj))]
        for record, names in concerned:
            _check(request, record.obj, names)
        if not concerned:
            return []
        found = ((record, _after(request, record.obj)) for record, _ in concerned)
        return [(record, used) for record, used in found if used]


def _may_take(request: AdmissionRequest) -> bool:
    """Whether a write of this sort can take more than before."""
    resource, subresource = request.call.kind.resource, request.call.subresource
    old, new = request.old or {}, request.object or {}
    if request.operation == "CREATE":
        return not subresource
    if request.operation != "UPDATE":
        return False
    if subresource:
        is_resize = resource == PODS and subresource == "resize"
        return is_resize or (
            resource == PERSISTENT_VOLUME_CLAIMS and subresource == "status" and _changes_storage(old, new)
        )
    return resource in _UPDATED or (resource == PODS and is_terminating(old) != is_terminating(new))


def _changes_storage(old: Object, new: Object) -> bool:
    before, after = ((each.get("status") or {}).get("allocatedResources") for each in (old, new))
    return before != after or set(attributes_classes(old)) != set(attributes_classes(new))


def _concerned(request: AdmissionRequest, quota: Object) -> Sequence[str]:
    """What the quota has that objects of this kind take of; nothing where its scopes exclude this one."""
    resource = request.call.kind.resource
    hard = (quota.get("status") or {}).get("hard") or {}
    names = tracked(resource, hard, _extended_names(request) if resource == RESOURCE_CLAIMS else ())
    return names if names and is_about(quota, resource, request.object or {}) else ()


def _extended_names(request: AdmissionRequest) -> set[str]:
    records = request.call.core.store.page(DEVICE_CLASSES.qualified, "").records
    return extended_names(record.obj for record in records)


def _check(request: AdmissionRequest, quota: Object, names: Sequence[str]) -> None:
    """Raises Forbidden."""
    if request.call.kind.resource == PODS and (missing := undeclared(request.object or {}, names)):
        parts = (f"{name} for: {','.join(sorted(set(who)))}" for name, who in sorted(missing.items()))
        raise _refusal(request, f"failed quota: {name_of(quota)}: must specify {'; '.join(parts)}")
    used = (quota.get("status") or {}).get("used") or {}
    if any(name not in used for name in names):
        listed = ",".join(sorted(names))
        raise _refusal(request, f"status unknown for quota: {name_of(quota)}, resources: {listed}")


def _after(request: AdmissionRequest, quota: Object) -> Usage:
    """What is used of a quota once the write is made; nothing where it takes no more. Raises Forbidden."""
    status = quota.get("status") or {}
    hard, used = _quantities(status.get("hard")), _quantities(status.get("used"))
    wanted = _wanted(request, quota)
    asked = {name: amount for name, amount in wanted.items() if name in hard}
    if not asked:
        return {}
    after = {name: used[name] + amount if name in used else amount for name, amount in asked.items()}
    exceeded = sorted(name for name in asked if after[name] > hard[name])
    if exceeded and request.call.subresource != "status":
        parts = (("requested", asked), ("used", used), ("limited", hard))
        text = ", ".join(f"{what}: {_listed(amounts, exceeded)}" for what, amounts in parts)
        raise _refusal(request, f"exceeded quota: {name_of(quota)}, {text}")
    return {**used, **after}


def _wanted(request: AdmissionRequest, quota: Object) -> Usage:
    """What the write takes of the quota beyond what the object took of it before."""
    call, resource = request.call, request.call.kind.resource

    def extended_name(class_name: str) -> str:
        found = call.find(DEVICE_CLASSES, class_name)
        return ((found or {}).get("spec") or {}).get("extendedResourceName") or ""

    wanted = usage_of(resource, request.object or {}, extended_name)
    if request.old is not None and is_about(quota, resource, request.old):
        for name, amount in usage_of(resource, request.old, extended_name).items():
            wanted[name] = wanted.get(name, Quantity.of(0)) - amount
    return {name: amount for name, amount in wanted.items() if amount.sign() > 0}


def _quantities(amounts: Mapping[str, str] | None) -> Usage:
    return {name: parse_quantity(text) for name, text in (amounts or {}).items()}


def _listed(amounts: Mapping[str, Quantity], names: list[str]) -> str:
    return ",".join(f"{name}={amounts[name]}" for name in names if name in amounts)


def _refusal(request: AdmissionRequest, why: str) -> errors.Forbidden:
    meta = (request.object or {}).get("metadata") or {}
    resource: Resource = request.call.kind.resource
    name = meta.get("name") or meta.get("generateName") or "Unknown"
    return errors.forbidden(resource.group, resource.plural, name, why)


async def _write(core: Core, record: Record, used: Usage) -> None:
    status = {**record.obj["status"], "used": {name: str(amount) for name, amount in sorted(used.items())}}
    obj = {**record.obj, "metadata": dict(record.obj["metadata"]), "status": status}
    await core.store.update(RESOURCE_QUOTAS.qualified, record.path, obj, record.revision)
