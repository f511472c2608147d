"""What a pod is warned of though it is taken: fields that are going, and settings that hardly can be meant."""

import ipaddress
import itertools
from collections.abc import Hashable, Iterator, Mapping
from typing import Final

from dray.api import names
from dray.api.fields import Path, quote
from dray.api.meta import Object
from dray.api.quantity import parse_quantity
from dray.api.validation.lists import items_of, repeated

PAIRS_COMPARED: Final = 200_000
OVERLAPS_TOLD: Final = 1000
"""Of one volume, and of all ports: far more than anybody means, or an answer's headers hold."""

_LABELS: Final = {
    "beta.kubernetes.io/arch": ("1.14", "kubernetes.io/arch"),
    "beta.kubernetes.io/os": ("1.14", "kubernetes.io/os"),
    "failure-domain.beta.kubernetes.io/zone": ("1.17", "topology.kubernetes.io/zone"),
    "failure-domain.beta.kubernetes.io/region": ("1.17", "topology.kubernetes.io/region"),
    "beta.kubernetes.io/instance-type": ("1.17", "node.kubernetes.io/instance-type"),
}
_VOLUMES: Final = {
    "photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+",
    "gitRepo": "deprecated in v1.11, and disabled by default in v1.33+",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "flocker": "deprecated in v1.22, non-functional in v1.25+",
    "storageos": "deprecated in v1.22, non-functional in v1.25+",
    "quobyte": "deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
}
_SHOWN: Final = {"storageos": "storageOS"}
_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
_NULL_SELECTOR: Final = "a null labelSelector results in matching no pod"


def pod_warnings(pod: Object) -> list[str]:
    """Of a pod about to be created."""
    return [*_name_warnings(pod["metadata"]), *spec_warnings(pod.get("spec") or {}, Path("spec"))]


def spec_warnings(spec: Object, path: Path) -> list[str]:
    """Of the spec of a pod or of a template."""
    return [
        *_placement(spec, path),
        *_spreading(spec, path),
        *_host_aliases(spec, path.child("hostAliases")),
        *_volumes(spec, path.child("volumes")),
        *_pull_secrets(spec, path.child("imagePullSecrets")),
        *_containers(spec, path),
        *_addresses(spec, path),
        *_selectors(spec, path.child("affinity")),
    ]


def _name_warnings(meta: Object) -> Iterator[str]:
    if problems := names.dns_label(meta.get("name") or ""):
        yield (
            "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; "
            f"a DNS label is recommended: [{' '.join(problems)}]"
        )


def _placement(spec: Object, path: Path) -> Iterator[str]:
    for key in spec.get("nodeSelector") or {}:
        if key in _LABELS:
            yield f"{path.child('nodeSelector').key(key)}: {_replaced(key)}"
    nodes, at = (spec.get("affinity") or {}).get("nodeAffinity") or {}, path.child("affinity", "nodeAffinity")
    terms = items_of((nodes.get(_REQUIRED) or {}).get("nodeSelectorTerms"))
    for index, term in enumerate(terms):
        yield from _expressions(term, at.child(_REQUIRED, "nodeSelectorTerms").index(index))
    for index, choice in enumerate(items_of(nodes.get(_PREFERRED))):
        where = at.child(_PREFERRED).index(index).child("preference")
        yield from _expressions(choice.get("preference") or {}, where)


def _replaced(key: str) -> str:
    since, instead = _LABELS[key]
    return f'deprecated since v{since}; use "{instead}" instead'


def _expressions(term: Object, path: Path) -> Iterator[str]:
    for index, expression in enumerate(items_of(term.get("matchExpressions"))):
        key = expression.get("key") or ""
        if key in _LABELS:
            at = path.child("matchExpressions").index(index).child("key")
            yield f"{at}: {key} is {_replaced(key)}"


