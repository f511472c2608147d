"""RBAC rules: whether one PolicyRule covers a request, and whether some rules cover another rule."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dray.apiserver.access import Attributes

Rule = Mapping[str, Any]


def rule_allows(rule: Rule, attributes: Attributes) -> bool:
    if not _has(rule.get("verbs"), attributes.verb):
        return False
    if not attributes.resource:
        return any(_matches_path(pattern, attributes.path) for pattern in rule.get("nonResourceURLs") or ())
    if not _has(rule.get("apiGroups"), attributes.group):
        return False
    if not _matches_resource(rule.get("resources") or (), attributes.resource, attributes.subresource):
        return False
    names = rule.get("resourceNames")
    return not names or attributes.name in names


def _has(values: Sequence[str] | None, wanted: str) -> bool:
    return values is not None and (wanted in values or "*" in values)


def _matches_resource(patterns: Sequence[str], resource: str, subresource: str) -> bool:
    full = f"{resource}/{subresource}" if subresource else resource
    return any(
        pattern == "*" or pattern == full or (bool(subresource) and pattern == f"*/{subresource}")
        for pattern in patterns
    )


def _matches_path(pattern: str, path: str) -> bool:
    if pattern == "*" or pattern == path:
        return True
    return pattern.endswith("*") and path.startswith(pattern[:-1])


def find_uncovered(owned: Sequence[Rule], wanted: Iterable[Rule]) -> list[Rule]:
    """The single-verb, single-resource parts of `wanted` that no rule of `owned` covers; empty means no escalation."""
    return [part for rule in wanted for part in _parts(rule) if not any(_covers(own, part) for own in owned)]


def _parts(rule: Rule) -> list[Rule]:
    parts: list[Rule] = []
    names: Sequence[str | None] = rule.get("resourceNames") or (None,)
    for verb in rule.get("verbs") or ():
        for url in rule.get("nonResourceURLs") or ():
            parts.append({"verbs": [verb], "nonResourceURLs": [url]})
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                for name in names:
                    part: dict[str, Any] = {"verbs": [verb], "apiGroups": [group], "resources": [resource]}
                    if name is not None:
                        part["resourceNames"] = [name]
                    parts.append(part)
    return parts


def _covers(own: Rule, part: Rule) -> bool:
    if not _has(own.get("verbs"), part["verbs"][0]):
        return False
    if "nonResourceURLs" in part:
        return any(
            _matches_path(pattern, part["nonResourceURLs"][0]) for pattern in own.get("nonResourceURLs") or ()
        )
    if not _has(own.get("apiGroups"), part["apiGroups"][0]):
        return False
    resource, _, subresource = part["resources"][0].partition("/")
    if not _matches_resource(own.get("resources") or (), resource, subresource):
        return False
    names = own.get("resourceNames")
    return not names or part.get("resourceNames", [None])[0] in names


def show_rule(rule: Rule) -> str:
    """A rule as escalation errors print it: `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`."""
    fields = (
        ("nonResourceURLs", "NonResourceURLs"),
        ("apiGroups", "APIGroups"),
        ("resources", "Resources"),
        ("resourceNames", "ResourceNames"),
        ("verbs", "Verbs"),
    )
    shown = [
        f"{label}:[{', '.join(_quoted(value) for value in rule[field])}]"
        for field, label in fields
        if rule.get(field)
    ]
    return "{" + ", ".join(shown) + "}"


def _quoted(text: str) -> str:
    return f'"{text}"'
