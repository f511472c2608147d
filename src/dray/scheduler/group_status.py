"""What the scheduler writes into a PodGroup's status: whether the group is scheduled, and if not, why.

A group that was scheduled once stays so, whatever becomes of pods that join it later. Writes happen in the background,
the newest of a group wins, and nothing is written that the group says already. A failed write is logged and forgotten.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from dray.api import errors
from dray.api.features import FeatureGates
from dray.api.meta import Object, ObjectKey, format_time, uid_of
from dray.api.pod_groups import pod_groups_in, scheduled_condition
from dray.client.protocol import Client, PatchType, Unreachable
from dray.kits.clock import Clock
from dray.scheduler.pod_status import find_condition

log = logging.getLogger("dray.scheduler")

_REASONS: Final = {"scheduled": "Scheduled", "error": "SchedulerError"}


class GroupStatusWriter:
    """`find`: the newest version known of a group."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        find: Callable[[ObjectKey], Object | None],
        gates: FeatureGates,
    ) -> None:
        self._client = client
        self._resource = pod_groups_in(gates)
        self._type = scheduled_condition(gates)
        self._clock = clock
        self._find = find
        self._waiting: OrderedDict[ObjectKey, tuple[str, str]] = OrderedDict()
        self._available = asyncio.Event()

    def attempted(self, key: ObjectKey, result: str, message: str) -> None:
        """`result`: as an attempt's `Outcome` names it."""
        self._waiting[key] = (result, message)
        self._available.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            while self._waiting:
                key, (result, message) = self._waiting.popitem(last=False)
                await self._write(key, result, message)
            self._available.clear()
            await self._available.wait()

    async def _write(self, key: ObjectKey, result: str, message: str) -> None:
        group = self._find(key)
        condition = self._condition(group, result, message) if group is not None else None
        if group is None or condition is None:
            return
        patch = {"metadata": {"uid": uid_of(group)}, "status": {"conditions": [condition]}}
        try:
            await self._client.patch(
                self._resource,
                key.name,
                patch,
                key.namespace,
                patch_type=PatchType.STRATEGIC,
                subresource="status",
            )
        except (errors.NotFound, errors.Conflict) as error:
            log.debug("PodGroup %s is gone, its status was not written: %s", key, error)
        except (errors.StatusError, Unreachable) as error:
            log.warning("Status of PodGroup %s was not written: %s", key, error)

    def _condition(self, group: Object, result: str, message: str) -> Object | None:
        """The condition to merge into the group's; None when there is nothing new to say."""
        said = {
            "status": "True" if result == "scheduled" else "False",
            "reason": _REASONS.get(result, "Unschedulable"),
            "message": message,
        }
        present = find_condition(group, self._type) or {}
        if present.get("status") == "True" != said["status"]:
            return None
        if all((present.get(name) or "") == value for name, value in said.items()):
            return None
        changed = present.get("status") != said["status"]
        since = format_time(self._clock.now()) if changed else present.get("lastTransitionTime")
        return {"type": self._type, **said, "lastTransitionTime": since}
