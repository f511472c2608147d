"""Every pod's volumes on this node: set up before its containers, kept fresh while it runs, removed after it.

Decides the directory of each volume (`pods/<uid>/volumes/kubernetes.io~<kind>/<name>`, as the kubelet lays them out)
and which mounts a container gets from them.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dray.api import errors
from dray.api.meta import Object, namespace_of, uid_of
from dray.api.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from dray.client.protocol import Client, Unreachable
from dray.node.config import NodePaths
from dray.node.environment import expand, missing_reference
from dray.node.objects import Reference, ReferencedObjects
from dray.node.runtime.protocol import Mount, PodIdentity
from dray.node.tokens import ServiceAccountTokens
from dray.node.volumes.atomic import write_files
from dray.node.volumes.content import (
    Sources,
    VolumeFailure,
    is_made_from_objects,
    objects_of,
    tokens_of,
    volume_files,
)
from dray.node.volumes.hostpath import prepare_host_path

_DIRECTORY_NAMES: Final = {
    "configMap": "configmap",
    "secret": "secret",
    "downwardAPI": "downward-api",
    "projected": "projected",
    "emptyDir": "empty-dir",
}
REFRESH_SECONDS: Final = 30.0
"""How old the objects behind a volume of a running pod may be."""


class PodVolumes:
    def __init__(
        self,
        paths: NodePaths,
        client: Client,
        objects: ReferencedObjects,
        tokens: ServiceAccountTokens,
    ) -> None:
        self._paths = paths
        self._client = client
        self._objects = objects
        self._tokens = tokens

    async def set_up(
        self,
        pod: Object,
        *,
        host_ips: Sequence[str],
        pod_ips: Sequence[str],
        allocatable: Mapping[str, str],
        max_age_seconds: float = 0,
    ) -> dict[str, Path]:
        """Volume name -> where it lies; safe to repeat, which also brings new content in.

        Raises VolumeFailure naming the volume.
        """
        volumes = pod["spec"].get("volumes") or ()
        sources = await self._sources(pod, volumes, host_ips, pod_ips, allocatable, max_age_seconds)
        found: dict[str, Path] = {}
        for volume in volumes:
            try:
                found[volume["name"]] = await self._set_up_one(pod, volume, sources)
            except (VolumeFailure, OSError) as error:
                raise VolumeFailure(
                    f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}'
                ) from error
        return found

    async def _sources(
        self,
        pod: Object,
        volumes: Sequence[Mapping[str, Any]],
        host_ips: Sequence[str],
        pod_ips: Sequence[str],
        allocatable: Mapping[str, str],
        max_age_seconds: float,
    ) -> Sources:
        namespace = namespace_of(pod)
        references = [(kind, namespace, name) for volume in volumes for kind, name in objects_of(volume)]
        try:
            objects = await self._objects.fetch(references, max_age_seconds=max_age_seconds)
            tokens = {
                key: await self._tokens.token(pod, *key) for volume in volumes for key in tokens_of(volume)
            }
        except (errors.StatusError, Unreachable) as error:
            raise VolumeFailure(f"MountVolume.SetUp failed for volumes of the pod : {error}") from error
        return Sources(
            pod=pod,
            config_map=lambda name: objects[_reference("ConfigMap", namespace, name)],
            secret=lambda name: objects[_reference("Secret", namespace, name)],
            token=lambda audience, lifetime: tokens[audience, lifetime],
            host_ips=tuple(host_ips),
            pod_ips=tuple(pod_ips),
            allocatable=allocatable,
        )

    async def _set_up_one(self, pod: Object, volume: Mapping[str, Any], sources: Sources) -> Path:
        if is_made_from_objects(volume):
            directory = self._directory(pod, volume)
            write_files(directory, volume_files(volume, sources))
            return directory
        if volume.get("emptyDir") is not None:
            directory = self._directory(pod, volume)
            if not directory.is_dir():
                directory.mkdir(parents=True)
                directory.chmod(0o777)
            return directory
        if (host := volume.get("hostPath")) is not None:
            return prepare_host_path(self._paths.host(host["path"]), host.get("type") or "", host["path"])
        if (claim := volume.get("persistentVolumeClaim")) is not None:
            return await self._claimed(namespace_of(pod), claim["claimName"])
        kind = next((key for key in volume if key != "name"), "unknown")
        raise VolumeFailure(f"volumes of type {kind} are not supported by this node")

    def _directory(self, pod: Object, volume: Mapping[str, Any]) -> Path:
        kind = next(name for key, name in _DIRECTORY_NAMES.items() if volume.get(key) is not None)
        return self._paths.pod(uid_of(pod)) / "volumes" / f"kubernetes.io~{kind}" / str(volume["name"])

    async def _claimed(self, namespace: str, name: str) -> Path:
        """The directory behind a bound PersistentVolumeClaim; only local ones lie on this machine."""
        try:
            claim = await self._client.get(PERSISTENT_VOLUME_CLAIMS, name, namespace)
            bound = (claim.get("spec") or {}).get("volumeName")
            if not bound:
                raise VolumeFailure(f'persistentvolumeclaim "{name}" is not bound')
            volume = await self._client.get(PERSISTENT_VOLUMES, bound)
        except (errors.StatusError, Unreachable) as error:
            raise VolumeFailure(str(error)) from error
        source = volume["spec"].get("hostPath") or volume["spec"].get("local")
        if source is None:
            raise VolumeFailure(
                f'persistentvolume "{bound}" is neither hostPath nor local: not supported by this node'
            )
        return prepare_host_path(self._paths.host(source["path"]), source.get("type") or "", source["path"])

    def tear_down(self, pod_uid: str) -> None:
        """Take away the pod's volumes; what its containers said at their end stays."""
        self._tokens.forget(pod_uid)
        shutil.rmtree(self._paths.pod(pod_uid) / "volumes", ignore_errors=True)

    def remove(self, pod: PodIdentity) -> None:
        """Take away everything that was made for the pod, its logs included."""
        self.tear_down(pod.uid)
        shutil.rmtree(self._paths.pod(pod.uid), ignore_errors=True)
        shutil.rmtree(self._paths.pod_logs(pod.namespace, pod.name, pod.uid), ignore_errors=True)


