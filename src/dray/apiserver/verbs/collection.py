"""DELETE on a list: take away everything selected, one object after the other."""

from dray.api import errors
from dray.api.meta import name_of, namespace_of
from dray.apiserver.core import Call
from dray.apiserver.options import DeleteOptions, ListOptions
from dray.apiserver.verbs.delete import delete, warn_of_orphans
from dray.apiserver.verbs.read import Listing, list_objects


async def delete_collection(call: Call, selection: ListOptions, options: DeleteOptions) -> Listing:
    """The objects as they were before. One that is already gone is no failure."""
    warn_of_orphans(call, options)
    listing = await list_objects(call, selection)
    for record in listing.records:
        one = Call(
            call.core,
            call.user,
            call.verb,
            call.kind,
            call.version,
            namespace_of(record.obj),
            name_of(record.obj),
            options=call.options,
            warnings=call.warnings,
            annotations=call.annotations,
        )
        try:
            await delete(one, options)
        except errors.NotFound:
            continue
    return listing
