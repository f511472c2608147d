"""Deletes pods that use devices with a NoExecute taint which their claims do not tolerate, or no longer.

Every change of a pod, claim, slice or rule asks anew when the pod must go: at once, later (the key comes back then) or
never (what was planned is cancelled). Rules report the progress of their evictions in a condition: at once when they
are new, then at most every ten seconds. Keys are pods and, without namespace, rules.
Source: KEP-5055, Kubernetes 1.36.2.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import ClassVar

from dray.api import errors
from dray.api.meta import Object, ObjectKey, format_time, is_deleting, key_of, name_of, namespace_of, uid_of
from dray.api.pod_groups import CLAIMS_GATE, may_use, ownership_problem, reserves_group
from dray.api.pods import claim_keys_of, claims_of, find_condition
from dray.api.resources import DEVICE_TAINT_RULES, PODS, RESOURCE_CLAIMS, RESOURCE_SLICES
from dray.client.events import object_reference
from dray.client.protocol import PatchType
from dray.controllers.base import GROUP_INDEX, Context, Controller, RetryAfter, index_by_group
from dray.controllers.device_taint_status import (
    EVICTION_IN_PROGRESS,
    NO_EFFECT,
    OTHER_EFFECT,
    Progress,
    eviction_progress,
    simulated,
)
from dray.controllers.device_taints import (
    POOL_INDEX,
    DeviceTaints,
    Eviction,
    as_no_execute,
    device_of,
    earliest,
    is_selected,
    pool_of,
    pools_of_claim,
    results_of,
)
from dray.controllers.disruption import mark_disrupted

STATUS_SECONDS = 10.0


class DeviceTaintEviction(Controller):
    name: ClassVar[str] = "device-taint-eviction-controller"
    gate: ClassVar[str] = "DRADeviceTaints"
    workers: ClassVar[int] = 10

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.with_groups = context.features.enabled(CLAIMS_GATE)
        self.pods = index_by_group(self.informer(PODS))
        self.claims = self.informer(RESOURCE_CLAIMS)
        slices = self.informer(RESOURCE_SLICES)
        with_rules = context.features.enabled("DRADeviceTaintRules")
        self.rules = self.informer(DEVICE_TAINT_RULES) if with_rules else None
        self.taints = DeviceTaints(slices, self.rules)
        self._planned: dict[ObjectKey, tuple[str, Eviction]] = {}
        """Pods that will be evicted: their uid, and when and why."""
        self._evicted: Counter[str] = Counter()
        """By rule, since the start."""
        self.claims.add_index(POOL_INDEX, pools_of_claim)
        self.pods.add_handler(
            on_add=self._pod_changed,
            on_update=lambda _, pod: self._pod_changed(pod),
            on_delete=self._pod_changed,
        )
        self.claims.add_handler(
            on_add=lambda claim: self._enqueue_pods((claim,)),
            on_update=lambda old, new: self._enqueue_pods((old, new)),
            on_delete=lambda claim: self._enqueue_pods((claim,)),
        )
        slices.add_handler(
            on_add=self._slice_changed,
            on_update=lambda _, new: self._slice_changed(new),
            on_delete=self._slice_changed,
        )
        if self.rules is not None:
            self.rules.add_handler(
                on_add=self._rule_changed, on_update=self._rule_updated, on_delete=self._rule_removed
            )

    # --- what changes for whom ---

    def _pod_changed(self, pod: Object) -> None:
        if claim_keys_of(pod):
            self._enqueue(pod)

    def _slice_changed(self, entry: Object) -> None:
        self._enqueue_pods(self.claims.cache.by_index(POOL_INDEX, pool_of(entry)))

    def _rule_updated(self, old: Object, new: Object) -> None:
        if old["spec"] != new["spec"]:
            self._enqueue_pods(self._selected_claims(old))
            self._rule_changed(new)

    def _rule_changed(self, rule: Object) -> None:
        # First the rule: it tells of the pods that have to go before they are gone.
        self._enqueue(rule)
        self._enqueue_pods(self._selected_claims(rule))

    def _rule_removed(self, rule: Object) -> None:
        self._evicted.pop(name_of(rule), None)
        self._enqueue_pods(self._selected_claims(rule))

    def _enqueue_pods(self, claims: Iterable[Object]) -> None:
        for claim in claims:
            for key in self._consumers(claim):
                self.queue.add(key)

    def _selected_claims(self, rule: Object) -> Iterator[Object]:
        for claim in self.claims.cache.list():
            if any(is_selected(rule, device_of(result)) for result in results_of(claim)):
                yield claim

    def _consumers(self, claim: Object) -> Iterator[ObjectKey]:
        """The pods that may use the claim, those of groups among them."""
        for entry in (claim.get("status") or {}).get("reservedFor") or ():
            key = ObjectKey(namespace_of(claim), entry["name"])
            if entry.get("resource") == "pods" and not entry.get("apiGroup"):
                yield key
            elif self.with_groups and reserves_group(entry):
                yield from (key_of(pod) for pod in self.pods.cache.by_index(GROUP_INDEX, str(key)))

    async def sync(self, key: ObjectKey) -> None:
        if key.namespace:
            await self._sync_pod(key)
        else:
            await self._sync_rule(key.name)

    # --- pods ---

    async def _sync_pod(self, key: ObjectKey) -> None:
        pod = self.pods.cache.get(key)
        eviction = earliest(self._evictions(pod)) if pod is not None else None
        self._plan(key, pod, eviction)
        if pod is None or eviction is None:
            return
        seconds = (eviction.due - self.clock.now()).total_seconds()
        if seconds > 0:
            raise RetryAfter(seconds)
        await self._evict(pod, eviction)

    def _evictions(self, pod: Object, rules: list[Object] | None = None) -> Iterator[Eviction]:
        if is_deleting(pod) or not pod["spec"].get("nodeName"):
            return
        for claim in self._claims_held_by(pod):
            yield from self.taints.evictions(claim, rules)

    def _claims_held_by(self, pod: Object) -> Iterator[Object]:
        generated = {entry.claim for entry in claims_of(pod) if entry.template is not None}
        for key in claim_keys_of(pod):
            claim = self.claims.cache.get(key)
            if claim is None or not may_use(claim, pod, with_groups=self.with_groups):
                continue
            if key.name in generated and ownership_problem(claim, pod, with_groups=self.with_groups):
                continue
            yield claim

    def _plan(self, key: ObjectKey, pod: Object | None, eviction: Eviction | None) -> None:
        """Remember the eviction; say so when the pod may stay after all."""
        uid, before = self._planned.pop(key, ("", None))
        if eviction is not None and pod is not None:
            self._planned[key] = (uid_of(pod), eviction)
        elif before is not None and pod is not None and uid_of(pod) == uid and not is_deleting(pod):
            self._tell(pod, "Cancelling deletion")
        if before != eviction:
            self._report_later(before)
            self._report_later(eviction)

    def _report_later(self, eviction: Eviction | None) -> None:
        for name in eviction.rules if eviction else ():
            self.queue.add_after(ObjectKey("", name), STATUS_SECONDS)

    async def _evict(self, pod: Object, eviction: Eviction) -> None:
        name, namespace, uid = name_of(pod), namespace_of(pod), uid_of(pod)
        try:
            live = await self.client.get(PODS, name, namespace)
            if uid_of(live) != uid or is_deleting(live):
                return
            self._tell(pod, "Marking for deletion")
            message = "Device Taint manager: deleting due to NoExecute taint"
            now = self.clock.now()
            await mark_disrupted(
                self.client, pod, "DeletionByDeviceTaintManager", message, now, observed=False
            )
            deleted = await self.client.delete(PODS, name, namespace, uid=uid)
        except errors.NotFound:
            return
        self._planned.pop(key_of(pod), None)
        self._evicted.update(eviction.rules)
        self._report_later(eviction)
        await self.pods.wait_seen(deleted)

    def _tell(self, pod: Object, message: str) -> None:
        # Without the version, as upstream: what is told is about the pod, not about one state of it.
        reference = {key: value for key, value in object_reference(pod).items() if key != "resourceVersion"}
        self.recorder.event_about(reference, "Normal", "DeviceTaintManagerEviction", message)

    # --- rules ---

    async def _sync_rule(self, name: str) -> None:
        rule = self.rules.cache.find(name) if self.rules is not None else None
        if rule is None:
            return
        old = find_condition(rule, EVICTION_IN_PROGRESS) or {}
        progress = self._progress(rule)
        generation = rule["metadata"].get("generation")
        known = old.get("observedGeneration") == generation
        if known and (progress.reason == old.get("reason") == NO_EFFECT or progress == _told(old)):
            return
        condition = {
            "type": EVICTION_IN_PROGRESS,
            **progress._asdict(),
            "observedGeneration": generation,
            "lastTransitionTime": format_time(self.clock.now()),
        }
        patch: Object = {
            "apiVersion": rule["apiVersion"],
            "kind": rule["kind"],
            "metadata": {"name": name, "uid": uid_of(rule)},
            "status": {"conditions": [condition]},
        }
        await self.client.patch(
            DEVICE_TAINT_RULES,
            name,
            patch,
            patch_type=PatchType.APPLY,
            subresource="status",
            field_manager=self.name,
            force=True,
        )

    def _progress(self, rule: Object) -> Progress:
        match rule["spec"]["taint"]["effect"]:
            case "NoExecute":
                return eviction_progress(self._leaving(rule), self._evicted[name_of(rule)])
            case "None":
                return self._simulate(rule)
            case _:
                return OTHER_EFFECT

    def _simulate(self, rule: Object) -> Progress:
        published = sum(is_selected(rule, device) for device in self.taints.published())
        results = (result for claim in self.claims.cache.list() for result in results_of(claim))
        allocated = {device for result in results if is_selected(rule, device := device_of(result))}
        return simulated(published, len(allocated), self._leaving(as_no_execute(rule)))

    def _leaving(self, rule: Object) -> set[ObjectKey]:
        """The pods that this rule alone would drive out, now or later."""
        keys = {key for claim in self._selected_claims(rule) for key in self._consumers(claim)}
        pods = [pod for key in keys if (pod := self.pods.cache.get(key)) is not None]
        name = name_of(rule)
        return {
            key_of(pod) for pod in pods if any(name in each.rules for each in self._evictions(pod, [rule]))
        }


def _told(condition: Object) -> Progress:
    return Progress(condition.get("status", ""), condition.get("reason", ""), condition.get("message", ""))
