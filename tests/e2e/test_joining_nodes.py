"""Nodes that join by themselves: with a bootstrap token they get a certificate, and with a certificate the next one.

What a kubelet does with `--bootstrap-kubeconfig` and `rotateCertificates` is done here step by step, against an API server
and control loops that are processes of their own.
"""

import asyncio
import base64
import dataclasses
import ipaddress
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.unit.certificate_requests import signed_request, signing_request

from dray.api import errors
from dray.api.meta import Object
from dray.api.resources import CERTIFICATE_SIGNING_REQUESTS as REQUESTS
from dray.api.resources import CLUSTER_ROLE_BINDINGS, NODES, SECRETS
from dray.client.config import ClientConfig, load_config
from dray.client.http import HttpClient

PATIENCE_SECONDS = 20.0
CLIENT, SERVING = "kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/kubelet-serving"
TRUSTED, WAITING = "abcdef", "fedcba"
"""Tokens: with the one nodes join at once, with the other when somebody lets them."""
GROUPS = {TRUSTED: "system:bootstrappers:trusted", WAITING: "system:bootstrappers:waiting"}


def token_of(name: str) -> str:
    return f"{name}.0123456789abcdef"


def secret_of(name: str) -> Object:
    data = {
        "token-id": name,
        "token-secret": "0123456789abcdef",
        "usage-bootstrap-authentication": "true",
        "auth-extra-groups": GROUPS[name],
    }
    return {
        "metadata": {"name": f"bootstrap-token-{name}", "namespace": "kube-system"},
        "type": "bootstrap.kubernetes.io/token",
        "stringData": data,
    }


def given(name: str, role: str, *groups: str) -> Object:
    """A cluster role, given to groups."""
    return {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [
            {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group} for group in groups
        ],
    }


REQUESTS_OF = "system:certificates.k8s.io:certificatesigningrequests"
GIVEN = (
    given("may-ask", "system:node-bootstrapper", *GROUPS.values()),
    given("join-at-once", f"{REQUESTS_OF}:nodeclient", GROUPS[TRUSTED]),
    given("renew-at-once", f"{REQUESTS_OF}:selfnodeclient", "system:nodes"),
)


@dataclasses.dataclass(frozen=True)
class Asked:
    """A request, and the key whose certificate it asks for."""

    name: str
    key: ec.EllipticCurvePrivateKey

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


class Cluster:
    def __init__(self, directory: pathlib.Path) -> None:
        self.data = directory / "data"
        self._logs = directory
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, *arguments: str) -> None:
        command = [sys.executable, "-m", "dray.cli.main", name, *arguments]
        with (self._logs / f"{name}.log").open("wb") as log:
            self._processes.append(subprocess.Popen(command, stdout=log, stderr=log))

    def stop(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            process.wait(20)

    @property
    def administrator(self) -> ClientConfig:
        return load_config(str(self.data / "kubeconfig"))

    def with_token(self, name: str = TRUSTED) -> ClientConfig:
        return dataclasses.replace(self.administrator, certificate=None, key=None, token=token_of(name))

    def with_certificate(self, asked: Asked, certificate: bytes) -> ClientConfig:
        return dataclasses.replace(self.administrator, certificate=certificate, key=asked.key_pem)

    def ask(self, who: ClientConfig, name: str, node: str, signer: str = CLIENT) -> Asked:
        """As a kubelet of that node asks, whoever it is."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:nodes"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"system:node:{node}"),
        ]
        address = x509.IPAddress(ipaddress.ip_address("192.0.2.7"))
        names = [x509.DNSName(node), address] if signer == SERVING else []
        purpose = "server auth" if signer == SERVING else "client auth"
        request = signing_request(
            name, signed_request(subject, names, key), signer, ["digital signature", purpose]
        )
        self.create(who, REQUESTS, request)
        return Asked(name, key)

    def create(self, who: ClientConfig, resource: Any, obj: Object) -> Object:
        async def write() -> Object:
            async with HttpClient(who) as client:
                return await client.create(resource, obj, obj["metadata"].get("namespace", ""))

        return asyncio.run(write())

    def status(self, asked: Asked) -> Object:
        async def read() -> Object:
            async with HttpClient(self.administrator) as client:
                found = await client.get(REQUESTS, asked.name)
            status: Object = found.get("status") or {}
            return status

        return asyncio.run(read())

    def approve(self, asked: Asked) -> None:
        async def write() -> None:
            async with HttpClient(self.administrator) as client:
                found = await client.get(REQUESTS, asked.name)
                condition = {"type": "Approved", "status": "True", "reason": "Seen", "message": "by a person"}
                decided = {**found, "status": {"conditions": [condition]}}
                await client.update(REQUESTS, decided, subresource="approval")

        asyncio.run(write())

    def certificate(self, asked: Asked) -> bytes:
        """PEM, once it is there."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            if found := self.status(asked).get("certificate"):
                return base64.b64decode(found)
            time.sleep(0.1)
        logs = "\n".join(path.read_text()[-1500:] for path in self._logs.glob("*.log"))
        raise AssertionError(f"no certificate for {asked.name}: {self.status(asked)}\n{logs}")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("joining"))
    try:
        cluster.start(
            "apiserver", "--data-dir", str(cluster.data), "--port", "0", "--enable-bootstrap-token-auth"
        )
        end = time.monotonic() + PATIENCE_SECONDS
        while not (cluster.data / "kubeconfig").exists() and time.monotonic() < end:
            time.sleep(0.1)
        signing = [
            f"--cluster-signing-{part}-file={cluster.data / 'pki' / f'ca.{end}'}"
            for part, end in (("cert", "crt"), ("key", "key"))
        ]
        to_it = ("--kubeconfig", str(cluster.data / "kubeconfig"), "--health-port", "0")
        cluster.start("controller-manager", *to_it, "--cluster-signing-duration", "90m", *signing)
        for name in GROUPS:
            cluster.create(cluster.administrator, SECRETS, secret_of(name))
        for binding in GIVEN:
            cluster.create(cluster.administrator, CLUSTER_ROLE_BINDINGS, binding)
        yield cluster
    finally:
        cluster.stop()


