"""Devices that count against resources of their node are offered only where the node counts them.

Source: kubernetes plugin/pkg/admission/nodedeclaredfeatures, 1.37.
"""

from dray.api import errors
from dray.api.meta import Object, name_of
from dray.api.placement import matches_node_selector
from dray.api.resources import NODES
from dray.api.validation.lists import items_of
from dray.apiserver.admission.refusals import display_name
from dray.apiserver.core import AdmissionRequest, prefix_of

FEATURE = "DRANodeAllocatableResources"


class SliceNodes:
    """Asks what the nodes of such devices have declared."""

    async def mutate(self, request: AdmissionRequest) -> None:
        return None

    async def validate(self, request: AdmissionRequest) -> None:
        """Raises Forbidden."""
        features, obj = request.call.features, request.object
        if obj is None or request.operation not in ("CREATE", "UPDATE") or not features.reaches("1.37"):
            return
        if not (features.enabled("NodeDeclaredFeatures") and features.enabled(FEATURE)):
            return
        spec = obj.get("spec") or {}
        for device in items_of(spec.get("devices")):
            if device.get("nodeAllocatableResources"):
                place = device if spec.get("perDeviceNodeSelection") else spec
                _check(request, obj, device.get("name") or "", place)


def _check(request: AdmissionRequest, obj: Object, device: str, place: Object) -> None:
    """`place`: what says which nodes the device is for, the device or its slice: one, those of a selector, or all."""
    if name := place.get("nodeName"):
        node = request.call.find(NODES, name)
        if node is None:
            raise _refused(request, obj, f'node "{name}" not found for device "{device}"')
        nodes = [node]
    else:
        selector = place.get("nodeSelector")
        records = request.call.core.store.page(NODES.qualified, prefix_of(NODES, "")).records
        found = (record.obj for record in records)
        nodes = [node for node in found if selector is None or matches_node_selector(selector, node)]
    for node in nodes:
        if FEATURE not in ((node.get("status") or {}).get("declaredFeatures") or ()):
            raise _refused(request, obj, f'node "{name_of(node)}" does not support {FEATURE} feature')


def _refused(request: AdmissionRequest, obj: Object, why: str) -> errors.Forbidden:
    resource = request.call.kind.resource
    return errors.forbidden(resource.group, resource.plural, display_name(obj), why)
