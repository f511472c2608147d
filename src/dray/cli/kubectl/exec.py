"""`kubectl exec`: a program in a container, its streams over a WebSocket."""

import asyncio
import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

import aiohttp
import click

from dray.api.meta import name_of, namespace_of
from dray.api.resources import PODS
from dray.cli.kubectl.logs import chosen_container, pod_behind
from dray.cli.kubectl.session import Failure, Session

PROTOCOLS: Final = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
CHUNK_BYTES: Final = 4096


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    container: str = ""
    stdin: bool = False
    tty: bool = False
    quiet: bool = False
    is_separated: bool = True
    """`--` stands before the command."""


async def execute(session: Session, name: str, command: Sequence[str], options: Options) -> None:
    """Raises Failure with the program's exit code unless that is 0."""
    if not name:
        raise Failure("error: pod, type/name or --filename must be specified")
    if command and not options.is_separated:
        raise Failure(
            "error: exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead\n"
            "See 'kubectl exec -h' for help and examples"
        )
    if not command:
        raise Failure("error: you must specify at least one command for the container")
    pod = await pod_behind(session, name)
    phase = (pod.get("status") or {}).get("phase")
    if phase in ("Succeeded", "Failed"):
        raise Failure(f"error: cannot exec into a container in a completed pod; current phase is {phase}")
    container = options.container or chosen_container(pod, "", quiet=options.quiet)
    is_terminal = options.tty and sys.stdin.isatty()
    if options.tty and not is_terminal:
        click.echo("Unable to use a TTY - input is not a terminal or the right kind of file", err=True)
    query = [("command", word) for word in command]
    query += [("container", container), ("stdout", "true")]
    query += [("stdin", "true")] if options.stdin else []
    query += [("tty", "true")] if is_terminal else [("stderr", "true")]
    path = PODS.path(namespace_of(pod), name_of(pod), "exec")
    async with session.client.connect(path, query, PROTOCOLS) as socket:
        with _raw_terminal() if is_terminal else contextlib.nullcontext():
            status = await _talk(socket, stdin=options.stdin, is_terminal=is_terminal)
    _end(status)


async def _talk(socket: aiohttp.ClientWebSocketResponse, *, stdin: bool, is_terminal: bool) -> Any:
    """Carry the streams; the Status that says how the program ended."""
    speaking = asyncio.create_task(_send_stdin(socket)) if stdin else None
    if is_terminal:
        size = os.get_terminal_size()
        told = json.dumps({"Width": size.columns, "Height": size.lines})
        await socket.send_bytes(bytes([RESIZE]) + told.encode())
    try:
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
                continue
            channel, data = message.data[0], message.data[1:]
            if channel in (STDOUT, STDERR):
                out = sys.stdout.buffer if channel == STDOUT else sys.stderr.buffer
                out.write(data)
                out.flush()
            elif channel == ERROR:
                return json.loads(data)
    finally:
        if speaking is not None:
            speaking.cancel()
    raise Failure("error: the connection broke off before the program ended")


async def _send_stdin(socket: aiohttp.ClientWebSocketResponse) -> None:
    file = sys.stdin.fileno()
    while True:
        await _readable(file)
        data = os.read(file, CHUNK_BYTES)
        if not data:
            break
        await socket.send_bytes(bytes([STDIN]) + data)
    await socket.send_bytes(bytes([CLOSE, STDIN]))


async def _readable(file: int) -> None:
    """Until a read would not block. Not in a thread: nobody could end that one when the program has ended."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        loop.add_reader(file, ready.set)
    except PermissionError:
        return  # a file on disk, which is always ready
    try:
        await ready.wait()
    finally:
        loop.remove_reader(file)


@contextlib.contextmanager
def _raw_terminal() -> Iterator[None]:
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    tty.setraw(sys.stdin, termios.TCSADRAIN)  # what was typed ahead is kept
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _end(status: Any) -> None:
    if status.get("status") == "Success":
        return
    if status.get("reason") == "NonZeroExitCode":
        causes = (status.get("details") or {}).get("causes") or ()
        code = next((int(cause["message"]) for cause in causes if cause.get("reason") == "ExitCode"), 1)
        raise Failure(f"command terminated with exit code {code}", code)
    raise Failure(f"error: {status.get('message', 'the program could not be run')}")
