"""Pod Security: pods that their namespace's labels forbid are refused, their templates warned of.

Nobody is exempt, and a namespace without labels allows everything, as in a Kubernetes that nobody configured.
Source: kubernetes staging/src/k8s.io/pod-security-admission/admission, 1.36.
"""

import dataclasses
import time
from collections.abc import Iterable, Iterator
from typing import Any, Final

from dray.api import errors
from dray.api.meta import Object, controller_of, labels_of, name_of
from dray.api.pod_security.evaluation import details, reasons, violations
from dray.api.pod_security.policy import PREFIX, PRIVILEGED, Demand, Policy, read_policy, stricter
from dray.api.pod_security.subject import Subject
from dray.api.resources import NAMESPACES, PODS
from dray.apiserver.core import AdmissionRequest, prefix_of

MOST_PODS: Final = 3000
MOST_SECONDS: Final = 1.0
"""So many pods are looked at, and for so long, when a namespace becomes stricter."""
_IGNORED: Final = frozenset(
    {"exec", "attach", "binding", "eviction", "log", "portforward", "proxy", "status", "scale", "token"}
)


class PodSecurity:
    async def mutate(self, request: AdmissionRequest) -> None:
        return None

    async def validate(self, request: AdmissionRequest) -> None:
        """Raises Forbidden for pods, Invalid for labels of namespaces."""
        obj, resource = request.object, request.call.kind.resource
        if obj is None or request.operation not in ("CREATE", "UPDATE"):
            return
        if resource == PODS:
            if request.call.subresource not in _IGNORED:
                _judge_pod(request, obj)
        elif request.call.subresource:
            return
        elif resource == NAMESPACES:
            _judge_namespace(request, obj)
        else:
            _judge_template(request, obj)


def _judge_namespace(request: AdmissionRequest, obj: Object) -> None:
    policy, wrong = read_policy(labels_of(obj))
    before, wrong_before = read_policy(labels_of(request.old)) if request.old is not None else (Policy(), [])
    if wrong and wrong != wrong_before:
        raise errors.invalid("", NAMESPACES.kind, name_of(obj), wrong)
    if request.operation == "CREATE" or not _is_more(policy.enforce, before.enforce):
        return
    request.call.warnings += _told_of(request, name_of(obj), policy.enforce)


def _is_more(demand: Demand, before: Demand) -> bool:
    if demand == before or demand.level == PRIVILEGED:
        return False
    return demand.version != before.version or stricter(demand.level, before.level)


def _told_of(request: AdmissionRequest, namespace: str, demand: Demand) -> list[str]:
    """Warnings about pods that are there and would not be let in any more."""
    core = request.call.core
    pods = [record.obj for record in core.store.page(PODS.qualified, prefix_of(PODS, namespace)).records]
    found: dict[str, list[str]] = {}
    checked = 0
    until = time.monotonic() + MOST_SECONDS
    for pod in _one_of_each_owner_first(pods)[:MOST_PODS]:
        checked += 1
        if bad := violations(demand, Subject.of(pod)):
            found.setdefault(reasons(bad), []).append(name_of(pod))
        if time.monotonic() > until:
            break
    warnings = []
    if checked < len(pods):
        warnings.append(
            f"new PodSecurity enforce level only checked against the first {checked} of {len(pods)} existing pods"
        )
    if found:
        warnings.append(
            f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level "{demand}"'
        )
    return warnings + sorted(f"{_shown(names)}: {why}" for why, names in found.items())


def _one_of_each_owner_first(pods: Iterable[Object]) -> list[Object]:
    """Pods of one owner are alike: where not all can be looked at, the others come last."""
    first: list[Object] = []
    last: list[Object] = []
    owners: set[str] = set()
    for pod in pods:
        owner = controller_of(pod)
        (last if owner is not None and owner["uid"] in owners else first).append(pod)
        if owner is not None:
            owners.add(owner["uid"])
    return first + last


def _shown(names: list[str]) -> str:
    others = len(names) - 1
    if not others:
        return names[0]
    return f"{min(names)} (and {others} other {'pod' if others == 1 else 'pods'})"


_EVERYTHING: Final = f"{PRIVILEGED}:latest"


def _judge_pod(request: AdmissionRequest, pod: Object) -> None:
    policy, wrong = _policy_of(request)
    if policy.allows_everything and not wrong:
        _Notes(request, wrong).add("enforce-policy", _EVERYTHING)
        return
    if request.old is not None and not _is_another(pod, request.old):
        return
    subject, notes = Subject.of(pod), _Notes(request, wrong)
    notes.add("enforce-policy", str(policy.enforce))
    found = violations(policy.enforce, subject)
    _judge_softly(request, policy, subject, notes, warn=not found)
    if found:
        why = f'violates PodSecurity "{policy.enforce}": {details(found)}'
        raise errors.forbidden("", PODS.plural, name_of(pod), why)


def _judge_template(request: AdmissionRequest, owner: Object) -> None:
    policy, wrong = _policy_of(request)
    if policy.audit.level == policy.warn.level == PRIVILEGED and not wrong:
        return
    template = _template_of(owner)
    if template is not None:
        _judge_softly(request, policy, Subject.of(template), _Notes(request, wrong), warn=True)


def _template_of(owner: Object) -> Object | None:
    spec = owner.get("spec") or {}
    if owner["kind"] == "PodTemplate":
        return owner.get("template") or {}
    if owner["kind"] == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    template: Object | None = spec.get("template")
    return template


@dataclasses.dataclass(slots=True)
class _Notes:
    """What the audit log is told."""

    request: AdmissionRequest
    wrong: list[Any]

    def __post_init__(self) -> None:
        if self.wrong:
            texts = ", ".join(map(str, self.wrong))
            self.add("error", f"Failed to parse policy: {texts if len(self.wrong) == 1 else f'[{texts}]'}")

    def add(self, key: str, text: str) -> None:
        self.request.call.annotations[f"{PREFIX}{key}"] = text


def _judge_softly(
    request: AdmissionRequest, policy: Policy, subject: Subject, notes: _Notes, *, warn: bool
) -> None:
    """What is refused anyway is not warned of as well."""
    if found := violations(policy.audit, subject):
        notes.add("audit-violations", f'would violate PodSecurity "{policy.audit}": {details(found)}')
    if warn and (found := violations(policy.warn, subject)):
        request.call.warnings.append(f'would violate PodSecurity "{policy.warn}": {details(found)}')


def _policy_of(request: AdmissionRequest) -> tuple[Policy, list[Any]]:
    namespace = request.call.find(NAMESPACES, request.call.namespace)
    return read_policy(labels_of(namespace) if namespace else {})


def _is_another(pod: Object, old: Object) -> bool:
    """Whether an update runs anything that did not run before."""
    for kind in ("initContainers", "containers"):
        if _images(pod, kind) != _images(old, kind):
            return True
    known = dict(_named_images(old))
    return any(known.get(name) != image for name, image in _named_images(pod))


def _images(pod: Object, kind: str) -> list[str]:
    return [container.get("image") or "" for container in pod["spec"].get(kind) or ()]


def _named_images(pod: Object) -> Iterator[tuple[str, str]]:
    for container in pod["spec"].get("ephemeralContainers") or ():
        yield container["name"], container.get("image") or ""
