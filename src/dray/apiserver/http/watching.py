"""Watches as HTTP streams: JSON lines, sent as they happen, until the time is up or the server stops."""

import asyncio
import random
from typing import Final

from aiohttp import web

from dray.api import errors
from dray.apiserver.http.encoding import View, error_line
from dray.apiserver.http.responses import NOT_CACHED
from dray.apiserver.options import ListOptions
from dray.apiserver.verbs.watch import Bookmark, Change, ResourceWatch

SHORTEST_SECONDS: Final = 1800
"""A watch without its own limit ends after this to twice this long, so that clients do not all come back at once."""

BOOKMARK_SECONDS: Final = 60


class WatchStream:
    """One watch on its way to one client."""

    def __init__(
        self, request: web.BaseRequest, view: View, watch: ResourceWatch, options: ListOptions
    ) -> None:
        self._request = request
        self._view = view
        self._watch = watch
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
                await self._response.write(error_line(error.status))
                return
            if not changes:
                return
            await self._send(changes)

    async def _send_progress(self) -> None:
        if self._bookmarks and (bookmark := self._watch.bookmark()) is not None:
            await self._send([bookmark])

    async def _send(self, items: "list[Change] | list[Change | Bookmark] | list[Bookmark]") -> None:
        lines = []
        for item in items:
            if isinstance(item, Bookmark):
                lines.append(self._view.bookmark(item, self._is_first))
            else:
                lines.append(self._view.event(item, self._is_first))
            self._is_first = False
        if lines:
            await self._response.write(b"".join(lines))
