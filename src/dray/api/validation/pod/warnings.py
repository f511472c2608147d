"""What a pod is warned of though it is taken: fields that are going, and settings that hardly can be meant."""

from collections.abc import Iterator
from typing import Final

from dray.api import names
from dray.api.fields import Path, quote
from dray.api.meta import Object
from dray.api.validation.addresses import address_warnings
from dray.api.validation.lists import items_of, repeated
from dray.api.validation.pod.annotations import SECCOMP
from dray.api.validation.pod.container_warnings import (
    BYTES,
    NO_SECCOMP,
    container_warnings,
    fraction_warnings,
)
from dray.api.validation.pod.volume_path_warnings import volume_path_warnings

_LABELS: Final = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
    "app.kubernetes.io/created-by": "deprecated since v1.9",
    "scheduler.alpha.kubernetes.io/preferAvoidPods": "deprecated since v1.22; use Taints and Tolerations instead",
    "node-role.kubernetes.io/master": 'use "node-role.kubernetes.io/control-plane" instead',
}
_ANNOTATIONS: Final = {
    "scheduler.alpha.kubernetes.io/critical-pod": (
        'non-functional in v1.16+; use the "priorityClassName" field instead'
    ),
    "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
    "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
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
    return [*_name_warnings(pod["metadata"]), *_warnings(pod, Path(""), is_template=False)]


def pod_template_warnings(template: Object, path: Path) -> list[str]:
    """Of a template of pods, which stands at `path`."""
    return list(_warnings(template, path, is_template=True))


def _warnings(holder: Object, path: Path, *, is_template: bool) -> Iterator[str]:
    spec, annotations = holder.get("spec") or {}, (holder.get("metadata") or {}).get("annotations") or {}
    at, meta = path.child("spec"), path.child("metadata", "annotations")
    yield from _placement(spec, at)
    yield from _spreading(spec, at)
    for key, text in _ANNOTATIONS.items():
        if key in annotations:
            yield f"{meta.key(key)}: {text}"
    yield from _volumes(spec, at.child("volumes"))
    yield from volume_path_warnings(items_of(spec.get("volumes")))
    yield from _host_aliases(spec, at.child("hostAliases"))
    yield from _pull_secrets(spec, at.child("imagePullSecrets"))
    for resource in BYTES:
        yield from fraction_warnings(spec.get("overhead") or {}, resource, at.child("overhead"))
    yield from _seccomp(spec, annotations, meta)
    yield from container_warnings(spec, at, annotations, meta if is_template else None)
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        text = "must be >= 0; negative values are invalid and will be treated as 1"
        yield f"{at.child('terminationGracePeriodSeconds')}: {text}"
    yield from _selectors(spec, at.child("affinity"))
    yield from _addresses(spec, at)


def _name_warnings(meta: Object) -> Iterator[str]:
    if problems := names.dns_label(meta.get("name") or ""):
        yield (
            "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; "
            f"a DNS label is recommended: [{' '.join(problems)}]"
        )


def _seccomp(spec: Object, annotations: Object, path: Path) -> Iterator[str]:
    """An annotation that no field stands for."""
    profile = (spec.get("securityContext") or {}).get("seccompProfile")
    if profile is None and SECCOMP in annotations:
        yield f"{path.key(SECCOMP)}: {NO_SECCOMP}"


def _placement(spec: Object, path: Path) -> Iterator[str]:
    for key in spec.get("nodeSelector") or {}:
        if key in _LABELS:
            yield f"{path.child('nodeSelector').key(key)}: {_LABELS[key]}"
    nodes, at = (spec.get("affinity") or {}).get("nodeAffinity") or {}, path.child("affinity", "nodeAffinity")
    terms = items_of((nodes.get(_REQUIRED) or {}).get("nodeSelectorTerms"))
    for index, term in enumerate(terms):
        yield from _expressions(term, at.child(_REQUIRED, "nodeSelectorTerms").index(index))
    for index, choice in enumerate(items_of(nodes.get(_PREFERRED))):
        where = at.child(_PREFERRED).index(index).child("preference")
        yield from _expressions(choice.get("preference") or {}, where, reads_values=True)


def _expressions(term: Object, path: Path, *, reads_values: bool = False) -> Iterator[str]:
    for index, expression in enumerate(items_of(term.get("matchExpressions"))):
        key, at = expression.get("key") or "", path.child("matchExpressions").index(index)
        if key in _LABELS:
            yield f"{at.child('key')}: {key} is {_LABELS[key]}"
        for position, value in enumerate(expression.get("values") or () if reads_values else ()):
            for text in names.label_value(value or ""):
                yield f"{at.child('values').index(position)}: {value or ''} is invalid, {text}"


def _spreading(spec: Object, path: Path) -> Iterator[str]:
    for index, constraint in enumerate(items_of(spec.get("topologySpreadConstraints"))):
        at = path.child("topologySpreadConstraints").index(index)
        key = constraint.get("topologyKey") or ""
        if key in _LABELS:
            yield f"{at.child('topologyKey')}: {key} is {_LABELS[key]}"
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
            where = at.child("ephemeral", "volumeClaimTemplate", "spec")
            yield from claim_warnings(template.get("spec") or {}, where)


def claim_warnings(spec: Object, path: Path) -> Iterator[str]:
    """Of the spec of a claim to a volume."""
    for part in ("requests", "limits"):
        amounts = (spec.get("resources") or {}).get(part) or {}
        yield from fraction_warnings(amounts, "storage", path.child("resources", part))


def _pull_secrets(spec: Object, path: Path) -> Iterator[str]:
    given = [secret.get("name") or "" for secret in items_of(spec.get("imagePullSecrets"))]
    for index in repeated(given):
        yield f"{path.index(index).child('name')}: duplicate name {quote(given[index])}"
    for index, name in enumerate(given):
        if not name:
            yield f'{path.index(index).child("name")}: invalid empty name ""'


def status_warnings(status: Object) -> Iterator[str]:
    """Of addresses that are written otherwise than everybody else writes them."""
    for field in ("podIPs", "hostIPs"):
        for index, one in enumerate(items_of(status.get(field))):
            yield from address_warnings(
                one.get("ip") or "", Path("status").child(field).index(index).child("ip")
            )


def _addresses(spec: Object, path: Path) -> Iterator[str]:
    at = path.child("dnsConfig", "nameservers")
    for index, server in enumerate((spec.get("dnsConfig") or {}).get("nameservers") or ()):
        yield from address_warnings(server, at.index(index))
    at = path.child("hostAliases")
    for index, alias in enumerate(items_of(spec.get("hostAliases"))):
        yield from address_warnings(alias.get("ip") or "", at.index(index).child("ip"))


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
