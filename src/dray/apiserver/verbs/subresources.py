"""Subresources that take a posted object of another kind: one table for HTTP and in-process callers."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from dray.api.meta import Object
from dray.apiserver.call import Call
from dray.apiserver.structure import TypeName
from dray.apiserver.verbs.binding import BINDING, bind
from dray.apiserver.verbs.eviction import EVICTION, evict
from dray.apiserver.verbs.virtual import review

TOKEN_REQUEST: Final = TypeName("authentication.k8s.io/v1", "TokenRequest")


@dataclasses.dataclass(frozen=True, slots=True)
class Posted:
    type: TypeName
    """What is posted."""
    act: Callable[[Call, Object], Awaitable[Object]]
    """Does it, and gives the answer (201)."""


POSTED: Final[Mapping[str, Posted]] = {
    "binding": Posted(BINDING, bind),
    "eviction": Posted(EVICTION, evict),
    "token": Posted(TOKEN_REQUEST, review),
}
