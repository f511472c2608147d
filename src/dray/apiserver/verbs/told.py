"""Kinds that are told and never stored: each read asks those who know."""

import asyncio

from dray.api import errors
from dray.api.meta import Object
from dray.apiserver.components import component_status
from dray.apiserver.core import Call
from dray.apiserver.options import ListOptions
from dray.apiserver.verbs.read import Listing, matcher
from dray.store.record import Record


async def tell(call: Call) -> Record:
    """Raises NotFound."""
    question = call.core.components.get(call.name)
    if question is None:
        # Of this kind alone Kubernetes names the singular.
        raise errors.not_found("", call.kind.singular, call.name)
    return _record(await component_status(call.name, question))


async def tell_all(call: Call, options: ListOptions) -> Listing:
    """At once, whole, whatever limit is asked for. Raises BadRequest for an unknown field."""
    matches = matcher(call, options)
    asked = (component_status(name, question) for name, question in call.core.components.items())
    found = await asyncio.gather(*asked)
    return Listing([_record(obj) for obj in found if matches is None or matches(obj)], None)


def _record(obj: Object) -> Record:
    return Record(obj["metadata"]["name"], 0, obj, b"")
