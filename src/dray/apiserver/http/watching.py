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
        self._loop = loop = asyncio.get_running_loop()
        self._time = loop.time
        limit = options.timeout_seconds or SHORTEST_SECONDS * (1 + random.random())
        self._end = loop.time() + limit
        self._next_bookmark = loop.time() + BOOKMARK_SECONDS
        self._alarm = loop.call_at(min(self._end, self._next_bookmark), self._ring)
        self._has_rung = False
        self._write_began: float | None = None
        self._guard = loop.call_later(STALLED_SECONDS, self._look_at_client)

    async def serve(self, warnings: list[str]) -> web.StreamResponse:
        response = self._response
        response.headers["Content-Type"] = self._view.content_type
        response.headers["Cache-Control"] = NOT_CACHED
        for warning in warnings:
            response.headers.add("Warning", warning)
        response.enable_chunked_encoding()
        try:
            await response.prepare(self._request)
            await self._send(self._watch.initial)
            await self._follow()
            await response.write_eof()
        except ConnectionError:
            pass  # the client has left: the usual end of a watch
        finally:
            self._alarm.cancel()
            self._guard.cancel()
            self._watch.close()
        return response

    async def _follow(self) -> None:
        # One timer for a minute: a timeout for each wait would cost a tenth of a delivery.
        while True:
            try:
                changes = await self._watch.next()
            except errors.Expired as error:
                await self._write(error_line(error.status))
                return
            if changes is None:
                return
            if changes:
                await self._send(changes)
            if self._has_rung:
                now = self._time()
                if now >= self._end:
                    return
                if now >= self._next_bookmark:
                    await self._send_progress()
                    self._next_bookmark = self._time() + BOOKMARK_SECONDS
                self._has_rung = False
                self._alarm = self._loop.call_at(min(self._end, self._next_bookmark), self._ring)

    def _ring(self) -> None:
        """The time of a bookmark, or the end, has come."""
        self._has_rung = True
        self._watch.nudge()

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
        self._write_began = self._time()
        try:
            await self._response.write(data)
        finally:
            self._write_began = None

    def _look_at_client(self) -> None:
        """Let a write that has waited for too long fail; else look again when the present one could have."""
        now = self._time()
        began = now if self._write_began is None else self._write_began
        if now < began + STALLED_SECONDS:
            self._guard = self._loop.call_at(began + STALLED_SECONDS, self._look_at_client)
        elif (transport := self._request.transport) is not None:
            transport.abort()
