"""Kubernetes' own scheduler and controller manager work against our API server, each under its own identity.

The binaries are looked for on PATH; where they are missing these tests are skipped by name. Whatever they do not find
here (an informer that never syncs, a right that is missing, a body they cannot read) leaves the pod pending.
"""

import base64
import contextlib
import json
import pathlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

PATIENCE_SECONDS = 40.0
TOKENS = {
    "admin": "admin,1,system:masters",
    "scheduler": "system:kube-scheduler,2",
    "controllers": "system:kube-controller-manager,3",
}
CLASS = {
    "apiVersion": "resource.k8s.io/v1",
    "kind": "DeviceClass",
    "metadata": {"name": "gpu"},
    "spec": {"selectors": [{"cel": {"expression": 'device.driver == "gpu.example.com"'}}]},
}
NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "n1", "labels": {"kubernetes.io/hostname": "n1"}},
    "status": {
        "capacity": {"cpu": "8", "memory": "16Gi", "pods": "110"},
        "allocatable": {"cpu": "8", "memory": "16Gi", "pods": "110"},
        "conditions": [{"type": "Ready", "status": "True"}],
    },
}
SLICE = {
    "apiVersion": "resource.k8s.io/v1",
    "kind": "ResourceSlice",
    "metadata": {"name": "n1-gpus"},
    "spec": {
        "driver": "gpu.example.com",
        "nodeName": "n1",
        "pool": {"name": "n1", "generation": 1, "resourceSliceCount": 1},
        "devices": [{"name": "gpu-0", "attributes": {"model": {"string": "H100"}}}, {"name": "gpu-1"}],
    },
}
TEMPLATE = {
    "apiVersion": "resource.k8s.io/v1",
    "kind": "ResourceClaimTemplate",
    "metadata": {"name": "gpu"},
    "spec": {
        "spec": {
            "devices": {
                "requests": [
                    {
                        "name": "gpu",
                        "exactly": {
                            "deviceClassName": "gpu",
                            "selectors": [
                                {
                                    "cel": {
                                        "expression": 'device.attributes["gpu.example.com"].?model.orValue("") == "H100"'
                                    }
                                }
                            ],
                        },
                    }
                ]
            }
        }
    },
}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "containers": [{"name": "c", "image": "busybox", "resources": {"claims": [{"name": "gpu"}]}}],
                "resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "gpu"}],
            },
        },
    },
}


def dray(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "dray.cli.main", *arguments]


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


