"""What a kubelet's identity may write: NodeRestriction, in upstream's words."""

import base64
from typing import Any

import pytest

from dray.api import errors
from dray.api.meta import Object
from dray.api.resources import (
    CONFIG_MAPS,
    LEASES,
    NODES,
    PODS,
    SECRETS,
    SERVICE_ACCOUNTS,
)
from dray.apiserver.bootstrap import bootstrap
from dray.apiserver.local import LocalClient
from dray.apiserver.registry.certificate_request import CERTIFICATE_SIGNING_REQUESTS
from dray.apiserver.registry.kind import User
from tests.unit.apiserver.admission.cluster import Cluster

KUBELET = User("system:node:n1", ("system:nodes", "system:authenticated"))
ADMITTED = "the server could not find the requested resource"
"""What comes of a token request that nobody refuses: this server issues none."""
MIRROR = {"kubernetes.io/config.mirror": "x"}


@pytest.fixture
async def kubelet(cluster: Cluster) -> LocalClient:
    await bootstrap(cluster.server.core, cluster.client)
    await cluster.client.create(SERVICE_ACCOUNTS, {"metadata": {"name": "default"}}, "default")
    await cluster.client.create(NODES, {"metadata": {"name": "n2"}})
    for node in ("n1", "n2"):
        await cluster.client.create(PODS, _pod(f"on-{node}", nodeName=node), "default")
    return cluster.acting_as(KUBELET)


def _pod(name: str, annotations: Any = None, owner: Any = None, **spec: Any) -> Object:
    meta = {"name": name, "annotations": annotations or {}}
    if owner is not None:
        meta["ownerReferences"] = [owner]
    return {"metadata": meta, "spec": {"containers": [{"name": "c", "image": "busybox"}], **spec}}


def _why(refused: pytest.ExceptionInfo[errors.StatusError]) -> str:
    return str(refused.value).partition(" is forbidden: ")[2] or str(refused.value)


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        ({"name": "n3"}, 'node "n1" is not allowed to modify node "n3"'),
        (
            {"labels": {"a.kubernetes.io/x": "1", "k8s.io/y": "1", "node.kubernetes.io/z": "1", "own": "1"}},
            'node "n1" is not allowed to set the following labels: a.kubernetes.io/x, k8s.io/y',
        ),
        (
            {"labels": {"x.node-restriction.kubernetes.io/a": ""}},
            'node "n1" is not allowed to set the following labels: x.node-restriction.kubernetes.io/a',
        ),
    ],
)
async def test_a_node_registers_as_itself(kubelet: LocalClient, metadata: Object, why: str) -> None:
    with pytest.raises(errors.Forbidden) as refused:
        await kubelet.create(NODES, {"metadata": {"name": "n1", **metadata}})
    assert _why(refused) == why


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        ({"spec": {"taints": []}}, 'node "n1" is not allowed to modify taints'),
        (
            {
                "metadata": {
                    "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "u"}],
                    "labels": {"k8s.io/a": "1"},
                }
            },
            'node "n1" is not allowed to modify ownerReferences',
        ),
        ({"metadata": {"labels": {"k8s.io/a": "1"}}}, "is not allowed to modify labels: k8s.io/a"),
    ],
)
async def test_a_node_changes_little_of_itself(kubelet: LocalClient, patch: Object, why: str) -> None:
    await kubelet.create(NODES, {"metadata": {"name": "n1", "labels": {"kubernetes.io/hostname": "n1"}}})
    with pytest.raises(errors.Forbidden) as refused:
        await kubelet.patch(NODES, "n1", patch)
    assert _why(refused) == why


@pytest.mark.parametrize(
    ("spec", "what"),
    [
        ({"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}, "secrets"),
        ({"volumes": [{"name": "v", "configMap": {"name": "m"}}]}, "configmaps"),
        ({"resourceClaims": [{"name": "a", "resourceClaimName": "c"}]}, "resourceclaims"),
        ({"volumes": [{"name": "v", "csi": {"driver": "d"}}]}, "csidrivers (via CSI volumes)"),
        (
            {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]},
            "persistentvolumeclaims",
        ),
        (
            {
                "volumes": [
                    {
                        "name": "v",
                        "projected": {"sources": [{"clusterTrustBundle": {"name": "b", "path": "p"}}]},
                    }
                ]
            },
            "clustertrustbundles",
        ),
    ],
)
async def test_a_kubelets_own_pods_need_nothing_of_the_api(
    cluster: Cluster, kubelet: LocalClient, spec: Object, what: str
) -> None:
    node = await cluster.client.create(NODES, {"metadata": {"name": "n1"}})
    uid = node["metadata"]["uid"]
    owner = {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": uid, "controller": True}
    with pytest.raises(errors.Forbidden) as refused:
        await kubelet.create(PODS, _pod("p", MIRROR, owner, nodeName="n1", **spec), "default")
    known = (
        "a mirror pod may not reference secrets"
        if what == "secrets"
        else (f'node "n1" can not create pods that reference {what}')
    )
    assert _why(refused) == known


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"serviceAccountName": "default"}, "a mirror pod may not reference service accounts"),
        ({"imagePullSecrets": [{"name": "s"}]}, "a mirror pod may not reference secrets"),
        (
            {"volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]},
            "a mirror pod may not use ServiceAccountToken volume projections",
        ),
    ],
)
async def test_nobody_creates_mirror_pods_that_need_an_account(
    cluster: Cluster, kubelet: LocalClient, spec: Object, why: str
) -> None:
    with pytest.raises(errors.Forbidden) as refused:
        await cluster.client.create(PODS, _pod("p", MIRROR, nodeName="n1", **spec), "default")
    assert _why(refused) == why


