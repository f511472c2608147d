"""Brings the API server's copy of each pod's status up to date, a pod at a time, newest first.

Decides against which copy a status is compared: the newest this node has seen, its own last write included, since a
copy that lags would hide that a value was changed and changed back. A report that is overtaken by a newer one for the
same pod is never sent. Failures are tried again; reports for pods that are gone are dropped.
"""

import asyncio
import logging
from typing import Any, Final

from dray.api import errors
from dray.api.meta import Object, name_of, namespace_of, uid_of
from dray.api.resources import PODS
from dray.client.protocol import Client, PatchType, Unreachable
from dray.kits.backoff import Backoff
from dray.kits.tasks import TaskSet
from dray.node.pods.status import status_patch

log = logging.getLogger("dray.node.pods")

RETRY_SECONDS: Final = (0.2, 30.0)


class StatusReporter:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._newest: dict[str, Object] = {}
        self._wanted: dict[str, Object] = {}
        self._sending: dict[str, asyncio.Task[Any]] = {}
        self._tasks = TaskSet("status")
        self._backoff = Backoff(*RETRY_SECONDS)

    def newest(self, pod: Object) -> Object:
        """`pod`, or a later state of it that this reporter knows of."""
        known = self._newest.get(uid_of(pod))
        return known if known is not None and _version(known) > _version(pod) else pod

    def report(self, pod: Object, status: Object) -> None:
        """Send `status` soon. `pod`: the newest state known."""
        uid = uid_of(pod)
        self._newest[uid] = self.newest(pod)
        self._wanted[uid] = status
        if uid not in self._sending:
            self._sending[uid] = self._tasks.start(self._send(uid), name_of(pod))

    async def settled(self, pod_uid: str) -> None:
        """Return when the last report for the pod has been sent, or dropped."""
        task = self._sending.get(pod_uid)
        if task is not None:
            await asyncio.shield(task)

    def forget(self, pod_uid: str) -> None:
        self._newest.pop(pod_uid, None)
        self._wanted.pop(pod_uid, None)
        self._backoff.forget(pod_uid)

    async def stop(self) -> None:
        await self._tasks.stop()

    async def _send(self, uid: str) -> None:
        try:
            while (status := self._wanted.pop(uid, None)) is not None:
                try:
                    await self._send_one(uid, status)
                    self._backoff.forget(uid)
                except errors.NotFound:
                    return
                except (errors.StatusError, Unreachable) as error:
                    self._wanted.setdefault(uid, status)
                    delay = self._backoff.next_delay(uid)
                    pod = self._newest[uid]
                    log.warning(
                        "The status of pod %s/%s was not taken, trying again in %.1f s: %s",
                        namespace_of(pod), name_of(pod), delay, error,
                    )  # fmt: skip
                    await asyncio.sleep(delay)
        finally:
            self._sending.pop(uid, None)

    async def _send_one(self, uid: str, status: Object) -> None:
        pod = self._newest[uid]
        patch = status_patch(pod, status)
        if patch is None:
            return
        answer = await self._client.patch(
            PODS,
            name_of(pod),
            patch,
            namespace_of(pod),
            patch_type=PatchType.STRATEGIC,
            subresource="status",
        )
        if uid in self._newest and uid_of(answer) == uid:
            self._newest[uid] = answer


def _version(pod: Object) -> int:
    """Resource versions of one object are numbers that grow (declared so since Kubernetes 1.35, true long before)."""
    version = pod["metadata"].get("resourceVersion", "")
    return int(version) if version.isdigit() else 0
