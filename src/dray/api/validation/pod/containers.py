"""Containers of every sort: names, images, ports, and what each sort may not have."""

import dataclasses
from collections.abc import Collection, Mapping

from dray.api import names
from dray.api.fields import (
    Choice,
    FieldError,
    Path,
    duplicate,
    forbidden,
    invalid,
    not_found,
    not_supported,
    required,
)
from dray.api.meta import Object
from dray.api.validation.lists import items_of
from dray.api.validation.pod.container_security import validate_container_security
from dray.api.validation.pod.environment import validate_env, validate_env_from
from dray.api.validation.pod.handlers import validate_lifecycle, validate_probe
from dray.api.validation.pod.mounts import validate_volume_devices, validate_volume_mounts
from dray.api.validation.pod.resources import validate_container_resources
from dray.api.validation.pod.restarting import validate_restart_rules

PROTOCOLS = ("SCTP", "TCP", "UDP")
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_RESIZED = ("cpu", "memory")
_RESIZE_POLICIES = ("NotRequired", "RestartContainer")
MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")

_NOT_EPHEMERAL = "cannot be set for an Ephemeral Container"
_EPHEMERAL_FORBIDDEN = ("resizePolicy", "restartPolicy", "restartPolicyRules", *PROBES, "lifecycle")


@dataclasses.dataclass(frozen=True, slots=True)
class Surroundings:
    """What of the pod its containers may refer to."""

    volumes: Mapping[str, Object]
    claims: Collection[str]
    """Names of spec.resourceClaims."""
    restart_policy: str
    grace_seconds: int | None = None
    """spec.terminationGracePeriodSeconds."""
    host_users: bool = True
    """The pod has no user namespace of its own."""


def validate_containers(containers: list[Object], path: Path, around: Surroundings) -> list[FieldError]:
    if not containers:
        return [required(path)]
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, container in enumerate(containers):
        at = path.index(index)
        errors += _validate_common(container, at, around)
        errors += _check_new_name(container, seen, at)
        seen.add(container.get("name") or "")
        if container.get("lifecycle") is not None:
            errors += validate_lifecycle(container["lifecycle"], at.child("lifecycle"), around.grace_seconds)
        for probe in PROBES:
            errors += validate_probe(container.get(probe), at.child(probe))
        errors += validate_restart_rules(container, at)
    return errors + _check_host_ports(containers, path)


def validate_init_containers(
    containers: list[Object], regular: list[Object], path: Path, around: Surroundings
) -> list[FieldError]:
    errors: list[FieldError] = []
    seen = {container.get("name") or "" for container in regular}
    for index, container in enumerate(containers):
        at = path.index(index)
        errors += _validate_common(container, at, around)
        errors += _check_new_name(container, seen, at)
        errors += validate_restart_rules(container, at, is_init=True)
        errors += _check_host_ports([container], path)
        errors += _validate_init_handlers(container, at, around.grace_seconds)
        if container.get("restartPolicy") != "Always":
            errors += _refuse_restarts(container, at.child("resizePolicy"))
    return errors


def _refuse_restarts(container: Object, path: Path) -> list[FieldError]:
    """What runs to its end once is not begun again to be resized."""
    return [
        invalid(
            path.index(index).child("restartPolicy"),
            Choice("RestartContainer"),
            "must not be set to 'RestartContainer' for non-sidecar initContainers",
        )
        for index, policy in enumerate(items_of(container.get("resizePolicy")))
        if policy.get("restartPolicy") == "RestartContainer"
    ]


def validate_ephemeral_containers(
    containers: list[Object], others: list[Object], path: Path, around: Surroundings
) -> list[FieldError]:
    errors: list[FieldError] = []
    other_names = {container.get("name") or "" for container in others}
    seen = set(other_names)
    for index, container in enumerate(containers):
        at = path.index(index)
        errors += _validate_common(container, at, around)
        errors += _check_new_name(container, seen, at)
        target = container.get("targetContainerName") or ""
        if target and target not in other_names:
            errors.append(not_found(at.child("targetContainerName"), target))
        errors += _forbid_for_ephemeral(container, at)
    return errors


def _forbid_for_ephemeral(container: Object, path: Path) -> list[FieldError]:
    resources = container.get("resources") or {}
    amounts = any(resources.get(part) is not None for part in ("limits", "requests", "claims"))
    found = ["ports"] if container.get("ports") is not None else []
    found += ["resources"] if amounts else []
    found += [field for field in _EPHEMERAL_FORBIDDEN if container.get(field) is not None]
    errors = [forbidden(path.child(field), _NOT_EPHEMERAL) for field in found]
    for index, mount in enumerate(items_of(container.get("volumeMounts"))):
        for field in ("subPath", "subPathExpr"):
            if mount.get(field):
                at = path.child("volumeMounts").index(index).child(field)
                errors.append(forbidden(at, _NOT_EPHEMERAL))
    return errors