def _reference(kind: str, namespace: str, name: str) -> Reference:
    return kind, namespace, name


def container_mounts(
    container: Mapping[str, Any], volumes: Mapping[str, Path], environment: Mapping[str, str]
) -> list[Mount]:
    """The mounts of one container. Raises VolumeFailure."""
    return [_mount(entry, volumes, environment) for entry in container.get("volumeMounts") or ()]


def _mount(entry: Mapping[str, Any], volumes: Mapping[str, Path], environment: Mapping[str, str]) -> Mount:
    source = volumes.get(entry["name"])
    if source is None:
        raise VolumeFailure(f'the pod has no volume "{entry["name"]}"')
    sub_path = entry.get("subPath") or _expanded(entry.get("subPathExpr") or "", environment)
    if sub_path:
        source = _below(source, sub_path)
    return Mount(source, entry["mountPath"], bool(entry.get("readOnly")))


def _expanded(expression: str, environment: Mapping[str, str]) -> str:
    """Raises VolumeFailure when the path names a variable that is not set: it would be another path."""
    if missing := missing_reference(expression, environment):
        raise VolumeFailure(f"missing value for {missing}")
    return expand(expression, environment)


def _below(volume: Path, sub_path: str) -> Path:
    """`sub_path` of a volume, made as a directory if missing; never out of the volume."""
    if sub_path.startswith("/") or ".." in sub_path.split("/"):
        raise VolumeFailure(f'failed to prepare subPath: "{sub_path}" must be below the volume')
    path = volume / sub_path
    if not path.exists():
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o750, parents=True)
    if not _contains(volume, path):
        raise VolumeFailure(f'failed to prepare subPath: "{sub_path}" leads out of the volume')
    return path


def _contains(directory: Path, path: Path) -> bool:
    return os.path.realpath(path).startswith(os.path.realpath(directory) + os.sep)


def read_below(volume: Path, path: str) -> str | None:
    """The text of a file of a volume; None when there is none. Raises VolumeFailure, also where it leads out of the
    volume: who writes there may be less trusted than this node.
    """
    file = volume / path.lstrip("/")
    try:
        if not _contains(volume, file):
            raise VolumeFailure(f'file "{path}" leads out of the volume')
        return file.read_text()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise VolumeFailure(f'file "{path}" cannot be read: {error}') from error


def mounted_volumes(container: Mapping[str, Any]) -> Iterator[Object]:
    """The container's mounts as its status shows them."""
    for entry in container.get("volumeMounts") or ():
        shown: Object = {"name": entry["name"], "mountPath": entry["mountPath"]}
        if entry.get("readOnly"):
            shown.update(readOnly=True, recursiveReadOnly=entry.get("recursiveReadOnly") or "Disabled")
        yield shown
