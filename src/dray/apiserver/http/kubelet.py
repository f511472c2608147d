"""Requests that the API server passes on to the kubelet of a node: logs, exec, attach and port-forward of pods.

Decides which container and node is meant and refuses what cannot be; what a container does or says is the kubelet's.
Streams are passed through as they come, WebSocket or SPDY: the kubelet speaks what the client does (`upgrade`).
"""

import dataclasses
import ssl
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

import aiohttp
from aiohttp import web

from dray.api import errors
from dray.api.meta import Object
from dray.api.resources import NODES, PODS
from dray.apiserver.core import Call
from dray.apiserver.endpoint import Endpoint, dial_failure
from dray.apiserver.http.pod_options import STREAM_GATE, forwarded_ports, is_set, log_options
from dray.apiserver.http.responses import NOT_CACHED
from dray.apiserver.http.upgrade import splice
from dray.apiserver.options import Query, first
from dray.apiserver.verbs.read import get

CONNECT_SECONDS: Final = 10
CHUNK: Final = 64 * 1024
_ADDRESS_ORDER: Final = ("InternalIP", "Hostname", "InternalDNS", "ExternalIP", "ExternalDNS")
_STREAMS: Final = {"stdin": "input", "stdout": "output", "stderr": "error", "tty": "tty"}


@dataclasses.dataclass(frozen=True, slots=True)
class Location:
    """Where a request about a container goes."""

    endpoint: Endpoint
    namespace: str
    pod: str
    container: str

    def path(self, verb: str, query: Sequence[tuple[str, str]] = ()) -> str:
        parts = [verb, self.namespace, self.pod, *([self.container] if self.container else [])]
        path = "/" + "/".join(quote(part, safe="") for part in parts)
        return f"{path}?{urlencode(query)}" if query else path


class Kubelets:
    """The server's connections to kubelets. `ssl_context` holds the client certificate; None: plain HTTP."""

    def __init__(self, ssl_context: ssl.SSLContext | None = None) -> None:
        self._ssl = ssl_context
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def log(self, call: Call, request: web.BaseRequest, query: Query) -> web.StreamResponse:
        """The container's log, streamed. Raises NotFound, BadRequest, Invalid, or a 500 for a silent kubelet."""
        options = log_options(query, call.name, split=call.features.enabled(STREAM_GATE))
        pod = (await get(call)).obj
        container = _container(pod, query)
        if not pod["spec"].get("nodeName"):
            return web.Response(status=204, headers={"Cache-Control": NOT_CACHED})  # nothing was said yet
        location = self._locate(call, pod, container)
        return await self._stream(request, location.endpoint, location.path("containerLogs", options))

    async def connect(self, call: Call, request: web.BaseRequest, query: Query) -> web.StreamResponse:
        """exec, attach or portforward: the client's connection is handed through to the kubelet."""
        verb = call.subresource
        ports = forwarded_ports(query) if verb == "portforward" else []
        pod = (await get(call)).obj
        container = "" if verb == "portforward" else _container(pod, query)
        if not pod["spec"].get("nodeName"):
            raise errors.BadRequest(f"pod {call.name} does not have a host assigned")
        if verb == "portforward":
            location = self._locate(call, pod, "")
            asked = [("port", str(port)) for port in ports]
            return await splice(request, location.endpoint, location.path("portForward", asked))
        options = [("command", word) for word in query.get("command") or ()]
        options += [(theirs, "1") for ours, theirs in _STREAMS.items() if is_set(query, ours)]
        location = self._locate(call, pod, container)
        return await splice(request, location.endpoint, location.path(verb, options))

    def _locate(self, call: Call, pod: Object, container: str) -> Location:
        """Raises a 500 when the node is unknown or has not said where its kubelet listens."""
        name = pod["spec"]["nodeName"]
        node = call.find(NODES, name)
        if node is None:
            # So Kubernetes names it.
            raise errors.not_found("", PODS.plural, name)
        return Location(kubelet_endpoint(node, self._ssl), call.namespace, call.name, container)

    async def _stream(self, request: web.BaseRequest, endpoint: Endpoint, path: str) -> web.StreamResponse:
        url = endpoint.url(path)
        timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS)
        ssl_context: Any = self._ssl if self._ssl is not None else True
        try:
            async with self._client().get(url, ssl=ssl_context, timeout=timeout) as answer:
                if answer.status >= 400:
                    raise kubelet_refusal(answer.status, await answer.text())
                return await _pass_on(request, answer)
        except (aiohttp.ClientError, TimeoutError) as error:
            cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
            raise errors.StatusError(f'Get "{url}": {dial_failure(endpoint, cause)}') from error

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(auto_decompress=False)
        return self._session


async def _pass_on(request: web.BaseRequest, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status)
    response.headers["Content-Type"] = answer.headers.get("Content-Type", "text/plain")
    response.headers["Cache-Control"] = NOT_CACHED
    response.enable_chunked_encoding()
    await response.prepare(request)
    async for data in answer.content.iter_any():
        await response.write(data)
    await response.write_eof()
    return response


def kubelet_refusal(status: int, text: str) -> errors.StatusError:
    """What a kubelet's own error becomes for the client."""
    message = text.strip() or f"the kubelet answered {status}"
    if status == 400:
        return errors.BadRequest(message)
    if status == 404:
        return errors.NotFound(message)
    return errors.InternalError(f"Internal error occurred: {message}")


def kubelet_endpoint(node: Object, ssl_context: ssl.SSLContext | None) -> Endpoint:
    """Raises a 500 when the node has not said where its kubelet listens."""
    status = node.get("status") or {}
    port = ((status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port")
    host = kubelet_address(node)
    if not host:
        known = [f"{{{entry['type']} {entry['address']}}}" for entry in status.get("addresses") or ()]
        raise errors.StatusError(f"no preferred addresses found; known addresses: [{' '.join(known)}]")
    if not port:
        name = node["metadata"]["name"]
        raise errors.StatusError(f"node {name} has not reported the port of its kubelet")
    return Endpoint(host, int(port), ssl_context)


def kubelet_address(node: Object) -> str:
    """Empty for a node that reports none."""
    addresses = (node.get("status") or {}).get("addresses") or ()
    by_type = {entry["type"]: entry["address"] for entry in reversed(addresses)}
    return next((by_type[name] for name in _ADDRESS_ORDER if name in by_type), "")


def _container(pod: Object, query: Query) -> str:
    """The container asked for, or the only one. Raises BadRequest."""
    spec, name = pod["spec"], first(query, "container")
    pod_name = pod["metadata"]["name"]
    main = [entry["name"] for entry in spec.get("containers") or ()]
    init = [entry["name"] for entry in spec.get("initContainers") or ()]
    ephemeral = [entry["name"] for entry in spec.get("ephemeralContainers") or ()]
    if name:
        if name not in (*main, *init, *ephemeral):
            raise errors.BadRequest(f"container {name} is not valid for pod {pod_name}")
        return name
    if len(main) == 1:
        return str(main[0])
    choices = f"choose one of: [{' '.join([*init, *main, *ephemeral])}]"
    raise errors.BadRequest(f"a container name must be specified for pod {pod_name}, {choices}")