class ControlPlane:
    """Our API server, and components of Kubernetes or of ours beside it."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.port = free_port()
        self.api_server: subprocess.Popen[bytes]
        self._processes: list[subprocess.Popen[bytes]] = []
        self._logs: list[pathlib.Path] = []

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        self._logs.append(self.directory / f"{name}.log")
        with self._logs[-1].open("ab") as log:
            self._processes.append(subprocess.Popen(command, stdout=log, stderr=log))
        return self._processes[-1]

    def start_api_server(self) -> None:
        tokens = self.directory / "tokens.csv"
        tokens.write_text("".join(f"{name}-token,{user}\n" for name, user in TOKENS.items()))
        flags = ("--data-dir", str(self.data), "--port", self.port, "--token-auth-file", str(tokens))
        self.api_server = self.start("apiserver", *dray("apiserver", *flags))
        self.until("the API server", lambda: self.kubectl("get", "namespace", "default"))

    def kill_api_server(self) -> None:
        self.api_server.kill()
        self.api_server.wait(10)

    def start_component(self, binary: str, identity: str, *flags: str) -> subprocess.Popen[bytes]:
        kubeconfig = self.kubeconfig(identity)
        found = shutil.which(binary)
        assert found
        delegated = (f"--authentication-kubeconfig={kubeconfig}", f"--authorization-kubeconfig={kubeconfig}")
        listen = ("--bind-address=127.0.0.1", f"--secure-port={free_port()}")
        return self.start(binary, found, f"--kubeconfig={kubeconfig}", *delegated, *listen, *flags)

    def kubeconfig(self, identity: str) -> str:
        path = self.directory / f"{identity}.kubeconfig"
        server = next(
            line.split()[-1]
            for line in (self.data / "kubeconfig").read_text().splitlines()
            if line.strip().startswith("server:")
        )
        authority = base64.b64encode((self.data / "pki" / "ca.crt").read_bytes()).decode()
        cluster = {"server": server, "certificate-authority-data": authority}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": f"{identity}-token"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        path.write_text(json.dumps(config))
        return str(path)

    def kubectl(self, *arguments: str, stdin: Any = None) -> str:
        command = dray("kubectl", *arguments, "--kubeconfig", str(self.data / "kubeconfig"))
        text = None if stdin is None else json.dumps(stdin)
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def apply(self, *objects: dict[str, Any], namespace: str = "default") -> None:
        for obj in objects:
            self.kubectl("apply", "--server-side", "-n", namespace, "-f", "-", stdin=obj)

    def until(self, what: str, check: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            with contextlib.suppress(AssertionError):
                if check():
                    return
            time.sleep(0.2)
        raise AssertionError(
            f"{what} did not happen\n" + "\n".join(log.read_text()[-1500:] for log in self._logs)
        )

    def stop(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            process.wait(30)


@pytest.fixture
def plane(tmp_path: pathlib.Path) -> Iterator[ControlPlane]:
    plane = ControlPlane(tmp_path)
    try:
        plane.start_api_server()
        yield plane
    finally:
        plane.stop()


def needs(*binaries: str) -> pytest.MarkDecorator:
    missing = [binary for binary in binaries if shutil.which(binary) is None]
    return pytest.mark.skipif(bool(missing), reason=f"needs {' and '.join(missing)} on PATH")


@needs("kube-scheduler")
def test_kube_scheduler_gives_a_pod_of_ours_a_node_and_a_device(plane: ControlPlane) -> None:
    plane.start(
        "controllers",
        *dray("controller-manager", "--kubeconfig", str(plane.data / "kubeconfig"), "--health-port", "0"),
    )
    plane.start_component("kube-scheduler", "scheduler")
    check_that_a_deployment_gets_its_device(plane)


@needs("kube-scheduler", "kube-controller-manager")
def test_kube_controller_manager_runs_everything_but_the_api_server(plane: ControlPlane) -> None:
    start_scheduler_and_managers(plane)
    check_that_a_deployment_gets_its_device(plane)


@needs("kube-scheduler", "kube-controller-manager")
def test_both_go_on_when_the_api_server_was_killed_under_them(plane: ControlPlane) -> None:
    # A server that starts slowly on a busy machine may cost them their leases, and they would end, as they should.
    parts = start_scheduler_and_managers(plane, "--leader-elect=false")
    plane.kubectl("create", "namespace", "early")
    plane.until(
        "the service account", lambda: plane.kubectl("get", "serviceaccount", "default", "-n", "early")
    )
    for _ in range(2):
        plane.kill_api_server()
        plane.start_api_server()
    check_that_a_deployment_gets_its_device(plane)
    assert [part.poll() for part in parts] == [None, None]


def start_scheduler_and_managers(plane: ControlPlane, *flags: str) -> list[subprocess.Popen[bytes]]:
    pki = plane.data / "pki"
    scheduler = plane.start_component("kube-scheduler", "scheduler", *flags)
    managers = plane.start_component(
        "kube-controller-manager",
        "controllers",
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={pki / 'sa.key'}",
        f"--root-ca-file={pki / 'ca.crt'}",
        *flags,
    )
    return [scheduler, managers]


def check_that_a_deployment_gets_its_device(plane: ControlPlane) -> None:
    """And that the namespace with all of it goes away when it is deleted."""
    plane.apply(CLASS, NODE, SLICE)
    plane.kubectl("create", "namespace", "work")
    plane.until(
        "the service account", lambda: plane.kubectl("get", "serviceaccount", "default", "-n", "work")
    )
    plane.apply(TEMPLATE, DEPLOYMENT, namespace="work")
    jsonpath = "jsonpath={.items[*].status.allocation.devices.results[*].device}{' '}{.items[*].status.reservedFor[*].resource}"
    plane.until(
        "the allocation",
        lambda: (
            plane.kubectl("get", "resourceclaims", "-n", "work", "-o", jsonpath).split() == ["gpu-0", "pods"]
        ),
    )
    node = "jsonpath={.items[*].spec.nodeName}"
    plane.until("the binding", lambda: plane.kubectl("get", "pods", "-n", "work", "-o", node) == "n1")
    plane.kubectl("delete", "namespace", "work", "--wait=false")
    # There is no kubelet that would confirm the end of the pod.
    name = plane.kubectl("get", "pods", "-n", "work", "-o", "name").strip()
    plane.kubectl("delete", name, "-n", "work", "--force", "--grace-period=0")
    plane.until("the end of the namespace", lambda: "work" not in plane.kubectl("get", "namespaces"))
