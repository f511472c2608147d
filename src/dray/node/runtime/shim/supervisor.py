"""The life of one container: its view, its main program, its log, its exit, and the end of everything it started.

Started with the container's directory as its argument and descriptor 3 as a pipe that takes one JSON line: either
`{"pid": ..., "started": <ns since 1970>}` once the main program runs, or `{"error": ...}`. In the directory:

    spec     JSON, read and removed at the start (it carries the environment)
    state    JSON: who this process is, for a node agent that restarts
    exit     JSON: how the container ended; written last
    control  named pipe of commands, one a line: `signal <n>`, `kill`, `exec <name>`, `attach <name>`,
             `detach <name>`, `resize <w> <h>`, `close-stdin`
    stdin    named pipe to the main program, when the container wants one
    exec/, attach/   see `execution`; `attach/<name>.out` and `.err` get a copy of the output

The container outlives its node agent. A container whose directory was removed has no owner: it ends itself.
"""

import contextlib
import functools
import json
import os
import signal
import sys
import time
from typing import Any

from dray.node.runtime.shim import program
from dray.node.runtime.shim.descendants import adopt_orphans, die_with_parent, end_all, reap
from dray.node.runtime.shim.execution import Execution
from dray.node.runtime.shim.logfile import LineCutter, LogFile
from dray.node.runtime.shim.loop import Loop, Outlet
from dray.node.runtime.shim.program import Identity, Program, StartError, Streams
from dray.node.runtime.shim.terminal import Terminal, parse_size

READY = 3
START_FAILED = 128
"""The exit code of a container whose program never ran."""
OWNER_CHECK_SECONDS = 5.0
LAST_WORDS_SECONDS = 1.0
"""How long somebody attached may take to read the rest of the output."""


