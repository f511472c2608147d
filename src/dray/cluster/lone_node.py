"""One node of any cluster: its certificate, and who may ask its server, which the cluster's API server decides.

As a kubelet with webhook authentication and authorization: client certificates are known by the certificate authority,
bearer tokens by a TokenReview, and each request is put to a SubjectAccessReview on the node.
"""

import datetime as dt
import pathlib
import urllib.parse

from dray.api import errors
from dray.api.meta import Object
from dray.api.resources import SUBJECT_ACCESS_REVIEWS, TOKEN_REVIEWS
from dray.client.protocol import Client, Unreachable
from dray.cluster.certificates import Authority, CertificateError
from dray.cluster.layout import ClusterError
from dray.node.config import Authorizer, Caller, NodeConfig


def lone_node_config(
    client: Client,
    *,
    name: str,
    root: pathlib.Path,
    pki: pathlib.Path,
    address: str,
    port: int,
    pod_cidr: str,
    server: str,
    now: dt.datetime,
) -> NodeConfig:
    """`pki`: a directory with the cluster's `ca.crt` and `ca.key`, or one where a certificate authority may be made.

    `server`: the API server's URL, which pods get as well. Raises ClusterError.
    """
    try:
        authority = Authority(pki, now)
        authority.server(f"kubelet-{name}", [name, "localhost", address])
    except (CertificateError, OSError) as error:
        raise ClusterError(f"cannot make the node's certificate in {pki}: {error}") from error
    url = urllib.parse.urlsplit(server)
    return NodeConfig(
        name=name,
        root=root,
        pod_cidr=pod_cidr,
        address=address,
        bind_address=address,
        port=port,
        server_ssl=authority.server_context(f"kubelet-{name}"),
        authorize=webhook_authorizer(client, name),
        api_host=url.hostname or "127.0.0.1",
        api_port=url.port or 443,
    )


def webhook_authorizer(client: Client, node: str) -> Authorizer:
    """Asks the API server about each request; whom it cannot ask about is refused."""

    async def authorize(caller: Caller, verb: str, subresource: str) -> bool:
        try:
            user = await _user(client, caller)
            return user is not None and await _may(client, user, node, verb, subresource)
        except (errors.StatusError, Unreachable):
            return False

    return authorize


async def _user(client: Client, caller: Caller) -> Object | None:
    if caller.token:
        review = await client.create(TOKEN_REVIEWS, {"spec": {"token": caller.token}})
        status = review.get("status") or {}
        return status.get("user") if status.get("authenticated") else None
    return {"username": caller.name, "groups": list(caller.groups)} if caller.name else None


async def _may(client: Client, user: Object, node: str, verb: str, subresource: str) -> bool:
    attributes = {
        "verb": verb, "version": "v1", "resource": "nodes", "name": node, "subresource": subresource,
    }  # fmt: skip
    spec = {
        "user": user.get("username", ""),
        "groups": user.get("groups") or [],
        "resourceAttributes": attributes,
    }
    review = await client.create(SUBJECT_ACCESS_REVIEWS, {"spec": spec})
    return bool((review.get("status") or {}).get("allowed"))
