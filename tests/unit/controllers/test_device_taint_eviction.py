"""Pods leave devices with a NoExecute taint that their claims do not tolerate: at once, later or never; rules tell of it.

The clock starts at 2026-01-01T00:00:00Z; taints were added then unless a test says otherwise.
"""

from collections.abc import Callable

import pytest

from dray.api import errors
from dray.api.features import FeatureGates
from dray.api.meta import Object, ObjectKey, is_deleting, replace_at
from dray.api.pods import find_condition
from dray.api.resources import DEVICE_TAINT_RULES, EVENTS, PODS, RESOURCE_CLAIMS, RESOURCE_SLICES
from dray.client.informer import SharedInformers
from dray.controllers.base import Context
from dray.controllers.device_taint_eviction import DeviceTaintEviction
from dray.controllers.device_taint_status import eviction_progress, simulated
from dray.controllers.device_taints import eviction_time
from dray.controllers.manager import ControllerManager
from dray.kits.clock import LoopClock
from dray.testing.memory_client import MemoryClient
from dray.testing.virtual import run
from tests.unit.controllers.harness import controllers, obj, settle

START = "2026-01-01T00:00:00Z"
RULES_ON = FeatureGates({"DRADeviceTaintRules": True})


def taint(effect: str = "NoExecute", *, key: str = "broken", added: str = START) -> Object:
    return {"key": key, "value": "yes", "effect": effect, "timeAdded": added}


def toleration(seconds: int | None = None, *, effect: str = "NoExecute", key: str = "broken") -> Object:
    limit = {} if seconds is None else {"tolerationSeconds": seconds}
    return {"key": key, "operator": "Exists", "effect": effect, **limit}


def slice_of(*taints: Object, name: str = "s", generation: int = 1, device: str = "gpu") -> Object:
    spec = {
        "driver": "d",
        "pool": {"name": "pool", "generation": generation, "resourceSliceCount": 1},
        "devices": [{"name": device, "taints": list(taints)}],
    }
    return obj("ResourceSlice", name, api_version="resource.k8s.io/v1", spec=spec)


def claim(
    name: str = "c", *tolerations: Object, pod: str = "p", reserved: bool = True, namespace: str = "ns"
) -> Object:
    result = {
        "request": "r",
        "driver": "d",
        "pool": "pool",
        "device": "gpu",
        "tolerations": list(tolerations),
    }
    status: Object = {"allocation": {"devices": {"results": [result]}}}
    if reserved:
        status["reservedFor"] = [{"resource": "pods", "name": pod, "uid": f"uid-of-{pod}"}]
    return obj("ResourceClaim", name, namespace, api_version="resource.k8s.io/v1", spec={}, status=status)


def pod(
    name: str = "p", *, claims: tuple[str, ...] = ("c",), node: str = "n", namespace: str = "ns"
) -> Object:
    spec: Object = {"resourceClaims": [{"name": each, "resourceClaimName": each} for each in claims]}
    if node:
        spec["nodeName"] = node
    return obj("Pod", name, namespace, metadata={"uid": f"uid-of-{name}"}, spec=spec, status={})


def rule(effect: str = "NoExecute", selector: Object | None = None, name: str = "rule") -> Object:
    spec: Object = {"taint": taint(effect)}
    if selector is not None:
        spec["deviceSelector"] = selector
    meta = {"generation": 1, "uid": f"uid-of-{name}"}
    return obj(
        "DeviceTaintRule", name, api_version="resource.k8s.io/v1beta2", metadata=meta, spec=spec, status={}
    )


Step = Callable[[], object]


def play(
    client: MemoryClient, *steps: Step, seconds: float = 1.0, features: FeatureGates | None = None
) -> None:
    """Each step after `seconds` of virtual time, and as long after the last."""

    async def scenario() -> None:
        async with controllers(client, DeviceTaintEviction, features=features):
            await settle(seconds)
            for step in steps:
                step()
                await settle(seconds)

    run(scenario())


def play_cancellation(client: MemoryClient, change: Step) -> None:
    """The pod was to go after 30 s; with the change, after 12 s, that is called off at once and for good."""
    seen: list[object] = []
    play(client, change, lambda: seen.append(messages(client)), seconds=12, features=RULES_ON)
    assert seen == [["Cancelling deletion"]]
    assert not is_evicted(client)


def is_evicted(client: MemoryClient, name: str = "p") -> bool:
    found = client.find(PODS, name, "ns")
    return found is None or is_deleting(found)


