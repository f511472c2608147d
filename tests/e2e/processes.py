"""A cluster as users have it: `dray up` in a process of its own, and what of it can be seen from outside."""

import contextlib
import io
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping

import pytest

from dray.cli.main import main

DRAY = (sys.executable, "-m", "dray.cli.main")
IMPATIENT = (sys.executable, str(pathlib.Path(__file__).with_name("impatient.py")))
READY_LINE = " get nodes"
"""In what `dray up` says when it is ready."""


class ClusterProcess:
    """One run of `dray up`. Its files lie in `home`: the data directory, and the kubeconfig of a user."""

    def __init__(
        self,
        home: pathlib.Path,
        *,
        name: str = "kind",
        arguments: tuple[str, ...] = (),
        program: tuple[str, ...] = DRAY,
    ) -> None:
        self.data = home / "cluster"
        self.kubeconfig = home / "kubeconfig"
        self.context = f"dray-{name}"
        self.environment = environment(home) | {"KUBECONFIG": str(self.data / "kubeconfig")}
        command = [*program, "up", "--name", name, "--data-dir", str(self.data)]
        self.process = subprocess.Popen(
            [*command, "--kubeconfig", str(self.kubeconfig), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(home),
            start_new_session=True,
        )
        self.said = self._until_ready()

    def _until_ready(self) -> str:
        assert self.process.stdout is not None
        said = ""
        for line in self.process.stdout:
            said += line
            if READY_LINE in line:
                return said
        raise AssertionError(f"dray up ended with code {self.process.wait()}: {said}")

    def interrupt(self) -> int:
        """Ctrl-C; the exit code."""
        return self._end(signal.SIGINT)

    def kill(self) -> None:
        """SIGKILL: the process does nothing more."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        self.said += self.process.communicate(timeout=60)[0]
        return self.process.returncode

    def kubectl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run("kubectl", *arguments, environment=self.environment)


@contextlib.contextmanager
def running(
    home: pathlib.Path,
    *,
    name: str = "kind",
    arguments: tuple[str, ...] = (),
    program: tuple[str, ...] = DRAY,
) -> Iterator[ClusterProcess]:
    cluster = ClusterProcess(home, name=name, arguments=arguments, program=program)
    try:
        yield cluster
    finally:
        if cluster.process.poll() is None:
            cluster.interrupt()


def environment(home: pathlib.Path) -> dict[str, str]:
    """Of a user who has nothing but this home."""
    temporary = home / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "KUBECACHEDIR": str(home / "kube-cache"),
    }


def dray(*arguments: str, home: pathlib.Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return run(*DRAY, *arguments, environment=environment(home) | variables)


def run(*command: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90
    )


def built_in_kubectl(
    *arguments: str, environment: Mapping[str, str], place: pathlib.Path | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """`dray kubectl` in this process, since Python takes longer to start than to answer."""
    out, err = (io.TextIOWrapper(io.BytesIO(), write_through=True) for _ in range(2))
    code = 0
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryFile("w+") as given:
        given.write(stdin)
        given.seek(0)
        if place is not None:
            patch.chdir(place)
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["dray", "kubectl", *arguments])
        patch.setattr(sys, "stdin", given)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main()
            except SystemExit as end:
                code = int(end.code or 0)
    texts = [stream.buffer.getvalue().decode() for stream in (out, err)]
    return subprocess.CompletedProcess(["kubectl", *arguments], code, *texts)


def processes_below(directory: pathlib.Path) -> list[str]:
    """Command lines of the processes that have the directory in their arguments, their environment or as their place."""
    mark = str(directory).encode()
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes()
                place = os.fsencode(os.readlink(entry / "cwd"))
                if mark in command + (entry / "environ").read_bytes() + place:
                    found.append(command.replace(b"\0", b" ").decode(errors="replace"))
    return found


def descendants(pid: int) -> set[tuple[int, str]]:
    """(pid, time of start) of a process and all below, without those that have ended and wait for their parent."""
    found: dict[int, tuple[int, str]] = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if fields[0] != "Z":
                    found[int(entry.name)] = (int(fields[1]), fields[19])
    below = {pid}
    while more := {each for each, (parent, _) in found.items() if parent in below} - below:
        below |= more
    return {(each, found[each][1]) for each in below if each in found}
