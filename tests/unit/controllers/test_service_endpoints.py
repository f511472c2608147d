"""Where the pods behind a service are reached is written down, as kube-controller-manager 1.36.2 writes it."""

from collections.abc import Awaitable, Callable
from typing import Any

from dray.api.meta import Object, labels_of
from dray.api.resources import ENDPOINT_SLICES, ENDPOINTS, NODES, PODS, SERVICES
from dray.controllers.endpoint_mirroring import EndpointsMirroring
from dray.controllers.endpoint_slices import ServiceSlices
from dray.controllers.endpoints import ServiceEndpoints
from dray.controllers.slice_sets import LARGEST, Group, reconciled
from dray.testing.memory_client import MemoryClient
from dray.testing.virtual import run
from tests.unit.controllers.harness import controllers, obj, settle

Change = Callable[[MemoryClient], Awaitable[Any]]
APP = {"app": "w"}
FRAME: Object = {"generateName": "s-", "labels": {"a": "b"}}


def service(name: str = "s", **spec: object) -> Object:
    whole = {
        "selector": APP,
        "ports": [{"name": "web", "port": 80, "targetPort": "http"}],
        "clusterIP": "10.0.0.9",
    }
    meta = {"uid": f"uid-{name}", "labels": {"l": "1"}}
    return obj("Service", name, "ns", metadata=meta, spec={**whole, "ipFamilies": ["IPv4"], **spec})


def pod(
    name: str, ip: str, *, ready: bool = True, phase: str = "Running", port: int = 8080, **more: Any
) -> Object:
    meta = {"labels": APP, "uid": f"uid-{name}", **more.pop("metadata", {})}
    container = {"name": "c", "ports": [{"name": "http", "containerPort": port}]}
    status = {
        "phase": phase,
        "podIPs": [{"ip": ip}] if ip else [],
        "conditions": [{"type": "Ready", "status": str(ready)}],
    }
    spec = {"nodeName": "n", "containers": [container], **more}
    return obj("Pod", name, "ns", metadata=meta, spec=spec, status=status)


def node(**labels: str) -> Object:
    named = {f"topology.kubernetes.io/{key}": value for key, value in labels.items()}
    return obj("Node", "n", metadata={"labels": named})


def written(client: MemoryClient, *changes: Change) -> MemoryClient:
    async def scenario() -> None:
        async with controllers(client, ServiceEndpoints, ServiceSlices, EndpointsMirroring):
            await settle()
            for change in changes:
                await change(client)
                await settle()

    run(scenario())
    return client


def subsets(client: MemoryClient, name: str = "s") -> list[Object]:
    found = client.find(ENDPOINTS, name, "ns")
    assert found is not None
    subsets: list[Object] = found.get("subsets") or []
    return subsets


def slices(client: MemoryClient) -> list[Object]:
    return client.all(ENDPOINT_SLICES)


def ips(subset: Object, field: str = "addresses") -> list[str]:
    return [each["ip"] for each in subset.get(field) or ()]


def reached(each: Object) -> list[str]:
    return sorted(address for endpoint in each["endpoints"] for address in endpoint["addresses"])


