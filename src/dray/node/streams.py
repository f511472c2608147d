"""exec and attach over WebSocket, as Kubernetes speaks it: `v5.channel.k8s.io`, and v4.

The first byte of a message is its channel. The last message is a Status on the error channel, which says how the
program ended. v5 adds the message that closes a channel, which is how stdin ends.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, Final

from aiohttp import WSMsgType, web

from dray.node.runtime.protocol import Session

PROTOCOLS: Final = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255


async def refuse(request: web.Request, failure: str) -> web.WebSocketResponse:
    """The program could not be started: an answer that says why, in place of its streams."""
    socket = web.WebSocketResponse(protocols=PROTOCOLS)
    await socket.prepare(request)
    status: Any = {
        "metadata": {},
        "status": "Failure",
        "reason": "InternalError",
        "message": f"error executing command in container: {failure}",
    }
    await socket.send_bytes(bytes([ERROR]) + json.dumps(status).encode())
    await socket.close()
    return socket


async def serve(request: web.Request, session: Session) -> web.WebSocketResponse:
    """Connect the client with the session until one of them ends; the session is closed in any case."""
    socket = web.WebSocketResponse(protocols=PROTOCOLS)
    await socket.prepare(request)
    speaking = asyncio.create_task(_speak(socket, session), name="speaking")
    listening = asyncio.create_task(_listen(socket, session), name="listening")
    try:
        # A client that goes away ends the session, although the program may have much to say yet.
        await asyncio.wait({speaking, listening}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (speaking, listening):
            task.cancel()
        await asyncio.gather(speaking, listening, return_exceptions=True)
        await session.close()
        await socket.close()
    return socket


async def _speak(socket: web.WebSocketResponse, session: Session) -> None:
    await asyncio.gather(_send(socket, STDOUT, session.stdout()), _send(socket, STDERR, session.stderr()))
    status = json.dumps(_exit_status(await session.wait()))
    await socket.send_bytes(bytes([ERROR]) + status.encode())


async def _send(socket: web.WebSocketResponse, channel: int, chunks: AsyncIterator[bytes]) -> None:
    async for chunk in chunks:
        await socket.send_bytes(bytes([channel]) + chunk)


async def _listen(socket: web.WebSocketResponse, session: Session) -> None:
    async for message in socket:
        if message.type is not WSMsgType.BINARY or not message.data:
            continue
        channel, data = message.data[0], message.data[1:]
        if channel == STDIN:
            await session.write(data)
        elif channel == RESIZE:
            with contextlib.suppress(ValueError, KeyError):
                size = json.loads(data)
                session.resize(size["Width"], size["Height"])
        elif channel == CLOSE and data[:1] == bytes([STDIN]):
            session.close_stdin()


def _exit_status(code: int) -> Any:
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    causes = [{"reason": "ExitCode", "message": str(code)}]
    return {
        "metadata": {},
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "details": {"causes": causes},
    }
