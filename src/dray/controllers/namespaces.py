"""Empties a namespace that was deleted, then lets it go.

Order matters where upstream's does not: pods that use devices go before the drivers that must release those devices,
or the node could never unprepare them and the namespace would hang for good. So pods with claims are deleted first,
and everything else only once they are gone. What remains is named in the namespace's conditions.
"""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from dray.api import errors
from dray.api import resources as api
from dray.api.meta import Object, ObjectKey, finalizers_of, format_time, is_deleting, name_of, replace_at
from dray.api.pods import claim_names_of
from dray.api.resources import NAMESPACES, PODS, Resource
from dray.client.protocol import Selection
from dray.controllers.base import Context, Controller, RetryAfter, ignore_missing

CONTENT: Sequence[Resource] = (
    api.REPLICA_SETS,
    api.DEPLOYMENTS,
    api.DAEMON_SETS,
    api.STATEFUL_SETS,
    api.JOBS,
    api.CRON_JOBS,
    api.CONTROLLER_REVISIONS,
    api.REPLICATION_CONTROLLERS,
    api.RESOURCE_CLAIMS,
    api.RESOURCE_CLAIM_TEMPLATES,
    api.SERVICES,
    api.ENDPOINTS,
    api.ENDPOINT_SLICES,
    api.CONFIG_MAPS,
    api.SECRETS,
    api.SERVICE_ACCOUNTS,
    api.ROLES,
    api.ROLE_BINDINGS,
    api.LEASES,
    api.POD_DISRUPTION_BUDGETS,
    api.RESOURCE_QUOTAS,
    api.LIMIT_RANGES,
    api.POD_TEMPLATES,
    api.PERSISTENT_VOLUME_CLAIMS,
    api.CSI_STORAGE_CAPACITIES,
    api.HORIZONTAL_POD_AUTOSCALERS,
    api.INGRESSES,
    api.NETWORK_POLICIES,
    api.POD_GROUPS,
    api.POD_GROUPS_BETA,
    api.WORKLOADS,
    api.WORKLOADS_BETA,
    api.EVENTS,
)
RECHECK_SECONDS = 0.5
FINALIZER = "kubernetes"


