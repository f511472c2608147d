"""What we wrote ourselves and the informer may not have seen yet.

An informer lags a little behind the writes of its own process. Acting on the past would write twice, so the newest
known state of each object is remembered until the informer catches up, or for a minute: an object that somebody
deleted before the informer ever saw it must not be believed in for ever.
"""

from collections.abc import Callable, Iterable
from typing import Final

from dray.api.meta import Object, name_of, uid_of

TTL_SECONDS: Final = 60.0


class RecentWrites:
    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._written: dict[str, tuple[float, Object]] = {}
        self._deleted: dict[str, float] = {}
        """UID -> when."""

    def wrote(self, obj: Object) -> None:
        self._written[name_of(obj)] = (self._monotonic(), obj)

    def deleted(self, obj: Object) -> None:
        self.forget(obj)
        self._deleted[uid_of(obj)] = self._monotonic()

    def forget(self, obj: Object) -> None:
        self._written.pop(name_of(obj), None)

    def expects(self, obj: Object) -> bool:
        """The informer saw `obj`: whether that is our own write, or older than it."""
        if uid_of(obj) in self._deleted:
            return True
        _, written = self._written.get(name_of(obj), (0.0, None))
        if written is None or uid_of(written) != uid_of(obj):
            return False
        if _version(obj) >= _version(written):
            self.forget(obj)
        return _version(obj) <= _version(written)

    def expects_gone(self, obj: Object) -> bool:
        """The informer saw that `obj` is gone: whether we deleted it."""
        _, written = self._written.get(name_of(obj), (0.0, None))
        if written is not None and uid_of(written) == uid_of(obj):
            self.forget(obj)
        return self._deleted.pop(uid_of(obj), None) is not None

    def overlay(self, seen: Iterable[Object]) -> list[Object]:
        """The objects as they are after our own writes."""
        self._expire()
        current = {name_of(obj): obj for obj in seen if uid_of(obj) not in self._deleted}
        for name, (_, written) in self._written.items():
            known = current.get(name)
            if known is None or (uid_of(known) == uid_of(written) and _version(known) < _version(written)):
                current[name] = written
        return list(current.values())

    def _expire(self) -> None:
        limit = self._monotonic() - TTL_SECONDS
        self._written = {name: entry for name, entry in self._written.items() if entry[0] > limit}
        self._deleted = {uid: when for uid, when in self._deleted.items() if when > limit}


def _version(obj: Object) -> int:
    return int(obj["metadata"]["resourceVersion"])