class Supervisor:
    def __init__(self, path: str) -> None:
        self._path = path
        self._directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        with open("spec", opener=self._opener) as file:
            self._spec: dict[str, Any] = json.load(file)
        os.unlink("spec", dir_fd=self._directory)
        self._loop = Loop()
        self._terminal: Terminal | None = None
        self._stdin_holder = -1
        self._main = 0
        self._status: int | None = None
        self._commands = b""
        self._started = 0
        self._finished = 0
        self._outputs: list[tuple[int, LineCutter]] = []
        self._sessions: set[int] = set()
        self._subscribers: dict[str, list[Outlet]] = {}
        log = os.open(self._spec["log_directory"], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._log = LogFile(log, self._spec["log_name"], self._spec["log_limit"], self._spec["log_files"])

    def _opener(self, path: str, flags: int) -> int:
        return os.open(path, flags, mode=0o600, dir_fd=self._directory)

    def run(self) -> None:
        self._save("state", self._state())
        adopt_orphans()
        try:
            self._enter_view()
            self._prepare()
            self._start()
        except (StartError, OSError) as error:
            self._give_up(error)
            return
        self._started = time.time_ns()
        self._save("state", self._state())
        if not self._tell({"pid": self._main, "started": self._started}):
            self._end()
        while self._status is None:
            self._loop.run_once(OWNER_CHECK_SECONDS)
            if os.fstat(self._directory).st_nlink == 0:
                self._end()
        self._finish(self._status)

    def _state(self) -> dict[str, Any]:
        return {
            "supervisor": os.getpid(),
            "ticks": _start_ticks(),
            "main": self._main,
            "started": self._started,
        }

    def _save(self, name: str, content: dict[str, Any]) -> None:
        # The directory may be gone, and then nobody will read this.
        with contextlib.suppress(FileNotFoundError):
            with open(f".{name}", "w", opener=self._opener) as file:
                json.dump(content, file)
            os.rename(f".{name}", name, src_dir_fd=self._directory, dst_dir_fd=self._directory)

    def _tell(self, message: dict[str, Any]) -> bool:
        """False when the node agent that started this is gone."""
        try:
            os.write(READY, json.dumps(message).encode() + b"\n")
            os.close(READY)
        except OSError:
            return False
        return True

    def _enter_view(self) -> None:
        identity = self._spec["identity"]
        self._identity = None
        if identity and os.geteuid() == 0:
            self._identity = Identity(identity[0], identity[1], tuple(identity[2]))
        if not self._spec["view"]:
            return
        from dray.node.runtime.shim import namespace, syscalls

        namespace.enter(*(identity[:2] if identity else (0, 0)))
        syscalls.set_hostname(self._spec["hostname"])
        view = namespace.View(f"{self._path}/root", self._spec["marker"])
        view.build(
            [namespace.Bind(*bind) for bind in self._spec["binds"]],
            [namespace.DeviceNode(*device) for device in self._spec["devices"]],
            all_devices=self._spec["all_devices"],
        )
        os.chdir("/")

    def _prepare(self) -> None:
        os.mkfifo("control", 0o600, dir_fd=self._directory)
        # Opened for writing too, so that it never ends when a writer goes away.
        self._loop.read(self._open("control", os.O_RDWR), self._receive_commands)
        receiver, sender = os.pipe()
        os.set_blocking(sender, False)
        signal.set_wakeup_fd(sender)
        self._loop.read(receiver, self._child_changed)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._signal(signal.SIGTERM))
        for ignored in (signal.SIGHUP, signal.SIGINT):
            signal.signal(ignored, signal.SIG_IGN)

    def _open(self, name: str, flags: int) -> int:
        return os.open(name, flags | os.O_CLOEXEC, dir_fd=self._directory)

    def _start(self) -> None:
        self._program = Program(
            self._spec["arguments"],
            self._spec["environment"],
            self._spec["working_directory"],
            self._identity,
        )
        if self._spec["stdin"]:
            os.mkfifo("stdin", 0o600, dir_fd=self._directory)
        if self._spec["terminal"]:
            self._start_on_terminal()
        else:
            self._start_on_pipes()
        self._sessions.add(self._main)

    def _start_on_terminal(self) -> None:
        cutter = LineCutter("stdout")
        terminal = self._terminal = Terminal(self._loop, lambda data: self._output(cutter, 0, data))
        self._outputs = [(terminal.master, cutter)]
        if self._spec["stdin"]:
            self._loop.read(self._open("stdin", os.O_RDWR), terminal.type)
        streams = Streams(terminal.slave, terminal.slave, terminal.slave, terminal=True)
        self._main = program.start(self._program, streams)
        terminal.close_slave()

    def _start_on_pipes(self) -> None:
        sinks = []
        for index, name in enumerate(("stdout", "stderr")):
            receiver, sender = os.pipe()
            cutter = LineCutter(name)
            self._outputs.append((receiver, cutter))
            self._loop.read(receiver, functools.partial(self._output, cutter, index))
            sinks.append(sender)
        streams = Streams(self._input(), sinks[0], sinks[1])
        self._main = program.start(self._program, streams)
        for descriptor in streams[:3]:
            os.close(descriptor)

    def _input(self) -> int:
        if not self._spec["stdin"]:
            return os.open(os.devnull, os.O_RDONLY)
        reader = self._open("stdin", os.O_RDONLY | os.O_NONBLOCK)
        # Held until `close-stdin`: the program must not see an end before somebody attached.
        self._stdin_holder = self._open("stdin", os.O_WRONLY)
        os.set_blocking(reader, True)
        return reader

    def _output(self, cutter: LineCutter, index: int, data: bytes) -> None:
        if lines := cutter.feed(data) if data else cutter.finish():
            self._log.append(lines)
        for name, outlets in list(self._subscribers.items()):
            if index < len(outlets):
                outlets[index].write(data)
                if outlets[index].overflowed:
                    self._detach(name)

    def _receive_commands(self, data: bytes) -> None:
        *lines, self._commands = (self._commands + data).split(b"\n")
        for line in lines:
            verb, _, rest = line.decode().partition(" ")
            # A command about something that has just ended is late, not wrong.
            with contextlib.suppress(OSError, ValueError):
                self._obey(verb, rest)

    def _obey(self, verb: str, rest: str) -> None:
        if verb == "signal":
            self._signal(int(rest))
        elif verb == "kill":
            self._end()
        elif verb == "exec":
            self._execute(rest)
        elif verb == "attach":
            self._attach(rest)
        elif verb == "detach":
            self._detach(rest)
        elif verb == "resize" and self._terminal is not None:
            self._terminal.resize(*parse_size(rest))
        elif verb == "close-stdin" and self._stdin_holder >= 0:
            os.close(self._stdin_holder)
            self._stdin_holder = -1

    def _signal(self, number: int) -> None:
        if self._main and self._status is None:
            os.kill(self._main, number)

    def _end(self) -> None:
        end_all(self._sessions, self._reaped)
        if self._status is None:
            self._status = 128 + signal.SIGKILL

    def _execute(self, name: str) -> None:
        directory = self._open(f"exec/{name}", os.O_RDONLY | os.O_DIRECTORY)
        pid = os.fork()
        if pid == 0:
            try:
                os.setsid()
                die_with_parent()
                self._loop.forget()
                Execution(directory, self._program).run()
            finally:
                os._exit(0)
        os.close(directory)
        self._sessions.add(pid)

    def _attach(self, name: str) -> None:
        outlets: list[Outlet] = []
        for stream in ("out",) if self._terminal else ("out", "err"):
            descriptor = self._open(f"attach/{name}.{stream}", os.O_WRONLY | os.O_NONBLOCK)
            outlets.append(Outlet(descriptor, self._loop))
        self._subscribers[name] = outlets

    def _detach(self, name: str) -> None:
        for outlet in self._subscribers.pop(name, ()):
            outlet.close()

    def _child_changed(self, _: bytes) -> None:
        reap(self._reaped)

    def _reaped(self, pid: int, status: int) -> None:
        self._sessions.discard(pid)
        if pid == self._main and self._status is None:
            self._status = program.exit_code(status)
            self._finished = time.time_ns()

    def _finish(self, code: int) -> None:
        end_all(self._sessions, self._reaped)
        # Nobody writes any more: what the pipes still hold is the last of the output.
        for descriptor, cutter in self._outputs:
            self._loop.drain(descriptor)
            self._log.append(cutter.finish())
        for name in list(self._subscribers):
            for outlet in self._subscribers.pop(name):
                outlet.finish()
        deadline = time.monotonic() + LAST_WORDS_SECONDS
        while self._loop.has_unwritten and time.monotonic() < deadline:
            self._loop.run_once(LAST_WORDS_SECONDS)
        self._log.close()
        self._save("exit", {"code": code, "finished": self._finished or time.time_ns()})

    def _give_up(self, error: Exception) -> None:
        message = str(error)
        self._save("exit", {"code": START_FAILED, "finished": time.time_ns(), "error": message})
        self._tell({"error": message})


def _start_ticks() -> int:
    """When this process started, in the kernel's count; with the pid it names a process for good."""
    try:
        with open("/proc/self/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except OSError:
        return 0


def main() -> None:
    # Out of reach of signals meant for the node agent's session.
    os.setsid()
    Supervisor(sys.argv[1]).run()
