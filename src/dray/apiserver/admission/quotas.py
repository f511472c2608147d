"""ResourceQuota: a write that would take more than its namespace may have is refused; one that fits is charged.

What a quota holds at all, and what is used of it, is for the controller to work out (`controllers/quotas.py`); until it
has, the quota limits nothing. Quotas with scopes are not enforced.
Source: kubernetes apiserver/pkg/admission/plugin/resourcequota, 1.36.
"""

from collections.abc import Mapping

from dray.api import errors
from dray.api.meta import Object, name_of
from dray.api.quantity import Quantity, parse_quantity
from dray.api.quota import Usage, undeclared, usage_of
from dray.api.resources import DEVICE_CLASSES, PODS, RESOURCE_CLAIMS, RESOURCE_QUOTAS, Resource
from dray.apiserver.access import AdmissionRequest
from dray.apiserver.core import Core, prefix_of
from dray.store.errors import KeyMissing, RevisionConflict
from dray.store.record import Record

_UPDATED = frozenset({RESOURCE_CLAIMS.plural, "services", "persistentvolumeclaims"})
"""Of these an update may take more; everything else is charged when it is created."""
_RETRIES = 5


class QuotaAdmission:
    async def mutate(self, request: AdmissionRequest) -> None:
        return None

    async def validate(self, request: AdmissionRequest) -> None:
        call, kind = request.call, request.call.kind
        if call.subresource or request.object is None or not kind.resource.namespaced or kind.virtual:
            return
        if request.operation != "CREATE" and not (
            request.operation == "UPDATE" and kind.resource.plural in _UPDATED
        ):
            return
        for attempt in range(_RETRIES):
            charges = self._charges(request)
            if not charges or call.dry_run:
                return
            try:
                for record, used in charges:
                    await _write(call.core, record, used)
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
        wanted = self._wanted(request)
        found = ((record, _after(request, record.obj, wanted)) for record in records)
        return [(record, used) for record, used in found if used]

    def _wanted(self, request: AdmissionRequest) -> Usage:
        """What the write takes more than before."""
        call, resource = request.call, request.call.kind.resource

        def extended_name(class_name: str) -> str:
            found = call.find(DEVICE_CLASSES, class_name)
            return ((found or {}).get("spec") or {}).get("extendedResourceName") or ""

        wanted = usage_of(resource, request.object or {}, extended_name)
        if request.old is not None:
            for name, amount in usage_of(resource, request.old, extended_name).items():
                wanted[name] = wanted.get(name, Quantity.of(0)) - amount
        return {name: amount for name, amount in wanted.items() if amount.sign() > 0}


def _after(request: AdmissionRequest, quota: Object, wanted: Usage) -> Usage:
    """What is used of a quota once the write is made; nothing where it does not concern it. Raises Forbidden."""
    spec, status = quota.get("spec") or {}, quota.get("status") or {}
    if spec.get("scopes") or spec.get("scopeSelector"):
        return {}
    hard, used = _quantities(status.get("hard")), _quantities(status.get("used"))
    asked = {name: amount for name, amount in wanted.items() if name in hard}
    if request.call.kind.resource == PODS:
        _check_declared(request, quota, hard)
    if not asked:
        return {}
    if unknown := sorted(name for name in asked if name not in used):
        raise _refusal(request, f"status unknown for quota: {name_of(quota)}, resources: {','.join(unknown)}")
    after = {name: used[name] + amount for name, amount in asked.items()}
    if exceeded := sorted(name for name in asked if after[name] > hard[name]):
        parts = (("requested", asked), ("used", used), ("limited", hard))
        text = ", ".join(f"{what}: {_listed(amounts, exceeded)}" for what, amounts in parts)
        raise _refusal(request, f"exceeded quota: {name_of(quota)}, {text}")
    return {**used, **after}


def _check_declared(request: AdmissionRequest, quota: Object, hard: Mapping[str, Quantity]) -> None:
    missing = undeclared(request.object or {}, hard)
    if missing:
        parts = (f"{name} for: {','.join(sorted(set(who)))}" for name, who in sorted(missing.items()))
        raise _refusal(request, f"failed quota: {name_of(quota)}: must specify {'; '.join(parts)}")


def _quantities(amounts: Mapping[str, str] | None) -> Usage:
    return {name: parse_quantity(text) for name, text in (amounts or {}).items()}


def _listed(amounts: Mapping[str, Quantity], names: list[str]) -> str:
    return ",".join(f"{name}={amounts[name]}" for name in names)


def _refusal(request: AdmissionRequest, why: str) -> errors.Forbidden:
    meta = (request.object or {}).get("metadata") or {}
    resource: Resource = request.call.kind.resource
    name = meta.get("name") or meta.get("generateName") or "Unknown"
    return errors.forbidden(resource.group, resource.plural, name, why)


async def _write(core: Core, record: Record, used: Usage) -> None:
    status = {**record.obj["status"], "used": {name: str(amount) for name, amount in sorted(used.items())}}
    obj = {**record.obj, "metadata": dict(record.obj["metadata"]), "status": status}
    await core.store.update(RESOURCE_QUOTAS.qualified, record.path, obj, record.revision)
