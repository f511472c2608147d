"""What a pod names of other kinds: a kubelet may read just that, and may not create pods that do."""

from collections.abc import Iterable, Mapping
from typing import Any

from dray.api.meta import Object


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
    return names - {""}


def config_map_names(pod: Object) -> set[str]:
    """Of the ConfigMaps that a pod uses."""
    names = set(_environment_names(pod, "configMapKeyRef", "configMapRef"))
    names |= {(source.get("configMap") or {}).get("name", "") for source in _volume_sources(pod)}
    return names - {""}


def has_volume(pod: Object, source: str) -> bool:
    """Whether a volume, or a source of a projected one, is of a kind such as `persistentVolumeClaim`."""
    return any(each.get(source) for each in _volume_sources(pod))
