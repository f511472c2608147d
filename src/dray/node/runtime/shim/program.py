"""Starting one program as a child: descriptors, terminal, user, working directory, and what to say when it fails.

The child is the leader of a session of its own and dies with this process. Messages are worded as container
runtimes word them, since people search for those.
"""

import os
import signal
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from dray.node.runtime.shim.descendants import die_with_parent

NO_COMMAND = "no command specified"


class StartError(Exception):
    """The program could not be started; the text is for the user."""


class Identity(NamedTuple):
    uid: int
    gid: int
    groups: tuple[int, ...]


class Program(NamedTuple):
    arguments: Sequence[str]
    environment: Sequence[str]
    """`NAME=value`, in order."""
    directory: str
    identity: Identity | None
    """Whom to become; None stays who this process is."""


class Streams(NamedTuple):
    """Descriptors for the child; all three are the same one when `terminal`."""

    stdin: int
    stdout: int
    stderr: int
    terminal: bool = False


def start(program: Program, streams: Streams) -> int:
    """The pid of the running program. Raises StartError."""
    if not program.arguments:
        raise StartError(NO_COMMAND)
    environment = dict(entry.split("=", 1) for entry in program.environment)
    receiver, sender = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become(program, streams, environment, sender)
    os.close(sender)
    message = b""
    while piece := os.read(receiver, 4096):
        message += piece
    os.close(receiver)
    if message:
        os.waitpid(pid, 0)
        raise StartError(message.decode(errors="replace"))
    return pid


def _become(program: Program, streams: Streams, environment: dict[str, str], sender: int) -> NoReturn:
    """In the child: never returns."""
    try:
        os.setsid()
        _take_streams(streams)
        _restore_signals()
        if program.identity is not None:
            os.setgroups(program.identity.groups)
            os.setgid(program.identity.gid)
            os.setuid(program.identity.uid)
        die_with_parent()  # after the change of user, which would cancel it
        os.umask(0o022)
        _enter_directory(program.directory)
        path = find_executable(program.arguments[0], environment.get("PATH", ""))
        _execute(path, program.arguments, environment)
    except StartError as error:
        os.write(sender, str(error).encode())
    except OSError as error:
        os.write(sender, f"{error.strerror or error}".lower().encode())
    finally:
        os._exit(127)


def _take_streams(streams: Streams) -> None:
    if streams.terminal:
        import fcntl
        import termios

        fcntl.ioctl(streams.stdin, termios.TIOCSCTTY, 0)
    # Moved out of the way first: a source may itself be one of 0, 1, 2.
    sources = [os.dup(descriptor) for descriptor in streams[:3]]
    for target, source in enumerate(sources):
        os.dup2(source, target, inheritable=True)


def _restore_signals() -> None:
    for name in ("SIGPIPE", "SIGXFSZ", "SIGHUP", "SIGINT", "SIGTERM", "SIGCHLD"):
        if (number := getattr(signal, name, None)) is not None:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _enter_directory(directory: str) -> None:
    try:
        os.makedirs(directory, exist_ok=True)
        os.chdir(directory)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StartError(f'chdir to cwd ("{directory}") set in config.json failed: {reason}') from None


def _execute(path: str, arguments: Sequence[str], environment: dict[str, str]) -> NoReturn:
    try:
        os.execve(path, list(arguments), environment)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StartError(f"exec {path}: {reason}") from None


def find_executable(name: str, search_path: str) -> str:
    """The file that `name` means. Raises StartError with the words of container runtimes."""
    if "/" in name:
        if not os.path.exists(name):
            raise StartError(f'exec: "{name}": stat {name}: no such file or directory')
        if not _is_executable(name):
            raise StartError(f'exec: "{name}": permission denied')
        return name
    for directory in search_path.split(os.pathsep):
        candidate = os.path.join(directory or ".", name)
        if _is_executable(candidate):
            return candidate
    raise StartError(f'exec: "{name}": executable file not found in $PATH')


def _is_executable(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def exit_code(status: int) -> int:
    """What a wait status says in the shell's way: a signal n is 128 + n."""
    if os.WIFSIGNALED(status):
        return 128 + os.WTERMSIG(status)
    return os.WEXITSTATUS(status)
