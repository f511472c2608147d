"""How the other parts of the control plane are: the questions behind ComponentStatus, asked when somebody reads it."""

import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import aiohttp

from dray.api.meta import Object
from dray.apiserver.endpoint import Endpoint, dial_failure

SECONDS: Final = 20
_LONGEST: Final = 4096

Question = Callable[[], Awaitable[str]]
"""What the component says of itself. Raises Unhealthy."""

Components = Mapping[str, Question]


class Unhealthy(Exception):
    """`str()` says in what way."""


async def component_status(name: str, question: Question) -> Object:
    try:
        state, message = "True", await question()
    except Unhealthy as error:
        state, message = "False", str(error)
    condition = {"type": "Healthy", "status": state, "message": message}
    return {
        "kind": "ComponentStatus",
        "apiVersion": "v1",
        "metadata": {"name": name},
        "conditions": [{key: value for key, value in condition.items() if value}],
    }


def checked(check: Callable[[], None]) -> Question:
    """A part of this process; `check` raises when something is wrong."""

    async def ask() -> str:
        try:
            check()
        except Exception as error:  # a check may fail in any way; failing is its answer
            raise Unhealthy(str(error)) from error
        return "ok"

    return ask


def probed(port: int) -> Question:
    """A process of this machine with its health on a port of the loopback, with TLS as Kubernetes' or without."""

    async def ask() -> str:
        try:
            return await _page("https", port)
        except ssl.SSLError:
            pass
        return await _page("http", port)

    return ask


async def _page(scheme: str, port: int) -> str:
    """Raises Unhealthy, or SSLError where nobody speaks TLS."""
    endpoint = Endpoint("127.0.0.1", port)
    url = f"{scheme}://{endpoint.authority}/healthz"
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url, ssl=False) as answer,
        ):
            text = (await answer.content.read(_LONGEST)).decode("utf-8", "replace")
            if answer.status >= 400:
                raise Unhealthy(f"HTTP probe failed with statuscode: {answer.status}")
            return text
    except aiohttp.ClientConnectorSSLError as error:
        raise ssl.SSLError(str(error)) from error
    except (aiohttp.ClientError, TimeoutError) as error:
        cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
        raise Unhealthy(f'Get "{url}": {dial_failure(endpoint, cause)}') from error
