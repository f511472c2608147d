"""Services get addresses and ports of nodes that nobody has, and are told what kube-apiserver 1.36 told of others."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dray.api import errors
from dray.api.meta import Object
from dray.api.resources import NAMESPACES, SERVICES
from dray.apiserver.local import LocalClient
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.registry.service_allocation import PORTS
from dray.apiserver.server import ApiServer
from dray.store.memory import MemoryStore


class Services:
    def __init__(self, client: LocalClient) -> None:
        self.client = client

    async def make(self, name: str, ports: Any = None, **spec: Any) -> Object:
        whole = {"ports": ports or [{"port": 80}], **spec}
        made = await self.client.create(SERVICES, {"metadata": {"name": name}, "spec": whole}, "ns")
        return dict(made["spec"])

    async def refusal(self, name: str = "x", ports: Any = None, **spec: Any) -> str:
        with pytest.raises(errors.StatusError) as refused:
            await self.make(name, ports, **spec)
        return str(refused.value).removeprefix(f'Service "{name}" is invalid: ')

    async def change(self, name: str, **spec: Any) -> Object:
        """None takes a field out."""
        stored = await self.client.get(SERVICES, name, "ns")
        whole = {key: value for key, value in {**stored["spec"], **spec}.items() if value is not None}
        return dict((await self.client.update(SERVICES, {**stored, "spec": whole}))["spec"])


@pytest.fixture
async def services() -> AsyncIterator[Services]:
    server = ApiServer(MemoryStore(), catalog())
    client = LocalClient(server.core)
    await client.create(NAMESPACES, {"metadata": {"name": "ns"}})
    yield Services(client)
    await server.stop()


def numbers(spec: Object) -> list[int]:
    return [port.get("nodePort", 0) for port in spec["ports"]]


async def test_ports_of_nodes_come_from_the_range_and_are_given_once(services: Services) -> None:
    made = [await services.make(f"s{number}", type="NodePort") for number in range(20)]
    given = [number for spec in made for number in numbers(spec)]
    assert len(set(given)) == 20
    assert all(number in PORTS for number in given)


async def test_writes_at_the_same_time_get_different_ones(services: Services) -> None:
    wanted = (services.make(f"s{n}", [{"port": 80, "nodePort": 30500}], type="NodePort") for n in range(3))
    answers = await asyncio.gather(*wanted, return_exceptions=True)
    assert sum(isinstance(answer, errors.Invalid) for answer in answers) == 2
    made = await asyncio.gather(*(services.make(f"t{n}") for n in range(20)))
    assert len({spec["clusterIP"] for spec in made}) == 20


async def test_what_somebody_has_is_refused(services: Services) -> None:
    await services.make("a", [{"port": 80, "nodePort": 30080}], type="NodePort", clusterIP="10.96.7.7")
    taken = "spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated"
    for protocol in ("TCP", "UDP"):
        port = {"port": 80, "nodePort": 30080, "protocol": protocol}
        assert await services.refusal(ports=[port], type="NodePort") == taken
    assert await services.refusal(clusterIP="10.96.7.7") == (
        'spec.clusterIPs: Invalid value: ["10.96.7.7"]: failed to allocate IP 10.96.7.7: provided IP is already allocated'
    )
    await services.client.delete(SERVICES, "a", "ns")
    assert (await services.make("b", clusterIP="10.96.7.7"))["clusterIPs"] == ["10.96.7.7"]
    assert numbers(await services.make("c", [{"port": 80, "nodePort": 30080}], type="NodePort")) == [30080]


async def test_one_port_for_two_protocols_is_one_port_of_the_nodes(services: Services) -> None:
    both = [{"name": "a", "port": 53}, {"name": "b", "port": 53, "protocol": "UDP"}]
    first, second = numbers(await services.make("a", both, type="NodePort"))
    assert first == second


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (
            {"type": "NodePort", "ports": [{"port": 80, "nodePort": 80}]},
            "spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767",
        ),
        (
            {"ports": [{"port": 80, "nodePort": 30082}]},
            "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
        ),
        (
            {"type": "NodePort", "ports": [{"name": "a", "port": 80, "nodePort": 30090}, {"name": "b", "port": 81, "nodePort": 30090}]},
            "spec.ports[1].nodePort: Invalid value: 30090: provided port is already allocated",
        ),
        (
            {"clusterIP": "10.1.1.1"},
            'spec.clusterIPs: Invalid value: ["10.1.1.1"]: failed to allocate IP 10.1.1.1: the provided network does not match the current range',
        ),
        (
            {"clusterIP": "10.96.300.1"},
            'spec.clusterIPs[0]: Invalid value: "10.96.300.1": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        ),
        (
            {"clusterIP": "10.96.7.8", "clusterIPs": ["10.96.7.9"]},
            'spec.clusterIPs: Invalid value: ["10.96.7.9"]: first value must match `clusterIP`',
        ),
        (
            {"clusterIPs": ["10.96.7.10"]},
            'spec.clusterIPs: Invalid value: ["10.96.7.10"]: must be empty when `clusterIP` is not specified',
        ),
        ({"ipFamilies": ["IPv6"]}, 'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'),
        (
            {"ipFamilyPolicy": "RequireDualStack"},
            'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
        ),
        (
            {"clusterIP": "None", "type": "NodePort"},
            "spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services",
        ),
        (
            {"type": "ExternalName", "externalName": "a.example.com", "clusterIP": "10.96.7.20"},
            "spec.clusterIPs: Forbidden: may not be set for ExternalName services",
        ),
        (
            {"type": "LoadBalancer", "healthCheckNodePort": 31001},
            "spec.healthCheckNodePort: Invalid value: 31001: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
        ),
        (
            {"externalTrafficPolicy": "Local"},
            'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services',
        ),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused(services: Services, spec: Any, text: str) -> None:
    assert await services.refusal(**spec) == text


async def test_load_balancers_have_ports_unless_told_not_to(services: Services) -> None:
    assert numbers(await services.make("a", type="LoadBalancer"))[0] in PORTS
    assert numbers(await services.make("b", type="LoadBalancer", allocateLoadBalancerNodePorts=False)) == [0]
    local = await services.make("c", type="LoadBalancer", externalTrafficPolicy="Local")
    assert local["healthCheckNodePort"] in PORTS
    with pytest.raises(errors.Invalid, match=r"spec\.healthCheckNodePort: Forbidden: field is immutable"):
        await services.change("c", healthCheckNodePort=31005)


async def test_headless_services_without_a_selector_have_any_family(services: Services) -> None:
    free = await services.make("a", clusterIP="None")
    assert (free["ipFamilies"], free["ipFamilyPolicy"]) == (["IPv4", "IPv6"], "RequireDualStack")
    bound = await services.make("b", clusterIP="None", selector={"a": "b"})
    assert (bound["ipFamilies"], bound["ipFamilyPolicy"]) == (["IPv4"], "SingleStack")


async def test_what_was_given_stays_where_an_update_leaves_it_out(services: Services) -> None:
    made = await services.make("a", type="NodePort")
    again = await services.change("a", ports=[{"port": 80}], clusterIP=None, clusterIPs=None)
    assert numbers(again) == numbers(made)
    assert again["clusterIPs"] == made["clusterIPs"]


async def test_what_another_type_does_not_have_goes(services: Services) -> None:
    await services.make("a", type="LoadBalancer", externalTrafficPolicy="Local")
    plain = await services.change("a", type="ClusterIP")
    assert numbers(plain) == [0]
    gone = ("externalTrafficPolicy", "healthCheckNodePort", "allocateLoadBalancerNodePorts")
    assert not any(field in plain for field in gone)
    named = await services.change("a", type="ExternalName", externalName="b.example.com")
    assert "clusterIP" not in named
    assert "internalTrafficPolicy" not in named
    assert (await services.change("a", type="ClusterIP", externalName=None))["clusterIP"].startswith("10.")
