"""One node of any cluster: its certificate, and who may ask its server, which the cluster's API server decides.

As a kubelet with webhook authentication and authorization: client certificates are known by the certificate authority,
bearer tokens by a TokenReview, and each request is put to a SubjectAccessReview on the node.
"""

import datetime as dt
import pathlib
import ssl
from typing import NamedTuple

from dray.api import errors
from dray.api.meta import Object
from dray.api.resources import SUBJECT_ACCESS_REVIEWS, TOKEN_REVIEWS
from dray.apiserver.access import AUTHENTICATED
from dray.client.protocol import Client, Unreachable
from dray.cluster.certificates import Authority, CertificateError
from dray.cluster.layout import ClusterError
from dray.node.config import Authorizer, Caller


class ServingFiles(NamedTuple):
    """The pair that the node's server presents; made by an authority of the node's own where there is none."""

    certificate: pathlib.Path
    key: pathlib.Path


def serving_context(
    name: str,
    address: str,
    *,
    files: ServingFiles | None,
    own: pathlib.Path,
    client_ca: bytes | None,
    now: dt.datetime,
) -> ssl.SSLContext:
    """TLS for the node's server. `client_ca`: PEM of those whose client certificates are known; none are without it.

    Without `files` the pair is kept in `own` and trusted by nobody, as a kubelet's self-signed one: an API server that
    checks kubelets needs a pair that its authority signed. Raises ClusterError.
    """
    try:
        if files is None:
            authority = Authority(own, now)
            authority.server("kubelet", [name, "localhost", address])
            files = ServingFiles(own / "kubelet.crt", own / "kubelet.key")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(files.certificate, files.key)
        if client_ca is not None:
            context.verify_mode = ssl.CERT_OPTIONAL
            context.load_verify_locations(cadata=client_ca.decode())
    except (CertificateError, OSError, ValueError) as error:
        raise ClusterError(f"cannot serve with the node's certificates: {error}") from error
    return context


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
    return {"username": caller.name, "groups": [*caller.groups, AUTHENTICATED]} if caller.name else None


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
