"""One program run inside a container beside its main one: `kubectl exec`, probes, hooks.

Lives in a process of its own below the container's supervisor, in a directory `exec/<name>` with

    spec      JSON: arguments, terminal, stdin (bool)
    in        named pipe, read; only when stdin
    out, err  named pipes, written; a terminal uses only `out`
    control   named pipe, read: `input` (the writer of `in` is there), `resize <w> <h>`, `signal <n>`
    status    named pipe, written: `started`, then `exit <code>`, or `error <text>`
"""

import json
import os
import signal

from dray.node.runtime.shim import program
from dray.node.runtime.shim.descendants import reap
from dray.node.runtime.shim.loop import Loop
from dray.node.runtime.shim.program import Program, StartError, Streams
from dray.node.runtime.shim.terminal import Terminal, parse_size


class Execution:
    def __init__(self, directory: int, base: Program) -> None:
        """`directory` is the open exec directory; `base` gives environment, working directory and user."""
        self._directory = directory
        self._loop = Loop()
        self._terminal: Terminal | None = None
        self._exit: int | None = None
        self._holder = -1
        self._commands = b""
        with open(self._open("spec", os.O_RDONLY)) as file:
            spec = json.load(file)
        self._wants_input = bool(spec["stdin"])
        self._wants_terminal = bool(spec["terminal"])
        environment = list(base.environment)
        if self._wants_terminal and not any(entry.startswith("TERM=") for entry in environment):
            environment.append("TERM=xterm")
        self._program = base._replace(arguments=spec["arguments"], environment=environment)

    def _open(self, name: str, flags: int) -> int:
        return os.open(name, flags | os.O_CLOEXEC, dir_fd=self._directory)

    def _open_sink(self, name: str) -> int:
        """Raises OSError when the node agent does not read any more."""
        descriptor = self._open(name, os.O_WRONLY | os.O_NONBLOCK)
        os.set_blocking(descriptor, True)
        return descriptor

    def run(self) -> None:
        status = self._open_sink("status")
        try:
            self._main = self._start()
        except StartError as error:
            os.write(status, f"error {error}\n".encode())
            return
        # Listening first: who reads `started` opens the control pipe at once.
        self._listen()
        os.write(status, b"started\n")
        while self._exit is None:
            self._loop.run_once(60)
        if self._terminal is not None:
            self._loop.drain(self._terminal.master)
            os.close(self._output)
        os.write(status, f"exit {self._exit}\n".encode())

    def _start(self) -> int:
        receiver, sender = os.pipe()
        signal.signal(signal.SIGCHLD, lambda *_: None)
        os.set_blocking(sender, False)
        signal.set_wakeup_fd(sender)
        self._loop.read(receiver, self._child_changed)
        return self._start_on_terminal() if self._wants_terminal else self._start_on_pipes()

    def _start_on_pipes(self) -> int:
        streams = Streams(
            self._input() if self._wants_input else os.open(os.devnull, os.O_RDONLY),
            self._open_sink("out"),
            self._open_sink("err"),
        )
        try:
            return program.start(self._program, streams)
        finally:
            for descriptor in streams[:3]:
                os.close(descriptor)

    def _input(self) -> int:
        # A writer of our own keeps the program from reading an end before the real writer came.
        reader = self._open("in", os.O_RDONLY | os.O_NONBLOCK)
        self._holder = self._open("in", os.O_WRONLY)
        os.set_blocking(reader, True)
        return reader

    def _start_on_terminal(self) -> int:
        self._output = self._open_sink("out")
        self._terminal = Terminal(self._loop, self._show)
        if self._wants_input:
            self._loop.read(self._input(), self._type)
        slave = self._terminal.slave
        pid = program.start(self._program, Streams(slave, slave, slave, terminal=True))
        self._terminal.close_slave()
        return pid

    def _show(self, data: bytes) -> None:
        # Blocking on purpose: a terminal program waits for its reader, and nobody else waits for this process.
        try:
            while data:
                data = data[os.write(self._output, data) :]
        except OSError:
            return

    def _type(self, data: bytes) -> None:
        assert self._terminal is not None
        self._terminal.type(data or b"\x04")

    def _listen(self) -> None:
        # Opened for writing too, so that it never ends when a writer goes away.
        self._loop.read(self._open("control", os.O_RDWR), self._command)

    def _command(self, data: bytes) -> None:
        *lines, self._commands = (self._commands + data).split(b"\n")
        for line in lines:
            verb, _, rest = line.decode().partition(" ")
            if verb == "input" and self._holder >= 0:
                os.close(self._holder)
                self._holder = -1
            elif verb == "resize" and self._terminal is not None:
                self._terminal.resize(*parse_size(rest))
            elif verb == "signal":
                os.killpg(self._main, int(rest))

    def _child_changed(self, _: bytes) -> None:
        reap(self._reaped)

    def _reaped(self, pid: int, status: int) -> None:
        if pid == self._main:
            self._exit = program.exit_code(status)
