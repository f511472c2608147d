"""What is owned goes with its owner, what is in a deleted namespace goes in the right order, nodes that fall silent are noticed."""

from collections.abc import Awaitable, Callable

from dray.api.meta import Object
from dray.api.releases import RELEASES
from dray.api.resources import (
    CONFIG_MAPS,
    EVENTS,
    NAMESPACES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    RESOURCE_SLICES,
    SERVICE_ACCOUNTS,
)
from dray.apiserver.registry.catalog import catalog
from dray.controllers.garbage import GarbageCollector
from dray.controllers.namespaces import CONTENT, Namespaces
from dray.controllers.nodes import NodeLifecycle, TaintEviction
from dray.controllers.pod_gc import PodGarbageCollector
from dray.controllers.service_accounts import RootCertificates, ServiceAccounts
from dray.testing.memory_client import MemoryClient
from dray.testing.virtual import run
from tests.unit.controllers.harness import controllers, names, obj, settle

Step = Callable[[], Awaitable[object]]


def play(client: MemoryClient, kinds: list[Callable], *steps: Step, seconds: float = 5.0) -> None:  # type: ignore[type-arg]
    async def scenario() -> None:
        async with controllers(client, *kinds):
            await settle(seconds)
            for step in steps:
                await step()
                await settle(seconds)

    run(scenario())


def owned(kind: str, name: str, owner: Object, **reference: object) -> Object:
    refs = [
        {
            "apiVersion": owner["apiVersion"],
            "kind": owner["kind"],
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            **reference,
        }
    ]
    namespace = "" if kind == "ResourceSlice" else "ns"
    api_version = "resource.k8s.io/v1" if kind == "ResourceSlice" else "v1"
    return obj(kind, name, namespace, api_version=api_version, metadata={"ownerReferences": refs}, spec={})


def test_dependents_go_when_their_owner_is_gone() -> None:
    node = obj("Node", "n", metadata={"uid": "n1"})
    client = MemoryClient(node, owned("ResourceSlice", "s", node))

    async def remove_node() -> None:
        await client.delete(NODES, "n")

    play(client, [GarbageCollector], remove_node)
    assert client.all(RESOURCE_SLICES) == []


def test_the_volume_claim_of_a_pod_goes_with_the_pod() -> None:
    pod = obj("Pod", "p", "ns", metadata={"uid": "p1"})
    client = MemoryClient(pod, owned("PersistentVolumeClaim", "p-scratch", pod))

    async def remove_pod() -> None:
        await client.delete(PODS, "p", "ns")

    play(client, [GarbageCollector], remove_pod)
    assert client.all(PERSISTENT_VOLUME_CLAIMS) == []


def test_an_object_with_an_owner_that_never_existed_goes() -> None:
    ghost = obj("Pod", "ghost", "ns", metadata={"uid": "never"})
    client = MemoryClient(owned("ConfigMap", "c", ghost))
    play(client, [GarbageCollector])
    assert client.all(CONFIG_MAPS) == []


def test_owners_of_unknown_kinds_are_trusted() -> None:
    stranger = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t", "uid": "x"}}
    client = MemoryClient(owned("ConfigMap", "c", stranger))
    play(client, [GarbageCollector])
    assert names(client.all(CONFIG_MAPS)) == ["c"]


def test_an_object_with_one_living_owner_stays_and_loses_the_dead_reference() -> None:
    alive = obj("Pod", "alive", "ns", metadata={"uid": "a"})
    dead = obj("Pod", "dead", "ns", metadata={"uid": "d"})
    shared = owned("ConfigMap", "c", alive)
    shared["metadata"]["ownerReferences"] += owned("ConfigMap", "c", dead)["metadata"]["ownerReferences"]
    client = MemoryClient(alive, shared)
    play(client, [GarbageCollector])
    (kept,) = client.all(CONFIG_MAPS)
    assert [reference["uid"] for reference in kept["metadata"]["ownerReferences"]] == ["a"]


