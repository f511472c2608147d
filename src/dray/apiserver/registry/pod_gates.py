"""Fields of a pod that belong to features: silently left out where the feature is off, unless the stored pod uses them."""

from collections.abc import Iterator

from dray.api.features import FeatureGates
from dray.api.meta import Object
from dray.api.validation.lists import items_of

_STATUSES = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
_STATUS_FIELDS = (
    ("DRAExtendedResource", "extendedResourceClaimStatus"),
    ("DRANodeAllocatableResources", "nodeAllocatableResourceClaimStatuses"),
)


def drop_disabled_pod_fields(features: FeatureGates, spec: Object, old: Object | None) -> None:
    """Changes `spec`; `old` is the stored one on update."""
    if not features.enabled("GenericWorkload") and not (old or {}).get("schedulingGroup"):
        spec.pop("schedulingGroup", None)


def drop_disabled_pod_status(features: FeatureGates, status: Object, old: Object) -> None:
    """Changes `status`; `old` is the stored one."""
    for gate, field in _STATUS_FIELDS:
        if not features.enabled(gate) and not old.get(field):
            status.pop(field, None)
    if not features.enabled("ResourceHealthStatus") and not any(_health(old)):
        for field in _STATUSES:
            for one in items_of(status.get(field)):
                one.pop("allocatedResourcesStatus", None)
    tells = any("message" in device for device in _devices(old))
    if not features.enabled("ResourceHealthStatusMessage") and not tells:
        for device in _devices(status):
            device.pop("message", None)


def _health(status: Object) -> Iterator[Object]:
    for field in _STATUSES:
        for one in items_of(status.get(field)):
            yield from items_of(one.get("allocatedResourcesStatus"))


def _devices(status: Object) -> Iterator[Object]:
    for resource in _health(status):
        yield from items_of(resource.get("resources"))
