"""A webhook without a certificate authority: it makes its own certificate, and tells the API server to trust it.

The certificate is made anew with each start and before it expires, and kept in memory and in a directory that only
its owner may read. It stands for itself, so there can be one replica.
"""

import asyncio
import base64
import datetime as dt
import logging
import os
import ssl
import tempfile
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dray.api import errors
from dray.api.meta import Object
from dray.api.resources import VALIDATING_WEBHOOK_CONFIGURATIONS
from dray.client.protocol import Client, PatchType, Unreachable
from dray.kits import klog
from dray.kits.clock import Clock

log = logging.getLogger("dray.drivers.example.webhook")

LIFETIME: Final = dt.timedelta(days=90)
RENEWED_BEFORE: Final = dt.timedelta(days=30)
SKEW: Final = dt.timedelta(hours=1)
"""Clocks of other machines may be late by so much."""
SOON_SECONDS: Final = 0.2
CHECK_SECONDS: Final = 10.0


def make_certificate(host: str, now: dt.datetime) -> tuple[bytes, bytes]:
    """A self-signed certificate for one DNS name, and its key; both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(pem), secret


class SelfSigned:
    """Serves under `host` (`<service>.<namespace>.svc`), for the webhooks of `configuration` that name that service."""

    def __init__(self, host: str, configuration: str, client: Client, clock: Clock) -> None:
        self._host = host
        self._configuration = configuration
        self._client = client
        self._clock = clock
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.is_known = False
        """The API server was told of the present certificate."""
        self._renew()

    def _renew(self) -> None:
        now = self._clock.now()
        certificate, key = make_certificate(self._host, now)
        with tempfile.TemporaryDirectory() as directory:
            files = Path(directory, "tls.crt"), Path(directory, "tls.key")
            for path, data in zip(files, (certificate, key), strict=True):
                path.touch(mode=0o600)
                path.write_bytes(data)
            self.context.load_cert_chain(*map(os.fspath, files))
        self._bundle = base64.b64encode(certificate).decode()
        self._renew_at = now + LIFETIME - RENEWED_BEFORE

    async def announced(self, application: web.Application) -> Any:
        """For `cleanup_ctx`: keep the configuration's bundle right as long as the application runs."""
        task = asyncio.create_task(self._announce())
        yield
        task.cancel()

    async def _announce(self) -> None:
        while True:
            if self._clock.now() >= self._renew_at:
                self._renew()
            try:
                self.is_known = await self.tell() or self.is_known
            except (errors.StatusError, Unreachable) as error:
                log.warning("The API server could not be told of the certificate", extra=klog.kv(err=error))
            await asyncio.sleep(CHECK_SECONDS if self.is_known else SOON_SECONDS)

    async def tell(self) -> bool:
        """Put the certificate where it is missing; whether it is known now. Raises StatusError, Unreachable."""
        try:
            found = await self._client.get(VALIDATING_WEBHOOK_CONFIGURATIONS, self._configuration)
        except errors.NotFound:
            return False  # it may be written after us
        ours = [index for index, hook in enumerate(found.get("webhooks") or ()) if self._is_ours(hook)]
        stale = [
            index
            for index in ours
            if found["webhooks"][index]["clientConfig"].get("caBundle") != self._bundle
        ]
        if stale:
            version = {
                "op": "test",
                "path": "/metadata/resourceVersion",
                "value": found["metadata"]["resourceVersion"],
            }
            operations = [
                {"op": "add", "path": f"/webhooks/{index}/clientConfig/caBundle", "value": self._bundle}
                for index in stale
            ]
            await self._client.patch(
                VALIDATING_WEBHOOK_CONFIGURATIONS,
                self._configuration,
                [version, *operations],
                patch_type=PatchType.JSON,
            )
            log.info("The API server was told of the certificate", extra=klog.kv(host=self._host))
        return bool(ours)

    def _is_ours(self, hook: Object) -> bool:
        service = (hook.get("clientConfig") or {}).get("service") or {}
        return f"{service.get('name')}.{service.get('namespace')}.svc" == self._host
