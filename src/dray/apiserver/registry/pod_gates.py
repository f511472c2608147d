"""Fields of a pod that belong to features: silently left out where the feature is off, unless the stored pod uses them."""

from collections.abc import Iterator

from dray.api.features import FeatureGates
from dray.api.meta import Object
from dray.api.validation.lists import items_of
from dray.api.validation.pod.rules import SPREAD_KEYS

_STATUSES = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
_STATUS_FIELDS = (
    ("DRAExtendedResource", "extendedResourceClaimStatus"),
    ("DRANodeAllocatableResources", "nodeAllocatableResourceClaimStatuses"),
)
_PROJECTIONS = (
    ("ClusterTrustBundleProjection", "clusterTrustBundle"),
    ("PodCertificateRequest", "podCertificate"),
)


def drop_disabled_pod_fields(features: FeatureGates, spec: Object, old: Object | None) -> None:
    """Changes `spec`; `old` is the stored one on update."""
    if not features.enabled("GenericWorkload") and not (old or {}).get("schedulingGroup"):
        spec.pop("schedulingGroup", None)
    if not features.enabled(SPREAD_KEYS) and not any(_spread_keys(old or {})):
        for constraint in items_of(spec.get("topologySpreadConstraints")):
            constraint.pop("matchLabelKeys", None)
    if not features.enabled("ContainerStopSignals") and not any(_stop_signals(old or {})):
        _drop_stop_signals(spec)
    for gate, source in _PROJECTIONS:
        if not features.enabled(gate) and not any(source in each for each in _projections(old or {})):
            for projection in _projections(spec):
                projection.pop(source, None)


def _spread_keys(spec: Object) -> Iterator[str]:
    for constraint in items_of(spec.get("topologySpreadConstraints")):
        yield from constraint.get("matchLabelKeys") or ()


def _containers(spec: Object) -> Iterator[Object]:
    for field in ("containers", "initContainers", "ephemeralContainers"):
        yield from (container for container in spec.get(field) or () if container is not None)


def _stop_signals(spec: Object) -> Iterator[str]:
    for container in _containers(spec):
        signal = (container.get("lifecycle") or {}).get("stopSignal")
        if signal is not None:
            yield signal


def _drop_stop_signals(spec: Object) -> None:
    for container in _containers(spec):
        lifecycle = container.get("lifecycle") or {}
        if lifecycle.pop("stopSignal", None) is not None and not lifecycle:
            del container["lifecycle"]


def _projections(spec: Object) -> Iterator[Object]:
    for volume in spec.get("volumes") or ():
        sources = ((volume or {}).get("projected") or {}).get("sources")
        yield from (source for source in sources or () if source is not None)


def drop_disabled_pod_status(features: FeatureGates, status: Object, old: Object) -> None:
    """Changes `status`; `old` is the stored one."""
    for gate, field in _STATUS_FIELDS:
        if not features.enabled(gate) and not old.get(field):
            status.pop(field, None)
    if not features.enabled("ImageVolumeWithDigest"):
        for mount in _mounts(status):
            mount.pop("volumeStatus", None)
    if not features.enabled("ResourceHealthStatus") and not any(_health(old)):
        for field in _STATUSES:
            for one in items_of(status.get(field)):
                one.pop("allocatedResourcesStatus", None)
    tells = any("message" in device for device in _devices(old))
    if not features.enabled("ResourceHealthStatusMessage") and not tells:
        for device in _devices(status):
            device.pop("message", None)


def _mounts(status: Object) -> Iterator[Object]:
    for field in _STATUSES:
        for one in items_of(status.get(field)):
            yield from (mount for mount in one.get("volumeMounts") or () if mount is not None)


def _health(status: Object) -> Iterator[Object]:
    for field in _STATUSES:
        for one in items_of(status.get(field)):
            yield from items_of(one.get("allocatedResourcesStatus"))


def _devices(status: Object) -> Iterator[Object]:
    for resource in _health(status):
        yield from items_of(resource.get("resources"))
