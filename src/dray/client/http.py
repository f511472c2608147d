"""The client protocol over HTTP: any Kubernetes API server, 1.32 or newer.

One keep-alive connection pool, JSON through orjson, TLS as the configuration says. DRA objects are always v1 to the
caller: on a server that does not serve `resource.k8s.io/v1` yet, `VersionedClient` (dray.client.versions) converts.
"""

import asyncio
import contextlib
import json
import logging
import urllib.parse
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal

import aiohttp
import orjson
from multidict import CIMultiDict

import dray
from dray.api import errors
from dray.api.meta import Object
from dray.api.resources import Resource
from dray.client.config import ClientConfig
from dray.client.protocol import (
    EVERYTHING,
    EventType,
    ObjectList,
    PatchType,
    Selection,
    Unreachable,
    WatchEvent,
)

log = logging.getLogger("dray.client")

CONNECT_TIMEOUT_SECONDS = 10.0
REQUEST_TIMEOUT_SECONDS = 60.0
WATCH_TIMEOUT_SECONDS = 300
MAX_EVENT_BYTES = 16 * 1024 * 1024
CLOSING_SECONDS = 0.01
MAX_WARNINGS = 1000
"""Different ones that a client tells in its life."""
MAX_RETRIES = 3
"""Of requests that the server itself asked to repeat (429 and 503 with Retry-After)."""


class HttpClient:
    """Use as an async context manager, or call `close`."""

    def __init__(
        self,
        config: ClientConfig,
        *,
        user_agent: str = f"dray/{dray.__version__}",
        field_manager: str = "",
        on_warning: Callable[[str], object] | None = None,
    ) -> None:
        self.config = config
        self._field_manager = field_manager
        self._on_warning = on_warning or (lambda text: log.warning("Warning: %s", text))
        self._warned: set[str] = set()
        self._headers = CIMultiDict({"User-Agent": user_agent, "Accept": "application/json"})
        if config.impersonate:
            self._headers["Impersonate-User"] = config.impersonate
            self._headers.extend(("Impersonate-Group", group) for group in config.impersonate_groups)
        self._session: aiohttp.ClientSession | None = None

    def _warn(self, text: str) -> None:
        """Each text is told once: a watch that is opened anew every few minutes has nothing new to say."""
        if text not in self._warned and len(self._warned) < MAX_WARNINGS:
            self._warned.add(text)
            self._on_warning(text)

    async def __aenter__(self) -> "HttpClient":
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """Made at first use, since it belongs to the running loop."""
        if self._session is None:
            connector = aiohttp.TCPConnector(
                ssl=self.config.ssl_context() or False, limit=0, keepalive_timeout=60
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_SECONDS),
                auto_decompress=True,
            )
        return self._session

    # --- the protocol ---

    async def get(
        self, resource: Resource, name: str, namespace: str = "", *, subresource: str = ""
    ) -> Object:
        return await self.request("GET", resource.path(namespace, name, subresource))

    async def list(
        self,
        resource: Resource,
        selection: Selection = EVERYTHING,
        *,
        limit: int = 0,
        continue_token: str = "",
        resource_version: str = "",
    ) -> ObjectList:
        query = _selection_query(selection)
        query |= _given(limit=limit or "", resourceVersion=resource_version) | _given(
            **{"continue": continue_token}
        )
        body = await self.request("GET", resource.path(selection.namespace), query=query)
        items = body.get("items") or []
        for item in items:
            # Items of a list carry no type of their own on the wire; everywhere else objects do.
            item.setdefault("apiVersion", resource.api_version)
            item.setdefault("kind", resource.kind)
        meta = body.get("metadata") or {}
        return ObjectList(items, meta.get("resourceVersion", ""), meta.get("continue", ""))

    def watch(
        self,
        resource: Resource,
        selection: Selection = EVERYTHING,
        *,
        resource_version: str = "",
        send_initial_events: bool = False,
        timeout_seconds: int | None = None,
    ) -> AbstractAsyncContextManager[AsyncIterator[WatchEvent]]:
        query = _selection_query(selection) | {"watch": "true", "allowWatchBookmarks": "true"}
        query["timeoutSeconds"] = str(timeout_seconds or WATCH_TIMEOUT_SECONDS)
        query |= _given(resourceVersion=resource_version)
        if send_initial_events:
            query |= {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        return self._watch(resource.path(selection.namespace), query)

    async def create(
        self, resource: Resource, obj: Object, namespace: str = "", *, name: str = "", subresource: str = ""
    ) -> Object:
        namespace = namespace or (obj.get("metadata") or {}).get("namespace", "")
        path = resource.path(namespace, name, subresource)
        return await self.request("POST", path, body=obj, query=self._manager_query())

    async def update(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        meta = obj["metadata"]
        path = resource.path(meta.get("namespace", ""), meta["name"], subresource)
        return await self.request("PUT", path, body=obj, query=self._manager_query())

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
        query = self._manager_query()
        if field_manager:
            query["fieldManager"] = field_manager
        if patch_type is PatchType.APPLY:
            query["force"] = "true" if force else "false"
        path = resource.path(namespace, name, subresource)
        return await self.request("PATCH", path, body=patch, query=query, content_type=patch_type.value)

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
        preconditions = _given(uid=uid, resourceVersion=resource_version)
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if grace_period_seconds is not None:
            options["gracePeriodSeconds"] = grace_period_seconds
        if propagation_policy is not None:
            options["propagationPolicy"] = propagation_policy
        if preconditions:
            options["preconditions"] = preconditions
        return await self.request("DELETE", resource.path(namespace, name), body=options)

    async def delete_collection(self, resource: Resource, selection: Selection = EVERYTHING) -> None:
        await self.request("DELETE", resource.path(selection.namespace), query=_selection_query(selection))

    # --- requests ---

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        accept: str = "",
    ) -> Object:
        """One request and its JSON answer. Raises StatusError for what the server reports, else Unreachable."""
        for attempt in range(MAX_RETRIES + 1):
            try:
                return await self._request_once(method, path, body, query, content_type, accept)
            except (errors.TooManyRequests, errors.ServiceUnavailable) as error:
                if not error.retry_after_seconds or attempt == MAX_RETRIES:
                    raise
                await asyncio.sleep(error.retry_after_seconds)
        raise AssertionError("the last attempt returns or raises")

    async def _request_once(
        self,
        method: str,
        path: str,
        body: Any,
        query: Mapping[str, str] | None,
        content_type: str,
        accept: str,
    ) -> Object:
        async with self.open(
            method, path, body=body, query=query, content_type=content_type, accept=accept
        ) as response:
            data = await response.read()
            if response.status >= 400:
                raise error_from_response(response, data)
            return _parse_object(data)

    @contextlib.asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        accept: str = "",
        timeout_seconds: float | None = REQUEST_TIMEOUT_SECONDS,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The raw response, for logs and the like. Raises Unreachable when there is none, or it breaks off."""
        headers = self._headers.copy()
        if accept:
            headers["Accept"] = accept
        if token := self.config.bearer_token():
            headers["Authorization"] = f"Bearer {token}"
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else orjson.dumps(body)
            headers["Content-Type"] = content_type
        url = self.config.server + path + (f"?{urllib.parse.urlencode(query)}" if query else "")
        try:
            async with (
                asyncio.timeout(timeout_seconds),
                self.session.request(
                    method, url, data=data, headers=headers, server_hostname=self.config.server_name or None
                ) as response,
            ):
                for warning in response.headers.getall("Warning", ()):
                    self._warn(_warning_text(warning))
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"{method} {url.split('?')[0]}: {error or type(error).__name__}") from error

    @contextlib.asynccontextmanager
    async def connect(
        self, path: str, query: Iterable[tuple[str, str]], protocols: Sequence[str]
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A WebSocket, for exec and attach. Raises StatusError when the server refuses, Unreachable without one."""
        headers = self._headers.copy()
        if token := self.config.bearer_token():
            headers["Authorization"] = f"Bearer {token}"
        url = f"{self.config.server}{path}?{urllib.parse.urlencode(list(query))}"
        try:
            async with self.session.ws_connect(
                url, headers=headers, protocols=protocols, server_hostname=self.config.server_name or None
            ) as socket:
                yield socket
            await asyncio.sleep(CLOSING_SECONDS)  # for TLS to end: aiohttp does not wait for it
        except aiohttp.WSServerHandshakeError as error:
            # The answer's body, which says why, is not to be had here: ask again, as a plain request.
            await self._request_once(
                "GET", f"{path}?{urllib.parse.urlencode(list(query))}", None, None, "", ""
            )
            raise Unreachable(f"GET {path}: {error}") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"GET {path}: {error or type(error).__name__}") from error

    @contextlib.asynccontextmanager
    async def _watch(self, path: str, query: Mapping[str, str]) -> AsyncIterator[AsyncIterator[WatchEvent]]:
        async with self.open("GET", path, query=query, timeout_seconds=None) as response:
            if response.status >= 400:
                raise error_from_response(response, await response.read())
            events = read_events(response)
            try:
                yield events
            finally:
                await events.aclose()
                response.close()

    def _manager_query(self) -> dict[str, str]:
        return {"fieldManager": self._field_manager} if self._field_manager else {}


