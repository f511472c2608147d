"""DRA objects in one version, mostly v1, whatever version of `resource.k8s.io` the API server speaks.

Kubernetes 1.32 and 1.33 serve v1beta1 and v1beta2, later ones v1; taint rules came to v1 only with 1.37, and are left
out by many servers. The newest version that both sides know is found by discovery and asked for again every few minutes and whenever the server no longer knows it, so that a server that is
upgraded under a running driver is followed up, and one that is rolled back is followed down.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Literal, TypeVar

from dray.api import errors
from dray.api.conversion import resource as conversion
from dray.api.meta import Object
from dray.api.resources import (
    DEVICE_CLASSES,
    DEVICE_TAINT_RULES,
    RESOURCE_CLAIM_TEMPLATES,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
    Resource,
)
from dray.client.http import HttpClient
from dray.client.protocol import EVERYTHING, ObjectList, PatchType, Selection, WatchEvent

VERSIONS: Final = ("v1", "v1beta2", "v1beta1")
"""Newest first."""
RULE_VERSIONS: Final = ("v1", "v1beta2", "v1alpha3")
"""Those of DeviceTaintRules."""
TRUST_SECONDS: Final = 300.0
"""How long the server's list of versions is believed."""

Convert = Callable[[Object, str], Object]
Answer = TypeVar("Answer")

_CONVERSIONS: Final[dict[str, tuple[Convert, Convert]]] = {
    DEVICE_CLASSES.plural: (conversion.same_to_hub("v1"), conversion.same_from_hub),
    RESOURCE_CLAIMS.plural: (conversion.claim_to_hub, conversion.claim_from_hub),
    RESOURCE_CLAIM_TEMPLATES.plural: (conversion.template_to_hub, conversion.template_from_hub),
    RESOURCE_SLICES.plural: (conversion.slice_to_hub, conversion.slice_from_hub),
    DEVICE_TAINT_RULES.plural: (
        conversion.same_to_hub(DEVICE_TAINT_RULES.version),
        conversion.same_from_hub,
    ),
}
"""Plural -> to the version that callers see, from it."""


