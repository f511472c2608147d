"""PUT, and the common half of every verb that replaces an object: strategy, validation, admission, store.

What the new object should be is given as a function of the stored one, so that a write that lost a race can be made
again on the newer object.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from dray.api import errors, fields
from dray.api.meta import Object, clone, finalizers_of
from dray.api.validation.meta import METADATA
from dray.apiserver.core import AdmissionRequest, Call
from dray.apiserver.large_bodies import worked_out
from dray.apiserver.registry.kind import StatusStrategy
from dray.apiserver.verbs import managed, metadata
from dray.apiserver.verbs.create import create
from dray.apiserver.verbs.emptied import as_sent, as_stored, as_told
from dray.apiserver.verbs.writing import (
    conflict,
    not_found,
    raise_invalid,
    store_change,
    store_removal,
    unstored,
)
from dray.store.errors import KeyMissing, RevisionConflict
from dray.store.record import Record

RETRIES: Final = 5
_PLACES: Final = {
    "nodes": "minions",
    "services": "services/specs",
    "endpoints": "services/endpoints",
    "replicationcontrollers": "controllers",
    "ingresses.networking.k8s.io": "ingress",
}
"""Where Kubernetes keeps kinds under another name than their own."""

Change = Callable[[Object], Object]
"""From the stored object (shared) to the wanted one: new, in hub form, its managedFields settled."""


async def update(call: Call, obj: Object, sent: Any = None) -> tuple[Record, bool]:
    """Replace the object by `obj` (hub form, taken over). Also tells whether it was created.

    `sent` is the document it was read from. Raises BadRequest, NotFound, Conflict, Invalid, Forbidden, or
    what admission says.
    """
    metadata.match_name(call, obj["metadata"])
    if call.kind.create_on_update and not call.subresource and call.record() is None:
        obj["metadata"].pop("resourceVersion", None)
        return await create(call, obj, sent=sent), True
    asked = str(obj["metadata"].get("resourceVersion") or "")
    uid = obj["metadata"].get("uid")
    metadata.merge_owners(call, obj["metadata"], after_admission=False)

    def wanted(stored: Object) -> Object:
        if uid and uid != stored["metadata"]["uid"]:
            raise _other_object(call, uid, stored["metadata"]["uid"])
        # A second attempt must start from what the client sent, not from what the first made of it.
        new: Object = clone(obj)
        managed.record(call, new, stored)
        managed.disown(new, sent)
        return new

    return await replace(call, wanted, is_unconditional=not asked, sent=lambda: sent), False


async def replace(
    call: Call,
    change: Change,
    *,
    is_unconditional: bool,
    is_whole: bool = False,
    sent: Callable[[], Any] = lambda: None,
) -> Record:
    """Change the stored object; a lost race is tried again when the change names no resourceVersion.

    `is_whole`: judge it as an update of the object itself, although it came through a subresource. `sent` gives the
    document that the change was last read from.
    """
    strategy = None if is_whole else _strategy(call)

    async def once(record: Record) -> Record:
        changed = await worked_out(call.size, lambda: change(record.obj))
        return await _replace_once(call, record, changed, strategy, sent)

    try:
        return await _persist(call, once, is_unconditional)
    finally:
        call.let_go()


async def amend(call: Call, change: Change) -> Record:
    """Change the stored object as the server itself does: no admission, strategy, validation or ownership."""

    async def once(record: Record) -> Record:
        obj = change(record.obj)
        if call.dry_run:
            return unstored(call, obj)
        return await store_change(call, record, obj)

    return await _persist(call, once, is_unconditional=True)


async def _persist(call: Call, once: Callable[[Record], Awaitable[Record]], is_unconditional: bool) -> Record:
    for attempt in range(RETRIES):
        record = call.record()
        if record is None:
            raise not_found(call)
        try:
            return await once(record)
        except RevisionConflict:
            if not is_unconditional or attempt == RETRIES - 1:
                raise conflict(call) from None
        except KeyMissing:
            raise not_found(call) from None
    raise conflict(call)


async def _replace_once(
    call: Call, record: Record, obj: Object, strategy: StatusStrategy | None, sent: Callable[[], Any]
) -> Record:
    """Raises RevisionConflict and KeyMissing when the object changed meanwhile."""
    call.old = old = record.obj
    _check_version(call, obj, old)
    request = AdmissionRequest(call, "UPDATE", obj, old)
    await call.core.admission.mutate(request)
    obj = request.object or obj
    metadata.merge_owners(call, obj["metadata"], after_admission=True)
    metadata.carry_over(call, obj, old)
    # Rules of subresources may ask for permissions, which is no work for a thread.
    read, size = obj, call.size if strategy is None else 0
    counted = strategy is None and metadata.counts_already(call.kind, read, old)
    new = await worked_out(size, lambda: as_sent(call, read, sent()))
    prepare = call.kind.prepare_update if strategy is None else strategy.prepare_update
    prepare(call, new)  # may ask the store, which is no work for a thread either
    obj = await worked_out(size, lambda: _judge(call, strategy, read, new, old, counted=counted))
    request.object = obj
    await call.core.admission.validate(request)
    obj["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
    managed.settle(obj, old)
    if _is_finished(call, obj):
        return await _finish(call, record, obj)
    if call.dry_run:
        return record if obj == old else unstored(call, obj)
    obj["metadata"].pop("selfLink", None)
    if obj == old:
        return record
    return await store_change(call, record, obj)


def _check_version(call: Call, obj: Object, old: Object) -> None:
    asked = obj["metadata"].get("resourceVersion") or ""
    if asked in ("", "0"):
        if call.kind.unconditional_update:
            return
        raise _must_be_specified(call)
    if not asked.isdigit():
        raise errors.StatusError(f"strconv.ParseUint: parsing {fields.quote(asked)}: invalid syntax")
    if asked != old["metadata"]["resourceVersion"]:
        raise conflict(call)


def _other_object(call: Call, wanted: str, found: str) -> errors.Conflict:
    """The write is about an object that had this name before. The text is that of Kubernetes' own storage."""
    root = "" if call.dry_run else "/registry"
    place = _PLACES.get(call.stored.qualified, call.stored.plural)
    why = (
        f"StorageError: invalid object, Code: 4, Key: {root}/{place}/{call.path}, "
        f"ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {wanted}, "
        f"UID in object meta: {found}"
    )
    return conflict(call, why)