def messages(client: MemoryClient) -> list[str]:
    return [
        event["message"] for event in client.all(EVENTS) if event["reason"] == "DeviceTaintManagerEviction"
    ]


def progress(client: MemoryClient, name: str = "rule") -> tuple[str, str, str]:
    condition = find_condition(client.find(DEVICE_TAINT_RULES, name) or {}, "EvictionInProgress") or {}
    return condition.get("status", ""), condition.get("reason", ""), condition.get("message", "")


# --- who goes ---


def test_a_pod_on_a_tainted_device_is_marked_told_of_and_deleted() -> None:
    client = MemoryClient(slice_of(taint()), claim(), pod())
    play(client)
    assert is_evicted(client)
    condition = find_condition(client.find(PODS, "p", "ns") or {}, "DisruptionTarget") or {}
    assert (condition["status"], condition["reason"]) == ("True", "DeletionByDeviceTaintManager")
    assert condition["message"] == "Device Taint manager: deleting due to NoExecute taint"
    assert messages(client) == ["Marking for deletion"]
    assert [write for write in client.writes if write[1] == "pods"] == [
        ("patch", "pods", "status", "p"),
        ("delete", "pods", "", "p"),
    ]


@pytest.mark.parametrize("effect", ["None", "NoSchedule", "FromTheFuture"])
def test_other_effects_evict_nobody(effect: str) -> None:
    client = MemoryClient(slice_of(taint(effect)), claim(), pod())
    play(client)
    assert not is_evicted(client)


@pytest.mark.parametrize(
    ("used_by", "held"),
    [
        pytest.param(pod(node=""), claim(), id="not scheduled"),
        pytest.param(pod(), claim(reserved=False), id="claim not reserved"),
        pytest.param(pod(), claim(pod="other"), id="claim reserved for another pod"),
        pytest.param(pod(claims=("another",)), claim(), id="claim of others"),
    ],
)
def test_pods_that_do_not_hold_the_device_stay(used_by: Object, held: Object) -> None:
    client = MemoryClient(slice_of(taint()), held, used_by)
    play(client)
    assert not is_evicted(client)


def test_a_claim_generated_for_another_pod_of_that_name_does_not_count() -> None:
    made = claim()
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "earlier", "controller": True}
    made["metadata"]["ownerReferences"] = [owner]
    using = pod()
    using["spec"]["resourceClaims"] = [{"name": "gpu", "resourceClaimTemplateName": "t"}]
    using["status"] = {"resourceClaimStatuses": [{"name": "gpu", "resourceClaimName": "c"}]}
    client = MemoryClient(slice_of(taint()), made, using)
    play(client)
    assert not is_evicted(client)


def test_a_pod_that_is_going_already_is_left_alone() -> None:
    going = pod()
    going["metadata"]["deletionTimestamp"] = START
    client = MemoryClient(slice_of(taint()), claim(), going)
    play(client)
    assert client.writes == []


@pytest.mark.parametrize(
    "meta", [{"uid": "another"}, {"uid": "uid-of-p", "deletionTimestamp": START}], ids=["replaced", "going"]
)
def test_what_happened_to_a_pod_behind_the_back_of_the_cache_counts(meta: Object) -> None:
    client = MemoryClient(slice_of(taint()), claim(), pod())

    async def live(*arguments: object, **options: object) -> Object:
        return {**pod(), "metadata": {"name": "p", "namespace": "ns", **meta}}

    client.get = live  # type: ignore[method-assign]
    play(client)
    assert client.writes == []


def test_many_pods_are_evicted_each_once() -> None:
    numbers = range(200)
    claims = [claim(f"c{number}", pod=f"p{number}") for number in numbers]
    pods = [pod(f"p{number}", claims=(f"c{number}",)) for number in numbers]
    client = MemoryClient(slice_of(taint()), *claims, *pods)
    play(client)
    deleted = sorted(name for verb, plural, _, name in client.writes if (verb, plural) == ("delete", "pods"))
    assert deleted == sorted(f"p{number}" for number in numbers)


def test_a_failed_deletion_is_tried_again() -> None:
    client = MemoryClient(slice_of(taint()), claim(), pod())
    failures = iter([True])

    def refuse_once(verb: str, *_: object) -> None:
        if verb == "delete" and next(failures, False):
            raise errors.InternalError("try again")

    client.reactions.append(refuse_once)
    play(client)
    assert is_evicted(client)


# --- tolerations ---


