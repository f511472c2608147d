"""A cluster's life as its user sees it: it comes and goes on, survives its death, says why not, and leaves nothing."""

import contextlib
import json
import os
import pathlib
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from processes import DRAY, built_in_kubectl, descendants, dray, environment, processes_below, running

from dray.cli.tutorial.run import manifest_path
from dray.cluster.layout import ClusterSpec, Layout

PATIENCE_SECONDS = 20.0
POLL_SECONDS = 0.05
NAMESPACE = "dra-tutorial"
INSTALLED = (
    "deviceclass.yaml",
    "serviceaccount.yaml",
    "clusterrole.yaml",
    "clusterrolebinding.yaml",
    "priorityclass.yaml",
)


class User:
    """Who types the tutorial's commands, with the kubectl that is built in."""

    def __init__(self, home: pathlib.Path) -> None:
        self.home = home
        self.config = str(home / "cluster" / "kubeconfig")

    def kubectl(self, *arguments: str) -> str:
        done = self._ask(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout

    def _ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return built_in_kubectl(*arguments, environment=environment(self.home) | {"KUBECONFIG": self.config})

    def apply(self, *files: str) -> None:
        self.kubectl("apply", "--server-side", *_named(files))

    def get(self, kind: str, name: str, namespace: str = NAMESPACE) -> dict[str, Any] | None:
        done = self._ask("get", kind, name, "-n", namespace, "-o", "json")
        if done.returncode != 0:
            assert "NotFound" in done.stderr, done.stderr
            return None
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def phase(self, pod: str) -> str:
        found = self.get("pod", pod)
        return found["status"].get("phase", "") if found else ""

    def pool_count(self) -> int:
        return self.kubectl("get", "resourceslices", "-o", "name").count("\n")

    def delete_all(self) -> None:
        self.kubectl("delete", "namespace", NAMESPACE)
        self.kubectl("delete", *_named(file for file in INSTALLED if file != "serviceaccount.yaml"))


def _named(files: Iterable[str]) -> list[str]:
    return [word for file in files for word in ("-f", str(manifest_path("latest", file)))]


def until(what: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"not after {PATIENCE_SECONDS:.0f} s: {what}"
        time.sleep(POLL_SECONDS)


def up(home: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return dray("up", "--data-dir", str(home / "cluster"), *arguments, home=home)


@contextlib.contextmanager
def detached(home: pathlib.Path, *arguments: str) -> Iterator[subprocess.CompletedProcess[str]]:
    done = up(home, "--detach", *arguments)
    try:
        yield done
    finally:
        dray("down", "--data-dir", str(home / "cluster"), home=home)


def sockets_below(directory: pathlib.Path) -> list[str]:
    lines = pathlib.Path("/proc/net/unix").read_text().splitlines()
    return [line for line in lines if str(directory) in line]


def mounts_below(directory: pathlib.Path) -> list[str]:
    return [
        line
        for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()
        if line.split()[1].startswith(str(directory))
    ]


def assert_nothing_runs(home: pathlib.Path) -> None:
    assert processes_below(home) == []
    assert sockets_below(home) == []
    assert mounts_below(home) == []
    assert list((home / "tmp").iterdir()) == []


def install_driver(user: User) -> None:
    user.kubectl("create", "namespace", NAMESPACE)
    user.apply(*INSTALLED, "daemonset.yaml")


def test_detached_cluster_goes_on_with_its_pods_and_leaves_nothing(tmp_path: pathlib.Path) -> None:
    user = User(tmp_path)
    with detached(tmp_path) as started:
        assert started.returncode == 0, started.stderr
        assert "Cluster 'dray' is ready: API server, scheduler, controllers, 2 nodes" in started.stdout
        assert "nodes:2" in user.kubectl("get", "--raw", "/flagz").splitlines()
        install_driver(user)
        user.apply("example/resourceclaim.yaml", "example/pod.yaml")
        until("pod0 runs", lambda: user.phase("pod0") == "Running")
        before = user.get("pod", "pod0")
        claim = user.get("resourceclaim", "some-gpu")
        again = up(tmp_path, "--detach")
        assert again.returncode == 1
        assert "is already running (pid" in one_line(again)
    assert_nothing_runs(tmp_path)

    with detached(tmp_path) as resumed:
        assert resumed.returncode == 0, resumed.stderr
        after = user.get("pod", "pod0")
        assert before is not None
        assert after is not None
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        until("pod0 runs again", lambda: user.phase("pod0") == "Running")
        until("the driver is back", lambda: user.pool_count() == 2)
        found = user.get("resourceclaim", "some-gpu")
        assert claim is not None
        assert found is not None
        assert found["status"]["allocation"] == claim["status"]["allocation"]
        pid = int(resumed.stdout.partition("runs as process ")[2].partition(";")[0])
        born = descendants(pid)
        assert len(born) >= 4, "the cluster, two drivers and pod0"
        user.delete_all()

    deleted = dray("delete", "--yes", "--data-dir", str(tmp_path / "cluster"), home=tmp_path)
    assert deleted.returncode == 0, deleted.stderr
    assert_nothing_runs(tmp_path)
    assert not {each for one, start in born for each in descendants(one) if each == (one, start)}
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if not path.is_dir())
    assert [file for file in files if not file.startswith("kube-cache")] == [".kube/config"]


def test_interrupt_stops_everything_and_says_so(tmp_path: pathlib.Path) -> None:
    user = User(tmp_path)
    with running(tmp_path) as cluster:
        install_driver(user)
        until("the driver publishes", lambda: user.pool_count() == 2)
        assert len(descendants(cluster.process.pid)) >= 3
        assert cluster.interrupt() == 0
        assert cluster.said.rstrip().endswith("Stopping ...")
    assert_nothing_runs(tmp_path)


def test_killed_in_the_middle_of_steps_the_tutorial_goes_on(tmp_path: pathlib.Path) -> None:
    user = User(tmp_path)
    with running(tmp_path) as cluster:
        install_driver(user)
        cluster.kill()  # the driver's pods are being made
    with running(tmp_path) as cluster:
        until("the driver publishes", lambda: user.pool_count() == 2)
        user.apply("example/resourceclaim.yaml", "example/pod.yaml")
        cluster.kill()  # the claim is being allocated and prepared
    with running(tmp_path) as cluster:
        until("pod0 runs", lambda: user.phase("pod0") == "Running")
        assert_allocated_once(user)
        with deleting(user, "pod0"):
            until("pod0 is going", lambda: is_going(user.get("pod", "pod0")))
            cluster.kill()  # pod0 is being stopped and its claim released
    with running(tmp_path):
        until("pod0 is gone", lambda: user.get("pod", "pod0") is None)
        until("the claim is free", lambda: not (user.get("resourceclaim", "some-gpu") or {})["status"])
        user.apply("example/pod.yaml")
        until("pod0 runs again", lambda: user.phase("pod0") == "Running")
        assert_allocated_once(user)
    assert_nothing_runs(tmp_path)


def assert_allocated_once(user: User) -> None:
    claim, pod = user.get("resourceclaim", "some-gpu"), user.get("pod", "pod0")
    assert claim is not None
    assert pod is not None
    [device] = claim["status"]["allocation"]["devices"]["results"]
    [holder] = claim["status"]["reservedFor"]
    assert holder["uid"] == pod["metadata"]["uid"]
    assert device["pool"] == pod["spec"]["nodeName"]
    log = user.kubectl("logs", "pod0", "-n", NAMESPACE)
    assert f'GPU_DEVICE_0="{device["device"]}"' in log
    assert log.count("_RESOURCE_CLAIM=") <= 1


def is_going(pod: dict[str, Any] | None) -> bool:
    return pod is None or "deletionTimestamp" in pod["metadata"]


@contextlib.contextmanager
def deleting(user: User, pod: str) -> Iterator[None]:
    """A `kubectl delete` under way; it fails when its server dies."""
    process = subprocess.Popen(
        [*DRAY, "kubectl", "delete", "pod", pod, "-n", NAMESPACE],
        env=environment(user.home) | {"KUBECONFIG": user.config},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


# --- what hinders a cluster is said in one line ---

WAYS = pytest.mark.parametrize("way", [(), ("--detach",)], ids=["foreground", "detached"])


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The line that is all it says."""
    assert done.stdout == ""
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("dray: ")
    return line


@WAYS
def test_port_in_use(tmp_path: pathlib.Path, way: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = one_line(up(tmp_path, "--port", str(port), *way))
    assert f"port {port} on 127.0.0.1 is in use; choose another with --port" in line


@WAYS
def test_corrupt_database_is_named_and_left_as_it_is(tmp_path: pathlib.Path, way: tuple[str, ...]) -> None:
    database = tmp_path / "cluster" / "state" / "state.db"
    database.parent.mkdir(parents=True)
    (tmp_path / "cluster" / "cluster.json").write_text('{"name": "dray", "nodes": 0, "port": 0}')
    database.write_bytes(b"garbage " * 1000)
    line = one_line(up(tmp_path, *way))
    assert f"{database} is damaged" in line
    assert "dray snapshot restore" in line
    assert database.read_bytes() == b"garbage " * 1000


@WAYS
def test_directory_of_something_else_stays_as_it_is(tmp_path: pathlib.Path, way: tuple[str, ...]) -> None:
    data = tmp_path / "cluster"
    data.mkdir()
    (data / "thesis.txt").write_text("mine")
    for _ in range(2):
        assert "is no data directory of dray; choose another --data-dir" in one_line(up(tmp_path, *way))
    assert [path.name for path in data.iterdir()] == ["thesis.txt"]


@WAYS
@pytest.mark.parametrize("place", ["/proc/dray", "/dev/null/dray", "/dev/null"])
def test_place_where_nothing_can_be_written(tmp_path: pathlib.Path, way: tuple[str, ...], place: str) -> None:
    line = one_line(dray("up", "--data-dir", place, *way, home=tmp_path))
    assert f"cannot use {place} as data directory" in line


@WAYS
def test_database_that_may_not_grow(tmp_path: pathlib.Path, way: tuple[str, ...]) -> None:
    done = subprocess.run(
        [*DRAY, "up", "--nodes", "0", "--data-dir", str(tmp_path / "cluster"), *way],
        env=environment(tmp_path) | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )
    assert f"cannot write {tmp_path}/cluster/state/state.db" in one_line(done)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
@pytest.mark.parametrize(
    ("options", "text"),
    [
        ("ro", "Read-only file system; choose another --data-dir"),
        ("size=200k", "is full: "),
    ],
)
@WAYS
def test_disk_that_takes_nothing(
    tmp_path: pathlib.Path, way: tuple[str, ...], options: str, text: str
) -> None:
    data = tmp_path / "cluster"
    data.mkdir()
    mounting = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "dray-test", str(data)], check=False)
    if mounting.returncode != 0:
        pytest.skip("this root may not mount")
    try:
        assert text in one_line(up(tmp_path, *way))
    finally:
        subprocess.run(["umount", str(data)], check=True)


# --- what is said to somebody who has not everything at hand ---


def test_who_has_no_kubectl_is_told_of_the_one_built_in_and_how_to_stop(tmp_path: pathlib.Path) -> None:
    data = tmp_path / "cluster"
    done = dray(*("up", "--detach", "--nodes", "0", "--data-dir", str(data)), home=tmp_path, PATH="/nowhere")
    try:
        assert done.returncode == 0, done.stderr
        assert "  dray kubectl --context dray-dray get nodes\n" in done.stdout
        assert "config use-context" not in done.stdout
        assert f"stop it with: dray down --data-dir {data}\n" in done.stdout
    finally:
        dray("down", "--data-dir", str(data), home=tmp_path)


def test_delete_asks_and_takes_silence_for_no(tmp_path: pathlib.Path) -> None:
    data = a_cluster(tmp_path)
    done = dray("delete", "--data-dir", str(data), home=tmp_path)
    assert done.returncode == 1
    assert done.stderr.strip() == "dray: nothing was deleted: say yes, or add --yes"
    assert data.exists()


def test_kubeconfig_that_cannot_be_read_does_not_keep_a_cluster_from_deletion(tmp_path: pathlib.Path) -> None:
    data = a_cluster(tmp_path)
    broken = tmp_path / ".kube" / "config"
    broken.parent.mkdir()
    broken.write_text("{ no: [yaml")
    line = one_line(dray("delete", "--yes", "--data-dir", str(data), home=tmp_path))
    assert (
        f"cluster 'dray' is deleted, but its context stays where it was: {broken} is not valid YAML" in line
    )
    assert not data.exists()


def a_cluster(home: pathlib.Path) -> pathlib.Path:
    """Where one lies that does not run."""
    layout = Layout(home / "cluster")
    layout.create()
    layout.write_spec(ClusterSpec("dray", 0, 0))
    return layout.root
