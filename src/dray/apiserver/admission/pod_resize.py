"""Whether the node of a pod that is resized can do that at all: by its system, by what it has and by what it declares.

Source: kubernetes plugin/pkg/admission/podresize and nodedeclaredfeatures, 1.36.
"""

from typing import Final

from dray.api import errors
from dray.api.fields import quote
from dray.api.meta import Object, labels_of, name_of
from dray.api.pod_requests import CPU, parse_amounts, pod_requests
from dray.api.resources import NODES
from dray.api.validation.lists import items_of
from dray.api.validation.sameness import same
from dray.apiserver.core import AdmissionRequest

OS_LABEL: Final = "kubernetes.io/os"
_LEVEL: Final = "InPlacePodLevelResourcesVerticalScaling"
_INIT: Final = "InPlacePodVerticalScalingInitContainers"
_MEMORY: Final = "memory"


class PodResize:
    async def mutate(self, request: AdmissionRequest) -> None:
        return None

    async def validate(self, request: AdmissionRequest) -> None:
        """Raises Forbidden."""
        pod, old = request.object, request.old
        if pod is None or old is None or request.call.subresource != "resize":
            return
        name = pod["spec"].get("nodeName")
        if not name or same(pod["spec"], old["spec"]):
            return
        node = request.call.find(NODES, name)
        if node is None:
            raise _refusal(request, f"node {quote(name)} not found")
        if request.call.features.enabled("NodeDeclaredFeatures"):
            _check_declared(request, pod["spec"], old["spec"], node)
        system = labels_of(node).get(OS_LABEL, "linux")
        if system != "linux":
            why = f"pod resize is only supported on linux nodes, node {quote(name)} is {quote(system)}"
            raise _refusal(request, why, "UnsupportedPlatform")
        _check_room(request, pod, node)


def _check_declared(request: AdmissionRequest, spec: Object, before: Object, node: Object) -> None:
    needed = []
    if not same(spec.get("resources"), before.get("resources")):
        needed.append(_LEVEL)
    if not same(_of_init(spec), _of_init(before)):
        needed.append(_INIT)
    declared = (node.get("status") or {}).get("declaredFeatures") or ()
    missing = [feature for feature in needed if feature not in declared]
    if missing:
        why = (
            f"pod update requires features {', '.join(missing)} which are not available "
            f"on node {quote(name_of(node))}"
        )
        raise _refusal(request, why)


def _of_init(spec: Object) -> list[Object | None]:
    """Resources of init containers that are no sidecars."""
    containers = items_of(spec.get("initContainers"))
    return [each.get("resources") for each in containers if each.get("restartPolicy") != "Always"]


def _check_room(request: AdmissionRequest, pod: Object, node: Object) -> None:
    """What no node of this size could ever grant."""
    wanted = pod_requests({"spec": pod["spec"]})
    room = parse_amounts((node.get("status") or {}).get("allocatable"))
    short = [
        f"{name}, requested: {wanted.get(name, 0)}, allocatable: {room.get(name, 0)}"
        for name in (CPU, _MEMORY)
        if wanted.get(name, 0) > room.get(name, 0)
    ]
    if short:
        why = f"node didn't have enough allocatable resources: {'; '.join(short)}"
        raise _refusal(request, why, "NodeCapacity")


def _refusal(request: AdmissionRequest, why: str, reason: str = "") -> errors.Forbidden:
    resource = request.call.kind.resource
    refused = errors.forbidden(resource.group, resource.plural, request.call.name, why)
    if reason:
        refused.details = {**(refused.details or {}), "causes": [{"reason": reason}]}
    return refused
