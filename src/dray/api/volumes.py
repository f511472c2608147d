"""What keeps volumes, their claims and their classes from going while they are used."""

from typing import Final

from dray.api.meta import Object
from dray.api.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, VOLUME_ATTRIBUTES_CLASSES

PROTECTION: Final = {
    PERSISTENT_VOLUMES: "kubernetes.io/pv-protection",
    PERSISTENT_VOLUME_CLAIMS: "kubernetes.io/pvc-protection",
    VOLUME_ATTRIBUTES_CLASSES: "kubernetes.io/vac-protection",
}
"""The finalizer of each: put on when it is made, taken off once it may go."""


def attributes_classes(claim: Object) -> list[str]:
    """Every VolumeAttributesClass that a volume claim, or a volume, has, had until now, or is on the way to."""
    status = claim.get("status") or {}
    names = (
        (claim.get("spec") or {}).get("volumeAttributesClassName"),
        status.get("currentVolumeAttributesClassName"),
        (status.get("modifyVolumeStatus") or {}).get("targetVolumeAttributesClassName"),
    )
    return list(dict.fromkeys(name for name in names if name))
