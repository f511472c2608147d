"""What the runtime is told about a container: the pod's words, with everything they refer to looked up."""

import base64
import binascii
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dray.api import errors
from dray.api.meta import Object, namespace_of
from dray.client.protocol import Unreachable
from dray.node.dra.containers import cdi_devices
from dray.node.environment import (
    EnvironmentFailure,
    PodFacts,
    container_environment,
    expand,
    service_variables,
)
from dray.node.pods.services import NodeServices
from dray.node.pods.view import container_specs, format_pod, identity_of
from dray.node.runtime.images import IMAGE_VARIABLE, is_own_program
from dray.node.runtime.protocol import ContainerConfig, Identity, Sandbox
from dray.node.volumes.podvolumes import container_mounts, read_below


async def container_config(
    services: NodeServices,
    pod: Object,
    spec: Mapping[str, Any],
    attempt: int,
    sandbox: Sandbox,
    volumes: Mapping[str, Path],
) -> ContainerConfig:
    """Raises EnvironmentFailure, VolumeFailure and ClaimUnknown."""
    environment = container_environment(pod, spec, await _facts(services, pod, sandbox.ip, volumes))
    if is_own_program(spec.get("command") or ()):
        # Programs that dray brings for an image behave as that image's release does.
        environment = {**environment, IMAGE_VARIABLE: spec.get("image", "")}
    paths, identity = services.config.paths, identity_of(pod)
    logs = paths.pod_logs(identity.namespace, identity.name, identity.uid) / spec["name"]
    message = paths.pod(identity.uid) / "containers" / spec["name"] / str(attempt)
    message.parent.mkdir(parents=True, exist_ok=True)
    message.touch()
    return ContainerConfig(
        name=spec["name"],
        attempt=attempt,
        image=spec.get("image", ""),
        command=[expand(word, environment) for word in spec.get("command") or ()],
        arguments=[expand(word, environment) for word in spec.get("args") or ()],
        environment=environment,
        working_directory=spec.get("workingDir") or "",
        mounts=container_mounts(spec, volumes, environment),
        cdi_devices=cdi_devices(pod, spec, services.claims.find),
        identity=_identity(pod, spec),
        log_path=logs / f"{attempt}.log",
        termination_log=(message, spec.get("terminationMessagePath") or "/dev/termination-log"),
        privileged=bool((spec.get("securityContext") or {}).get("privileged")),
        terminal=bool(spec.get("tty")),
        stdin=bool(spec.get("stdin")),
        stdin_once=bool(spec.get("stdinOnce")),
        stop_signal=(spec.get("lifecycle") or {}).get("stopSignal") or "",
    )


def _identity(pod: Object, spec: Mapping[str, Any]) -> Identity:
    """Raises EnvironmentFailure when the pod forbids the user it asks for."""
    of_pod, own = pod["spec"].get("securityContext") or {}, spec.get("securityContext") or {}
    uid = own.get("runAsUser", of_pod.get("runAsUser"))
    if own.get("runAsNonRoot", of_pod.get("runAsNonRoot")):
        where = f'(pod: "{format_pod(pod)}", container: {spec["name"]})'
        if uid == 0:
            raise EnvironmentFailure(f"container's runAsUser breaks non-root policy {where}")
        if uid is None and os.geteuid() == 0:
            # The container would run as the agent does: there is no image that names another user.
            raise EnvironmentFailure(f"container has runAsNonRoot and image will run as root {where}")
    groups = dict.fromkeys([*(of_pod.get("supplementalGroups") or ()), *_fs_group(of_pod)])
    return Identity(uid, own.get("runAsGroup", of_pod.get("runAsGroup")), tuple(groups))


def _fs_group(security: Mapping[str, Any]) -> Sequence[int]:
    group = security.get("fsGroup")
    return () if group is None else (group,)


async def _facts(services: NodeServices, pod: Object, pod_ip: str, volumes: Mapping[str, Path]) -> PodFacts:
    config = services.config
    wanted = [
        (kind, namespace_of(pod), name)
        for _, spec in container_specs(pod)
        for kind, name in _references(spec)
    ]
    try:
        fetched = await services.objects.fetch(wanted)
    except (errors.StatusError, Unreachable) as error:
        raise EnvironmentFailure(str(error)) from error
    return PodFacts(
        host_ips=[config.address],
        pod_ips=[pod_ip],
        allocatable=services.allocatable,
        service=service_variables(config.api_host, config.api_port),
        config_map=lambda namespace, name: fetched.get(("ConfigMap", namespace, name)),
        secret=lambda namespace, name: _decoded(fetched.get(("Secret", namespace, name))),
        file=lambda volume, path: read_below(volumes[volume], path) if volume in volumes else None,
    )


def _references(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(kind, name) of every object that the container's environment is made from."""
    for entry in spec.get("envFrom") or ():
        for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if entry.get(key):
                yield kind, entry[key].get("name", "")
    for entry in spec.get("env") or ():
        source = entry.get("valueFrom") or {}
        for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            if source.get(key):
                yield kind, source[key].get("name", "")


def _decoded(secret: Object | None) -> Object | None:
    """The secret with its values as text. Raises EnvironmentFailure when one is not base64."""
    if secret is None:
        return None
    try:
        data = {
            key: base64.b64decode(value).decode(errors="replace")
            for key, value in (secret.get("data") or {}).items()
        }
    except binascii.Error as error:
        raise EnvironmentFailure(
            f'secret "{secret["metadata"]["name"]}" has data that is not base64: {error}'
        ) from error
    return {**secret, "data": data}
