"""What the store holds: one object at one revision, parsed and encoded once, and the change that made it.

The encoding always starts with `kind` and `apiVersion`, as Kubernetes writes objects, so that a reader can cut them off
or splice the rest into a larger document without parsing.
"""

from collections.abc import Callable, Hashable
from typing import Any, Literal

import orjson

from dray.kits import go_json

Object = dict[str, Any]

ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]


class Record:
    """One version of one object."""

    __slots__ = ("_obj", "data", "path", "revision")

    def __init__(self, path: str, revision: int, obj: Object, data: bytes) -> None:
        self.path = path
        self.revision = revision
        self.data = data
        self._obj: Object | None = obj

    @property
    def obj(self) -> Object:
        """The object, which is shared: never mutate it."""
        obj = self._obj
        if obj is None:
            obj = orjson.loads(self.data)
        return obj

    def rest(self) -> None:
        """Hold the encoded form alone, a fraction of the parsed one, which is made anew whenever it is asked for."""
        self._obj = None


class Event:
    """One change of one object: what it is now, and what it was.

    For DELETED, `record` is the object as it was last, at the revision of its deletion. `encoded` remembers wire forms
    that several watchers share, so that each is built once.
    """

    __slots__ = ("_encodings", "previous", "record", "type")

    def __init__(self, type: ChangeType, record: Record, previous: Record | None) -> None:
        self.type: ChangeType = type
        self.record = record
        self.previous = previous
        self._encodings: dict[Hashable, bytes] | None = None

    @property
    def revision(self) -> int:
        return self.record.revision

    def encoded(self, form: Hashable, build: Callable[[], bytes]) -> bytes:
        if self._encodings is None:
            self._encodings = {}
        data = self._encodings.get(form)
        if data is None:
            data = self._encodings[form] = build()
        return data

    def rest(self) -> None:
        """Hold no more than it takes to tell the change again: those who keep up have been told."""
        self._encodings = None
        if self.previous is not None:
            self.previous.rest()
        if self.type == "DELETED":
            self.record.rest()


def seal(path: str, revision: int, obj: Object) -> Record:
    """Give `obj` its resourceVersion and encode it. `obj` and its metadata must be the caller's own."""
    obj["metadata"]["resourceVersion"] = str(revision)
    head = {"kind": obj.pop("kind"), "apiVersion": obj.pop("apiVersion")}
    ordered = {**head, **obj}
    # orjson hands out its whole buffer, several times the size of the text; an exact copy is cheap to make.
    return Record(path, revision, ordered, bytes(memoryview(go_json.encode(ordered))))


def unseal(path: str, revision: int, data: bytes) -> Record:
    """The record that `data` encodes. Raises ValueError when it is no JSON object."""
    obj = orjson.loads(data)
    if not isinstance(obj, dict):
        raise ValueError(f"{path} at revision {revision} is not an object")
    return Record(path, revision, obj, data)
