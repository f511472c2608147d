"""Pods and claims that somebody expects and that do not exist: who failed to create them, and why."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from dray.api.meta import Object, ObjectKey, name_of, namespace_of
from dray.api.resources import EVENTS
from dray.insight.answer import Answer
from dray.insight.claim_state import Blocker
from dray.insight.quota_room import hard_of, named_in, used_of
from dray.insight.snapshot import Snapshot

_COMBINED = "(combined from similar events): "
_CREATORS = ("ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController")
_DEMAND: Final = re.compile(r"failed quota: (\S+): (must specify .*)")
"""A quota counts something that the pod says nothing of."""


def why_no_pod(snapshot: Snapshot, key: ObjectKey) -> Answer | None:
    """None where nothing is known of anybody who tried to create the pod."""
    failures = [event for event in snapshot.of(EVENTS) if _tried(event, key)]
    if not failures:
        return None
    event = failures[-1]
    owner = event["involvedObject"]
    cause, advice, facts = _refusal(
        snapshot, key.namespace, str(event.get("message", "")).removeprefix(_COMBINED)
    )
    text = f"pod {key} does not exist: {owner['kind']} {owner['name']} could not create it: {cause}"
    return Answer(f"pod {key}", "missing", f"{text}.", (Blocker(text, advice),), facts=tuple(facts))


def why_no_claim(snapshot: Snapshot, key: ObjectKey) -> Answer | None:
    """None where no pod means the claim."""
    pods = snapshot.pods_by_claim.get(key, ())
    if not pods:
        return None
    names = ", ".join(name_of(pod) for pod in pods[:3])
    text = f"claim {key} does not exist, and pod {names} waits for it"
    advice = "create it, or correct resourceClaimName in the pod"
    return Answer(f"claim {key}", "missing", f"{text}.", (Blocker(text, advice),))


def _tried(event: Object, key: ObjectKey) -> bool:
    """An event of an owner that could not create this pod, or one whose name begins like this."""
    about = event.get("involvedObject") or {}
    owner = str(about.get("name"))
    return (
        event.get("reason") == "FailedCreate"
        and about.get("kind") in _CREATORS
        and namespace_of(event) == key.namespace
        and (key.name == owner or key.name.startswith(f"{owner}-") or owner.startswith(f"{key.name}-"))
    )


def _refusal(snapshot: Snapshot, namespace: str, message: str) -> tuple[str, str, Sequence[str]]:
    """The cause, what to do, and the facts behind it."""
    if demand := _DEMAND.search(message):
        advice = "say it in the pod's template, or give the namespace a LimitRange with defaults"
        return f"quota {demand[1]} counts what pods of this sort must say: {demand[2]}", advice, (message,)
    quota = named_in(snapshot, namespace, message)
    if quota is None:
        return message, "correct what the API server refuses", ()
    name = name_of(quota)
    advice = f"delete what nobody needs in {namespace}, or raise the quota: kubectl -n {namespace} edit resourcequota {name}"
    return f"exceeded quota {name}", advice, (message, *_lines(snapshot, quota))


def _lines(snapshot: Snapshot, quota: Object) -> Iterator[str]:
    used = used_of(snapshot, quota)
    for resource, limit in hard_of(quota).items():
        yield f"quota {name_of(quota)}: {resource}: {used.get(resource, '0')} of {limit} used"