def _must_be_specified(call: Call) -> errors.Invalid:
    resource = call.kind.resource
    found = fields.invalid(METADATA.child("resourceVersion"), 0, "must be specified for an update")
    # The resource, not the kind: so Kubernetes answers here.
    return errors.invalid(resource.group, resource.plural, call.name, [found])


def _strategy(call: Call) -> StatusStrategy | None:
    """That of the subresource; None for the object itself."""
    if not call.subresource:
        return None
    if call.subresource == "status":
        return call.kind.status
    return call.kind.updatable.get(call.subresource)


def _judge(
    call: Call, strategy: StatusStrategy | None, read: Object, obj: Object, old: Object, *, counted: bool
) -> Object:
    """What is to be stored of `obj`, which is taken over; it is `read` itself unless more was sent. Raises Invalid."""
    new = obj if obj is read else as_stored(call, obj)
    if call.subresource != "status":
        metadata.count_generation(call, new, old, counted=counted)
    if "generation" in new["metadata"]:
        obj["metadata"]["generation"] = new["metadata"]["generation"]
    if found := _findings(call, strategy, obj, old):
        raise_invalid(call, obj, found)
    warnings = call.kind.warnings if strategy is None else strategy.warnings
    call.warnings += warnings(call, obj)
    return as_told(call, obj) if call.dry_run and obj is not read else new


def _findings(
    call: Call, strategy: StatusStrategy | None, obj: Object, old: Object
) -> list[fields.FieldError]:
    checks = call.kind.metadata_checks if strategy is None else strategy.metadata_checks
    validate = call.kind.validate_update if strategy is None else strategy.validate_update
    return metadata.update_errors(call, obj["metadata"], old["metadata"], checks) + validate(call, obj)


def _is_finished(call: Call, obj: Object) -> bool:
    """Whether this write takes away the last thing that kept a deleted object."""
    meta = obj["metadata"]
    if meta.get("deletionTimestamp") is None or finalizers_of(obj):
        return False
    holds = call.kind.holds_deletion
    if holds is not None:
        return not holds(obj)
    return not meta.get("deletionGracePeriodSeconds")


async def _finish(call: Call, record: Record, obj: Object) -> Record:
    """Remove the object; the answer is what it would have become."""
    answer = unstored(call, dict(obj))
    if not call.dry_run:
        await store_removal(call, record, obj)
    return answer
