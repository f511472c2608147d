"""LimitRanges in force: pods get the defaults of their namespace, and stay within its bounds; so do volume claims."""

from collections.abc import Iterator

from dray.api import errors
from dray.api.limits import apply_defaults, complaints
from dray.api.meta import Object, is_deleting
from dray.api.resources import LIMIT_RANGES, PODS
from dray.apiserver.admission.refusals import display_name
from dray.apiserver.core import AdmissionRequest, prefix_of


class LimitRanges:
    async def mutate(self, request: AdmissionRequest) -> None:
        if request.call.kind.resource == PODS and request.object is not None and _is_meant(request):
            for limit_range in _ranges(request):
                apply_defaults(limit_range, request.object)

    async def validate(self, request: AdmissionRequest) -> None:
        """Raises Forbidden."""
        obj, resource = request.object, request.call.kind.resource
        if obj is None or not _is_meant(request):
            return
        for limit_range in _ranges(request):
            found = list(dict.fromkeys(complaints(limit_range, resource, obj)))
            if found:
                why = found[0] if len(found) == 1 else f"[{', '.join(found)}]"
                raise errors.forbidden(resource.group, resource.plural, display_name(obj), why)


def _is_meant(request: AdmissionRequest) -> bool:
    """What a pod asks for does not change but by a resize."""
    if request.old is not None and is_deleting(request.old):
        return False
    subresource, operation = request.call.subresource, request.operation
    if request.call.kind.resource == PODS and operation == "UPDATE":
        return subresource == "resize"
    return not subresource and operation in ("CREATE", "UPDATE")


def _ranges(request: AdmissionRequest) -> Iterator[Object]:
    core = request.call.core
    for record in core.store.page(
        LIMIT_RANGES.qualified, prefix_of(LIMIT_RANGES, request.call.namespace)
    ).records:
        yield record.obj
