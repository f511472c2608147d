"""Reads a Policy from its file, YAML or JSON, and refuses in kube-apiserver's words what is none.

Like kube-apiserver it overlooks unknown and repeated fields, which it tells in the log, and a missing kind.
"""

import logging
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from dray.api.fields import FieldError, Path, invalid, not_supported, quote, required
from dray.api.meta import Object
from dray.api.names import dns_subdomain
from dray.api.schema import DecodeError, Field, Schema, decode
from dray.api.schema.inspection import syntax_error
from dray.api.schema.registry import type_schema
from dray.api.schema.yaml_text import BadYaml, read_yaml
from dray.apiserver.audit.policy import LEVELS, Policy, Resources, Rule, Stage, Told, together
from dray.apiserver.structure import untyped

log = logging.getLogger("dray.apiserver")

API_VERSION: Final = "audit.k8s.io/v1"
KIND: Final = "Policy"
_KINDS: Final = ("Policy", "PolicyList", "Event", "EventList")
_SCHEME: Final = "pkg/runtime/scheme.go:111"


class PolicyError(Exception):
    """One line that says what is wrong with the file."""


def load_policy(path: pathlib.Path) -> Policy:
    """Raises PolicyError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        done = "read" if path.is_dir() else "open"
        why = f"failed to read file path {quote(str(path))}: {done} {path}: {(error.strerror or '').lower()}"
        raise PolicyError(f"loading audit policy file: {why}") from None
    try:
        return read_policy(data)
    except PolicyError as error:
        raise PolicyError(f"loading audit policy file: {error}: from file {path}") from None


def read_policy(data: bytes) -> Policy:
    """Raises PolicyError."""
    try:
        obj = _policy(*_read(data))
    except (BadYaml, DecodeError) as error:
        raise PolicyError(f"failed decoding: {error}") from None
    found = list(dict.fromkeys(map(str, _findings(obj))))
    if found:
        raise PolicyError(found[0] if len(found) == 1 else f"[{', '.join(found)}]")
    if not obj.get("rules"):
        raise PolicyError("loaded illegal policy with 0 rules")
    return _built(obj)


def _read(data: bytes) -> tuple[Any, str]:
    """The document, and what is said twice in it. What begins as JSON must be JSON. Raises BadYaml, DecodeError."""
    if data.lstrip().startswith(b"{"):
        try:
            return orjson.loads(data), ""
        except orjson.JSONDecodeError:
            why = f"couldn't get version/kind; json parse error: {syntax_error(data)}"
            raise DecodeError(why) from None
    document = read_yaml(data)
    return document.value, document.complaint


def _policy(tree: Any, complaint: str) -> Object:
    """Raises PolicyError, DecodeError."""
    document = {} if tree is None else tree
    if not isinstance(document, Mapping):
        raise DecodeError(untyped(document))
    _check_type(str(document.get("apiVersion") or ""), str(document.get("kind") or KIND))
    decoded = decode(document, _SCHEMA)
    if odd := [*([complaint] if complaint else []), *decoded.strict_errors]:
        log.warning(
            "the audit policy has errors, which are overlooked: strict decoding error: %s", ", ".join(odd)
        )
    return decoded.object


def _check_type(api_version: str, kind: str) -> None:
    if not api_version:
        internal = f"audit.k8s.io/__internal, Kind={kind}"
        raise PolicyError(f"unknown group version field {internal} in policy")
    if api_version != API_VERSION or kind not in _KINDS:
        raise DecodeError(
            f'no kind {quote(kind)} is registered for version {quote(api_version)} in scheme "{_SCHEME}"'
        )
    if kind != KIND:
        raise DecodeError(f"converting (v1.{kind}) to (audit.Policy): unknown conversion")


# --- what may be in it


def _findings(policy: Object) -> list[FieldError]:
    found = _stage_errors(policy.get("omitStages") or (), Path("omitStages"))
    for index, rule in enumerate(policy.get("rules") or ()):
        found += _rule_errors(rule, Path("rules").index(index))
    return found


def _rule_errors(rule: Object, at: Path) -> list[FieldError]:
    urls, resources = rule.get("nonResourceURLs") or [], rule.get("resources") or []
    found = _level_errors(rule.get("level") or "", at.child("level"))
    found += _url_errors(urls, at.child("nonResourceURLs"))
    for each in resources:
        found += _resource_errors(each, at.child("resources"))
    found += _stage_errors(rule.get("omitStages") or (), at.child("omitStages"))
    if urls and (resources or rule.get("namespaces")):
        text = "rules cannot apply to both regular resources and non-resource URLs"
        found.append(invalid(at.child("nonResourceURLs"), urls, text))
    return found


def _level_errors(level: str, at: Path) -> list[FieldError]:
    if not level:
        return [required(at)]
    return [] if level in LEVELS else [not_supported(at, level, list(LEVELS), in_order=True, is_plain=True)]


def _url_errors(urls: Sequence[str], at: Path) -> list[FieldError]:
    found = []
    for index, url in enumerate(urls):
        if url == "*":
            continue
        if not url.startswith("/"):
            found.append(
                invalid(at.index(index), url, "non-resource URL rules must begin with a '/' character")
            )
        if "*" in url[:-1]:
            text = "non-resource URL wildcards '*' must be the final character of the rule"
            found.append(invalid(at.index(index), url, text))
    return found


def _resource_errors(entry: Object, at: Path) -> list[FieldError]:
    found = []
    group = entry.get("group") or ""
    if group not in ("", "*") and (texts := dns_subdomain(group)):
        found.append(invalid(at.child("group"), group, ",".join(texts)))
    names = entry.get("resourceNames")
    if names and not entry.get("resources"):
        text = "using resourceNames requires at least one resource"
        found.append(invalid(at.child("resourceNames"), names, text))
    return found


def _stage_errors(stages: Sequence[str], at: Path) -> list[FieldError]:
    known = [stage.value for stage in Stage]
    text = f"allowed stages are {','.join(known)}"
    return [invalid(at.index(index), stage, text) for index, stage in enumerate(stages) if stage not in known]


# --- what it says


def _built(policy: Object) -> Policy:
    omitted = together(map(Stage, policy.get("omitStages") or ()))
    without = bool(policy.get("omitManagedFields"))
    return Policy(tuple(_rule(rule, omitted, without) for rule in policy["rules"]))


def _rule(rule: Object, omitted: frozenset[Stage], without: bool) -> Rule:
    own = rule.get("omitManagedFields")
    stages = together(omitted, map(Stage, rule.get("omitStages") or ()))
    return Rule(
        Told(LEVELS[rule["level"]], stages, without if own is None else own),
        users=frozenset(rule.get("users") or ()),
        groups=frozenset(rule.get("userGroups") or ()),
        verbs=frozenset(rule.get("verbs") or ()),
        namespaces=frozenset(rule.get("namespaces") or ()),
        resources=tuple(map(_resources, rule.get("resources") or ())),
        urls=tuple(rule.get("nonResourceURLs") or ()),
    )


def _resources(entry: Object) -> Resources:
    return Resources(
        entry.get("group") or "",
        tuple(entry.get("resources") or ()),
        tuple(entry.get("resourceNames") or ()),
    )


# --- its structure


def _text(go_type: str = "string") -> Schema:
    return Schema("scalar", go_type, scalar="string")


def _flag() -> Schema:
    return Schema("scalar", "bool", scalar="bool")


def _list(items: Schema) -> Schema:
    return Schema("list", f"[]{items.go_type}", items=items)


def _struct(name: str, **fields: Schema) -> Schema:
    known = {key: Field(key, schema, pointer=schema.scalar == "bool") for key, schema in fields.items()}
    return Schema("struct", f"v1.{name}", definition=f"audit/v1.{name}", load=lambda: known)


_GROUP_RESOURCES: Final = _struct(
    "GroupResources", group=_text(), resources=_list(_text()), resourceNames=_list(_text())
)
_RULE: Final = _struct(
    "PolicyRule",
    level=_text("v1.Level"),
    users=_list(_text()),
    userGroups=_list(_text()),
    verbs=_list(_text()),
    resources=_list(_GROUP_RESOURCES),
    namespaces=_list(_text()),
    nonResourceURLs=_list(_text()),
    omitStages=_list(_text("v1.Stage")),
    omitManagedFields=_flag(),
)
_SCHEMA: Final = _struct(
    "Policy",
    apiVersion=_text(),
    kind=_text(),
    metadata=type_schema("meta/v1", "ObjectMeta"),
    rules=_list(_RULE),
    omitStages=_list(_text("v1.Stage")),
    omitManagedFields=_flag(),
)
