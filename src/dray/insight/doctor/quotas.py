"""ResourceQuotas that leave no room for devices or claims, or that have refused some."""

from collections.abc import Iterator

from dray.api.meta import Object, key_of, name_of, namespace_of
from dray.api.quota_scopes import has_scopes
from dray.api.resources import EVENTS
from dray.insight.doctor.finding import ERROR, WARNING, Finding
from dray.insight.quota_room import exhausted, hard_of, named_in, refused_still, used_of
from dray.insight.quotas import CLAIM_COUNT, DEVICES_SUFFIX
from dray.insight.snapshot import Snapshot

_REFUSALS = ("FailedResourceClaimCreation", "FailedCreate")


def quota_findings(snapshot: Snapshot) -> Iterator[Finding]:
    refused: dict[str, Object] = {}
    for event in snapshot.of(EVENTS):
        text = str(event.get("message", ""))
        if event.get("reason") in _REFUSALS and "exceeded quota" in text:
            quota = named_in(snapshot, namespace_of(event), text)
            if quota is not None and refused_still(snapshot, quota, text):
                refused[str(key_of(quota))] = event
    for quota in snapshot.quotas:
        yield from _of_quota(snapshot, quota, refused.get(str(key_of(quota))))


def _of_quota(snapshot: Snapshot, quota: Object, event: Object | None) -> Iterator[Finding]:
    counted = () if has_scopes(quota) else exhausted(snapshot, quota)
    full = [r for r in counted if r == CLAIM_COUNT or r.endswith(DEVICES_SUFFIX)]
    used, hard = used_of(snapshot, quota), hard_of(quota)
    state = "; ".join(f"{resource}: {used[resource]} of {hard[resource]} used" for resource in full)
    show = f"kubectl -n {namespace_of(quota)} describe resourcequota {name_of(quota)}"
    advice = "delete claims that nobody needs, or raise the quota"
    if event is not None:
        about = event.get("involvedObject") or {}
        text = f"has refused {about.get('kind', 'an object')} {about.get('name', '')} what it needs"
        evidence = f"event {event.get('reason')}: {event.get('message')}"
        yield Finding(ERROR, f"quota {key_of(quota)}", text, evidence, show, advice)
    elif full:
        yield Finding(WARNING, f"quota {key_of(quota)}", "leaves no room for one more", state, show, advice)
