"""The descriptions of who may do what: service accounts, roles and their bindings."""

import itertools
from collections.abc import Iterable, Iterator

from dray.api.meta import Object, name_of, namespace_of, uid_of
from dray.api.resources import SECRETS
from dray.cli.kubectl.describe import (
    annotation_lines,
    event_lines,
    events_of,
    header_lines,
    label_lines,
    listed,
)
from dray.cli.kubectl.session import Session
from dray.client.protocol import Selection

_ACCOUNT = "kubernetes.io/service-account"


async def service_account(session: Session, obj: Object) -> list[str]:
    secrets = (await session.client.list(SECRETS, Selection(namespace_of(obj)))).items
    present = {name_of(secret) for secret in secrets}
    pulled, mounted = obj.get("imagePullSecrets") or (), obj.get("secrets") or ()
    tokens = [name_of(secret) for secret in secrets if _is_token_of(secret, obj)]
    return [
        *header_lines(obj),
        *listed("Image pull secrets", list(_named(pulled, present))),
        *listed("Mountable secrets", list(_named(mounted, present))),
        *listed("Tokens", tokens),
        *event_lines(await events_of(session, obj)),
    ]


def _named(references: Iterable[Object], present: set[str]) -> Iterator[str]:
    for reference in references:
        name = str(reference["name"])
        yield name if name in present else f"{name} (not found)"


def _is_token_of(secret: Object, account: Object) -> bool:
    annotations = secret["metadata"].get("annotations") or {}
    return (
        secret.get("type") == f"{_ACCOUNT}-token"
        and annotations.get(f"{_ACCOUNT}.name") == name_of(account)
        and annotations.get(f"{_ACCOUNT}.uid") == uid_of(account)
    )


async def role(session: Session, obj: Object) -> list[str]:
    # A role's namespace is not told, unlike that of its bindings.
    lines = [f"Name:\t{name_of(obj)}", *label_lines("Labels", obj["metadata"].get("labels"))]
    lines += [*annotation_lines(obj), "PolicyRule:"]
    lines += ["  Resources\tNon-Resource URLs\tResource Names\tVerbs"]
    lines += ["  ---------\t-----------------\t--------------\t-----"]
    rules = _compact(_single(obj.get("rules") or ()))
    return lines + [f"  {_resource(rule)}\t{_go(rule, 'nonResourceURLs')}\t{_names(rule)}" for rule in rules]


def _single(rules: Iterable[Object]) -> Iterator[Object]:
    """Each rule as rules for one resource of one group each, or for URLs."""
    for rule in rules:
        verbs, names = list(rule.get("verbs") or ()), list(rule.get("resourceNames") or ())
        for group, resource in itertools.product(rule.get("apiGroups") or (), rule.get("resources") or ()):
            yield {"verbs": verbs, "apiGroups": [group], "resources": [resource], "resourceNames": names}
        for url in rule.get("nonResourceURLs") or ():
            yield {"verbs": verbs, "nonResourceURLs": [url]}


def _compact(rules: Iterable[Object]) -> list[Object]:
    """Rules for the same things as one, in kubectl's order: that of how Go writes them."""
    merged: dict[tuple[str, ...], Object] = {}
    for rule in rules:
        key = tuple(
            _go(rule, part) for part in ("apiGroups", "resources", "resourceNames", "nonResourceURLs")
        )
        known = merged.setdefault(key, {**rule, "verbs": []})
        known["verbs"] += [verb for verb in rule["verbs"] if verb not in known["verbs"]]
    parts = ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")
    return sorted(merged.values(), key=lambda rule: ",".join(_go(rule, part) for part in parts))


def _go(rule: Object, part: str) -> str:
    return f"[{' '.join(rule.get(part) or ())}]"


def _names(rule: Object) -> str:
    return f"{_go(rule, 'resourceNames')}\t{_go(rule, 'verbs')}"


def _resource(rule: Object) -> str:
    if not rule.get("resources"):
        return ""
    [resource], [group] = rule["resources"], rule["apiGroups"]
    name, slash, subresource = resource.partition("/")
    return f"{name}{'.' if group else ''}{group}{slash}{subresource}"


async def role_binding(session: Session, obj: Object) -> list[str]:
    reference = obj["roleRef"]
    lines = [*header_lines(obj), "Role:", f"  Kind:\t{reference['kind']}", f"  Name:\t{reference['name']}"]
    lines += ["Subjects:", "  Kind\tName\tNamespace", "  ----\t----\t---------"]
    for subject in obj.get("subjects") or ():
        lines.append(f"  {subject['kind']}\t{subject['name']}\t{subject.get('namespace', '')}")
    return lines