class Namespaces(Controller):
    name: ClassVar[str] = "namespace-controller"
    workers: ClassVar[int] = 5

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.namespaces = self.watch(NAMESPACES)
        self.pods = self.informer(PODS)
        # The last pod's end is what a namespace usually waits for.
        self.pods.add_handler(
            on_delete=lambda pod: self.queue.add(ObjectKey("", pod["metadata"]["namespace"]))
        )
        self._missing: set[Resource] = set()

    async def sync(self, key: ObjectKey) -> None:
        namespace = self.namespaces.cache.get(key)
        if namespace is None or not is_deleting(namespace):
            return
        if FINALIZER not in ((namespace.get("spec") or {}).get("finalizers") or ()):
            return
        remaining = await self._empty(key.name)
        if remaining:
            await self._report(namespace, remaining)
            raise RetryAfter(RECHECK_SECONDS)
        await self._finalize(namespace)

    async def _empty(self, namespace: str) -> list[tuple[Resource, list[Object]]]:
        """Ask for the deletion of everything; return what is still there."""
        pods = (await self.client.list(PODS, Selection(namespace))).items
        with_claims = [pod for pod in pods if claim_names_of(pod)]
        await self._delete_pods(with_claims or pods)
        if pods:
            # Claim templates and workloads may go meanwhile, so that nothing makes new pods.
            remaining = await self._delete_content(namespace, (api.DEPLOYMENTS, api.REPLICA_SETS, api.JOBS))
            still = (await self.client.list(PODS, Selection(namespace))).items
            return [(PODS, still), *remaining] if still else [(PODS, pods[:1]), *remaining]
        return await self._delete_content(namespace, CONTENT)

    async def _delete_pods(self, pods: Sequence[Object]) -> None:
        for pod in pods:
            if not is_deleting(pod):
                await ignore_missing(self.client.delete(PODS, name_of(pod), pod["metadata"]["namespace"]))

    async def _delete_content(
        self, namespace: str, content: Sequence[Resource]
    ) -> list[tuple[Resource, list[Object]]]:
        left = await asyncio.gather(*(self._delete_all(resource, namespace) for resource in content))
        return [(resource, objects) for resource, objects in zip(content, left, strict=True) if objects]

    async def _delete_all(self, resource: Resource, namespace: str) -> list[Object]:
        if resource in self._missing:
            return []
        selection = Selection(namespace)
        try:
            found = (await self.client.list(resource, selection)).items
            if not found:
                return []
            if resource == api.JOBS:
                await self._delete_jobs(found)
            else:
                await self.client.delete_collection(resource, selection)
            return (await self.client.list(resource, selection)).items
        except errors.NotFound:
            # The server does not serve this resource at all.
            self._missing.add(resource)
            return []

    async def _delete_jobs(self, jobs: Sequence[Object]) -> None:
        """One by one, since unlike all others they must be told not to leave their pods behind."""
        for job in jobs:
            if not is_deleting(job):
                deletion = self.client.delete(
                    api.JOBS, name_of(job), job["metadata"]["namespace"], propagation_policy="Background"
                )
                await ignore_missing(deletion)

    async def _finalize(self, namespace: Object) -> None:
        kept = [each for each in namespace["spec"]["finalizers"] if each != FINALIZER]
        await ignore_missing(
            self.client.update(
                NAMESPACES, replace_at(namespace, ("spec", "finalizers"), kept), subresource="finalize"
            )
        )

    async def _report(self, namespace: Object, remaining: list[tuple[Resource, list[Object]]]) -> None:
        conditions = _conditions(remaining, format_time(self.clock.now()))
        present = {c["type"]: c for c in (namespace.get("status") or {}).get("conditions") or ()}
        if {c["type"]: (c["status"], c["message"]) for c in conditions} == {
            kind: (c["status"], c.get("message", "")) for kind, c in present.items()
        }:
            return
        status = {**(namespace.get("status") or {}), "conditions": conditions}
        await ignore_missing(
            self.client.update(NAMESPACES, {**namespace, "status": status}, subresource="status")
        )


def _conditions(remaining: list[tuple[Resource, list[Object]]], now: str) -> list[Object]:
    counts = ", ".join(
        f"{resource.plural}.{resource.group} has {len(objects)} resource instances"
        for resource, objects in sorted(remaining, key=lambda entry: entry[0].plural)
    )
    finalizers: dict[str, int] = {}
    for _, objects in remaining:
        for obj in objects:
            for finalizer in finalizers_of(obj):
                finalizers[finalizer] = finalizers.get(finalizer, 0) + 1
    waits = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(finalizers.items()))

    def condition(kind: str, reason: str, message: str, problem: bool = False) -> Object:
        status = "True" if problem else "False"
        return {
            "type": kind,
            "status": status,
            "lastTransitionTime": now,
            "reason": reason,
            "message": message,
        }

    return [
        condition(
            "NamespaceDeletionDiscoveryFailure",
            "ResourcesDiscovered",
            "All resources successfully discovered",
        ),
        condition(
            "NamespaceDeletionGroupVersionParsingFailure",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        condition(
            "NamespaceDeletionContentFailure",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        condition(
            "NamespaceContentRemaining",
            "SomeResourcesRemain",
            f"Some resources are remaining: {counts}",
            problem=True,
        )
        if counts
        else condition("NamespaceContentRemaining", "ContentRemoved", "All content successfully removed"),
        condition(
            "NamespaceFinalizersRemaining",
            "SomeFinalizersRemain",
            f"Some content in the namespace has finalizers remaining: {waits}",
            problem=True,
        )
        if waits
        else condition(
            "NamespaceFinalizersRemaining",
            "ContentHasNoFinalizers",
            "All content-preserving finalizers finished",
        ),
    ]
