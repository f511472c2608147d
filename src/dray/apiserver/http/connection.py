"""One connection of the HTTP server: what is bounded before a request is known, and answers to what is none.

A client that is slow with the head of its request is cut off, as one that idles for long. Headers are bytes that anybody
may send: what is no UTF-8 in them is replaced before anything looks at it. Every answer is a Status, also where the
library has a text of its own.
"""

import asyncio
import logging
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMethod, HttpProcessingError
from aiohttp.http_parser import RawRequestMessage
from multidict import CIMultiDict, CIMultiDictProxy

from dray.api import errors
from dray.apiserver.http.responses import error_answer, method_not_allowed

log = logging.getLogger("dray.apiserver")

HEAD_SECONDS: Final = 32.0
"""For the head of a request, from its first byte, and for the first byte of a connection."""

IDLE_SECONDS: Final = 180.0
"""Between requests: longer than clients keep idle connections, so that they are the ones to close."""

LONGEST_LINE: Final = 64 * 1024
"""Bytes of the request line: selectors may be long."""

LONGEST_FIELD: Final = 16 * 1024
MOST_FIELDS: Final = 256
"""Header fields of a request."""


class StatusServer(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Connection(
            self,
            loop=self._loop,
            keepalive_timeout=IDLE_SECONDS,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_FIELD,
            max_headers=MOST_FIELDS,
            auto_decompress=False,
            **self._kwargs,
        )


class _Connection(web.RequestHandler):
    __slots__ = ("_head_timer",)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._head_timer: asyncio.TimerHandle | None = self._loop.call_later(HEAD_SECONDS, self._give_up)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._awaits_head:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None
        elif self._head_timer is None:
            self._head_timer = self._loop.call_later(HEAD_SECONDS, self._give_up)

    @property
    def _awaits_head(self) -> bool:
        return not self._messages and not self._request_in_progress

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        self._head_timer = None
        if self._awaits_head:
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Raises ConnectionError when an answer is on its way already."""
        if self.transport is not None and request.writer.output_size > 0:
            raise ConnectionError("an answer is on its way already")
        if isinstance(exc, BadHttpMethod):
            response = error_answer(method_not_allowed())
        elif isinstance(exc, HttpProcessingError):
            response = error_answer(errors.BadRequest((message or str(exc)).strip()))
        else:
            log.error("%s failed", request.method, exc_info=exc)
            response = error_answer(
                errors.InternalError("Internal error occurred: the API server's log says more")
            )
        response.force_close()
        return response


def readable(message: RawRequestMessage) -> RawRequestMessage:
    """The head of a request with every header valid text."""
    if all(value.isascii() for value in message.headers.values()):
        return message
    headers = CIMultiDict((name, _text(value)) for name, value in message.headers.items())
    return message._replace(headers=CIMultiDictProxy(headers))


def _text(value: str) -> str:
    """The library leaves foreign bytes as lone surrogates, which nothing can write down."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
