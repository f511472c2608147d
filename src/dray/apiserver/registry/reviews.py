"""Questions that are answered and never stored: who is this, may they do that. `verbs/virtual.py` answers them."""

from dray.api.resources import SUBJECT_ACCESS_REVIEWS, TOKEN_REVIEWS, Resource
from dray.apiserver.registry.kind import Kind

_AUTHORIZATION = "authorization.k8s.io"

SELF_SUBJECT_REVIEWS = Resource(
    "authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", False
)
LOCAL_SUBJECT_ACCESS_REVIEWS = Resource(
    _AUTHORIZATION, "v1", "localsubjectaccessreviews", "LocalSubjectAccessReview", True
)
SELF_SUBJECT_ACCESS_REVIEWS = Resource(
    _AUTHORIZATION, "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", False
)
SELF_SUBJECT_RULES_REVIEWS = Resource(
    _AUTHORIZATION, "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", False
)


def _review(resource: Resource) -> Kind:
    return Kind(resource, singular=resource.kind.lower(), verbs=("create",), virtual=True)


REVIEWS = (
    _review(SELF_SUBJECT_REVIEWS),
    _review(TOKEN_REVIEWS),
    _review(LOCAL_SUBJECT_ACCESS_REVIEWS),
    _review(SELF_SUBJECT_ACCESS_REVIEWS),
    _review(SELF_SUBJECT_RULES_REVIEWS),
    _review(SUBJECT_ACCESS_REVIEWS),
)
