"""The controller-manager role: every loop, one set of informers, one life."""

import asyncio
import logging
from collections.abc import Callable

from dray.api.features import FeatureGates
from dray.client.informer import SharedInformers
from dray.client.protocol import Client
from dray.controllers.base import Context, Controller
from dray.controllers.certificate_approval import CertificateApproval
from dray.controllers.certificate_cleaning import CertificateCleaning
from dray.controllers.certificate_signing import CertificateSigning, Signing
from dray.controllers.claim_reservations import ClaimReservations
from dray.controllers.claim_templates import ClaimTemplates
from dray.controllers.cluster_roles import ClusterRoleAggregation
from dray.controllers.daemon_sets import DaemonSets
from dray.controllers.deployments import Deployments
from dray.controllers.device_taint_eviction import DeviceTaintEviction
from dray.controllers.disruption_budgets import DisruptionBudgets
from dray.controllers.endpoint_mirroring import EndpointsMirroring
from dray.controllers.endpoint_slices import ServiceSlices
from dray.controllers.endpoints import ServiceEndpoints
from dray.controllers.finished_jobs import FinishedJobs
from dray.controllers.garbage import GarbageCollector
from dray.controllers.group_claims import GroupClaims
from dray.controllers.group_protection import GroupProtection
from dray.controllers.jobs import Jobs
from dray.controllers.namespaces import Namespaces
from dray.controllers.node_ttl import NodeTtl
from dray.controllers.nodes import NodeLifecycle, TaintEviction
from dray.controllers.pod_gc import PodGarbageCollector
from dray.controllers.policy_status import PolicyStatus
from dray.controllers.pool_status import PoolStatusRequests
from dray.controllers.quotas import Quotas
from dray.controllers.replica_sets import ReplicaSets
from dray.controllers.service_accounts import RootCertificates, ServiceAccounts
from dray.controllers.volume_protection import (
    AttributesClassProtection,
    ClaimProtection,
    VolumeProtection,
)
from dray.kits.clock import Clock
from dray.kits.metrics import Registry
from dray.kits.tasks import TaskSet

log = logging.getLogger("dray.controllers")

CONTROLLERS: tuple[type[Controller], ...] = (
    ClaimTemplates,
    ClaimReservations,
    GroupClaims,
    GroupProtection,
    DeviceTaintEviction,
    PoolStatusRequests,
    DaemonSets,
    ReplicaSets,
    Deployments,
    Jobs,
    FinishedJobs,
    DisruptionBudgets,
    ServiceEndpoints,
    ServiceSlices,
    EndpointsMirroring,
    Namespaces,
    GarbageCollector,
    NodeLifecycle,
    TaintEviction,
    NodeTtl,
    PodGarbageCollector,
    PolicyStatus,
    ServiceAccounts,
    Quotas,
    ClaimProtection,
    VolumeProtection,
    AttributesClassProtection,
    ClusterRoleAggregation,
    CertificateApproval,
    CertificateCleaning,
)


class ControllerManager:
    """Runs all controllers whose features are on against one API server.

    `client_for(name)` gives the API as a controller of that name sees it; by default all share `client`.
    `root_ca_pem` is published to every namespace, and `signing` says how approved certificate requests are signed; without
    either that one controller does not run.
    """

    def __init__(
        self,
        client: Client,
        *,
        clock: Clock,
        features: FeatureGates,
        root_ca_pem: str = "",
        signing: Signing | None = None,
        client_for: Callable[[str], Client] | None = None,
        registry: Registry | None = None,
    ) -> None:
        self.ready = asyncio.Event()
        self._informers = SharedInformers(client)
        context = Context(self._informers, clock, features, client_for or (lambda name: client))
        self.controllers: list[Controller] = [
            controller(context)
            for controller in CONTROLLERS
            if not controller.gate or features.enabled(controller.gate)
        ]
        if root_ca_pem:
            self.controllers.append(RootCertificates(context, root_ca_pem))
        if signing is not None:
            self.controllers.append(CertificateSigning(context, signing))
        if registry is not None:
            registry.gauge(
                "workqueue_depth",
                "Current depth of workqueue",
                ("name",),
                collect=lambda: {(each.name,): float(len(each.queue)) for each in self.controllers},
            )

    async def run(self) -> None:
        """Work until cancelled."""
        tasks = TaskSet("controller-manager")
        try:
            await self._informers.start()
            running = [tasks.start(controller.run(), controller.name) for controller in self.controllers]
            self.ready.set()
            log.info("Started %d controllers", len(self.controllers))
            await asyncio.gather(*running)
        finally:
            self.ready.clear()
            await tasks.stop()
            await self._informers.stop()
