"""Who may approve and sign certificate requests, beyond being allowed to write them."""

import base64

import pytest

from dray.api import errors
from dray.api.meta import Object
from dray.api.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES
from dray.apiserver.admission.certificates import GROUP
from dray.apiserver.local import LocalClient
from dray.apiserver.registry.certificate_request import CERTIFICATE_SIGNING_REQUESTS as REQUESTS
from tests.unit.apiserver.admission.cluster import JANE, Cluster
from tests.unit.certificate_requests import own_certificate, request_pem, signing_request

SIGNER = "kubernetes.io/kube-apiserver-client"


CERTIFICATE = base64.b64encode(own_certificate()).decode()


def request_of(organization: str = "devs", signer: str = SIGNER) -> Object:
    return signing_request("jane", request_pem("jane", organization), signer, ["client auth"])


def approved(request: Object) -> Object:
    condition = {"type": "Approved", "status": "True", "reason": "r", "message": "m"}
    return {**request, "status": {"conditions": [condition]}}


async def let_jane(cluster: Cluster, *, approve: str = "") -> LocalClient:
    """Write requests, and approve those of a signer."""
    written = ["certificatesigningrequests", "certificatesigningrequests/approval"]
    written.append("certificatesigningrequests/status")
    rules: list[Object] = [{"apiGroups": [GROUP], "resources": written, "verbs": ["*"]}]
    if approve:
        signers = {"resources": ["signers"], "resourceNames": [approve], "verbs": ["approve"]}
        rules.append({"apiGroups": [GROUP], **signers})
    await cluster.client.create(CLUSTER_ROLES, {"metadata": {"name": "jane"}, "rules": rules})
    binding = {
        "metadata": {"name": "jane"},
        "roleRef": {"apiGroup": CLUSTER_ROLES.group, "kind": "ClusterRole", "name": "jane"},
        "subjects": [{"apiGroup": CLUSTER_ROLES.group, "kind": "User", "name": JANE.name}],
    }
    await cluster.client.create(CLUSTER_ROLE_BINDINGS, binding)
    return cluster.acting_as(JANE)


async def test_approval_takes_a_permission_on_the_signer(cluster: Cluster) -> None:
    jane = await let_jane(cluster)
    made = await jane.create(REQUESTS, request_of())
    with pytest.raises(
        errors.Forbidden, match=f'not permitted to approve requests with signerName "{SIGNER}"'
    ):
        await jane.update(REQUESTS, approved(made), subresource="approval")


@pytest.mark.parametrize("signer", [SIGNER, "kubernetes.io/*"])
async def test_a_signer_is_permitted_by_name_or_by_domain(cluster: Cluster, signer: str) -> None:
    jane = await let_jane(cluster, approve=signer)
    made = await jane.create(REQUESTS, request_of())
    seen = await jane.update(REQUESTS, approved(made), subresource="approval")
    assert seen["status"]["conditions"][0]["type"] == "Approved"


async def test_only_a_signer_writes_the_certificate(cluster: Cluster) -> None:
    jane = await let_jane(cluster)
    made = await jane.create(REQUESTS, request_of())
    signed = {**made, "status": {"certificate": CERTIFICATE}}
    with pytest.raises(errors.Forbidden, match="not permitted to sign requests"):
        await jane.update(REQUESTS, signed, subresource="status")
    seen = await cluster.client.update(REQUESTS, signed, subresource="status")
    assert seen["status"]["certificate"] == CERTIFICATE


async def test_only_a_signer_says_that_signing_failed(cluster: Cluster) -> None:
    jane = await let_jane(cluster, approve=SIGNER)
    made = await jane.create(REQUESTS, request_of())
    failed = {**made, "status": {"conditions": [{"type": "Failed", "status": "True"}]}}
    with pytest.raises(errors.Forbidden, match="not permitted to sign requests"):
        await jane.update(REQUESTS, failed, subresource="status")


async def test_a_certificate_is_written_once(cluster: Cluster) -> None:
    made = await cluster.client.create(REQUESTS, request_of())
    signed = await cluster.client.update(
        REQUESTS, {**made, "status": {"certificate": CERTIFICATE}}, subresource="status"
    )
    for other in (base64.b64encode(base64.b64decode(CERTIFICATE) * 2).decode(), None):
        with pytest.raises(errors.Invalid, match="may not modify existing certificate content"):
            await cluster.client.update(
                REQUESTS, {**signed, "status": {"certificate": other}}, subresource="status"
            )


async def test_what_is_no_certificate_is_not_written(cluster: Cluster) -> None:
    made = await cluster.client.create(REQUESTS, request_of())
    with pytest.raises(errors.Invalid, match="must contain at least one CERTIFICATE PEM block"):
        await cluster.client.update(
            REQUESTS, {**made, "status": {"certificate": "Yw=="}}, subresource="status"
        )


async def test_nobody_asks_for_the_masters_group(cluster: Cluster) -> None:
    with pytest.raises(errors.Forbidden, match="signer with system:masters group is not allowed"):
        await cluster.client.create(REQUESTS, request_of("system:masters"))
    other = request_of("system:masters", signer="example.com/mine")
    assert (await cluster.client.create(REQUESTS, other))["spec"]["signerName"] == "example.com/mine"