def _spreading(spec: Object, path: Path) -> Iterator[str]:
    for index, constraint in enumerate(items_of(spec.get("topologySpreadConstraints"))):
        at = path.child("topologySpreadConstraints").index(index)
        key = constraint.get("topologyKey") or ""
        if key in _LABELS:
            yield f"{at.child('topologyKey')}: {key} is {_replaced(key)}"
        if constraint.get("labelSelector") is None:
            yield f"{at.child('labelSelector')}: {_NULL_SELECTOR}"


def _host_aliases(spec: Object, path: Path) -> Iterator[str]:
    seen: set[str] = set()
    for index, alias in enumerate(items_of(spec.get("hostAliases"))):
        address = alias.get("ip") or ""
        if address in seen:
            yield f"{path.index(index).child('ip')}: duplicate ip {quote(address)}"
        seen.add(address)


def _volumes(spec: Object, path: Path) -> Iterator[str]:
    for index, volume in enumerate(items_of(spec.get("volumes"))):
        at = path.index(index)
        for source, text in _VOLUMES.items():
            if volume.get(source) is not None:
                yield f"{at.child(_SHOWN.get(source, source))}: {text}"
        template = (volume.get("ephemeral") or {}).get("volumeClaimTemplate")
        if template is not None:
            amounts = ((template.get("spec") or {}).get("resources") or {}).get("requests") or {}
            where = at.child("ephemeral", "volumeClaimTemplate", "spec", "resources", "requests")
            yield from _fraction(amounts, "storage", where)
        if volume.get("projected") is not None:
            yield from _projected(volume["projected"], volume.get("name") or "")


def _projected(source: Object, name: str) -> Iterator[str]:
    """Two files at one place, or one in the place of another's folder; and nothing to project at all."""
    projections = items_of(source.get("sources"))
    known = (
        "secret",
        "configMap",
        "downwardAPI",
        "serviceAccountToken",
        "clusterTrustBundle",
        "podCertificate",
    )
    if not any(projection.get(kind) is not None for projection in projections for kind in known):
        if projections:
            yield f"volume {quote(name)} (Projected) has no sources provided"
        return
    yield from itertools.islice(_overlapping_places(projections, name), OVERLAPS_TOLD)


def _overlapping_places(projections: list[Object], name: str) -> Iterator[str]:
    taken = [place for projection in projections for place in _places(projection)]
    pairs = ((taken[index], other) for index in range(len(taken)) for other in itertools.islice(taken, index))
    for (place, owner), (other, its) in itertools.islice(pairs, PAIRS_COMPARED):
        if place == other or _within(place, other) or _within(other, place):
            yield (
                f"volume {quote(name)} (Projected): overlapping paths: "
                f"{quote(place)} ({owner}) with {quote(other)} ({its})"
            )


def _within(place: str, folder: str) -> bool:
    return place.startswith(folder.rstrip("/") + "/")


def _places(projection: Object) -> Iterator[tuple[str, str]]:
    for field, kind in (("secret", "Secret"), ("configMap", "ConfigMap")):
        source = projection.get(field) or {}
        for item in items_of(source.get("items")):
            yield item.get("path") or "", f"{kind} {quote(source.get('name') or '')}"
    for item in items_of((projection.get("downwardAPI") or {}).get("items")):
        yield item.get("path") or "", "DownwardAPI"
    if projection.get("serviceAccountToken") is not None:
        yield projection["serviceAccountToken"].get("path") or "", "ServiceAccountToken"


def _pull_secrets(spec: Object, path: Path) -> Iterator[str]:
    given = [secret.get("name") or "" for secret in items_of(spec.get("imagePullSecrets"))]
    for index in repeated(given):
        yield f"{path.index(index).child('name')}: duplicate name {quote(given[index])}"
    for index, name in enumerate(given):
        if not name:
            yield f'{path.index(index).child("name")}: invalid empty name ""'


