"""The roles and bindings every cluster starts with: Kubernetes' bootstrap policy, read from data/policy.txt."""

import dataclasses
import functools
import importlib.resources
from collections.abc import Iterator
from typing import Final

from dray.api.features import FeatureGates
from dray.api.meta import Object

GROUP: Final = "rbac.authorization.k8s.io"
API_VERSION: Final = f"{GROUP}/v1"
_AGGREGATE_TO: Final = f"{GROUP}/aggregate-to-"


@dataclasses.dataclass(frozen=True, slots=True)
class _Line:
    """A rule, or who has the role; `gate` "": always there."""

    text: str
    gate: str


@dataclasses.dataclass(frozen=True, slots=True)
class _Block:
    """One role: what its heading says, and its lines."""

    name: str
    namespace: str
    into: str
    """The aggregated role that it is a part of, if it is."""
    gate: str
    lines: tuple[_Line, ...]


def bootstrap_policy(features: FeatureGates | None = None) -> list[Object]:
    """Every ClusterRole, Role and binding a new cluster holds, each kind by itself; features bring some of them."""
    gates = features or FeatureGates()
    roles: list[Object] = []
    bindings: list[Object] = []
    for block in _policy():
        if block.gate and not _is_on(block.gate, gates):
            continue
        lines = [line.text for line in block.lines if not line.gate or _is_on(line.gate, gates)]
        roles.append(_role(block, [line for line in lines if not line.startswith("to ")]))
        bindings += (_binding(block, line) for line in lines if line.startswith("to "))
    return [*roles, *bindings]


def node_rules() -> list[Object]:
    """What the node authorizer grants every kubelet; also the content of the role `system:node`."""
    (block,) = (block for block in _policy() if block.name == "system:node")
    return [_rule(line.text) for line in block.lines if not line.text.startswith("to ")]


def _is_on(gate: str, features: FeatureGates) -> bool:
    """Of a later release, on too where that is stood for: its fields are there then."""
    return gate in features.later() or features.enabled(gate)


@functools.cache
def _policy() -> tuple[_Block, ...]:
    source = importlib.resources.files("dray.apiserver.authorization").joinpath("data/policy.txt")
    return tuple(_block(*lines) for lines in _paragraphs(source.read_text("utf-8")))


def _paragraphs(text: str) -> Iterator[list[str]]:
    """A heading and its lines, each put together again."""
    paragraph: list[str] = []
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if line.startswith("     "):
            paragraph[-1] += f" {line.strip()}"
        elif line:
            paragraph.append(line.strip())
        elif paragraph:
            yield paragraph
            paragraph = []
    yield paragraph


def _block(heading: str, *lines: str) -> _Block:
    title, gate = _gated(heading)
    place, _, into = title.partition(" into ")
    namespace, slash, name = place.strip("[]").rpartition("/")
    return _Block(name, namespace if slash else "", into, gate, tuple(_Line(*_gated(line)) for line in lines))


def _gated(text: str) -> tuple[str, str]:
    line, _, gate = text.partition(" ?")
    return line, gate


def _meta(block: _Block, name: str) -> Object:
    meta: Object = {
        "name": name,
        "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
        "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
    }
    return {**meta, "namespace": block.namespace} if block.namespace else meta


def _role(block: _Block, lines: list[str]) -> Object:
    meta = _meta(block, block.name)
    if block.into:
        meta["labels"][f"{_AGGREGATE_TO}{block.into}"] = "true"
    role: Object = {
        "apiVersion": API_VERSION,
        "kind": "Role" if block.namespace else "ClusterRole",
        "metadata": meta,
    }
    if lines and lines[0].startswith("aggregates "):
        label = _AGGREGATE_TO + lines[0].removeprefix("aggregates ")
        return {
            **role,
            "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]},
            "rules": [],
        }
    return {**role, "rules": list(map(_rule, lines))}


def _rule(text: str) -> Object:
    first, second, verbs, *names = (part.split() for part in text.split("|"))
    if first == ["url"]:
        return {"nonResourceURLs": second, "verbs": verbs}
    groups = ["" if group == "core" else group for group in first]
    rule: Object = {"apiGroups": groups, "resources": second, "verbs": verbs}
    return {**rule, "resourceNames": names[0]} if names else rule


def _binding(block: _Block, line: str) -> Object:
    subjects, _, name = line.removeprefix("to ").partition(" as ")
    binding: Object = {
        "apiVersion": API_VERSION,
        "kind": "RoleBinding" if block.namespace else "ClusterRoleBinding",
        "metadata": _meta(block, name or block.name),
        "roleRef": {
            "apiGroup": GROUP,
            "kind": "Role" if block.namespace else "ClusterRole",
            "name": block.name,
        },
    }
    return binding if subjects == "nobody" else {**binding, "subjects": list(map(_subject, subjects.split()))}


def _subject(text: str) -> Object:
    kind, _, name = text.partition(":")
    if kind == "account":
        namespace, _, account = name.partition("/")
        return {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    return {"apiGroup": GROUP, "kind": kind.capitalize(), "name": name}
