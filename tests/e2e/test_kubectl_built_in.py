"""The kubectl that is built in says, byte for byte, what the real one says of the same cluster; only ages pass meanwhile."""

import os
import pathlib
import pty
import re
import shlex
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from processes import DRAY, ClusterProcess, built_in_kubectl, running
from replay import FILES, Replay, has_kubectl

pytestmark = [
    pytest.mark.kubectl,
    pytest.mark.skipif(not has_kubectl(), reason="needs the real kubectl on PATH"),
]
CORPUS = pathlib.Path(__file__).parents[1] / "corpus" / "kubectl"
OWN = CORPUS / "manifests"
CHANGES = "changes"
"""The namespace that is made, filled and deleted, once by each kubectl."""


class Said(NamedTuple):
    stdout: str
    stderr: str
    code: int


class Bench:
    """A cluster with the tutorial's objects, a directory with manifests, and the two kubectls."""

    def __init__(self, cluster: ClusterProcess, place: pathlib.Path) -> None:
        self.cluster = cluster
        self.place = place
        self.kubeconfig = cluster.environment["KUBECONFIG"]

    def real(self, arguments: str, stdin: str = "") -> Said:
        done = subprocess.run(
            ["kubectl", *self._words(arguments)],
            env=self.cluster.environment,
            cwd=self.place,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )
        warning = r"^WARNING: version difference .*\n"
        return _comparable(done.stdout, re.sub(warning, "", done.stderr, flags=re.MULTILINE), done.returncode)

    def built_in(self, arguments: str, stdin: str = "") -> Said:
        done = built_in_kubectl(
            *self._words(arguments), environment=self.cluster.environment, place=self.place, stdin=stdin
        )
        return _comparable(done.stdout, done.stderr, done.returncode)

    def _words(self, arguments: str) -> list[str]:
        return [word.replace("KUBECONFIG", self.kubeconfig) for word in shlex.split(arguments)]


def _comparable(stdout: str, stderr: str, code: int) -> Said:
    """Without ages, the blanks that pad them, and what every object gets anew."""
    for pattern, shown in (
        (r"RenewTime: .*", "RenewTime: <time>"),
        (r'" (force )?deleted from \S+ namespace', r'" \1deleted'),  # which kubectl tells since 1.34
        (r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<uid>"),
        (r"\b(?:\d+[smh]){1,2}(?: +|(?=[ )])|$)", "<age> "),
    ):
        stdout, stderr = (re.sub(pattern, shown, text, flags=re.MULTILINE) for text in (stdout, stderr))
    return Said(stdout, stderr, code)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    home = tmp_path_factory.mktemp("kubectl")
    with running(home) as cluster:
        replay = Replay(cluster, home / "place", [])
        replay.install_driver()
        bench = Bench(cluster, home / "place")
        for manifest in OWN.iterdir():
            (bench.place / manifest.name).write_text(manifest.read_text())
        (bench.place / "claim.yaml").symlink_to(
            bench.place / "manifests" / "v1" / "example" / "resourceclaim.yaml"
        )
        (bench.place / "folder").mkdir()
        (bench.place / "folder" / "notes.txt").write_text("no manifest")
        (bench.place / "folder" / "template.yaml").write_text((OWN / "template.yaml").read_text())
        (bench.place / "empty").mkdir()
        for file in (f"manifests/v1/{FILES[-1]}", "template.yaml -f two.yaml -n dra-tutorial"):
            assert bench.real(f"apply --server-side -f {file}").code == 0
        ready = "wait --for=condition=Ready pod --all -n dra-tutorial --timeout=30s"
        assert bench.real(ready).code == 0
        yield bench


READS = [line for line in (CORPUS / "reads.txt").read_text().splitlines() if line and line[0] != "#"]


@pytest.mark.parametrize("command", READS)
def test_read_shows_what_kubectl_shows(bench: Bench, command: str) -> None:
    ours, theirs = bench.built_in(command), bench.real(command)
    if re.search("events|logs .*(-l|--all)", command):  # as threads and the seconds of events happen to fall
        ours, theirs = (
            said._replace(stdout="\n".join(sorted(said.stdout.splitlines()))) for said in (ours, theirs)
        )
    assert ours == theirs


def _changes() -> list[tuple[str, str]]:
    """Commands, each with what is on its standard input."""
    found: list[tuple[str, str]] = []
    for line in (CORPUS / "changes.txt").read_text().splitlines():
        if line.startswith("<<"):
            found[-1] = (found[-1][0], line.removeprefix("<<").strip().replace("\\n", "\n"))
        elif line and line[0] != "#":
            found.append((line, ""))
    return found


def test_changes_are_told_as_kubectl_tells_them(bench: Bench) -> None:
    commands = _changes()
    real = [bench.real(*command) for command in commands]
    built_in = [bench.built_in(*command) for command in commands]
    differing = {
        f"{number}: {command}": (ours, theirs)
        for number, ((command, _), ours, theirs) in enumerate(zip(commands, built_in, real, strict=True))
        if ours != theirs
    }
    assert differing == {}


def test_exec_carries_the_input_to_the_program(bench: Bench) -> None:
    said = bench.built_in("exec -i pod0 -n dra-tutorial -- cat", stdin="one\ntwo\n")
    assert said == Said("one\ntwo\n", "", 0)


def test_exec_ends_with_its_program_although_more_could_be_typed(bench: Bench) -> None:
    master, terminal = pty.openpty()
    command = [
        *DRAY,
        "kubectl",
        "exec",
        "-it",
        "pod0",
        "-n",
        "dra-tutorial",
        "--",
        "sh",
        "-c",
        "read x; exit $x",
    ]
    process = subprocess.Popen(
        command, env=bench.cluster.environment, stdin=terminal, stdout=terminal, stderr=terminal
    )
    try:
        os.write(master, b"5\n")
        assert process.wait(timeout=30) == 5
    finally:
        process.kill()
        process.wait()
        os.close(master)
        os.close(terminal)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (
            "rollout status ds/x",
            'Error: unknown command "rollout" for "kubectl": built in are api-resources, ',
        ),
        ("get pods --chunk-size=1", "Error: unknown flag: --chunk-size: the built-in kubectl get has "),
        ("get pods -Z", "Error: unknown shorthand flag: 'Z' in -Z: the built-in kubectl get has "),
        ("-s https://127.0.0.1 get pods", "Error: unknown shorthand flag: 's' in -s: before the verb "),
        (
            "apply -f http://127.0.0.1:1/x.yaml",
            "The connection to the server 127.0.0.1:1 was refused - did you specify",
        ),
        ("create deployment x", "error: the built-in kubectl creates namespaces and files: "),
        ("get pods -w -o yaml", "error: the built-in kubectl watches tables only: "),
    ],
)
def test_what_is_not_built_in_is_said_in_one_line(bench: Bench, command: str, told: str) -> None:
    said = bench.built_in(command)
    assert said.stdout == ""
    assert said.stderr.startswith(told)
    assert said.stderr.count("\n") == 1
    assert said.code == 1