def joined(cluster: Cluster, node: str) -> ClientConfig:
    """Who a kubelet is that came with a token."""
    asked = cluster.ask(cluster.with_token(), f"{node}-joins", node)
    return cluster.with_certificate(asked, cluster.certificate(asked))


def test_a_token_gets_a_kubelet_the_certificate_with_which_it_makes_its_node(cluster: Cluster) -> None:
    kubelet = joined(cluster, "n1")
    cluster.create(kubelet, NODES, {"metadata": {"name": "n1"}})
    with pytest.raises(errors.Forbidden, match='node "n1" is not allowed to modify node "n2"'):
        cluster.create(kubelet, NODES, {"metadata": {"name": "n2"}})


def test_where_nobody_may_join_at_once_a_kubelet_waits_for_a_person(cluster: Cluster) -> None:
    waiting = cluster.ask(cluster.with_token(WAITING), "n2-joins", "n2")
    joined(cluster, "n2-after")
    assert cluster.status(waiting) == {}
    cluster.approve(waiting)
    assert cluster.certificate(waiting)


def test_a_token_asks_for_certificates_and_nothing_else(cluster: Cluster) -> None:
    with pytest.raises(errors.Forbidden, match='"system:bootstrap:abcdef" cannot create resource "nodes"'):
        cluster.create(cluster.with_token(), NODES, {"metadata": {"name": "n3"}})


def test_a_kubelet_renews_its_own_certificate_and_asks_for_nobody_elses(cluster: Cluster) -> None:
    kubelet = joined(cluster, "n4")
    renewed = cluster.ask(kubelet, "n4-renews", "n4")
    cluster.create(
        cluster.with_certificate(renewed, cluster.certificate(renewed)), NODES, {"metadata": {"name": "n4"}}
    )
    with pytest.raises(errors.Forbidden, match="can only create a node CSR with CN=system:node:n4"):
        cluster.ask(kubelet, "n4-asks-for-n5", "n5")


def test_a_serving_certificate_waits_for_a_person(cluster: Cluster) -> None:
    asked = cluster.ask(joined(cluster, "n6"), "n6-serves", "n6", SERVING)
    joined(cluster, "n6-after")
    assert cluster.status(asked) == {}
    cluster.approve(asked)
    read = x509.load_pem_x509_certificate(cluster.certificate(asked))
    names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["n6"]
    # As long as --cluster-signing-duration says, from five minutes ago.
    assert (read.not_valid_after_utc - read.not_valid_before_utc).total_seconds() == 95 * 60