def test_pods_with_devices_leave_a_namespace_before_the_driver_that_must_release_them() -> None:
    deletion = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    namespace = obj(
        "Namespace",
        "ns",
        metadata=deletion,
        spec={"finalizers": ["kubernetes"]},
        status={"phase": "Terminating"},
    )
    driver = obj("Pod", "driver", "ns", spec={"nodeName": "n", "containers": []})
    user = obj(
        "Pod",
        "user",
        "ns",
        spec={"nodeName": "n", "containers": [], "resourceClaims": [{"name": "g", "resourceClaimName": "c"}]},
    )
    client = MemoryClient(namespace, driver, user)

    async def kubelet_ends_user() -> None:
        stored = client.find(PODS, "driver", "ns")
        assert stored is not None
        assert "deletionTimestamp" not in stored["metadata"]
        await client.delete(PODS, "user", "ns", grace_period_seconds=0)

    async def kubelet_ends_driver() -> None:
        await client.delete(PODS, "driver", "ns", grace_period_seconds=0)

    play(client, [Namespaces], kubelet_ends_user, kubelet_ends_driver)
    deleted = [name for verb, plural, _, name in client.writes if verb == "delete" and plural == "pods"]
    assert deleted.index("user") < deleted.index("driver")
    assert client.all(PODS) == []


def test_every_kind_that_lives_in_a_namespace_goes_with_it() -> None:
    kinds = (kind for release in RELEASES for kind in catalog(release))
    kept = [kind for kind in kinds if not kind.virtual and kind.stored_as is None]
    assert {kind.resource for kind in kept if kind.resource.namespaced} == {PODS, *CONTENT}


def test_every_namespace_has_a_service_account_and_the_root_certificate_again_after_deletion() -> None:
    client = MemoryClient(obj("Namespace", "ns", spec={}))

    async def delete_both() -> None:
        await client.delete(SERVICE_ACCOUNTS, "default", "ns")
        await client.delete(CONFIG_MAPS, "kube-root-ca.crt", "ns")

    play(client, [ServiceAccounts, lambda context: RootCertificates(context, "PEM")], delete_both)
    assert names(client.all(SERVICE_ACCOUNTS)) == ["default"]
    (certificate,) = client.all(CONFIG_MAPS)
    assert certificate["data"] == {"ca.crt": "PEM"}
    assert names(client.all(NAMESPACES)) == ["ns"]


def ready_node(name: str) -> Object:
    conditions = [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}]
    return obj("Node", name, spec={}, status={"conditions": conditions})


def test_a_node_without_heartbeat_becomes_unknown_and_is_tainted() -> None:
    client = MemoryClient(ready_node("n"))
    play(client, [NodeLifecycle], seconds=70)
    stored = client.find(NODES, "n")
    assert stored is not None
    conditions = {c["type"]: (c["status"], c["reason"]) for c in stored["status"]["conditions"]}
    assert conditions["Ready"] == ("Unknown", "NodeStatusUnknown")
    assert conditions["MemoryPressure"] == ("Unknown", "NodeStatusNeverUpdated")
    taints = {(taint["key"], taint["effect"]) for taint in stored["spec"]["taints"]}
    assert taints == {
        ("node.kubernetes.io/unreachable", "NoSchedule"),
        ("node.kubernetes.io/unreachable", "NoExecute"),
    }
    assert all("timeAdded" in taint for taint in stored["spec"]["taints"])


def test_a_node_is_told_of_once_when_the_controller_first_sees_it() -> None:
    client = MemoryClient(ready_node("n"))
    play(client, [NodeLifecycle], seconds=20)
    (event,) = [each for each in client.all(EVENTS) if each["reason"] == "RegisteredNode"]
    assert event["message"] == "Node n event: Registered Node n in Controller"
    assert event["source"] == {"component": "node-controller"}


