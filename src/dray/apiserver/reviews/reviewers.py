"""Who answers each kind of review, for a server with the full authentication and authorization chains."""

from dray.api.meta import Object
from dray.apiserver.authentication.chain import AuthenticatorChain
from dray.apiserver.authorization.chain import AuthorizerChain
from dray.apiserver.call import Call
from dray.apiserver.reviews.access import AccessReviews
from dray.apiserver.reviews.identity import self_subject_review, token_review
from dray.apiserver.verbs.virtual import Reviewers


def reviewers(authenticator: AuthenticatorChain, authorizer: AuthorizerChain) -> Reviewers:
    access = AccessReviews(authorizer)

    async def self_access(call: Call, review: Object) -> Object:
        return access.self_subject(call.user, review)

    async def subject_access(call: Call, review: Object) -> Object:
        return access.subject(review, call.namespace)

    async def self_rules(call: Call, review: Object) -> Object:
        return access.self_rules(call.user, review)

    async def whoami(call: Call, review: Object) -> Object:
        return self_subject_review(call.user, review)

    async def token(call: Call, review: Object) -> Object:
        return token_review(authenticator, review)

    return {
        "selfsubjectaccessreviews.authorization.k8s.io": self_access,
        "subjectaccessreviews.authorization.k8s.io": subject_access,
        "localsubjectaccessreviews.authorization.k8s.io": subject_access,
        "selfsubjectrulesreviews.authorization.k8s.io": self_rules,
        "selfsubjectreviews.authentication.k8s.io": whoami,
        "tokenreviews.authentication.k8s.io": token,
    }
