"""Steps that create, update and delete share: reports of findings, what a dry run answers, and the store's refusals."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Final

from dray.api import errors
from dray.api.fields import FieldError
from dray.api.meta import Object, name_of
from dray.api.schema.order import in_order
from dray.api.schema.registry import type_schema
from dray.apiserver.core import Call
from dray.apiserver.large_bodies import worked_out
from dray.apiserver.type_name import TypeName
from dray.kits import go_json
from dray.store.errors import StoreFailure
from dray.store.record import Record

_METADATA: Final = type_schema("meta/v1", "ObjectMeta")

CHANGED = "the object has been modified; please apply your changes to the latest version and try again"


def raise_invalid(call: Call, obj: Object, found: Sequence[FieldError]) -> None:
    """Raises Invalid if anything was found."""
    if found:
        resource = call.kind.stored
        name = obj["metadata"].get("name") or obj["metadata"].get("generateName") or ""
        raise errors.invalid(resource.group, resource.kind, name, found)


def not_found(call: Call) -> errors.NotFound:
    resource = call.kind.resource
    return errors.not_found(resource.group, resource.plural, call.name)


def conflict(call: Call, why: str = CHANGED) -> errors.Conflict:
    resource = call.kind.resource
    return errors.conflict(resource.group, resource.plural, call.name, why)


def unstored(call: Call, obj: Object, *, revision: int | None = None) -> Record:
    """What a dry run answers: the object as it would be, at the revision it had unless told."""
    if revision is None:
        revision = int(obj["metadata"].get("resourceVersion") or 0)
    ordered = as_written(call, obj)
    return Record(call.path or name_of(obj), revision, ordered, go_json.encode(ordered))


def as_written(call: Call, obj: Object) -> Object:
    """With all fields in the order in which Kubernetes writes them."""
    schema = TypeName(call.stored.api_version, call.stored.kind, call.kind.gates).schema
    if schema is None:
        return {**obj, "metadata": in_order(obj["metadata"], _METADATA)}
    ordered: Object = in_order(obj, schema)
    return ordered


async def store_new(call: Call, path: str, obj: Object) -> Record:
    """Raises KeyExists."""
    new = await worked_out(call.size, lambda: _for_store(call, obj))
    with store_failures():
        return await call.core.store.create(call.stored.qualified, path, new)


async def store_change(call: Call, record: Record, obj: Object) -> Record:
    """Raises RevisionConflict or KeyMissing where `record` is not the present one."""
    new = await worked_out(call.size, lambda: _for_store(call, obj))
    with store_failures():
        return await call.core.store.update(call.stored.qualified, record.path, new, record.revision)


async def store_removal(call: Call, record: Record, last: Object) -> Record:
    """As `store_change`; `last`: what is told of the object that goes."""
    new = await worked_out(call.size, lambda: _for_store(call, last))
    with store_failures():
        return await call.core.store.delete(call.stored.qualified, record.path, new, record.revision)


def _for_store(call: Call, obj: Object) -> Object:
    """As written, with room for the resourceVersion that the store sets; itself and its metadata are new."""
    meta = {**obj["metadata"]}
    meta.setdefault("resourceVersion", "")
    ordered = as_written(call, {**obj, "metadata": meta})
    return {**ordered, "metadata": {**ordered["metadata"]}}


@contextlib.contextmanager
def store_failures() -> Iterator[None]:
    """The store's own troubles, as a client is told of them: 503. Key and revision errors pass through."""
    try:
        yield
    except StoreFailure as error:
        raise errors.ServiceUnavailable(str(error), retry_after_seconds=1) from error
