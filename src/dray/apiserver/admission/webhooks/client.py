"""HTTPS to webhooks: connections are kept, answers are bounded in size and time, failures are told as Go tells them."""

import asyncio
import base64
import binascii
import ssl
from typing import Any, Final

import aiohttp
import orjson
from yarl import URL

from dray.api.fields import quote
from dray.apiserver.admission.metrics import AdmissionMetrics
from dray.apiserver.admission.webhooks.address import Target, Unreachable
from dray.apiserver.admission.webhooks.failures import CallFailed
from dray.apiserver.admission.webhooks.webhook import Webhook
from dray.apiserver.core import Core

MAX_ANSWER_BYTES: Final = 3 * 1024 * 1024
"""As much as a request to the server may have: an answer may hold a patch of the whole object."""
CONTEXTS_KEPT: Final = 200
_HEADERS: Final = {"Content-Type": "application/json", "Accept": "application/json, */*"}
_REFUSALS: Final = {
    400: "the server rejected our request for an unknown reason",
    401: "the server has asked for the client to provide credentials",
    403: "forbidden: the server does not allow this request",
    404: "the server could not find the requested resource",
    405: "the server does not allow this method on the requested resource",
    429: "the server has received too many requests and has asked us to try again later",
    503: "the server is currently unable to handle the request",
    504: "the server was unable to return a response in the time allotted, but may still be processing the request",
}


class WebhookClient:
    def __init__(self, metrics: AdmissionMetrics | None = None) -> None:
        self.metrics = metrics
        self._session: aiohttp.ClientSession | None = None
        self._contexts: dict[str, ssl.SSLContext] = {}

    async def call(self, core: Core, webhook: Webhook, body: bytes) -> Any:
        """The JSON of the answer. Raises CallFailed."""
        target = Target.of(webhook.client, webhook.timeout_seconds)
        context = self._context(webhook.client.get("caBundle") or "")
        try:
            status, answer = await self._ask(core, target, context, webhook.timeout_seconds, body)
        except (Unreachable, OSError, aiohttp.ClientError, TimeoutError) as error:
            raise CallFailed(f"failed to call webhook: Post {quote(target.url)}: {_told(error)}") from error
        if len(answer) > MAX_ANSWER_BYTES:
            raise CallFailed(f"failed to call webhook: the answer has more than {MAX_ANSWER_BYTES} bytes")
        if not 200 <= status <= 206:
            raise CallFailed(f"failed to call webhook: {_refusal(status, answer)}")
        try:
            return orjson.loads(answer)
        except orjson.JSONDecodeError as error:
            why = f"couldn't get version/kind; json parse error: {error}"
            raise CallFailed(f"failed to call webhook: {why}") from None

    async def _ask(
        self, core: Core, target: Target, context: ssl.SSLContext, seconds: int, body: bytes
    ) -> tuple[int, bytes]:
        """Once more where a kept connection turns out to be gone, as after a restart of the webhook."""
        async with asyncio.timeout(seconds):
            try:
                return await self._post(core, target, context, seconds, body)
            except (aiohttp.ServerDisconnectedError, ConnectionResetError):
                return await self._post(core, target, context, seconds, body)

    async def _post(
        self, core: Core, target: Target, context: ssl.SSLContext, seconds: int, body: bytes
    ) -> tuple[int, bytes]:
        """The status and the body, which is cut off just past the limit."""
        url = URL(target.url, encoded=True)
        headers = {**_HEADERS, "Host": url.raw_authority}
        if (address := target.address(core)) is not None:
            url = url.with_host(address[0]).with_port(address[1])
        async with self._client(core).post(
            url,
            data=body,
            headers=headers,
            ssl=context,
            server_hostname=target.host,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=seconds),
        ) as response:
            answer = bytearray()
            async for chunk in response.content.iter_any():
                answer += chunk
                if len(answer) > MAX_ANSWER_BYTES:
                    response.close()
                    break
            return response.status, bytes(answer)

    def _client(self, core: Core) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
            core.at_stop.append(self._session.close)
        return self._session

    def _context(self, bundle: str) -> ssl.SSLContext:
        """That trusts the base64 PEM bundle, or what the machine trusts. Raises CallFailed."""
        if bundle not in self._contexts:
            if len(self._contexts) >= CONTEXTS_KEPT:
                self._contexts.clear()
            self._contexts[bundle] = _trusting(bundle)
        return self._contexts[bundle]


def _trusting(bundle: str) -> ssl.SSLContext:
    try:
        pem = base64.b64decode(bundle).decode("ascii")
        context = ssl.create_default_context(cadata=pem or None)
    except (binascii.Error, UnicodeDecodeError, ssl.SSLError) as error:
        why = "unable to load root certificates: unable to parse bytes as PEM block"
        raise CallFailed(f"could not get REST client: {why}") from error
    # As Go: every certificate of the bundle is trusted by itself, whatever it says it is for.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _told(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "context deadline exceeded"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"tls: failed to verify certificate: x509: {_certificate_fault(error.certificate_error)}"
    if isinstance(error, aiohttp.ClientConnectorError):
        why = error.os_error.strerror or str(error.os_error)
        if isinstance(error.os_error, ConnectionRefusedError):
            why = "connect: connection refused"
        return f"dial tcp {error.host}:{error.port}: {why}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "EOF"
    return str(error) or type(error).__name__


def _certificate_fault(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in (18, 19, 20, 21):
            return "certificate signed by unknown authority"
        return error.verify_message
    return str(error)


def _refusal(status: int, body: bytes) -> str:
    if status in _REFUSALS:
        return _REFUSALS[status]
    text = body.decode("utf-8", "replace").strip()
    if status >= 500:
        return (
            f"an error on the server ({quote(text or 'unknown')}) has prevented the request from succeeding"
        )
    return f"the server responded with the status code {status} but did not return more information"