def validate_images_of_pod(containers: list[Object], path: Path) -> list[FieldError]:
    """What a pod refuses and a template, for old times' sake, does not."""
    errors: list[FieldError] = []
    for index, container in enumerate(containers):
        image = container.get("image") or ""
        if image != image.strip():
            text = "must not have leading or trailing whitespace"
            errors.append(invalid(path.index(index).child("image"), image, text))
    return errors


def _check_new_name(container: Object, seen: set[str], path: Path) -> list[FieldError]:
    name = container.get("name") or ""
    if name in seen:
        return [duplicate(path.child("name"), name)]
    if name:
        seen.add(name)
    return []


def _validate_common(container: Object, path: Path, around: Surroundings) -> list[FieldError]:
    name, at = container.get("name") or "", path.child("name")
    errors = [invalid(at, name, text) for text in names.dns_label(name)] if name else [required(at)]
    if not container.get("image"):
        errors.append(required(path.child("image")))
    errors += _choice(container, "terminationMessagePolicy", MESSAGE_POLICIES, path)
    errors += _validate_ports(items_of(container.get("ports")), path.child("ports"))
    errors += validate_env(items_of(container.get("env")), path.child("env"))
    errors += validate_env_from(items_of(container.get("envFrom")), path.child("envFrom"))
    errors += validate_volume_mounts(container, around.volumes, path.child("volumeMounts"))
    errors += validate_volume_devices(container, around.volumes, path.child("volumeDevices"))
    errors += _choice(container, "imagePullPolicy", PULL_POLICIES, path)
    errors += validate_container_resources(
        container.get("resources") or {}, around.claims, path.child("resources")
    )
    errors += _validate_resize_policy(container, path.child("resizePolicy"), around.restart_policy)
    return errors + validate_container_security(
        container.get("securityContext"), path.child("securityContext"), host_users=around.host_users
    )


def _choice(container: Object, field: str, choices: tuple[str, ...], path: Path) -> list[FieldError]:
    value = container.get(field) or ""
    if not value:
        return [required(path.child(field))]
    return [] if value in choices else [not_supported(path.child(field), value, choices, in_order=True)]


def _validate_resize_policy(container: Object, path: Path, restart_policy: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, policy in enumerate(items_of(container.get("resizePolicy"))):
        name, restart = policy.get("resourceName") or "", policy.get("restartPolicy") or ""
        if name in seen:
            errors.append(duplicate(path.index(index), Choice(name)))
        seen.add(name)
        for value, choices in ((name, _RESIZED), (restart, _RESIZE_POLICIES)):
            if not value:
                errors.append(required(path))
            elif value not in choices:
                errors.append(not_supported(path, value, choices))
        if restart_policy == "Never" and restart != "NotRequired":
            text = "must be 'NotRequired' when pod `restartPolicy` is 'Never'"
            errors.append(invalid(path, Choice(restart), text))
    return errors


def _validate_ports(ports: list[Object], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, port in enumerate(ports):
        at = path.index(index)
        if name := port.get("name") or "":
            complaints = names.port_name(name)
            errors += [invalid(at.child("name"), name, text) for text in complaints]
            if not complaints and name in seen:
                errors.append(duplicate(at.child("name"), name))
            seen.add(name)
        errors += _validate_port_numbers(port, at)
        errors += _choice(port, "protocol", PROTOCOLS, at)
    return errors


def _validate_port_numbers(port: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    number, at = port.get("containerPort") or 0, path.child("containerPort")
    if not number:
        errors.append(required(at))
    else:
        errors += [invalid(at, number, text) for text in names.port_number(number)]
    if host := port.get("hostPort") or 0:
        errors += [invalid(path.child("hostPort"), host, text) for text in names.port_number(host)]
    return errors


def _check_host_ports(containers: list[Object], path: Path) -> list[FieldError]:
    """A port of the host goes to one container. Init containers, checked one by one, are each shown as the first."""
    errors: list[FieldError] = []
    taken: set[str] = set()
    for index, container in enumerate(containers):
        for position, port in enumerate(items_of(container.get("ports"))):
            if not port.get("hostPort"):
                continue
            key = f"{port.get('protocol', '')}/{port.get('hostIP') or ''}/{port['hostPort']}"
            if key in taken:
                at = path.index(index).child("ports").index(position)
                errors.append(duplicate(at.child("hostPort"), key))
            taken.add(key)
    return errors


def _validate_init_handlers(container: Object, path: Path, grace_seconds: int | None) -> list[FieldError]:
    """Only a restartable init container, a sidecar, runs long enough to be probed."""
    errors: list[FieldError] = []
    if container.get("restartPolicy") == "Always":
        if container.get("lifecycle") is not None:
            errors += validate_lifecycle(container["lifecycle"], path.child("lifecycle"), grace_seconds)
        for probe in PROBES:
            errors += validate_probe(container.get(probe), path.child(probe))
        return errors
    for field in ("lifecycle", *PROBES):
        if container.get(field) is not None:
            text = "may not be set for init containers without restartPolicy=Always"
            errors.append(forbidden(path.child(field), text))
    return errors