def test_pods_of_a_node_that_falls_silent_are_not_ready_any_more() -> None:
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    pod = obj("Pod", "p", "ns", spec={"nodeName": "n"}, status=status)
    client = MemoryClient(ready_node("n"), pod)
    play(client, [NodeLifecycle], seconds=70)
    stored = client.find(PODS, "p", "ns")
    assert stored is not None
    assert [each["status"] for each in stored["status"]["conditions"]] == ["False"]
    (event,) = [each for each in client.all(EVENTS) if each["involvedObject"]["kind"] == "Pod"]
    assert (event["reason"], event["message"]) == ("NodeNotReady", "Node is not ready")


def test_a_node_that_is_removed_is_told_of() -> None:
    client = MemoryClient(ready_node("n"))

    async def remove() -> None:
        await client.delete(NODES, "n")

    play(client, [NodeLifecycle], remove, seconds=20)
    (event,) = [each for each in client.all(EVENTS) if each["reason"] == "RemovingNode"]
    assert event["message"] == "Node n event: Removing Node n from Controller"


def test_taints_of_a_bad_time_are_taken_away_when_the_node_is_well() -> None:
    node = ready_node("n")
    node["spec"]["taints"] = [
        {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"},
        {"key": "mine", "effect": "NoSchedule"},
    ]
    client = MemoryClient(node)
    play(client, [NodeLifecycle])
    stored = client.find(NODES, "n")
    assert stored is not None
    assert [taint["key"] for taint in stored["spec"]["taints"]] == ["mine"]


def test_pods_are_evicted_after_the_time_they_tolerate() -> None:
    taint = {"key": "bad", "effect": "NoExecute", "timeAdded": "2026-01-01T00:00:00Z"}
    node = obj("Node", "n", spec={"taints": [taint]})
    toleration = {"key": "bad", "operator": "Exists", "effect": "NoExecute"}
    pods = [
        obj("Pod", "at-once", "ns", spec={"nodeName": "n"}),
        obj(
            "Pod",
            "later",
            "ns",
            spec={"nodeName": "n", "tolerations": [{**toleration, "tolerationSeconds": 60}]},
        ),
        obj("Pod", "never", "ns", spec={"nodeName": "n", "tolerations": [toleration]}),
    ]
    client = MemoryClient(node, *pods)

    def deleted() -> list[str]:
        return [name for verb, plural, _, name in client.writes if (verb, plural) == ("delete", "pods")]

    async def look_early() -> None:
        assert deleted() == ["at-once"]

    play(client, [TaintEviction], look_early, seconds=40)
    assert deleted() == ["at-once", "later"]


def test_tolerated_seconds_count_from_the_first_sight_of_a_taint_without_a_time() -> None:
    toleration = {"key": "bad", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}
    client = MemoryClient(
        obj("Node", "n", spec={"taints": [{"key": "bad", "effect": "NoExecute"}]}),
        obj("Pod", "p", "ns", spec={"nodeName": "n", "tolerations": [toleration]}),
    )

    async def look_early() -> None:
        assert ("delete", "pods", "", "p") not in client.writes

    play(client, [TaintEviction], look_early, seconds=40)
    assert ("delete", "pods", "", "p") in client.writes


def test_an_eviction_is_called_off_when_the_taint_goes() -> None:
    toleration = {"key": "bad", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}
    client = MemoryClient(
        obj("Node", "n", spec={"taints": [{"key": "bad", "effect": "NoExecute"}]}),
        obj("Pod", "p", "ns", spec={"nodeName": "n", "tolerations": [toleration]}),
    )

    async def untaint() -> None:
        await client.patch(NODES, "n", {"spec": {"taints": []}})

    play(client, [TaintEviction], untaint, seconds=40)
    assert ("delete", "pods", "", "p") not in client.writes
    [event] = client.all(EVENTS)
    assert (event["reason"], event["message"]) == ("TaintManagerEviction", "Cancelling deletion of Pod ns/p")


def test_pods_of_a_vanished_node_are_failed_and_removed() -> None:
    client = MemoryClient(obj("Pod", "p", "ns", spec={"nodeName": "gone"}))
    play(client, [PodGarbageCollector], seconds=120)
    assert client.all(PODS) == []
    assert ("patch", "pods", "status", "p") in client.writes
