"""Watches as HTTP streams: JSON lines, sent as they happen, until the time is up or the server stops.

A client that reads slowly falls behind on the shared history and is told so when it has missed too much; one that
stops reading is cut off. Neither has more kept for it than what the connection buffers and one batch of changes.
"""

import asyncio
import random
from typing import Final

from aiohttp import web

from dray.api import errors
from dray.apiserver.http.encoding import View, error_line
from dray.apiserver.http.metrics import WATCH_METER
from dray.apiserver.http.responses import NOT_CACHED
from dray.apiserver.options import ListOptions
from dray.apiserver.verbs.watch import Bookmark, Change, ResourceWatch

SHORTEST_SECONDS: Final = 1800
"""A watch without its own limit ends after this to twice this long, so that clients do not all come back at once."""

BOOKMARK_SECONDS: Final = 60
STALLED_SECONDS = 60.0
"""A client that has taken nothing for so long, while there is something for it, is gone for good."""

CHUNK_BYTES: Final = 64 * 1024
"""Lines are joined to about this size, so that what is on its way to a slow client stays small."""


class WatchStream:
    """One watch on its way to one client."""

    def __init__(
        self, request: web.BaseRequest, view: View, watch: ResourceWatch, options: ListOptions
    ) -> None:
        self._request = request
        self._view = view
        self._watch = watch
        self._meter = request.get(WATCH_METER)
        self._bookmarks = options.allow_bookmarks
        self._response = web.StreamResponse()
        self._is_first = True
        loop = asyncio.get_running_loop()
        limit = options.timeout_seconds or SHORTEST_SECONDS * (1 + random.random())
        self._end = loop.time() + limit
        self._time = loop.time

    async def serve(self, warnings: list[str]) -> web.StreamResponse:
        response = self._response
        response.headers["Content-Type"] = self._view.content_type
        response.headers["Cache-Control"] = NOT_CACHED
        for warning in warnings:
            response.headers.add("Warning", warning)
        response.enable_chunked_encoding()
        await response.prepare(self._request)
        try:
            await self._send(self._watch.initial)
            await self._follow()
            await response.write_eof()
        except ConnectionError:
            pass  # the client has left: the usual end of a watch
        finally:
            self._watch.close()
        return response

    async def _follow(self) -> None:
        next_bookmark = self._time() + BOOKMARK_SECONDS
        while (now := self._time()) < self._end:
            wait = min(self._end, next_bookmark) - now
            try:
                async with asyncio.timeout(wait):
                    changes = await self._watch.next()
            except TimeoutError:
                if self._time() >= next_bookmark:
                    await self._send_progress()
                    next_bookmark = self._time() + BOOKMARK_SECONDS
                continue
            except errors.Expired as error:
                await self._write(error_line(error.status))
                return
            if not changes:
                return
            await self._send(changes)

    async def _send_progress(self) -> None:
        if self._bookmarks and (bookmark := self._watch.bookmark()) is not None:
            await self._send([bookmark])

    async def _send(self, items: "list[Change] | list[Change | Bookmark] | list[Bookmark]") -> None:
        lines: list[bytes] = []
        size = 0
        for item in items:
            if isinstance(item, Bookmark):
                line = self._view.bookmark(item, self._is_first)
            else:
                line = self._view.event(item, self._is_first)
            self._is_first = False
            lines.append(line)
            size += len(line)
            if size >= CHUNK_BYTES:
                await self._write_lines(lines)
                lines, size = [], 0
        if lines:
            await self._write_lines(lines)

    async def _write_lines(self, lines: list[bytes]) -> None:
        if self._meter is not None:
            self._meter.sent(lines)
        await self._write(b"".join(lines))

    async def _write(self, data: bytes) -> None:
        """Raises ConnectionError when the client takes nothing any more."""
        # A timer, since `asyncio.timeout` costs a tenth of a delivery and the client is hardly ever slow.
        stalled = asyncio.get_running_loop().call_later(STALLED_SECONDS, self._abort)
        try:
            await self._response.write(data)
        finally:
            stalled.cancel()

    def _abort(self) -> None:
        """Let the write that waits fail."""
        if (transport := self._request.transport) is not None:
            transport.abort()
