"""DELETE: take an object away, now or once its finalizers and its grace period are over."""

import datetime as dt
from typing import Final

from dray.api import errors
from dray.api.meta import Object, clone, finalizers_of, format_time, is_deleting
from dray.apiserver.core import AdmissionRequest, Call
from dray.apiserver.options import DeleteOptions
from dray.apiserver.verbs import lifecycle
from dray.apiserver.verbs.update import RETRIES
from dray.apiserver.verbs.writing import conflict, not_found, store_change, store_removal, unstored
from dray.store.errors import KeyMissing, RevisionConflict
from dray.store.record import Record

ORPHAN: Final = "orphan"
FOREGROUND: Final = "foregroundDeletion"


async def delete(call: Call, options: DeleteOptions, *, is_admitted: bool = False) -> tuple[Record, bool]:
    """The object as it was last, and whether it is gone (else it goes on, being deleted).

    `is_admitted`: admission has judged what leads to the deletion. Raises NotFound, Conflict for a failed precondition, Forbidden, or what admission says.
    """
    lifecycle.check_delete(call)
    warn_of_orphans(call, options)
    for attempt in range(RETRIES):
        record = call.record()
        if record is None:
            raise not_found(call)
        call.old = record.obj
        check_preconditions(call, record.obj, options)
        if not is_admitted:
            await _admit(call, record.obj, options)
        try:
            return await _delete_once(call, record, options)
        except RevisionConflict:
            if options.resource_version or attempt == RETRIES - 1:
                raise conflict(call) from None
        except KeyMissing:
            raise not_found(call) from None
    raise conflict(call)


def warn_of_orphans(call: Call, options: DeleteOptions) -> None:
    """Once in a call, of however many objects."""
    text = call.kind.kept_warning
    if text and options.propagation_policy is None and text not in call.warnings:
        call.warnings.append(text)


async def _admit(call: Call, obj: Object, options: DeleteOptions) -> None:
    request = AdmissionRequest(call, "DELETE", None, obj, options=_shown(options))
    await call.core.admission.mutate(request)
    await call.core.admission.validate(request)


def _shown(options: DeleteOptions) -> Object:
    """As an object of the API."""
    preconditions = {"uid": options.uid, "resourceVersion": options.resource_version}
    fields = {
        "gracePeriodSeconds": options.grace_period_seconds,
        "preconditions": {key: value for key, value in preconditions.items() if value} or None,
        "propagationPolicy": options.propagation_policy,
        "dryRun": ["All"] if options.dry_run else None,
    }
    given = {key: value for key, value in fields.items() if value is not None}
    return {"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1", **given}


def check_preconditions(call: Call, obj: Object, options: DeleteOptions) -> None:
    meta, resource = obj["metadata"], call.kind.resource
    if call.kind.holds_deletion is not None:
        _check_held_preconditions(call, meta, options)
        return
    why = ""
    if options.uid is not None and options.uid != meta["uid"]:
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({meta['uid']}). "
            "The object might have been deleted and then recreated"
        )
    elif options.resource_version not in (None, meta["resourceVersion"]):
        why = (
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match the "
            f"ResourceVersion in record ({meta['resourceVersion']}). The object might have been modified"
        )
    if why:
        # The kind, not the resource: so Kubernetes answers here.
        raise errors.conflict(resource.group, resource.kind, call.name, why)


def _check_held_preconditions(call: Call, meta: Object, options: DeleteOptions) -> None:
    """A kind that ends its objects by itself tells of preconditions in words of its own."""
    for name, wanted, found in (
        ("UID", options.uid, meta["uid"]),
        ("ResourceVersion", options.resource_version, meta["resourceVersion"]),
    ):
        if wanted not in (None, found):
            why = f"Precondition failed: {name} in precondition: {wanted}, {name} in object meta: {found}"
            raise conflict(call, why)


async def _delete_once(call: Call, record: Record, options: DeleteOptions) -> tuple[Record, bool]:
    obj: Object = clone(record.obj)
    if call.kind.holds_deletion is None or not is_deleting(obj):
        _settle_finalizers(call, obj, options)
    grace = _grace(call, obj, options)
    is_new = not is_deleting(obj)
    is_held = bool(finalizers_of(obj)) or _is_held(call, obj)
    if is_held or grace > 0:
        _mark(call, obj, grace, is_new)
        return await _keep(call, record, obj), False
    if call.kind.graceful_delete is not None:
        _mark(call, obj, 0, is_new)
    if call.dry_run:
        return unstored(call, obj), True
    return await _remove(call, record, obj), True


async def _remove(call: Call, record: Record, obj: Object) -> Record:
    """Take the object away. One that could have had grace is first told, like Kubernetes does, to have none left."""
    if call.kind.graceful_delete is not None and obj != record.obj:
        record = await _keep(call, record, obj)
        obj = {**record.obj, "metadata": dict(record.obj["metadata"])}
    return await store_removal(call, record, obj)


def _is_held(call: Call, obj: Object) -> bool:
    return call.kind.holds_deletion is not None and call.kind.holds_deletion(obj)


def _grace(call: Call, obj: Object, options: DeleteOptions) -> int:
    """Seconds until the object may go. A second deletion can only shorten them."""
    if call.kind.graceful_delete is None:
        return 0
    seconds = call.kind.graceful_delete(obj, options.grace_period_seconds)
    if is_deleting(obj):
        left = int(obj["metadata"].get("deletionGracePeriodSeconds") or 0)
        if options.grace_period_seconds is None:
            return left
        return min(left, seconds)
    return seconds


def _mark(call: Call, obj: Object, grace: int, is_new: bool) -> None:
    """Write the deletion into the metadata. The timestamp is when the grace period will be over."""
    meta = obj["metadata"]
    if call.kind.holds_deletion is not None:
        if is_new:
            meta["deletionTimestamp"] = format_time(call.now)
            call.kind.begin_deletion(obj)
        return
    if not is_new and grace >= int(meta.get("deletionGracePeriodSeconds") or 0):
        return
    meta["deletionTimestamp"] = format_time(call.now + dt.timedelta(seconds=grace))
    meta["deletionGracePeriodSeconds"] = grace
    if is_new and meta.get("generation"):
        meta["generation"] += 1


async def _keep(call: Call, record: Record, obj: Object) -> Record:
    if obj == record.obj:
        return record
    if call.dry_run:
        return unstored(call, obj)
    return await store_change(call, record, obj)


def _settle_finalizers(call: Call, obj: Object, options: DeleteOptions) -> None:
    """The propagation policy is a finalizer that the garbage collector removes."""
    if options.propagation_policy is None:
        if call.kind.keeps_dependents and not {ORPHAN, FOREGROUND} & set(finalizers_of(obj)):
            obj["metadata"]["finalizers"] = [*finalizers_of(obj), ORPHAN]
        return
    finalizers = [name for name in finalizers_of(obj) if name not in (ORPHAN, FOREGROUND)]
    if options.propagation_policy == "Orphan":
        finalizers.append(ORPHAN)
    elif options.propagation_policy == "Foreground":
        finalizers.append(FOREGROUND)
    if finalizers:
        obj["metadata"]["finalizers"] = finalizers
    else:
        obj["metadata"].pop("finalizers", None)
