"""Subresources that take a posted object of another kind: one table for HTTP and in-process callers."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from dray.api.meta import Object
from dray.apiserver.call import Call
from dray.apiserver.structure import TypeName
from dray.apiserver.verbs.binding import BINDING, bind
from dray.apiserver.verbs.eviction import EVICTION, evict
from dray.apiserver.verbs.posting import TOKEN_REQUEST


@dataclasses.dataclass(frozen=True, slots=True)
class Posted:
    type: TypeName
    """What is posted."""
    act: Callable[[Call, Object], Awaitable[Object]]
    """Does it, and gives the answer (201)."""


async def _request_token(call: Call, request: Object) -> Object:
    from dray.apiserver.verbs.token import request_token  # here: cryptography takes long to import

    return await request_token(call, request)


POSTED: Final[Mapping[str, Posted]] = {
    "binding": Posted(BINDING, bind),
    "eviction": Posted(EVICTION, evict),
    "token": Posted(TOKEN_REQUEST, _request_token),
}
