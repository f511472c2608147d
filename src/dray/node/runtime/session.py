"""The node agent's end of exec and attach: what the container's supervisor offers through named pipes."""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Final

from dray.node.runtime.pipes import InPipe, OutPipe
from dray.node.runtime.protocol import RuntimeFailure

START_SECONDS: Final = 30.0
KILLED: Final = 137

Command = Callable[[str], None]
"""Sends one line to the supervisor. Raises RuntimeFailure when it is gone."""


class ExecSession:
    """One program beside the container's main one. Made by `start_exec`."""

    def __init__(self, directory: Path, *, stdin: bool, terminal: bool) -> None:
        self._directory = directory
        self._wants_input = stdin
        self._terminal = terminal
        self._stdout = InPipe(directory / "out")
        self._stderr = InPipe(directory / "err")
        self._status = InPipe(directory / "status")
        self._stdin: OutPipe | None = None
        self._control: OutPipe | None = None
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._watcher: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Wait until the program runs. Raises RuntimeFailure."""
        lines = await self._read_status(b"")
        verb, _, rest = lines[0].decode(errors="replace").partition(" ")
        if verb != "started":
            raise RuntimeFailure(rest or "the container ended before the program started")
        with contextlib.suppress(OSError):
            # A program that has ended already has nobody left to listen.
            self._control = OutPipe(self._directory / "control")
            if self._wants_input:
                self._stdin = OutPipe(self._directory / "in")
                self._tell("input")
        self._watcher = asyncio.create_task(self._watch(b"\n".join(lines[1:])), name="exec")

    async def _read_status(self, received: bytes) -> list[bytes]:
        """Lines so far, at least one whole; [b""] when the other side ended."""
        while b"\n" not in received:
            data = await self._status.read()
            if not data:
                return [b""]
            received += data
        return received.split(b"\n")

    async def _watch(self, received: bytes) -> None:
        line = (await self._read_status(received))[0]
        self._code.set_result(int(line.split()[1]) if line.startswith(b"exit ") else KILLED)
        self._stdout.close_when_quiet()
        self._stderr.close_when_quiet()

    def _tell(self, line: str) -> None:
        if self._control is not None:
            with contextlib.suppress(OSError):
                os.write(self._control.fileno(), line.encode() + b"\n")

    def stdout(self) -> AsyncIterator[bytes]:
        return self._stdout.pieces()

    def stderr(self) -> AsyncIterator[bytes]:
        """Nothing on a terminal, which has one stream."""
        return _nothing() if self._terminal else self._stderr.pieces()

    async def write(self, data: bytes) -> None:
        if self._stdin is not None:
            await self._stdin.write(data)

    def close_stdin(self) -> None:
        if self._stdin is not None:
            self._stdin.close()

    def resize(self, width: int, height: int) -> None:
        self._tell(f"resize {width} {height}")

    async def wait(self) -> int:
        return await asyncio.shield(self._code)

    async def close(self) -> None:
        if not self._code.done():
            self._tell(f"signal {signal.SIGKILL.value}")
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        for pipe in (self._stdout, self._stderr, self._status, self._stdin, self._control):
            if pipe is not None:
                pipe.close()
        if not self._code.done():
            self._code.set_result(KILLED)
        shutil.rmtree(self._directory, ignore_errors=True)


async def start_exec(
    container: Path, command: Command, arguments: Sequence[str], *, stdin: bool, terminal: bool
) -> ExecSession:
    """Run `arguments` in the container that lives in the directory `container`. Raises RuntimeFailure."""
    name = secrets.token_hex(8)
    directory = container / "exec" / name
    directory.mkdir(parents=True)
    spec = {"arguments": list(arguments), "terminal": terminal, "stdin": stdin}
    (directory / "spec").write_text(json.dumps(spec))
    for pipe in ("in", "control"):
        os.mkfifo(directory / pipe, 0o600)
    session = ExecSession(directory, stdin=stdin, terminal=terminal)
    try:
        command(f"exec {name}")
        async with asyncio.timeout(START_SECONDS):
            await session.begin()
    except TimeoutError:
        await session.close()
        raise RuntimeFailure(
            f"the container did not start {arguments[0]!r} within {START_SECONDS:.0f} s"
        ) from None
    except BaseException:
        await session.close()
        raise
    return session


class AttachSession:
    """A look at the container's main program from now on, and its keyboard. `ended` gives the exit code."""

    def __init__(
        self,
        container: Path,
        command: Command,
        ended: "asyncio.Future[int]",
        *,
        terminal: bool,
        stdin: bool,
        stdin_once: bool,
    ) -> None:
        self._name = secrets.token_hex(8)
        self._command = command
        self._ended = ended
        self._stdin_once = stdin_once
        self._terminal = terminal
        (container / "attach").mkdir(exist_ok=True)
        self._paths = [container / "attach" / f"{self._name}.{stream}" for stream in ("out", "err")]
        self._stdout, self._stderr = (InPipe(path) for path in self._paths)
        self._stdin = OutPipe(container / "stdin") if stdin else None
        self._command(f"attach {self._name}")

    def stdout(self) -> AsyncIterator[bytes]:
        return self._stdout.pieces()

    def stderr(self) -> AsyncIterator[bytes]:
        """Nothing on a terminal, which has one stream."""
        return _nothing() if self._terminal else self._stderr.pieces()

    async def write(self, data: bytes) -> None:
        if self._stdin is not None:
            await self._stdin.write(data)

    def close_stdin(self) -> None:
        if self._stdin is not None:
            self._stdin.close()
            if self._stdin_once:
                self._say("close-stdin")

    def resize(self, width: int, height: int) -> None:
        self._say(f"resize {width} {height}")

    def _say(self, line: str) -> None:
        with contextlib.suppress(RuntimeFailure):
            self._command(line)

    async def wait(self) -> int:
        code = await asyncio.shield(self._ended)
        self._stdout.close_when_quiet()
        self._stderr.close_when_quiet()
        return code

    async def close(self) -> None:
        self.close_stdin()
        self._say(f"detach {self._name}")
        self._stdout.close()
        self._stderr.close()
        for path in self._paths:
            path.unlink(missing_ok=True)


async def _nothing() -> AsyncIterator[bytes]:
    """No pieces at all."""
    empty: tuple[bytes, ...] = ()
    for piece in empty:
        yield piece
