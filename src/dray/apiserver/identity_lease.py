"""The lease by which an API server is known to be alive, in kube-system: `apiserver-` and a hash of the machine's name."""

import asyncio
import base64
import hashlib
import logging
import uuid
from typing import Final

from dray.api import errors
from dray.api.meta import Object, format_micro_time
from dray.api.resources import LEASES
from dray.client.protocol import Client
from dray.kits.clock import Clock

log = logging.getLogger("dray.apiserver")

NAMESPACE: Final = "kube-system"
DURATION_SECONDS: Final = 3600
RENEW_SECONDS: Final = 10.0
_HASH_BYTES: Final = 16


class IdentityLease:
    def __init__(self, client: Client, clock: Clock, host: str) -> None:
        self._client = client
        self._clock = clock
        self._host = host
        digest = hashlib.sha256(host.encode()).digest()[:_HASH_BYTES]
        self.name = f"apiserver-{base64.b32encode(digest).decode().rstrip('=').lower()}"
        self._holder = f"{self.name}_{uuid.uuid4()}"

    async def run(self) -> None:
        """For as long as the server runs."""
        while True:
            try:
                await self.renew()
            except errors.StatusError as error:
                log.warning("cannot renew the lease %s: %s", self.name, error)
            await asyncio.sleep(RENEW_SECONDS)

    async def renew(self) -> None:
        """Raises StatusError."""
        spec = {
            "holderIdentity": self._holder,
            "leaseDurationSeconds": DURATION_SECONDS,
            "renewTime": format_micro_time(self._clock.now()),
        }
        try:
            lease = await self._client.get(LEASES, self.name, NAMESPACE)
        except errors.NotFound:
            await self._client.create(LEASES, self._lease(spec), NAMESPACE)
            return
        await self._client.update(LEASES, {**lease, "spec": spec})

    def _lease(self, spec: Object) -> Object:
        labels = {"apiserver.kubernetes.io/identity": "kube-apiserver", "kubernetes.io/hostname": self._host}
        return {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"name": self.name, "namespace": NAMESPACE, "labels": labels},
            "spec": spec,
        }
