"""What a pod names of other kinds: a kubelet may read just that, and may not create pods that do."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from dray.api.meta import Object, name_of

MIRROR_ANNOTATION = "kubernetes.io/config.mirror"
"""On pods that a kubelet made of a file of its own, for all to see."""
_SECRET_REFERENCES = ("secretRef", "nodePublishSecretRef")


def _containers(pod: Object) -> list[Object]:
    spec = pod["spec"]
    return [
        *(spec.get("initContainers") or ()),
        *(spec.get("containers") or ()),
        *(spec.get("ephemeralContainers") or ()),
    ]


def _environment_names(pod: Object, reference: str, source: str) -> Iterable[str]:
    for container in _containers(pod):
        for entry in container.get("env") or ():
            if key := (entry.get("valueFrom") or {}).get(reference):
                yield key.get("name", "")
        for entry in container.get("envFrom") or ():
            if entry.get(source):
                yield entry[source].get("name", "")


def _volume_sources(pod: Object) -> Iterable[Mapping[str, Any]]:
    for volume in pod["spec"].get("volumes") or ():
        yield volume
        yield from (volume.get("projected") or {}).get("sources") or ()


def secret_names(pod: Object) -> set[str]:
    """Of the Secrets that a pod uses."""
    names = set(_environment_names(pod, "secretKeyRef", "secretRef"))
    names |= {each.get("name", "") for each in pod["spec"].get("imagePullSecrets") or ()}
    for source in _volume_sources(pod):
        secret = source.get("secret") or {}
        names.add(secret.get("secretName") or secret.get("name") or "")
        names.add((source.get("azureFile") or {}).get("secretName") or "")
        for driver in source.values():
            if isinstance(driver, dict):
                names |= {(driver.get(key) or {}).get("name") or "" for key in _SECRET_REFERENCES}
    return names - {""}


def config_map_names(pod: Object) -> set[str]:
    """Of the ConfigMaps that a pod uses."""
    names = set(_environment_names(pod, "configMapKeyRef", "configMapRef"))
    names |= {(source.get("configMap") or {}).get("name", "") for source in _volume_sources(pod)}
    return names - {""}


def volume_claim_names(pod: Object) -> set[str]:
    """Of the PersistentVolumeClaims that a pod uses, those made for it included."""
    names: set[str] = set()
    for volume in pod["spec"].get("volumes") or ():
        names.add((volume.get("persistentVolumeClaim") or {}).get("claimName") or "")
        if volume.get("ephemeral"):
            names.add(f"{name_of(pod)}-{volume['name']}")
    return names - {""}


def first_reference(pod: Object) -> str:
    """What a pod needs of the API, as the plural of the first such kind that is noticed; "" if nothing."""
    spec = pod["spec"]
    for what, found in (
        ("serviceaccounts", spec.get("serviceAccountName")),
        ("secrets", secret_names(pod)),
        ("configmaps", config_map_names(pod)),
        ("resourceclaims", spec.get("resourceClaims")),
    ):
        if found:
            return what
    for volume in spec.get("volumes") or ():
        for source, what in _VOLUMES.items():
            if volume.get(source) is not None:
                return what
        for projection in (volume.get("projected") or {}).get("sources") or ():
            for source, what in _PROJECTIONS.items():
                if projection.get(source) is not None:
                    return what
    return ""


_VOLUMES: Final[Mapping[str, str]] = {
    "configMap": "configmaps (via configmap volumes)",
    "secret": "secrets (via secret volumes)",
    "csi": "csidrivers (via CSI volumes)",
    "glusterfs": "endpoints (via glusterFS volumes)",
    "persistentVolumeClaim": "persistentvolumeclaims",
    "ephemeral": "persistentvolumeclaims (via ephemeral volumes)",
    "azureFile": "secrets (via azureFile volumes)",
}
_PROJECTIONS: Final[Mapping[str, str]] = {
    "configMap": "configmaps (via projected volumes)",
    "secret": "secrets (via projected volumes)",
    "serviceAccountToken": "serviceaccounts (via projected volumes)",
    "clusterTrustBundle": "clustertrustbundles",
    "podCertificate": "podcertificates",
}
