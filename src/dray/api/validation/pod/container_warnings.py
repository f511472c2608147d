"""What is told of containers: amounts that no node can give, variables that hide each other, ports that overlap."""

import itertools
from collections.abc import Hashable, Iterator, Mapping
from typing import Final

from dray.api.app_armor import profile_of_annotation
from dray.api.fields import Path, quote
from dray.api.meta import Object
from dray.api.quantity import parse_quantity
from dray.api.validation.lists import items_of
from dray.api.validation.pod.annotations import APP_ARMOR_PREFIX, SECCOMP_PREFIX
from dray.api.validation.pod.confinement import containers_with_paths

PAIRS_COMPARED: Final = 200_000
OVERLAPS_TOLD: Final = 1000
"""Of one volume, and of all ports: far more than anybody means, or an answer's headers hold."""
BYTES: Final = ("memory", "ephemeral-storage")
NO_SECCOMP: Final = 'non-functional in v1.27+; use the "seccompProfile" field instead'

_NO_APP_ARMOR: Final = 'deprecated since v1.30; use the "appArmorProfile" field instead'


def container_warnings(
    spec: Object, path: Path, annotations: Mapping[str, str], template_meta: Path | None
) -> Iterator[str]:
    """Of all containers of a spec at `path`; `template_meta`: the path of the annotations, where it is a template's.

    Of AppArmor's annotations on pods the reader of them tells (`dray.apiserver.registry.pod_app_armor`).
    """
    meta = template_meta or Path("metadata").child("annotations")
    ports: list[tuple[Path, Object]] = []
    for at, container in containers_with_paths(spec, path):
        context = container.get("securityContext") or {}
        key = f"{SECCOMP_PREFIX}{container.get('name') or ''}"
        if context.get("seccompProfile") is None and key in annotations:
            yield f"{meta.key(key)}: {NO_SECCOMP}"
        if template_meta is not None and context.get("appArmorProfile") is None:
            yield from _app_armor(spec, container, annotations, meta)
        resources = container.get("resources") or {}
        for resource in BYTES:
            for part in ("limits", "requests"):
                amounts = resources.get(part) or {}
                yield from fraction_warnings(amounts, resource, at.child("resources", part))
        yield from _variables(container, at.child("env"))
        places = at.child("ports")
        ports += [
            (places.index(position), port) for position, port in enumerate(items_of(container.get("ports")))
        ]
    yield from _ports(ports)


def _app_armor(spec: Object, container: Object, annotations: Mapping[str, str], path: Path) -> Iterator[str]:
    """An annotation that no field stands for, not even the pod's."""
    key = f"{APP_ARMOR_PREFIX}{container.get('name') or ''}"
    if key not in annotations:
        return
    whole = (spec.get("securityContext") or {}).get("appArmorProfile")
    if whole is None or whole != profile_of_annotation(annotations[key]):
        yield f"{path.key(key)}: {_NO_APP_ARMOR}"


def fraction_warnings(amounts: Object, resource: str, path: Path) -> Iterator[str]:
    if resource not in amounts:
        return
    amount = parse_quantity(amounts[resource])
    if not amount.has_whole_thousands():
        text = f"fractional byte value {quote(str(amount))} is invalid, must be an integer"
        yield f"{path.key(resource)}: {text}"


def _variables(container: Object, path: Path) -> Iterator[str]:
    """A variable given twice: the later one counts, unless it is made of the earlier."""
    seen: set[str] = set()
    for index, variable in enumerate(items_of(container.get("env"))):
        name, value = variable.get("name") or "", variable.get("value") or ""
        reference = f"$({name})"
        hides = variable.get("valueFrom") is not None or reference not in value or value == reference
        if name in seen and hides:
            yield (
                f"{path.index(index)}: hides previous definition of {quote(name)}, "
                "which may be dropped when using apply"
            )
        seen.add(name)


def _ports(ports: list[tuple[Path, Object]]) -> Iterator[str]:
    yield from itertools.islice(_overlaps(ports), OVERLAPS_TOLD)
    named: dict[str, Path] = {}
    for path, port in ports:
        name = port.get("name") or ""
        if name in named:
            first = named[name]
            yield (
                f"{path}: duplicate port name {quote(name)} with {first}, services and probes that select ports "
                f"by name will use {first}"
            )
        elif name:
            named[name] = path


def _overlaps(ports: list[tuple[Path, Object]]) -> Iterator[str]:
    alike: dict[Hashable, list[tuple[Path, Object]]] = {}
    comparisons = itertools.repeat(None, PAIRS_COMPARED)
    for path, port in ports:
        if port.get("hostIP") and not port.get("hostPort"):
            yield f"{path}: hostIP set without hostPort: {_go_struct(port)}"
        others = alike.setdefault((port.get("containerPort"), port.get("protocol")), [])
        for (other_path, other), _ in zip(others, comparisons, strict=False):
            if (text := _overlap(port, other)) is not None:
                yield f"{path}: {text} port definition with {other_path}"
        others.append((path, port))


def _go_struct(port: Object) -> str:
    """As Go prints it."""
    name, number = port.get("name") or "", port.get("containerPort") or 0
    protocol, address = port.get("protocol") or "", port.get("hostIP") or ""
    return f"{{Name:{name} HostPort:0 ContainerPort:{number} Protocol:{protocol} HostIP:{address}}}"


def _overlap(port: Object, other: Object) -> str | None:
    """What two definitions of one number are to each other; None where they have different ports of the host."""
    mine, its = port.get("hostPort") or 0, other.get("hostPort") or 0
    here, there = port.get("hostIP") or "", other.get("hostIP") or ""
    if (here, mine) == (there, its):
        return "duplicate"
    if not mine or not its:
        return "overlapping"
    return "dangerously ambiguous" if mine == its and bool(here) != bool(there) else None
