"""Which review answers which virtual kind: the table an API server is given."""

from typing import TYPE_CHECKING

from dray.api.meta import Object, format_time, is_deleting, replace_at
from dray.apiserver.authentication.chain import AuthenticatorChain
from dray.apiserver.authorization.chain import AuthorizerChain
from dray.apiserver.core import Call, Reviewer, Reviewers
from dray.apiserver.reviews.access import AccessReviews
from dray.apiserver.reviews.identity import (
    TokenRequests,
    check_names,
    check_uid,
    self_subject_review,
    token_review,
)
from dray.apiserver.verbs.virtual import TOKENS
from dray.apiserver.verbs.writing import not_found

if TYPE_CHECKING:
    from dray.apiserver.authentication.tokens import TokenIssuer


def reviewers(
    authorizer: AuthorizerChain, authenticator: AuthenticatorChain, issuer: "TokenIssuer | None" = None
) -> Reviewers:
    """Without an issuer no service account tokens are given out."""
    access = AccessReviews(authorizer)

    async def self_access(call: Call, review: Object) -> Object:
        return access.self_subject(call.user, review)

    async def subject_access(call: Call, review: Object) -> Object:
        return access.subject(review, call.namespace)

    async def self_rules(call: Call, review: Object) -> Object:
        return access.self_rules(call.user, review)

    async def token(call: Call, review: Object) -> Object:
        return token_review(authenticator, review)

    async def self_subject(call: Call, review: Object) -> Object:
        answered = self_subject_review(call.user, review)
        return replace_at(answered, ("metadata", "creationTimestamp"), format_time(call.now))

    table: dict[str, Reviewer] = {
        "selfsubjectaccessreviews.authorization.k8s.io": self_access,
        "subjectaccessreviews.authorization.k8s.io": subject_access,
        "localsubjectaccessreviews.authorization.k8s.io": subject_access,
        "selfsubjectrulesreviews.authorization.k8s.io": self_rules,
        "tokenreviews.authentication.k8s.io": token,
        "selfsubjectreviews.authentication.k8s.io": self_subject,
    }
    if issuer is not None:
        table[TOKENS] = _token_requests(TokenRequests(issuer))
    return table


def _token_requests(requests: TokenRequests) -> Reviewer:
    async def request_token(call: Call, request: Object) -> Object:
        """Raises Invalid for what is named otherwise, NotFound for a missing account, Conflict, BadRequest."""
        check_names(call.namespace, call.name, request)
        record = call.record()
        if record is None or is_deleting(record.obj):
            raise not_found(call)
        if call.features.enabled("TokenRequestServiceAccountUIDValidation"):
            check_uid(record.obj, request)
        return requests.create(call, record.obj, request, call.now, call.annotations)

    return request_token
