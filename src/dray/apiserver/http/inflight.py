"""How many requests are answered at once: more are told to come again, so that the rest are answered in time.

Reads and writes are counted apart. What lasts by its nature (watches, logs, streams, proxied requests) is not counted,
and members of system:masters are always answered. Source: kubernetes apiserver/pkg/server/filters/maxinflight.go, 1.36.
"""

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Final

from dray.apiserver.access import MASTERS
from dray.apiserver.http.request_info import RequestInfo
from dray.apiserver.registry.kind import User

_READING: Final = ("get", "list", "watch")
_LASTING_VERBS: Final = ("watch", "proxy")
_LASTING_SUBRESOURCES: Final = ("attach", "exec", "proxy", "log", "portforward")


class TooManyInflight(Exception):
    """Answered with 429, and with plain text instead of a Status, as by Kubernetes."""


@dataclasses.dataclass(frozen=True, slots=True)
class InflightLimits:
    """0: no limit."""

    reads: int = 400
    writes: int = 200


NO_LIMITS: Final = InflightLimits(0, 0)
KUBERNETES_LIMITS: Final = InflightLimits()


class Inflight:
    def __init__(self, limits: InflightLimits) -> None:
        self._limits = limits
        self.reads = 0
        self.writes = 0

    @contextlib.contextmanager
    def admitted(self, info: RequestInfo, user: User) -> Iterator[None]:
        """Counts the request while the context lasts. Raises TooManyInflight."""
        if info.is_watch or info.verb in _LASTING_VERBS or info.subresource in _LASTING_SUBRESOURCES:
            yield
        elif info.verb in _READING:
            self._check(self.reads, self._limits.reads, user)
            self.reads += 1
            try:
                yield
            finally:
                self.reads -= 1
        else:
            self._check(self.writes, self._limits.writes, user)
            self.writes += 1
            try:
                yield
            finally:
                self.writes -= 1

    def _check(self, present: int, limit: int, user: User) -> None:
        if limit and present >= limit and MASTERS not in user.groups:
            raise TooManyInflight
