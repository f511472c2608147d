"""POST: bring an object into being."""

from typing import Any, Final

from dray.api import errors
from dray.api.fields import FieldError
from dray.api.meta import Object, name_of
from dray.apiserver.core import AdmissionRequest, Call, path_of
from dray.apiserver.large_bodies import worked_out
from dray.apiserver.verbs import lifecycle, managed, metadata
from dray.apiserver.verbs.emptied import as_sent, as_told
from dray.apiserver.verbs.read import is_version
from dray.apiserver.verbs.writing import raise_invalid, store_new, unstored
from dray.store.errors import KeyExists
from dray.store.record import Record

NAME_TRIES: Final = 8


async def create(call: Call, obj: Object, *, is_owned: bool = False, sent: Any = None) -> Record:
    """Store `obj`, a new object in hub form that is taken over; its metadata is completed here.

    `is_owned`: its managedFields say already who owns it. `sent`: the document it was read from. Raises NotFound for a
    missing namespace, Forbidden, Invalid, AlreadyExists, or what admission says.
    """
    try:
        return await _create(call, obj, is_owned=is_owned, sent=sent)
    finally:
        call.let_go()


async def _create(call: Call, obj: Object, *, is_owned: bool, sent: Any) -> Record:
    meta = obj["metadata"]
    metadata.match_namespace(call, meta)
    lifecycle.check_create(call, obj)
    metadata.merge_owners(call, meta, after_admission=False)
    if not is_owned:
        await worked_out(call.size, lambda: managed.record(call, obj, None))
    request = AdmissionRequest(call, "CREATE", obj, None, meta.get("name") or "")
    await call.core.admission.mutate(request)
    obj = request.object or obj
    metadata.match_namespace(call, obj["metadata"])
    metadata.merge_owners(call, obj["metadata"], after_admission=True)
    metadata.begin(call, obj, is_applied=is_owned)
    is_made_up = _settle_name(obj)
    read = obj
    new = await worked_out(call.size, lambda: as_sent(call, read, sent))
    call.kind.prepare_create(call, new)
    unauthorized = call.kind.authorize_create(call, new)
    await worked_out(call.size, lambda: _judge(call, new, unauthorized))
    request.object = obj = new if new is read else as_told(call, new)
    await call.core.admission.validate(request)
    if not call.dry_run:
        _refuse_version(obj)
    return await _store(call, obj, is_made_up)


def _judge(call: Call, obj: Object, unauthorized: list[FieldError]) -> None:
    """Adds the warnings of an object that is in order. Raises Invalid."""
    found = unauthorized + _findings(call, obj)
    if found:
        raise_invalid(call, obj, found)
    call.warnings += call.kind.warnings(call, obj)


def _findings(call: Call, obj: Object) -> list[FieldError]:
    found = metadata.create_errors(call, obj["metadata"])
    return found + call.kind.validate_create(call, obj) or metadata.path_errors(obj["metadata"])


def _refuse_version(obj: Object) -> None:
    """Only what is really stored is asked for it: a dry run shows the version that was sent."""
    version = str(obj["metadata"].get("resourceVersion") or "")
    if is_version(version) and int(version):
        raise errors.StatusError("resourceVersion should not be set on objects to be created")


def _settle_name(obj: Object) -> bool:
    """Whether the object has a made-up name now."""
    meta = obj["metadata"]
    if meta.get("name") or not meta.get("generateName"):
        return False
    meta["name"] = metadata.generated_name(meta["generateName"])
    return True


async def _store(call: Call, obj: Object, is_made_up: bool) -> Record:
    """A made-up name that is taken is made up anew. Raises AlreadyExists."""
    meta = obj["metadata"]
    for _ in range(NAME_TRIES):
        path = path_of(call.kind.resource, call.namespace, name_of(obj))
        if call.dry_run:
            if call.core.store.get(call.stored.qualified, path) is None:
                return unstored(call, obj, revision=0)
        else:
            try:
                return await store_new(call, path, obj)
            except KeyExists:
                pass
        if not is_made_up:
            break
        meta["name"] = metadata.generated_name(meta["generateName"])
    raise _taken(call, obj)


def _taken(call: Call, obj: Object) -> errors.AlreadyExists:
    """Who asked for a made-up name, even in vain, is told that none was found."""
    resource = call.kind.resource
    error = errors.already_exists(resource.group, resource.plural, name_of(obj))
    if not obj["metadata"].get("generateName"):
        return error
    why = "the server was not able to generate a unique name for the object"
    return errors.AlreadyExists(f"{error.message}, {why}", details=error.details, retry_after_seconds=1)
