"""What every role needs of an API server, whatever stands between: the seam two transports implement.

`HttpClient` (dray.client.http) speaks to any Kubernetes API server. `LocalClient` (dray.apiserver.local) calls the
embedded server's verbs in the same process, with no HTTP and no JSON. Roles take a `Client` and cannot tell.

Objects that come out are shared: never mutate them. Objects that go in are taken over: do not mutate them after.
Every failure the API reports is a `dray.api.errors.StatusError`; when no answer came at all, `Unreachable`.
"""

import dataclasses
import enum
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, Protocol

from dray.api.meta import Object
from dray.api.resources import Resource


class Unreachable(Exception):
    """The API server did not answer: refused, reset or timed out. The request may or may not have taken effect."""


class PatchType(enum.StrEnum):
    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


@dataclasses.dataclass(frozen=True, slots=True)
class ObjectList:
    items: list[Object]
    resource_version: str
    continue_token: str = ""


EventType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]


@dataclasses.dataclass(frozen=True, slots=True)
class WatchEvent:
    """ERROR never reaches a caller of `watch`: it is raised. A BOOKMARK carries only a resourceVersion."""

    type: EventType
    object: Object


@dataclasses.dataclass(frozen=True, slots=True)
class Selection:
    """Which objects of a resource a list, watch or deletecollection is about."""

    namespace: str = ""
    labels: str = ""
    fields: str = ""


EVERYTHING = Selection()


class Client(Protocol):
    async def get(
        self, resource: Resource, name: str, namespace: str = "", *, subresource: str = ""
    ) -> Object: ...

    async def list(
        self,
        resource: Resource,
        selection: Selection = EVERYTHING,
        *,
        limit: int = 0,
        continue_token: str = "",
        resource_version: str = "",
    ) -> ObjectList: ...

    def watch(
        self,
        resource: Resource,
        selection: Selection = EVERYTHING,
        *,
        resource_version: str = "",
        send_initial_events: bool = False,
        timeout_seconds: int | None = None,
    ) -> AbstractAsyncContextManager[AsyncIterator[WatchEvent]]:
        """Events after `resource_version`, bookmarks included. Ends quietly when the server ends the watch.

        With `send_initial_events`, first the present objects as ADDED, then a BOOKMARK annotated
        `k8s.io/initial-events-end: "true"`. Raises Expired when the version is no longer held.
        """
        ...

    async def create(
        self, resource: Resource, obj: Object, namespace: str = "", *, name: str = "", subresource: str = ""
    ) -> Object:
        """`name` with `subresource` posts to an object's subresource (binding, eviction, token)."""
        ...

    async def update(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object: ...

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Any,
        namespace: str = "",
        *,
        patch_type: PatchType = PatchType.MERGE,
        subresource: str = "",
        field_manager: str = "",
        force: bool = False,
    ) -> Object: ...

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        grace_period_seconds: int | None = None,
        propagation_policy: Literal["Background", "Foreground", "Orphan"] | None = None,
        uid: str = "",
        resource_version: str = "",
    ) -> Object: ...

    async def delete_collection(self, resource: Resource, selection: Selection = EVERYTHING) -> None: ...
