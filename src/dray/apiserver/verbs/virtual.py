"""Kinds that are never stored: a review is posted, answered and forgotten. Who answers is given to the server."""

from typing import Final

from dray.api import errors
from dray.api.meta import Object
from dray.apiserver.core import Call

TOKENS: Final = "serviceaccounts/token"
"""A TokenRequest is answered like a review, although it is posted to an account."""


async def review(call: Call, obj: Object) -> Object:
    """Raises what the reviewer raises, or NotFound where nobody answers this kind."""
    resource = call.kind.resource.qualified
    reviewer = call.core.reviewers.get(f"{resource}/{call.subresource}" if call.subresource else resource)
    if reviewer is None:
        raise errors.NotFound("the server could not find the requested resource", details={})
    return await reviewer(call, obj)