async def test_pods_of_other_nodes_are_out_of_reach(kubelet: LocalClient) -> None:
    status = {"status": {"phase": "Running"}}
    with pytest.raises(errors.Forbidden) as refused:
        await kubelet.patch(PODS, "on-n2", status, "default", subresource="status")
    assert _why(refused) == 'node "n1" can only update pod status for pods with spec.nodeName set to itself'
    with pytest.raises(errors.Forbidden) as refused:
        await kubelet.delete(PODS, "on-n2", "default")
    assert _why(refused) == 'node "n1" can only delete pods with spec.nodeName set to itself'
    eviction = {"metadata": {"name": "on-n2"}}
    with pytest.raises(errors.Forbidden) as refused:
        await kubelet.create(PODS, eviction, "default", name="on-n2", subresource="eviction")
    assert _why(refused) == "node n1 can only evict pods with spec.nodeName set to itself"


@pytest.mark.parametrize(
    ("bound", "audiences", "why"),
    [
        ({"kind": "Secret"}, [], "node requested token not bound to a pod"),
        ({"apiVersion": "v2"}, [], "node requested token not bound to a pod"),
        ({"uid": ""}, [], "node requested token with a pod binding without a uid"),
        ({"name": "none"}, [], 'pods "none" not found'),
        (
            {"uid": "other"},
            [],
            "the UID in the bound object reference (other) does not match the UID in record. The object might have been deleted and then recreated",
        ),
        (
            {},
            ["vault"],
            'audience "vault" not found in pod spec volume, system:node:n1 is not authorized to request tokens for this audience',
        ),
        ({}, ["a", "b"], "node may only request 0 or 1 audiences"),
        ({}, [], ADMITTED),
        ({}, [""], ADMITTED),
    ],
)
async def test_tokens_are_for_what_pods_ask_for(
    kubelet: LocalClient, bound: Object, audiences: list[str], why: str
) -> None:
    uid = (await kubelet.get(PODS, "on-n1", "default"))["metadata"]["uid"]
    reference = {"apiVersion": "v1", "kind": "Pod", "name": "on-n1", "uid": uid, **bound}
    request = {"spec": {"boundObjectRef": reference, "audiences": audiences}}

    async def ask() -> Object:
        return await kubelet.create(SERVICE_ACCOUNTS, request, "default", name="default", subresource="token")

    with pytest.raises(errors.StatusError) as refused:
        await ask()
    assert _why(refused) == why


async def test_a_certificate_is_for_the_node_itself(kubelet: LocalClient) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    def request(name: str) -> Object:
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:nodes"),
                x509.NameAttribute(NameOID.COMMON_NAME, name),
            ]
        )
        key = ec.generate_private_key(ec.SECP256R1())
        signed = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
        text = base64.b64encode(signed.public_bytes(serialization.Encoding.PEM)).decode()
        usages = ["digital signature", "client auth"]
        signer = "kubernetes.io/kube-apiserver-client-kubelet"
        return {
            "metadata": {"generateName": "csr-"},
            "spec": {"request": text, "signerName": signer, "usages": usages},
        }

    await kubelet.create(CERTIFICATE_SIGNING_REQUESTS, request("system:node:n1"))
    with pytest.raises(errors.Forbidden) as refused:
        await kubelet.create(CERTIFICATE_SIGNING_REQUESTS, request("system:node:n2"))
    assert _why(refused) == "can only create a node CSR with CN=system:node:n1"


async def test_only_the_nodes_own_lease(kubelet: LocalClient) -> None:
    lease = {"metadata": {"name": "n2"}, "spec": {}}
    with pytest.raises(errors.Forbidden) as refused:
        await kubelet.create(LEASES, lease, "kube-node-lease")
    assert _why(refused) == "can only access node lease with the same name as the requesting node"


@pytest.mark.parametrize(
    ("resource", "name", "fields", "reason"),
    [
        (NODES, "", "", "node 'n1' cannot read all nodes, only its own Node object"),
        (NODES, "n2", "", "node 'n1' cannot read 'n2', only its own Node object"),
        (NODES, "", "metadata.name=n1", ""),
        (PODS, "", "", "can only list/watch pods with spec.nodeName field selector"),
        (PODS, "", "spec.nodeName=n2", "can only list/watch pods with spec.nodeName field selector"),
        (PODS, "", "spec.nodeName=n1", ""),
        (PODS, "on-n1", "", ""),
        (PODS, "on-n2", "", "no relationship found between node 'n1' and this object"),
        (SECRETS, "", "", "No Object name found"),
        (CONFIG_MAPS, "none", "", "no relationship found between node 'n1' and this object"),
        (CONFIG_MAPS, "kube-root-ca.crt", "", None),
    ],
)
async def test_a_kubelet_reads_what_concerns_it(
    cluster: Cluster, kubelet: LocalClient, resource: Any, name: str, fields: str, reason: str | None
) -> None:
    from dray.apiserver.access import Attributes, selected_name

    attributes = Attributes(
        KUBELET,
        "get" if name else "list",
        resource=resource.plural,
        namespace="default" if resource.namespaced else "",
        name=name or selected_name(fields),
        fields=fields,
    )
    decision = cluster.server.core.authorizer.authorize(attributes)
    assert decision.allowed is (not reason)
    if reason:
        assert decision.reason == reason