class VersionedClient:
    """A Client in front of `inner`; everything but DRA's own kinds is passed through."""

    def __init__(self, inner: HttpClient) -> None:
        self.inner = inner
        self._served: dict[str, str] = {}
        """Group or kind -> the version that is spoken of it."""
        self._believed_until = 0.0

    async def __aenter__(self) -> "VersionedClient":
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self.inner.close()

    # --- the protocol ---

    async def get(
        self, resource: Resource, name: str, namespace: str = "", *, subresource: str = ""
    ) -> Object:
        async def ask(served: Resource) -> Object:
            return await self.inner.get(served, name, namespace, subresource=subresource)

        return _to_hub(resource, await self._ask(resource, ask))

    async def list(
        self,
        resource: Resource,
        selection: Selection = EVERYTHING,
        *,
        limit: int = 0,
        continue_token: str = "",
        resource_version: str = "",
    ) -> ObjectList:
        async def ask(served: Resource) -> ObjectList:
            return await self.inner.list(
                served,
                selection,
                limit=limit,
                continue_token=continue_token,
                resource_version=resource_version,
            )

        page = await self._ask(resource, ask)
        items = [_to_hub(resource, item) for item in page.items]
        return ObjectList(items, page.resource_version, page.continue_token)

    def watch(
        self,
        resource: Resource,
        selection: Selection = EVERYTHING,
        *,
        resource_version: str = "",
        send_initial_events: bool = False,
        timeout_seconds: int | None = None,
    ) -> AbstractAsyncContextManager[AsyncIterator[WatchEvent]]:
        return self._watch(resource, selection, resource_version, send_initial_events, timeout_seconds)

    @contextlib.asynccontextmanager
    async def _watch(
        self,
        resource: Resource,
        selection: Selection,
        resource_version: str,
        send_initial_events: bool,
        timeout_seconds: int | None,
    ) -> AsyncIterator[AsyncIterator[WatchEvent]]:
        async with contextlib.AsyncExitStack() as stack:

            async def ask(served: Resource) -> AsyncIterator[WatchEvent]:
                return await stack.enter_async_context(
                    self.inner.watch(
                        served,
                        selection,
                        resource_version=resource_version,
                        send_initial_events=send_initial_events,
                        timeout_seconds=timeout_seconds,
                    )
                )

            events = await self._ask(resource, ask)
            yield _converted(resource, events)

    async def create(
        self, resource: Resource, obj: Object, namespace: str = "", *, name: str = "", subresource: str = ""
    ) -> Object:
        async def ask(served: Resource) -> Object:
            body = _from_hub(served, obj)
            return await self.inner.create(served, body, namespace, name=name, subresource=subresource)

        return _to_hub(resource, await self._ask(resource, ask))

    async def update(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        async def ask(served: Resource) -> Object:
            return await self.inner.update(served, _from_hub(served, obj), subresource=subresource)

        return _to_hub(resource, await self._ask(resource, ask))

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
    ) -> Object:
        """Applied objects are converted; other patches are sent as they are and must avoid what versions differ in."""

        async def ask(served: Resource) -> Object:
            body = _from_hub(served, patch) if patch_type is PatchType.APPLY else patch
            return await self.inner.patch(
                served,
                name,
                body,
                namespace,
                patch_type=patch_type,
                subresource=subresource,
                field_manager=field_manager,
                force=force,
            )

        return _to_hub(resource, await self._ask(resource, ask))

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
    ) -> Object:
        async def ask(served: Resource) -> Object:
            return await self.inner.delete(
                served,
                name,
                namespace,
                grace_period_seconds=grace_period_seconds,
                propagation_policy=propagation_policy,
                uid=uid,
                resource_version=resource_version,
            )

        return _to_hub(resource, await self._ask(resource, ask))

    async def delete_collection(self, resource: Resource, selection: Selection = EVERYTHING) -> None:
        async def ask(served: Resource) -> None:
            await self.inner.delete_collection(served, selection)

        await self._ask(resource, ask)

    # --- versions ---

    async def served_version(self) -> str:
        """The version of `resource.k8s.io` in use. Raises NotFound when the server has none that is known."""
        self._forget_old()
        if conversion.GROUP not in self._served:
            offered = await self._offered_versions()
            known = [version for version in VERSIONS if version in offered]
            if not known:
                raise errors.NotFound(
                    f"the API server serves resource.k8s.io in {', '.join(sorted(offered)) or 'no version'}; "
                    f"dray needs one of {', '.join(VERSIONS)} (Kubernetes 1.32 or newer with DRA enabled)"
                )
            self._served[conversion.GROUP] = known[0]
        return self._served[conversion.GROUP]

    async def _rule_version(self) -> str:
        """The version of DeviceTaintRules in use. Raises NotFound when the server has none."""
        self._forget_old()
        plural = DEVICE_TAINT_RULES.plural
        if plural not in self._served:
            offered = await self._offered_versions()
            for version in RULE_VERSIONS:
                if version in offered and await self._offers(version, plural):
                    self._served[plural] = version
                    break
            else:
                raise errors.NotFound("the API server does not serve DeviceTaintRules", details={})
        return self._served[plural]

    def _forget_old(self) -> None:
        now = asyncio.get_running_loop().time()
        if not self._served or now > self._believed_until:
            self._served.clear()
            self._believed_until = now + TRUST_SECONDS

    async def _offered_versions(self) -> set[str]:
        try:
            group = await self.inner.request("GET", f"/apis/{conversion.GROUP}")
        except errors.NotFound:
            return set()
        return {entry["version"] for entry in group.get("versions") or ()}

    async def _offers(self, version: str, plural: str) -> bool:
        found = await self.inner.request("GET", f"/apis/{conversion.GROUP}/{version}")
        return any(entry["name"] == plural for entry in found.get("resources") or ())

    async def _ask(self, resource: Resource, ask: Callable[[Resource], Awaitable[Answer]]) -> Answer:
        if not _is_versioned(resource):
            return await ask(resource)
        try:
            return await ask(await self._at(resource))
        except errors.NotFound as error:
            if not _is_unknown_path(error):
                raise
        self._served.clear()
        return await ask(await self._at(resource))

    async def _at(self, resource: Resource) -> Resource:
        """The resource in the version that is served."""
        is_rule = resource.plural == DEVICE_TAINT_RULES.plural
        return resource.at(await self._rule_version() if is_rule else await self.served_version())


def _is_versioned(resource: Resource) -> bool:
    return resource.group == conversion.GROUP and resource.plural in _CONVERSIONS


def _is_unknown_path(error: errors.NotFound) -> bool:
    """Whether the server does not know the resource at all, rather than the one object."""
    return not (error.details or {}).get("name")


def _to_hub(resource: Resource, obj: Object) -> Object:
    if not _is_versioned(resource) or obj.get("kind") != resource.kind:
        return obj
    version = obj["apiVersion"].rpartition("/")[2]
    return obj if version == resource.version else _CONVERSIONS[resource.plural][0](obj, version)


def _from_hub(served: Resource, obj: Object) -> Object:
    if not _is_versioned(served) or obj.get("kind") != served.kind:
        return obj
    if obj.get("apiVersion") == served.api_version:
        return obj
    return _CONVERSIONS[served.plural][1](obj, served.version)


async def _converted(resource: Resource, events: AsyncIterator[WatchEvent]) -> AsyncIterator[WatchEvent]:
    async for event in events:
        yield event if event.type == "BOOKMARK" else WatchEvent(event.type, _to_hub(resource, event.object))
