"""Subresources that take a posted object of another kind: one table for HTTP and in-process callers."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from dray.api import errors
from dray.api.meta import Object
from dray.api.resources import PODS
from dray.apiserver.core import AdmissionRequest, Call
from dray.apiserver.type_name import TypeName
from dray.apiserver.verbs import lifecycle
from dray.apiserver.verbs.binding import BINDING, bind
from dray.apiserver.verbs.eviction import EVICTION, evict
from dray.apiserver.verbs.metadata import match_namespace
from dray.apiserver.verbs.virtual import review

TOKEN_REQUEST: Final = TypeName("authentication.k8s.io/v1", "TokenRequest")


@dataclasses.dataclass(frozen=True, slots=True)
class Posted:
    type: TypeName
    """What is posted."""
    act: Callable[[Call, Object], Awaitable[Object]]
    """Does it, and gives the answer (201)."""

    also: tuple[str, ...] = ()
    """Older versions of the same."""

    async def post(self, call: Call, obj: Object) -> Object:
        """Raises what admission says, and what the deed does."""
        lifecycle.check_create(call, obj)
        request = AdmissionRequest(call, "CREATE", obj, None, posted=self.type)
        await call.core.admission.mutate(request)
        await call.core.admission.validate(request)
        return await self.act(call, request.object or obj)


async def bind_named(call: Call, obj: Object) -> Object:
    """A binding posted beside the pods instead of to one. Raises BadRequest for one without a name, and as `bind`."""
    meta = obj["metadata"]
    match_namespace(call, meta)
    lifecycle.check_create(call, obj)
    if not meta.get("name"):
        raise errors.BadRequest("Name parameter required.")
    meta.pop("uid", None)  # as on every creation: the server gives it
    request = AdmissionRequest(call, "CREATE", obj, None, meta["name"], posted=BINDING)
    await call.core.admission.mutate(request)
    await call.core.admission.validate(request)
    kind = call.core.kind_of(PODS)
    of_pod = dataclasses.replace(call, kind=kind, name=meta["name"], subresource="binding")
    return await bind(of_pod, request.object or obj)


POSTED: Final[Mapping[str, Posted]] = {
    "binding": Posted(BINDING, bind),
    "eviction": Posted(EVICTION, evict, also=("policy/v1beta1",)),
    "token": Posted(TOKEN_REQUEST, review),
}