def _containers(spec: Object, path: Path) -> Iterator[str]:
    ports: list[tuple[Path, Object]] = []
    for field in ("initContainers", "containers"):
        for index, container in enumerate(items_of(spec.get(field))):
            at = path.child(field).index(index)
            resources = container.get("resources") or {}
            for resource in ("memory", "ephemeral-storage"):
                for part in ("limits", "requests"):
                    amounts = resources.get(part) or {}
                    yield from _fraction(amounts, resource, at.child("resources", part))
            yield from _variables(container, at.child("env"))
            places = at.child("ports")
            ports += [
                (places.index(position), port)
                for position, port in enumerate(items_of(container.get("ports")))
            ]
    yield from _ports(ports)


def _fraction(amounts: Object, resource: str, path: Path) -> Iterator[str]:
    if resource not in amounts:
        return
    amount = parse_quantity(amounts[resource])
    if not amount.is_integer():
        text = f"fractional byte value {quote(str(amount))} is invalid, must be an integer"
        yield f"{path.key(resource)}: {text}"


def _variables(container: Object, path: Path) -> Iterator[str]:
    """A variable given twice: the later one counts, unless it is made of the earlier."""
    seen: set[str] = set()
    for index, variable in enumerate(items_of(container.get("env"))):
        name = variable.get("name") or ""
        if name in seen and f"$({name})" not in (variable.get("value") or ""):
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
    for path, port in ports:
        alike.setdefault((port.get("containerPort"), port.get("protocol")), []).append((path, port))
    pairs = ((path, port, one) for path, port in ports for one in _before(path, port, alike))
    for path, port, (other_path, other) in itertools.islice(pairs, PAIRS_COMPARED):
        if (text := _overlap(port, other)) is not None:
            yield f"{path}: {text} port definition with {other_path}"


def _before(
    path: Path, port: Object, alike: Mapping[Hashable, list[tuple[Path, Object]]]
) -> Iterator[tuple[Path, Object]]:
    """The ports of the same number that come first."""
    others = alike[port.get("containerPort"), port.get("protocol")]
    return itertools.takewhile(lambda other: other[0] is not path, others)


def _overlap(port: Object, other: Object) -> str | None:
    """Of two with one number: `duplicate` or `overlapping`; None where they have different ports of the host."""
    mine, its = port.get("hostPort") or 0, other.get("hostPort") or 0
    if (mine, port.get("hostIP") or "") == (its, other.get("hostIP") or ""):
        return "duplicate"
    return "overlapping" if not mine or not its else None


def status_warnings(status: Object) -> Iterator[str]:
    """Of addresses that are written otherwise than everybody else writes them."""
    for field in ("podIPs", "hostIPs"):
        for index, one in enumerate(items_of(status.get(field))):
            yield from _address(one.get("ip") or "", Path("status").child(field).index(index).child("ip"))


def _addresses(spec: Object, path: Path) -> Iterator[str]:
    at = path.child("dnsConfig", "nameservers")
    for index, server in enumerate((spec.get("dnsConfig") or {}).get("nameservers") or ()):
        yield from _address(server, at.index(index))
    at = path.child("hostAliases")
    for index, alias in enumerate(items_of(spec.get("hostAliases"))):
        yield from _address(alias.get("ip") or "", at.index(index).child("ip"))


def _address(text: str, path: Path) -> Iterator[str]:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return
    if address.version == 6 and str(address) != text:
        yield f"{path}: IPv6 address {quote(text)} should be in RFC 5952 canonical format ({quote(str(address))})"


def _selectors(spec: Object, path: Path) -> Iterator[str]:
    for kind in ("podAffinity", "podAntiAffinity"):
        affinity = (spec.get("affinity") or {}).get(kind) or {}
        at = path.child(kind)
        for index, term in enumerate(items_of(affinity.get(_REQUIRED))):
            if term.get("labelSelector") is None:
                yield f"{at.child(_REQUIRED).index(index).child('labelSelector')}: {_NULL_SELECTOR}"
        for index, choice in enumerate(items_of(affinity.get(_PREFERRED))):
            if (choice.get("podAffinityTerm") or {}).get("labelSelector") is None:
                where = at.child(_PREFERRED).index(index).child("podAffinityTerm", "labelSelector")
                yield f"{where}: {_NULL_SELECTOR}"
