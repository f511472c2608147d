"""Who may ask a node's server: the cluster's API server decides, as for a kubelet with webhooks.

Client certificates are known by the certificate authority, bearer tokens by a TokenReview, and each request is put to
a SubjectAccessReview on the node.
"""

from collections.abc import Sequence

from dray.api import errors
from dray.api.meta import Object
from dray.api.resources import SUBJECT_ACCESS_REVIEWS, TOKEN_REVIEWS
from dray.apiserver.access import AUTHENTICATED
from dray.client.protocol import Client, Unreachable
from dray.node.config import Authorizer, Caller, Verdict


def webhook_authorizer(client: Client, node: str) -> Authorizer:
    """Asks the API server about each request; whom it cannot ask about is refused."""

    async def authorize(caller: Caller, verb: str, subresources: Sequence[str]) -> Verdict:
        user = None
        try:
            user = await _user(client, caller)
            if user is None:
                return Verdict()
            for subresource in subresources:
                if await _may(client, user, node, verb, subresource):
                    return Verdict(_name(user), allowed=True)
        except (errors.StatusError, Unreachable):
            pass
        return Verdict(_name(user) if user is not None else "")

    return authorize


def _name(user: Object) -> str:
    return str(user.get("username") or "")


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