def test_pods_with_an_address_are_listed_by_whether_they_are_ready() -> None:
    deleted = {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["a/b"]}
    client = written(
        MemoryClient(
*[
                service(), node(zone="z"), pod("a", "10.1.0.2"), pod("b", "10.1.0.1", ready=False), pod("c", ""),
                pod("d", "10.1.0.4", phase="Failed"), pod("e", "10.1.0.5", metadata=deleted),
                pod("f", "10.1.0.6", metadata={"labels": {"app": "other"}}),
            ]
        )
    )  # fmt: skip
    (subset,) = subsets(client)
    target = {"kind": "Pod", "name": "a", "namespace": "ns", "uid": "uid-a"}
    assert subset["addresses"] == [{"ip": "10.1.0.2", "nodeName": "n", "targetRef": target}]
    assert ips(subset, "notReadyAddresses") == ["10.1.0.1"]
    assert subset["ports"] == [{"name": "web", "port": 8080, "protocol": "TCP"}]
    (each,) = slices(client)
    assert labels_of(each) == {
        "l": "1",
        "kubernetes.io/service-name": "s",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    assert each["metadata"]["ownerReferences"][0]["uid"] == "uid-s"
    conditions = {endpoint["addresses"][0]: endpoint["conditions"] for endpoint in each["endpoints"]}
    assert conditions == {
        "10.1.0.2": {"ready": True, "serving": True, "terminating": False},
        "10.1.0.1": {"ready": False, "serving": False, "terminating": False},
        "10.1.0.5": {"ready": False, "serving": True, "terminating": True},
    }
    assert {endpoint["zone"] for endpoint in each["endpoints"]} == {"z"}


def test_pods_that_name_a_port_otherwise_stand_apart() -> None:
    ports = [{"name": "web", "port": 80, "targetPort": "http"}, {"name": "n", "port": 81, "targetPort": 8081}]
    pods = [pod("a", "10.1.0.1"), pod("b", "10.1.0.2", port=9090), pod("c", "10.1.0.3")]
    client = written(MemoryClient(*[service(ports=ports), node(), *pods]))
    found = {
        tuple((port["name"], port["port"]) for port in subset["ports"]): ips(subset)
        for subset in subsets(client)
    }
    assert found == {
        (("n", 8081),): ["10.1.0.1", "10.1.0.2", "10.1.0.3"],
        (("web", 8080),): ["10.1.0.1", "10.1.0.3"],
        (("web", 9090),): ["10.1.0.2"],
    }
    by_port = {
        tuple(sorted(port["port"] for port in each["ports"])): reached(each) for each in slices(client)
    }
    assert by_port == {(8080, 8081): ["10.1.0.1", "10.1.0.3"], (8081, 9090): ["10.1.0.2"]}


def test_a_headless_service_may_have_no_ports_and_says_what_it_is() -> None:
    headless = service(clusterIP="None", ports=[])
    client = written(MemoryClient(*[headless, node(), pod("a", "10.1.0.1", hostname="h", subdomain="s")]))
    (subset,) = subsets(client)
    assert (subset["addresses"][0]["hostname"], subset.get("ports")) == ("h", None)
    (each,) = slices(client)
    assert labels_of(each)["service.kubernetes.io/headless"] == ""
    assert each["endpoints"][0]["hostname"] == "h"


def test_addresses_may_be_published_before_they_are_ready() -> None:
    client = written(
        MemoryClient(*[service(publishNotReadyAddresses=True), node(), pod("a", "10.1.0.1", ready=False)])
    )
    assert ips(subsets(client)[0]) == ["10.1.0.1"]
    assert slices(client)[0]["endpoints"][0]["conditions"] == {
        "ready": True, "serving": False, "terminating": False,
    }  # fmt: skip


def test_a_service_without_pods_has_empty_objects_and_one_without_selector_none() -> None:
    others = [service("none", selector=None), service("named", type="ExternalName", externalName="x.y")]
    client = written(MemoryClient(*[service(), *others]))
    assert subsets(client) == []
    (each,) = slices(client)
    assert (each["endpoints"], each["metadata"]["generateName"]) == ([], "s-")
    assert client.find(ENDPOINTS, "none", "ns") is None
    assert client.find(ENDPOINTS, "named", "ns") is None


def test_what_is_written_follows_pods_and_services() -> None:
    async def ready(client: MemoryClient) -> None:
        status = {"conditions": [{"type": "Ready", "status": "True"}]}
        await client.patch(PODS, "b", {"status": status}, "ns", subresource="status")

    async def relabel(client: MemoryClient) -> None:
        await client.patch(PODS, "a", {"metadata": {"labels": {"app": "other"}}}, "ns")

    async def rename(client: MemoryClient) -> None:
        await client.patch(
            SERVICES, "s", {"spec": {"ports": [{"port": 90}]}, "metadata": {"labels": {"l": "2"}}}, "ns"
        )

    client = written(
        MemoryClient(*[service(), node(), pod("a", "10.1.0.1"), pod("b", "10.1.0.2", ready=False)]),
        ready, relabel, rename,
    )  # fmt: skip
    (subset,) = subsets(client)
    assert (ips(subset), subset["ports"]) == (["10.1.0.2"], [{"port": 90, "protocol": "TCP"}])
    (each,) = slices(client)
    assert (reached(each), labels_of(each)["l"]) == (["10.1.0.2"], "2")


def test_endpoints_go_with_their_service_unless_somebody_else_wrote_them() -> None:
    async def delete(client: MemoryClient) -> None:
        await client.delete(SERVICES, "s", "ns")

    other = obj("Endpoints", "other", "ns", subsets=[])
    client = written(MemoryClient(*[service(), other]), delete)
    assert client.find(ENDPOINTS, "s", "ns") is None
    assert client.find(ENDPOINTS, "other", "ns") is not None


def test_a_pod_waits_for_its_node_to_be_known() -> None:
    async def join(client: MemoryClient) -> None:
        await client.create(NODES, node())

    pods = [service(), pod("a", "10.1.0.1")]
    assert [reached(each) for each in slices(written(MemoryClient(*pods)))] == [[]]
    assert [reached(each) for each in slices(written(MemoryClient(*pods), join))] == [["10.1.0.1"]]


def test_endpoints_written_by_hand_are_repeated_as_slices() -> None:
    subset = {
        "addresses": [{"ip": "10.1.1.1"}, {"ip": "fd00::1"}],
        "notReadyAddresses": [{"ip": "10.1.1.3", "hostname": "h", "nodeName": "n"}],
        "ports": [{"port": 80}],
    }
    byhand = obj("Endpoints", "s", "ns", metadata={"uid": "e", "labels": {"z": "1"}}, subsets=[subset])
    skipped = obj(
        "Endpoints", "k", "ns", metadata={"labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}}, subsets=[subset]
    )  # fmt: skip
    objects = [service(selector=None), service("k", selector=None), byhand, skipped]
    client = written(MemoryClient(*objects))
    found = {each["addressType"]: each for each in slices(client)}
    assert found.keys() == {"IPv4", "IPv6"}
    four = found["IPv4"]
    assert four["endpoints"] == [
        {"addresses": ["10.1.1.1"], "conditions": {"ready": True}},
        {"addresses": ["10.1.1.3"], "conditions": {"ready": False}, "hostname": "h", "nodeName": "n"},
    ]
    assert four["ports"] == [{"name": "", "protocol": "TCP", "port": 80}]
    assert (
        labels_of(four)["endpointslice.kubernetes.io/managed-by"]
        == "endpointslicemirroring-controller.k8s.io"
    )
    assert four["metadata"]["ownerReferences"][0]["kind"] == "Endpoints"

    async def follow(client: MemoryClient) -> None:
        await client.patch(SERVICES, "s", {"spec": {"selector": {"app": "none"}}}, "ns")

    managers = {
        labels_of(each)["endpointslice.kubernetes.io/managed-by"]
        for each in slices(written(MemoryClient(*objects), follow))
    }
    assert managers == {"endpointslice-controller.k8s.io"}


def endpoints(*numbers: int) -> list[Object]:
    return [
        {"addresses": [f"10.0.{n // 200}.{n % 200}"], "targetRef": {"uid": f"u{n}"}, "conditions": {"ready": True}}
        for n in numbers
    ]  # fmt: skip


def test_endpoints_are_shared_out_over_slices_of_a_hundred() -> None:
    group = Group("IPv4", [{"name": "a", "port": 1}], endpoints(*range(250)))
    created = reconciled([group], [], FRAME).create
    assert [len(each["endpoints"]) for each in created] == [LARGEST, LARGEST, 50]


def test_one_pod_more_or_less_changes_one_slice() -> None:
    ports = [{"name": "a", "port": 1}]
    stored = reconciled([Group("IPv4", ports, endpoints(*range(250)))], [], FRAME).create
    less = reconciled([Group("IPv4", ports, endpoints(*range(1, 250)))], stored, FRAME)
    assert (len(less.create), len(less.update), len(less.delete)) == (0, 1, 0)
    more = reconciled([Group("IPv4", ports, endpoints(*range(251)))], stored, FRAME)
    assert (len(more.create), len(more.update), len(more.delete)) == (0, 1, 0)
    same = reconciled([Group("IPv4", ports, endpoints(*range(250)))], stored, FRAME)
    assert (same.create, same.update, same.delete) == ([], [], [])


def test_slices_that_are_not_needed_are_deleted_but_for_the_one_that_says_there_is_nothing() -> None:
    ports = [{"name": "a", "port": 1}]
    stored = reconciled([Group("IPv4", ports, endpoints(*range(150)))], [], FRAME).create
    writes = reconciled([Group("IPv4", ports, [])], stored, FRAME)
    assert (len(writes.create), len(writes.update), len(writes.delete)) == (0, 1, 1)
    assert len(reconciled([], stored, FRAME).delete) == 2
