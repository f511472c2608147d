"""Each role alone: separate processes that meet only through the API, and end when they are told to."""

import asyncio
import contextlib
import datetime as dt
import http.client
import json
import pathlib
import re
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

import pytest

from dray.api.resources import SERVICE_ACCOUNTS
from dray.client.config import load_config
from dray.client.http import HttpClient
from dray.cluster.certificates import Authority

PATIENCE_SECONDS = 20.0
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "namespace": "default"},
    "spec": {
        "containers": [
            {"name": "c", "image": "ubuntu:24.04", "command": ["sh", "-c", "echo hello; exec sleep 300"]}
        ]
    },
}

MAY_ASK_NODES = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "default-asks-nodes"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "default"}],
}


def dray(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "dray.cli.main", *arguments]


def until(condition: str, check: object, logs: dict[str, pathlib.Path]) -> str:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(Exception):
            if found := check():  # type: ignore[operator]
                return str(found)
        time.sleep(0.1)
    raise AssertionError(
        f"{condition} did not happen\n" + "\n".join(p.read_text()[-800:] for p in logs.values())
    )


class Roles:
    """An API server, the control loops, the scheduler and a node, each a process of its own."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.kubeconfig = directory / "data" / "kubeconfig"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.logs: dict[str, pathlib.Path] = {}

    def start(self, name: str, *arguments: str) -> None:
        self.logs[name] = self.directory / f"{name}.log"
        with self.logs[name].open("wb") as log:
            self.processes[name] = subprocess.Popen(dray(name, *arguments), stdout=log, stderr=log)

    def start_all(self) -> None:
        self.start("apiserver", "--data-dir", str(self.directory / "data"), "--port", "0")
        until("the kubeconfig", self.kubeconfig.exists, self.logs)
        to_it = ("--kubeconfig", str(self.kubeconfig), "--health-port", "0")
        self.start(
            "controller-manager", *to_it, "--root-ca-file", str(self.directory / "data" / "pki" / "ca.crt")
        )
        self.start("scheduler", *to_it)
        # What an administrator does for a new node: a pair signed by the cluster's authority, whose key stays where it is.
        pki = self.directory / "data" / "pki"
        Authority(pki, dt.datetime.now(dt.UTC)).server("n1", ["n1", "127.0.0.1"])
        serving = ("--tls-cert-file", str(pki / "n1.crt"), "--tls-private-key-file", str(pki / "n1.key"))
        self.start("node", *to_it, "--name", "n1", "--root-dir", str(self.directory / "n1"), *serving)

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        command = dray("kubectl", *arguments, "--kubeconfig", str(self.kubeconfig))
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def health(self, name: str) -> str:
        found = re.search(r"health and metrics on ([0-9.:]+)", self.logs[name].read_text())
        assert found
        return found[1]


@pytest.fixture(scope="module")
def roles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Roles]:
    roles = Roles(tmp_path_factory.mktemp("roles"))
    try:
        roles.start_all()
        yield roles
    finally:
        for process in roles.processes.values():
            process.terminate()
        for process in roles.processes.values():
            process.wait(20)


def test_pod_runs_on_a_node_that_is_a_process_of_its_own(roles: Roles) -> None:
    until("the node", lambda: " Ready" in roles.kubectl("get", "node", "n1"), roles.logs)
    until("the service account", lambda: roles.kubectl("get", "serviceaccount", "default"), roles.logs)
    roles.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(POD))
    until("the pod", lambda: "Running" in roles.kubectl("get", "pod", "p"), roles.logs)
    assert until("its log", lambda: roles.kubectl("logs", "p"), roles.logs) == "hello\n"


def asked(roles: Roles, token: str = "") -> int:
    """The code with which the node answers somebody who asks for its pods."""
    node = json.loads(roles.kubectl("get", "node", "n1", "-o", "json"))
    port = node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"]
    context = ssl.create_default_context(cafile=str(roles.directory / "data" / "pki" / "ca.crt"))
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    connection.request("GET", "/pods", headers={"Authorization": f"Bearer {token}"} if token else {})
    code = connection.getresponse().status
    connection.close()
    return code


def token_of(roles: Roles, account: str) -> str:
    config = load_config(str(roles.kubeconfig))

    async def ask() -> str:
        async with HttpClient(config) as client:
            review = await client.create(
                SERVICE_ACCOUNTS, {"spec": {}}, "default", name=account, subresource="token"
            )
        return str(review["status"]["token"])

    return asyncio.run(ask())


def test_node_answers_nobody_whom_the_cluster_does_not_know(roles: Roles) -> None:
    until("the node", lambda: " Ready" in roles.kubectl("get", "node", "n1"), roles.logs)
    for token in ("", "made-up"):
        assert asked(roles, token) in (401, 403)


def test_node_answers_those_only_whom_the_cluster_lets_ask(roles: Roles) -> None:
    until("the service account", lambda: roles.kubectl("get", "serviceaccount", "default"), roles.logs)
    token = token_of(roles, "default")
    assert asked(roles, token) == 403, "known, but not allowed"
    roles.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(MAY_ASK_NODES))
    assert until("the right", lambda: asked(roles, token) == 200, roles.logs)


@pytest.mark.parametrize("role", ["controller-manager", "scheduler", "node"])
def test_role_tells_of_its_health_and_its_figures(roles: Roles, role: str) -> None:
    address = roles.health(role)
    for path in ("healthz", "livez", "readyz"):
        with urllib.request.urlopen(f"http://{address}/{path}", timeout=10) as answer:
            assert answer.status == 200
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        assert b"# TYPE" in answer.read()


@pytest.mark.parametrize(
    ("role", "name"),
    [("controller-manager", "kube-controller-manager"), ("scheduler", "kube-scheduler"), ("node", "kubelet")],
)
def test_role_tells_what_it_stands_for_and_with_which_flags(roles: Roles, role: str, name: str) -> None:
    def page(path: str, accept: str = "*/*") -> str:
        asking = urllib.request.Request(f"http://{roles.health(role)}/{path}", headers={"Accept": accept})
        with urllib.request.urlopen(asking, timeout=10) as answer:
            return str(answer.read().decode())

    assert page("statusz").splitlines()[1] == f"{name} statusz"
    assert f"kubeconfig:{roles.kubeconfig}" in page("flagz").splitlines()
    flags = json.loads(page("flagz", "application/json;v=v1beta1;g=config.k8s.io;as=Flagz"))["flags"]
    assert (flags["health-port"], flags["verbosity"]) == ("0", "2")


@pytest.mark.parametrize("role", ["controller-manager", "scheduler", "node"])
def test_unknown_gate_is_refused_in_upstreams_words(roles: Roles, role: str, tmp_path: pathlib.Path) -> None:
    more = ("--root-dir", str(tmp_path)) if role == "node" else ()
    command = dray(role, "--kubeconfig", str(roles.kubeconfig), "--feature-gates", "Nope=true", *more)
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr.strip()) == (
        1,
        "dray: --feature-gates: unrecognized feature gate: Nope",
    )


def test_roles_end_when_they_are_told_to(roles: Roles) -> None:
    for name in ("node", "scheduler", "controller-manager", "apiserver"):
        roles.processes[name].send_signal(signal.SIGTERM)
        assert roles.processes[name].wait(20) == 0, name
