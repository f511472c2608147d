"""Whether and when a container that ended is started again. Pure but for the clock's value passed in.

Back-off as the kubelet's: the first restart is at once, then 10 s after the container's end, doubling to 5 minutes,
and forgotten when a container has run for ten.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from dray.api.restart_rules import RESTART, RESTART_ALL, action_of
from dray.node.pods.view import Role
from dray.node.runtime.protocol import Container

INITIAL_SECONDS: Final = 10.0
MAX_SECONDS: Final = 300.0


def restarts(pod: Mapping[str, Any], spec: Mapping[str, Any], role: Role, exit_code: int) -> bool:
    """Whether a container that ended with `exit_code` is to run again."""
    if action := action_of(spec, exit_code):
        return action in (RESTART, RESTART_ALL)
    policy = spec.get("restartPolicy") or pod["spec"].get("restartPolicy") or "Always"
    if role is Role.INIT and not spec.get("restartPolicy"):
        # An ordinary init container runs until it succeeds, once.
        return policy != "Never" and exit_code != 0
    if policy == "Always":
        return True
    return policy == "OnFailure" and exit_code != 0


def restarts_all(spec: Mapping[str, Any], exit_code: int) -> bool:
    """Whether the whole pod begins anew, its init containers included, when the container ends with `exit_code`."""
    return action_of(spec, exit_code) == RESTART_ALL


@dataclasses.dataclass(slots=True)
class _Entry:
    delay: float
    since: float


class CrashBackoff:
    """Delays between restarts, per container of a pod."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}

    def remaining(self, name: str, ended: float, now: float) -> float:
        """Seconds until `name`, which ended at `ended`, may start; 0 when it may now. Times are of one clock."""
        entry = self._entries.get(name)
        if entry is None or ended - entry.since > 2 * MAX_SECONDS:
            return 0
        return max(0.0, ended + entry.delay - now)

    def delay(self, name: str) -> float:
        """The full delay that `remaining` counts down."""
        entry = self._entries.get(name)
        return entry.delay if entry else 0

    def restarted(self, name: str, ended: float, now: float) -> None:
        """`name`, which ended at `ended`, is being started again: the next delay is longer."""
        entry = self._entries.get(name)
        if entry is None or ended - entry.since > 2 * MAX_SECONDS:
            self._entries[name] = _Entry(INITIAL_SECONDS, now)
        else:
            self._entries[name] = _Entry(min(entry.delay * 2, MAX_SECONDS), now)


def end_of(container: Container) -> float:
    """When it ended, in seconds since 1970."""
    moment = container.finished or container.created
    return moment.timestamp()
