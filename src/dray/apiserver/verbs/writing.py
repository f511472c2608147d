"""Steps that create, update and delete share: reports of findings, what a dry run answers, and the store's refusals."""

import contextlib
from collections.abc import Iterator, Sequence

import orjson

from dray.api import errors
from dray.api.fields import FieldError
from dray.api.meta import Object, name_of
from dray.apiserver.call import Call
from dray.store.errors import StoreFailure
from dray.store.record import Record

CHANGED = "the object has been modified; please apply your changes to the latest version and try again"


def raise_invalid(call: Call, obj: Object, found: Sequence[FieldError]) -> None:
    """Raises Invalid if anything was found."""
    if found:
        resource = call.kind.stored_as or call.kind.resource
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
    return Record(call.path or name_of(obj), revision, obj, orjson.dumps(obj))


@contextlib.contextmanager
def store_failures() -> Iterator[None]:
    """The store's own troubles, as a client is told of them: 503. Key and revision errors pass through."""
    try:
        yield
    except StoreFailure as error:
        raise errors.ServiceUnavailable(str(error), retry_after_seconds=1) from error
