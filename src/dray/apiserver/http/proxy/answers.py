"""A backend's answer on its way to the client: streamed as it comes, or rewritten where it is a page with links."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from typing import Final

import aiohttp
from aiohttp import web

from dray.apiserver.http.proxy.headers import answered, guessed_type
from dray.apiserver.http.proxy.pages import LARGEST_PAGE, PACKINGS, packed, rewritten, unpacked
from dray.apiserver.http.proxy.paths import WayBack, check_location

CHUNK: Final = 64 * 1024
_PARALLEL_FROM: Final = 64 * 1024
"""Bytes of a page from which others are served while it is rewritten."""
_BODILESS: Final = (204, 304)


class Answer:
    def __init__(
        self, request: web.BaseRequest, answer: aiohttp.ClientResponse, back: WayBack, *, is_unpacked: bool
    ) -> None:
        """`is_unpacked`: the client has not asked for compression and shall see none."""
        self._request = request
        self._answer = answer
        self._back = back
        self._headers = answered(answer.headers)
        self._has_body = request.method != "HEAD" and answer.status not in _BODILESS
        self._unpacks = is_unpacked and self._headers.get("Content-Encoding", "").lower() == "gzip"
        if self._unpacks:
            self._headers.popall("Content-Encoding")
            self._headers.popall("Content-Length", None)

    async def send(self) -> web.StreamResponse:
        """Raises InternalError for a redirection to nowhere; cuts the connection when the backend breaks off."""
        chunks = self._chunks()
        if location := self._headers.get("Location", ""):
            check_location(location)
            self._headers["Location"] = self._back.shown(location)
        elif self._is_page():
            self._headers.popall("Content-Length", None)
            if self._has_body:
                return await self._page(chunks)
        return await self._stream(b"", chunks)

    def _is_page(self) -> bool:
        media_type = self._headers.get("Content-Type", "").partition(";")[0].strip()
        return media_type == "text/html" and self._headers.get("Content-Encoding", "") in PACKINGS

    async def _page(self, chunks: AsyncIterator[bytes]) -> web.StreamResponse:
        data = bytearray()
        async for chunk in chunks:
            data += chunk
            if len(data) > LARGEST_PAGE:
                return await self._stream(bytes(data), chunks)
        if len(data) >= _PARALLEL_FROM:
            page = await asyncio.to_thread(self._rewritten, bytes(data))
        else:
            page = self._rewritten(bytes(data))
        return web.Response(body=page, status=self._answer.status, headers=self._headers)

    def _rewritten(self, data: bytes) -> bytes:
        encoding = self._headers.get("Content-Encoding", "")
        page = unpacked(data, encoding)
        return data if page is None else packed(rewritten(page, self._back.shown), encoding)

    async def _stream(self, begun: bytes, chunks: AsyncIterator[bytes]) -> web.StreamResponse:
        """What was read already, and then the rest."""
        first = begun or await anext(chunks, b"")
        if self._has_body and "Content-Type" not in self._headers:
            self._headers["Content-Type"] = guessed_type(first)
        response = web.StreamResponse(status=self._answer.status, headers=self._headers)
        await response.prepare(self._request)
        try:
            if first:
                await response.write(first)
            async for chunk in chunks:
                await response.write(chunk)
            await response.write_eof()
        except (aiohttp.ClientError, zlib.error):
            # The status is said already: only a cut tells that this is not the whole.
            if (transport := self._request.transport) is not None:
                transport.abort()
        except ConnectionError:
            pass  # the client has left
        return response

    async def _chunks(self) -> AsyncIterator[bytes]:
        """The body, unpacked where need be, never much of it at once."""
        if not self._unpacks:
            async for chunk in self._answer.content.iter_any():
                yield chunk
            return
        reader = zlib.decompressobj(31)
        async for chunk in self._answer.content.iter_any():
            while chunk:
                yield reader.decompress(chunk, CHUNK)
                chunk = reader.unconsumed_tail
        yield reader.flush()
