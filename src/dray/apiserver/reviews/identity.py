"""Questions about identity: SelfSubjectReview and TokenReview. Source: kubernetes pkg/registry/authentication, 1.36."""

from dray.api import errors
from dray.api.meta import Object
from dray.apiserver.authentication.chain import AuthenticatorChain, authenticated
from dray.apiserver.registry.kind import User


def self_subject_review(user: User, review: Object) -> Object:
    return {**review, "status": {"userInfo": user_info(user)}}


def user_info(user: User) -> Object:
    info: Object = {"username": user.name}
    if user.uid:
        info["uid"] = user.uid
    if user.groups:
        info["groups"] = list(user.groups)
    if user.extra:
        info["extra"] = {key: list(values) for key, values in user.extra.items()}
    return info


def token_review(authenticator: AuthenticatorChain, review: Object) -> Object:
    """Whose token is this? Raises BadRequest without one."""
    spec = review.get("spec") or {}
    if not spec.get("token"):
        raise errors.BadRequest("token is required for TokenReview in authentication")
    audiences = spec.get("audiences") or []
    user = authenticator.user_of_token(spec["token"], audiences)
    if user is None:
        status: Object = {"user": {}, "error": "[invalid bearer token, Token has been invalidated]"}
    else:
        status = {"authenticated": True, "user": user_info(authenticated(user))}
        if audiences:
            status["audiences"] = audiences
    return {**review, "status": status}