@pytest.mark.parametrize(
    ("tolerations", "seconds"),
    [
        ([], 0),
        ([toleration()], None),
        ([toleration(30)], 30),
        ([toleration(30), toleration(20)], 20),
        ([toleration(30), toleration()], None),
        ([toleration(-5)], 0),
        ([toleration(0)], 0),
        ([toleration(2**63 - 1)], 10**10),
        ([toleration(30, key="other")], 0),
        ([toleration(effect="")], 0),
        ([toleration(effect="NoSchedule")], 0),
    ],
)
def test_a_toleration_that_names_no_execute_puts_eviction_off(
    tolerations: list[Object], seconds: int | None
) -> None:
    start = eviction_time(taint(), [])
    due = eviction_time(taint(), tolerations)
    assert start is not None
    assert (None if due is None else (due - start).total_seconds()) == seconds


def test_the_seconds_of_a_toleration_count_from_when_the_taint_was_added() -> None:
    earlier = taint(added="2025-12-31T23:59:00Z")
    client = MemoryClient(slice_of(earlier), claim("c", toleration(100)), pod())
    seen: list[bool] = []
    play(client, lambda: seen.append(is_evicted(client)), seconds=39)
    assert (seen, is_evicted(client)) == ([False], True)


def test_the_claim_that_tolerates_least_decides() -> None:
    client = MemoryClient(
        slice_of(taint()),
        claim("long", toleration(1000)),
        claim("short", toleration(10)),
        pod(claims=("long", "short")),
    )
    play(client, seconds=11)
    assert is_evicted(client)


def test_every_taint_must_be_tolerated() -> None:
    client = MemoryClient(slice_of(taint(), taint(key="hot")), claim("c", toleration()), pod())
    play(client)
    assert is_evicted(client)


# --- changes ---


def test_a_taint_that_comes_later_evicts() -> None:
    client = MemoryClient(slice_of(), claim(), pod())
    seen: list[bool] = []
    play(client, lambda: seen.append(is_evicted(client)), lambda: client.put(slice_of(taint())))
    assert (seen, is_evicted(client)) == ([False], True)


def _free_claim(client: MemoryClient) -> Object:
    held = client.find(RESOURCE_CLAIMS, "c", "ns")
    assert held is not None
    return client.put(replace_at(held, ("status",), {}))


def _remove_slice(client: MemoryClient) -> None:
    gone = client.find(RESOURCE_SLICES, "s")
    assert gone is not None
    client._remove(RESOURCE_SLICES, gone)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda client: client.put(slice_of()), id="the taint is removed"),
        pytest.param(lambda client: client.put(slice_of(taint("NoSchedule"))), id="its effect is reduced"),
        pytest.param(lambda client: client.put(slice_of(name="s2", generation=2)), id="a newer generation"),
        pytest.param(_remove_slice, id="the slice is removed"),
        pytest.param(_free_claim, id="the claim is deallocated"),
    ],
)
def test_what_takes_the_taint_away_cancels_the_eviction(change: Callable[[MemoryClient], object]) -> None:
    client = MemoryClient(slice_of(taint()), claim("c", toleration(30)), pod())
    play_cancellation(client, lambda: change(client))


# --- rules ---


@pytest.mark.parametrize(
    ("selector", "evicts"),
    [
        (None, False),
        ({}, True),
        ({"driver": "d"}, True),
        ({"driver": "d", "pool": "pool", "device": "gpu"}, True),
        ({"driver": "other"}, False),
        ({"pool": "other"}, False),
        ({"device": "other"}, False),
    ],
)
def test_a_rule_evicts_from_the_devices_it_selects(selector: Object | None, evicts: bool) -> None:
    client = MemoryClient(slice_of(), claim(), pod(), rule(selector=selector))
    play(client, features=RULES_ON)
    assert is_evicted(client) is evicts


def test_a_rule_reaches_a_device_whose_slice_is_gone() -> None:
    client = MemoryClient(claim(), pod(), rule(selector={}))
    play(client, features=RULES_ON)
    assert is_evicted(client)


def test_rules_count_only_where_their_feature_is_on() -> None:
    client = MemoryClient(slice_of(), claim(), pod(), rule(selector={}))
    play(client)
    assert not is_evicted(client)


def test_a_rule_tells_first_who_has_to_go_and_later_who_went() -> None:
    client = MemoryClient(slice_of(), claim(), pod(), rule(selector={}))
    seen: list[object] = []
    play(client, lambda: seen.append(progress(client)), seconds=6, features=RULES_ON)
    assert seen == [("True", "PodsPendingEviction", "1 pod needs to be evicted in 1 namespace.")]
    assert progress(client) == ("False", "Completed", "1 pod evicted since starting the controller.")


