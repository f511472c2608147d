"""What the real kubectl does with containers beyond reading objects: over WebSocket, and over SPDY where that is off."""

import contextlib
import pathlib
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

import pytest
import yaml
from processes import ClusterProcess, running
from replay import has_kubectl

pytestmark = [
    pytest.mark.kubectl,
    pytest.mark.skipif(not has_kubectl(), reason="needs the real kubectl on PATH"),
]
SWITCHES = ("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", "KUBECTL_PORT_FORWARD_WEBSOCKETS")
FOREVER = "trap 'exit 0' TERM; sleep 600 & wait"
SERVER = (
    "import http.server, sys; http.server.test(http.server.SimpleHTTPRequestHandler, port=int(sys.argv[1]))"
)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


PORT = free_port()


def manifest() -> str:
    web = {"name": "web", "image": "python", "command": [sys.executable, "-c", SERVER, str(PORT)]}
    probe = {"tcpSocket": {"port": PORT}, "periodSeconds": 1}
    # Runs for as long as one line takes, then crashes.
    crashing = {"name": "crashing", "image": "busybox", "command": ["sh", "-c", "echo last words; exit 3"]}
    pods = {
        "app": [{**web, "readinessProbe": probe}, shell("side", f"echo one; echo two; {FOREVER}")],
        "crash": [crashing],
    }
    return yaml.safe_dump_all(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": containers},
        }
        for name, containers in pods.items()
    )


def shell(name: str, script: str) -> dict[str, object]:
    return {"name": name, "image": "busybox", "command": ["sh", "-c", script]}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterProcess]:
    home = tmp_path_factory.mktemp("home")
    (home / "pods.yaml").write_text(manifest())
    with running(home, arguments=("--nodes", "1")) as cluster:
        kubectl(cluster, "wait", "serviceaccount/default", "--for=create", "--timeout=20s")
        kubectl(cluster, "apply", "-f", str(home / "pods.yaml"))
        kubectl(cluster, "wait", "pod/app", "--for=condition=Ready", "--timeout=30s")
        yield cluster


@pytest.fixture(params=["true", "false"], ids=["websocket", "spdy"])
def either(cluster: ClusterProcess, request: pytest.FixtureRequest) -> Iterator[ClusterProcess]:
    """The cluster, as a kubectl sees it that speaks the one or the other."""
    cluster.environment.update(dict.fromkeys(SWITCHES, request.param))
    yield cluster
    for switch in SWITCHES:
        del cluster.environment[switch]


def kubectl(cluster: ClusterProcess, *arguments: str) -> str:
    done = cluster.kubectl(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextlib.contextmanager
def forwarded(cluster: ClusterProcess, port: int) -> Iterator[int]:
    """The local port."""
    forwarder = subprocess.Popen(
        ["kubectl", "port-forward", "pod/app", f":{port}", "--address=127.0.0.1"],
        env=cluster.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert forwarder.stdout is not None
        found = re.match(r"Forwarding from 127.0.0.1:(\d+)", forwarder.stdout.readline())
        assert found
        yield int(found[1])
    finally:
        forwarder.terminate()
        forwarder.communicate(timeout=10)


def test_a_port_is_forwarded(either: ClusterProcess) -> None:
    with forwarded(either, PORT) as port:
        for _ in range(3):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                assert answer.status == 200
                assert b"Directory listing" in answer.read()


def test_exec_gives_streams_and_the_exit_code(either: ClusterProcess) -> None:
    done = either.kubectl("exec", "app", "-c", "side", "--", "sh", "-c", "echo out; echo err >&2; exit 5")
    assert done.returncode == 5
    assert done.stdout == "out\n"
    assert "err\n" in done.stderr


def test_files_are_copied_both_ways(either: ClusterProcess, tmp_path: pathlib.Path) -> None:
    content = bytes(range(256)) * 4000
    (tmp_path / "there").write_bytes(content)
    inside = str(tmp_path / "inside")
    kubectl(either, "cp", str(tmp_path / "there"), f"app:{inside}", "-c", "side")
    kubectl(either, "cp", f"app:{inside}", str(tmp_path / "back"), "-c", "side")
    assert (tmp_path / "back").read_bytes() == content


def test_a_container_is_added_to_look_into_the_pod(cluster: ClusterProcess) -> None:
    kubectl(
        cluster, "debug", "app", "--image=busybox", "--container=look", "--profile=general", "--",
        "sh", "-c", f"echo looking; {FOREVER}",
    )  # fmt: skip
    running = "--for=jsonpath={.status.ephemeralContainerStatuses[0].state.running}"
    kubectl(cluster, "wait", "pod/app", running, "--timeout=20s")
    assert kubectl(cluster, "exec", "app", "-c", "look", "--", "echo", "inside") == "inside\n"
    assert kubectl(cluster, "logs", "app", "-c", "look") == "looking\n"
    assert kubectl(cluster, "get", "pod", "app", "--no-headers").split()[1] == "2/2"


def test_logs_are_cut_stamped_and_told_apart(cluster: ClusterProcess) -> None:
    assert kubectl(cluster, "logs", "app", "-c", "side") == "one\ntwo\n"
    assert kubectl(cluster, "logs", "app", "-c", "side", "--tail=1") == "two\n"
    assert kubectl(cluster, "logs", "app", "-c", "side", "--limit-bytes=5") == "one\nt"
    stamped = kubectl(cluster, "logs", "app", "-c", "side", "--timestamps").splitlines()
    assert [line.split()[1] for line in stamped] == ["one", "two"]
    assert (
        kubectl(cluster, "logs", "app", "-c", "side", f"--since-time={stamped[0].split()[0]}") == "one\ntwo\n"
    )
    assert kubectl(cluster, "logs", "app", "-c", "side", "--since-time=2100-01-01T00:00:00Z") == ""
    assert kubectl(cluster, "logs", "app", "-c", "side", "--since=1h") == "one\ntwo\n"
    lines = kubectl(cluster, "logs", "app", "--all-containers", "--prefix").splitlines()
    assert "[pod/app/side] two" in lines


def test_the_log_of_the_run_before_is_kept(cluster: ClusterProcess) -> None:
    again = "--for=jsonpath={.status.containerStatuses[0].lastState.terminated.exitCode}=3"
    kubectl(cluster, "wait", "pod/crash", again, "--timeout=20s")
    assert kubectl(cluster, "logs", "crash", "--previous") == "last words\n"
    assert kubectl(cluster, "logs", "crash", "--follow") == "last words\n"
