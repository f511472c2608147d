"""The node's own objects in the API: its Node, made on the first start and kept up to date, and its Lease."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Final

from dray.api import errors
from dray.api.meta import Object, format_micro_time, format_time, name_of, uid_of
from dray.api.resources import LEASES, NODES
from dray.client.events import EventRecorder
from dray.client.protocol import Client, PatchType, Unreachable
from dray.kits.clock import Clock
from dray.node import machine
from dray.node.config import LEASE_RENEW_SECONDS, LEASE_SECONDS, STATUS_REPORT_SECONDS, NodeConfig

log = logging.getLogger("dray.node")

LEASE_NAMESPACE: Final = "kube-node-lease"
RETRY_SECONDS: Final = 1.0
STARTING_EVENTS: Final = ("NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID")
"""What a node says of itself at every start."""


class NodeRecord:
    def __init__(
        self,
        config: NodeConfig,
        client: Client,
        clock: Clock,
        capacity: Mapping[str, str],
        info: Object,
        recorder: EventRecorder,
        declared: Sequence[str] = (),
    ) -> None:
        """`info`: the node's NodeSystemInfo; `declared`: the features that it says it has."""
        self._config = config
        self._client = client
        self._clock = clock
        self._capacity = capacity
        self._info = info
        self._recorder = recorder
        self._declared = list(declared)
        self._port = 0
        self._is_announced = False

    async def register(self, port: int) -> Object:
        """Make or update the Node and its Lease, however long that takes; returns the Node. `port`: of the server."""
        self._port = port
        while True:
            try:
                node = await self._ensure_node()
                await self._patch_status(node)
                await self._ensure_lease(node)
                self._announce(node)
                return node
            except (errors.StatusError, Unreachable) as error:
                log.warning("Node %s is not registered yet: %s", self._config.name, error)
                await asyncio.sleep(RETRY_SECONDS)

    def _announce(self, before: Object) -> None:
        """Tell once of the start and of how the node fares, `before` being its state until then."""
        if self._is_announced:
            return
        self._is_announced = True
        self._tell("Starting", "Starting kubelet.")
        known = {
            each["type"]: each["status"] for each in (before.get("status") or {}).get("conditions") or ()
        }
        news = ("NodeReady",) if known.get("Ready") != "True" else ()
        for reason in (*STARTING_EVENTS, *news):
            self._tell(reason, f"Node {self._config.name} status is now: {reason}")

    def _tell(self, reason: str, message: str) -> None:
        about = {"apiVersion": "v1", "kind": "Node", "name": self._config.name}
        self._recorder.event_about(about, "Normal", reason, message)

    async def _ensure_node(self) -> Object:
        try:
            return await self._client.get(NODES, self._config.name)
        except errors.NotFound:
            return await self._client.create(NODES, self._new_node())

    def _new_node(self) -> Object:
        config = self._config
        meta = {
            "name": config.name,
            "labels": machine.node_labels(config),
            "annotations": {"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
        }
        spec: Object = {}
        if config.pod_cidr:
            spec.update(podCIDR=config.pod_cidr, podCIDRs=[config.pod_cidr])
        if config.provider_id:
            spec["providerID"] = config.provider_id
        if config.taints:
            spec["taints"] = [dict(taint) for taint in config.taints]
        return {"apiVersion": "v1", "kind": "Node", "metadata": meta, "spec": spec}

    async def _patch_status(self, node: Object) -> None:
        status = {
            "capacity": dict(self._capacity),
            "allocatable": dict(self._capacity),
            "conditions": machine.conditions(format_time(self._clock.now()), node),
            "addresses": [
                {"type": "InternalIP", "address": self._config.address},
                {"type": "Hostname", "address": self._config.name},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._port}},
            "nodeInfo": self._info,
            "declaredFeatures": self._declared,
        }
        await self._client.patch(
            NODES, self._config.name, {"status": status}, patch_type=PatchType.STRATEGIC, subresource="status"
        )

    async def report_status_for_ever(self) -> None:
        while True:
            await asyncio.sleep(STATUS_REPORT_SECONDS)
            try:
                await self._patch_status(await self._ensure_node())
            except (errors.StatusError, Unreachable) as error:
                log.warning("The status of node %s was not taken: %s", self._config.name, error)

    # --- the lease ---

    async def _ensure_lease(self, node: Object) -> None:
        owner = {"apiVersion": "v1", "kind": "Node", "name": name_of(node), "uid": uid_of(node)}
        meta = {"name": self._config.name, "namespace": LEASE_NAMESPACE, "ownerReferences": [owner]}
        lease = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": meta,
            "spec": self._lease_spec(),
        }
        try:
            await self._client.create(LEASES, lease, LEASE_NAMESPACE)
        except errors.AlreadyExists:
            await self._renew_lease()

    def _lease_spec(self) -> Object:
        now = format_micro_time(self._clock.now())
        return {"holderIdentity": self._config.name, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": now}

    async def _renew_lease(self) -> None:
        await self._client.patch(LEASES, self._config.name, {"spec": self._lease_spec()}, LEASE_NAMESPACE)

    async def renew_lease_for_ever(self) -> None:
        while True:
            await asyncio.sleep(LEASE_RENEW_SECONDS)
            try:
                await self._renew_lease()
            except errors.NotFound:
                await self.register(self._port)
            except (errors.StatusError, Unreachable) as error:
                log.warning("The lease of node %s was not renewed: %s", self._config.name, error)