def test_pods_that_may_stay_a_while_are_pending() -> None:
    patient = claim("later", toleration(300), pod="q")
    client = MemoryClient(slice_of(), claim(), pod(), patient, pod("q", claims=("later",)), rule(selector={}))
    seen: list[object] = []
    play(client, lambda: seen.append(progress(client)), seconds=6, features=RULES_ON)
    assert seen == [("True", "PodsPendingEviction", "2 pods need to be evicted in 1 namespace.")]
    text = "1 pod needs to be evicted in 1 namespace. 1 pod evicted since starting the controller."
    assert progress(client) == ("True", "PodsPendingEviction", text)


def test_a_rule_with_nobody_to_evict_has_not_started() -> None:
    client = MemoryClient(slice_of(), claim("c", toleration()), pod(), rule(selector={}))
    play(client, features=RULES_ON)
    assert progress(client) == ("False", "NotStarted", "")


def test_a_rule_without_effect_tells_once_what_no_execute_would_do() -> None:
    client = MemoryClient(slice_of(), claim(), pod(), rule("None", {}))
    text = (
        "1 published device selected. 1 allocated device selected. 1 pod would be evicted in 1 namespace if the "
        "effect was NoExecute. This information will not be updated again. Recreate the DeviceTaintRule to trigger "
        "an update."
    )
    more = [claim("c2", pod="p2"), pod("p2", claims=("c2",))]
    play(client, lambda: [client.put(each) for each in more], seconds=11, features=RULES_ON)
    assert progress(client) == ("False", "NoEffect", text)
    assert not is_evicted(client)


def test_a_rule_of_another_effect_says_that_it_evicts_nobody() -> None:
    client = MemoryClient(slice_of(), claim(), pod(), rule("NoSchedule", {}))
    play(client, features=RULES_ON)
    assert progress(client) == ("False", "OtherEffect", "Eviction only happens for the NoExecute effect.")


def test_a_rule_that_is_removed_cancels_its_evictions() -> None:
    client = MemoryClient(slice_of(), claim("c", toleration(30)), pod(), rule(selector={}))

    def remove() -> None:
        client._remove(DEVICE_TAINT_RULES, client.all(DEVICE_TAINT_RULES)[0])

    play_cancellation(client, remove)


def test_a_rule_that_turns_to_other_devices_cancels_its_evictions() -> None:
    client = MemoryClient(slice_of(), claim("c", toleration(30)), pod(), rule(selector={}))
    play_cancellation(client, lambda: client.put(rule(selector={"pool": "other"})))


def test_a_rule_made_anew_counts_anew() -> None:
    client = MemoryClient(slice_of(), claim(), pod(), rule(selector={}))

    def recreate() -> None:
        client._remove(DEVICE_TAINT_RULES, client.all(DEVICE_TAINT_RULES)[0])
        client.put(rule(selector={}))

    play(client, recreate, seconds=11, features=RULES_ON)
    assert progress(client) == ("False", "NotStarted", "")


def test_what_a_rule_without_effect_told_before_a_restart_stands() -> None:
    told = {"type": "EvictionInProgress", "status": "False", "reason": "NoEffect", "message": "Long ago."}
    there = rule("None", {})
    there["status"] = {"conditions": [{**told, "observedGeneration": 1}]}
    client = MemoryClient(slice_of(), claim(), pod(), there)
    play(client, features=RULES_ON)
    assert client.writes == []


def test_progress_counts_pods_and_namespaces() -> None:
    two = [ObjectKey("a", "p"), ObjectKey("b", "p")]
    assert eviction_progress(two, 3).message == (
        "2 pods need to be evicted in 2 different namespaces. 3 pods evicted since starting the controller."
    )
    assert simulated(3, 2, two).message.startswith(
        "3 published devices selected. 2 allocated devices selected. 2 pods would be evicted in 2 different namespaces if"
    )


# --- where it runs ---


@pytest.mark.parametrize("on", [True, False])
def test_the_controller_runs_where_taints_are_on(on: bool) -> None:
    gates = FeatureGates({"DRADeviceTaints": on})

    async def kinds() -> set[type]:
        manager = ControllerManager(MemoryClient(), clock=LoopClock(), features=gates)
        return {type(controller) for controller in manager.controllers}

    assert (DeviceTaintEviction in run(kinds())) is on


def test_without_rules_nobody_asks_the_server_for_them() -> None:
    async def resources() -> object:
        client = MemoryClient()
        context = Context(SharedInformers(client), LoopClock(), FeatureGates(), lambda name: client)
        return DeviceTaintEviction(context).rules

    assert run(resources()) is None