async def read_events(response: aiohttp.ClientResponse) -> AsyncGenerator[WatchEvent, None]:
    """Events from a stream of JSON lines; a line may be longer than the reader's own limit."""
    pending = bytearray()
    async for chunk in response.content.iter_any():
        pending += chunk
        if len(pending) > MAX_EVENT_BYTES:
            raise Unreachable("a watch event is larger than 16 MiB")
        *lines, rest = pending.split(b"\n")
        for line in lines:
            if line:
                yield _parse_event(bytes(line))
        pending = bytearray(rest)


def _parse_event(line: bytes) -> WatchEvent:
    try:
        event = orjson.loads(line)
        kind: EventType = event["type"]
        obj: Object = event["object"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise Unreachable(f"the watch sent something that is no event: {line[:80]!r}") from error
    if kind == "ERROR":
        raise errors.error_from_status(obj)
    return WatchEvent(kind, obj)


def _parse_object(data: bytes) -> Object:
    try:
        parsed: Object = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Unreachable(f"the answer is not JSON: {data[:80]!r}") from error
    return parsed


def error_from_response(response: aiohttp.ClientResponse, data: bytes) -> errors.StatusError:
    """What an answer of 400 and more says, whether or not it is a Status object."""
    try:
        status = json.loads(data)
    except ValueError:
        status = None
    if not isinstance(status, dict) or status.get("kind") != "Status":
        text = data[:200].decode(errors="replace").strip()
        status = {"message": text or response.reason, "code": response.status}
    error = errors.error_from_status(status, response.status)
    if not error.retry_after_seconds and response.headers.get("Retry-After", "").isdigit():
        error.retry_after_seconds = int(response.headers["Retry-After"])
    return error


def _warning_text(header: str) -> str:
    """`299 - "text"` -> text."""
    start = header.find('"')
    return header[start + 1 : header.rfind('"')].replace('\\"', '"') if start >= 0 else header


def _selection_query(selection: Selection) -> dict[str, str]:
    return _given(labelSelector=selection.labels, fieldSelector=selection.fields)


def _given(**values: Any) -> dict[str, str]:
    return {key: str(value) for key, value in values.items() if value != ""}
