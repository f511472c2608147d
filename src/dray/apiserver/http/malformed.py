"""Answers to what is not even an HTTP request: a Status, like every other answer, instead of the library's text."""

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMethod, HttpProcessingError

from dray.api import errors
from dray.apiserver.http.responses import error_answer, method_not_allowed


class StatusServer(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(web.RequestHandler):
    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Raises ConnectionError when an answer is on its way already."""
        if not isinstance(exc, HttpProcessingError):
            return super().handle_error(request, status, exc, message)
        if isinstance(exc, BadHttpMethod):
            response = error_answer(method_not_allowed())
        else:
            response = error_answer(errors.BadRequest((message or str(exc)).strip()))
        response.force_close()
        return response
