"""What a peer written in Go sends and expects, byte for byte: the kubelet towards our drivers, a driver towards our node.

The schemas are written down here a second time, from what Kubernetes publishes and not from `dray.wire`, and messages
are put together by hand, so that an error in the declarations cannot hide behind itself.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio
import pytest

from dray.node.dra.claiminfo import PreparedDevice as PreparedByDriver
from dray.node.metrics import NodeMetrics
from dray.node.plugins.connection import ClaimName, DriverConnection, DriverFailure
from dray.sdk import Claim, Device, DeviceHealth, Driver, Health, KubeletPlugin, PreparedDevice, env
from dray.testing.fake_kubelet import FakeKubelet, allocated_claim
from dray.testing.memory_client import MemoryClient
from dray.wire.kubelet import DRA, GRPC_HEALTH, HEALTH, POD_RESOURCES, REGISTRATION
from dray.wire.rpc import UnixChannel, UnixServer
from dray.wire.schema import Package

NAME = "lamps.example.com"
V1 = "/k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin/"
V1BETA1 = "/k8s.io.kubelet.pkg.apis.dra.v1beta1.DRAPlugin/"

# --- schemas: message -> {number: (name, type)}; "*" repeated, "?" optional, "map" a map from strings ---

DEVICE: Final = {
    1: ("request_names", "string*"),
    2: ("pool_name", "string"),
    3: ("device_name", "string"),
    4: ("cdi_device_ids", "string*"),
}


def dra(device: Mapping[int, tuple[str, str]]) -> dict[str, Mapping[int, tuple[str, str]]]:
    return {
        "Claim": {1: ("namespace", "string"), 2: ("uid", "string"), 3: ("name", "string")},
        "NodePrepareResourcesRequest": {1: ("claims", "Claim*")},
        "NodePrepareResourcesResponse": {1: ("claims", "map NodePrepareResourceResponse")},
        "NodePrepareResourceResponse": {1: ("devices", "Device*"), 2: ("error", "string")},
        "Device": device,
        "NodeUnprepareResourcesRequest": {1: ("claims", "Claim*")},
        "NodeUnprepareResourcesResponse": {1: ("claims", "map NodeUnprepareResourceResponse")},
        "NodeUnprepareResourceResponse": {1: ("error", "string")},
    }


HEALTH_MESSAGES: Final[Mapping[str, Mapping[int, tuple[str, str]]]] = {
    "NodeWatchResourcesRequest": {},
    "NodeWatchResourcesResponse": {1: ("devices", "DeviceHealth*")},
    "DeviceIdentifier": {1: ("pool_name", "string"), 2: ("device_name", "string")},
    "DeviceHealth": {
        1: ("device", "DeviceIdentifier"),
        2: ("health", "HealthStatus"),
        3: ("last_updated_time", "int64"),
        4: ("health_check_timeout_seconds", "int64"),
        5: ("message", "string"),
    },
}
SCHEMAS: Final[list[tuple[Package, str, Mapping[str, Mapping[int, tuple[str, str]]]]]] = [
    (
        REGISTRATION,
        "pluginregistration",
        {
            "InfoRequest": {},
            "PluginInfo": {
                1: ("type", "string"),
                2: ("name", "string"),
                3: ("endpoint", "string"),
                4: ("supported_versions", "string*"),
            },
            "RegistrationStatus": {1: ("plugin_registered", "bool"), 2: ("error", "string")},
            "RegistrationStatusResponse": {},
        },
    ),
    (DRA["v1"], "k8s.io.kubelet.pkg.apis.dra.v1", dra({**DEVICE, 5: ("share_id", "string?")})),
    (DRA["v1beta1"], "k8s.io.kubelet.pkg.apis.dra.v1beta1", dra(DEVICE)),
    (HEALTH["v1"], "v1", HEALTH_MESSAGES),
    (HEALTH["v1alpha1"], "v1alpha1", HEALTH_MESSAGES),
    (
        POD_RESOURCES,
        "v1",
        {
            "ListPodResourcesRequest": {},
            "ListPodResourcesResponse": {1: ("pod_resources", "PodResources*")},
            "GetPodResourcesRequest": {1: ("pod_name", "string"), 2: ("pod_namespace", "string")},
            "GetPodResourcesResponse": {1: ("pod_resources", "PodResources")},
            "AllocatableResourcesRequest": {},
            "AllocatableResourcesResponse": {
                1: ("devices", "ContainerDevices*"),
                2: ("cpu_ids", "int64*"),
                3: ("memory", "ContainerMemory*"),
            },
            "PodResources": {
                1: ("name", "string"),
                2: ("namespace", "string"),
                3: ("containers", "ContainerResources*"),
                4: ("cpu_ids", "int64*"),
                5: ("memory", "ContainerMemory*"),
            },
            "ContainerResources": {
                1: ("name", "string"),
                2: ("devices", "ContainerDevices*"),
                3: ("cpu_ids", "int64*"),
                4: ("memory", "ContainerMemory*"),
                5: ("dynamic_resources", "DynamicResource*"),
            },
            "ContainerDevices": {
                1: ("resource_name", "string"),
                2: ("device_ids", "string*"),
                3: ("topology", "TopologyInfo"),
            },
            "ContainerMemory": {
                1: ("memory_type", "string"),
                2: ("size", "uint64"),
                3: ("topology", "TopologyInfo"),
            },
            "TopologyInfo": {1: ("nodes", "NUMANode*")},
            "NUMANode": {1: ("ID", "int64")},
            "DynamicResource": {
                2: ("claim_name", "string"),
                3: ("claim_namespace", "string"),
                4: ("claim_resources", "ClaimResource*"),
            },
            "ClaimResource": {
                1: ("cdi_devices", "CDIDevice*"),
                2: ("driver_name", "string"),
                3: ("pool_name", "string"),
                4: ("device_name", "string"),
                5: ("share_id", "string?"),
            },
            "CDIDevice": {1: ("name", "string")},
        },
    ),
    (
        GRPC_HEALTH,
        "grpc.health.v1",
        {
            "HealthCheckRequest": {1: ("service", "string")},
            "HealthCheckResponse": {1: ("status", "ServingStatus")},
        },
    ),
]
PATHS: Final = {
    "/pluginregistration.Registration/GetInfo",
    "/pluginregistration.Registration/NotifyRegistrationStatus",
    V1 + "NodePrepareResources",
    V1 + "NodeUnprepareResources",
    V1BETA1 + "NodePrepareResources",
    V1BETA1 + "NodeUnprepareResources",
    "/v1.DRAResourceHealth/NodeWatchResources",
    "/v1alpha1.DRAResourceHealth/NodeWatchResources",
    "/v1.PodResourcesLister/List",
    "/v1.PodResourcesLister/GetAllocatableResources",
    "/v1.PodResourcesLister/Get",
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
}

_TYPES: Final = {3: "int64", 4: "uint64", 8: "bool", 9: "string"}


def shape(descriptor: Any) -> dict[int, tuple[str, str]]:
    """The fields of a message as the tables above write them."""
    found = {}
    for field in descriptor.fields:
        kind = _TYPES.get(field.type) or (field.message_type or field.enum_type).name
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            kind = f"map {field.message_type.fields_by_name['value'].message_type.name}"
        elif field.is_repeated:
            kind += "*"
        elif field.containing_oneof is not None:
            kind += "?"
        found[field.number] = (field.name, kind)
    return found


@pytest.mark.parametrize(
    ("package", "name", "messages"), SCHEMAS, ids=[f"{one[1]}-{len(one[2])}" for one in SCHEMAS]
)
def test_messages_have_the_published_names_numbers_and_types(
    package: Package, name: str, messages: Mapping[str, Mapping[int, tuple[str, str]]]
) -> None:
    assert package.file.package == name
    assert {message: shape(package.message(message).DESCRIPTOR) for message in messages} == messages
    assert set(package.file.messages) == set(messages)


def test_methods_have_the_published_paths() -> None:
    packages = [package for package, _, _ in SCHEMAS]
    paths = {
        method.path
        for package in packages
        for service in package.file.services
        for method in package.methods(service).values()
    }
    assert paths == PATHS


def test_health_is_numbered_as_published() -> None:
    for package in HEALTH.values():
        values = package.message("DeviceHealth").DESCRIPTOR.fields_by_name["health"].enum_type.values_by_name
        assert {name: value.number for name, value in values.items()} == {
            "UNKNOWN": 0,
            "HEALTHY": 1,
            "UNHEALTHY": 2,
        }


# --- bytes by hand ---


def text(number: int, value: str | bytes) -> bytes:
    """A string, or a message that is put together already, as a field."""
    data = value.encode() if isinstance(value, str) else value
    assert len(data) < 128  # one byte says the length
    return bytes([number << 3 | 2, len(data)]) + data


def varint(number: int, value: int) -> bytes:
    assert value < 128
    return bytes([number << 3, value])


def fields(data: bytes) -> list[tuple[int, Any]]:
    """(number, value) of a message: int for a varint, else bytes."""
    found: list[tuple[int, Any]] = []
    position = 0

    def number() -> int:
        nonlocal position
        value = shift = 0
        while True:
            byte = data[position]
            position += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while position < len(data):
        tag = number()
        value: Any = number()
        if tag & 7 == 2:
            value, position = data[position : position + value], position + value
        found.append((tag >> 3, value))
    return found


def claim_bytes(name: str) -> bytes:
    return text(1, text(1, "default") + text(2, f"uid-{name}") + text(3, name))


class Lamps(Driver):
    name = NAME

    def discover(self) -> list[Device]:
        return [Device("lamp-0"), Device("lamp-1", allow_multiple_allocations=True)]

    def prepare(self, claim: Claim) -> list[PreparedDevice]:
        return [PreparedDevice(device, env(LAMP=device.device)) for device in claim.devices]

    def unprepare(self, claim: Any, devices: Any) -> None:
        pass

    def health(self) -> list[DeviceHealth]:
        return [DeviceHealth("lamp-0", Health.UNHEALTHY, "burnt out", timeout_seconds=60)]


class GoKubelet:
    """Calls with bytes, as it comes over the wire."""

    def __init__(self, registration: Path, service: Path) -> None:
        self.registration, self.service = UnixChannel(registration), UnixChannel(service)

    async def call(self, path: str, request: bytes = b"", *, registration: bool = False) -> bytes:
        channel = (self.registration if registration else self.service).channel
        invoke: Any = channel.unary_unary(path)  # no serializers: bytes in, bytes out
        answer: bytes = await invoke(request, timeout=10)
        return answer

    def stream(self, path: str) -> Any:
        invoke: Any = self.service.channel.unary_stream(path)
        return invoke(b"")

    async def code(self, path: str, request: bytes = b"", *, registration: bool = False) -> grpc.StatusCode:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.call(path, request, registration=registration)
        code: grpc.StatusCode = caught.value.code()
        return code


@asynccontextmanager
async def driver(tmp_path: Path, *claims: dict[str, Any], **options: Any) -> AsyncIterator[GoKubelet]:
    client = MemoryClient({"kind": "Node", "metadata": {"name": "node", "uid": "node-uid"}}, *claims)
    async with (
        FakeKubelet(tmp_path) as kubelet,
        KubeletPlugin(Lamps(), client, kubelet.options(**options)) as plugin,
    ):
        service = kubelet.root / "plugins" / NAME / "dra.sock"
        peer = GoKubelet(plugin.registrar.path, plugin.registrar.path if options else service)
        try:
            yield peer
        finally:
            await peer.registration.close()
            await peer.service.close()


def values(found: Iterable[tuple[int, Any]], number: int) -> list[Any]:
    return [value for field, value in found if field == number]


async def test_get_info_is_understood(tmp_path: Path) -> None:
    async with driver(tmp_path) as peer:
        info = fields(await peer.call("/pluginregistration.Registration/GetInfo", registration=True))
        assert info[:2] == [(1, b"DRAPlugin"), (2, NAME.encode())]
        assert values(info, 3) == [str(peer.service.path).encode()]
        assert values(info, 4) == [
            b"v1.DRAPlugin",
            b"v1beta1.DRAPlugin",
            b"v1.DRAResourceHealth",
            b"v1alpha1.DRAResourceHealth",
        ]


async def test_a_refused_registration_is_answered_with_an_error_that_the_kubelet_logs(tmp_path: Path) -> None:
    path = "/pluginregistration.Registration/NotifyRegistrationStatus"
    async with driver(tmp_path) as peer:
        assert await peer.call(path, varint(1, 1), registration=True) == b""
        code = await peer.code(path, text(2, "no such versions"), registration=True)
        assert code is grpc.StatusCode.UNKNOWN


async def test_a_v1_kubelet_is_told_of_each_share(tmp_path: Path) -> None:
    share = {"device": "lamp-1", "shareID": "8b4d1f6e"}
    async with driver(tmp_path, allocated_claim("a", share, driver=NAME)) as peer:
        answer = await peer.call(V1 + "NodePrepareResources", claim_bytes("a"))
        cdi = "k8s.lamps.example.com/claim=uid-a-lamp-1-8b4d1f6e"
        device = text(1, "gpu") + text(2, "node") + text(3, "lamp-1") + text(4, cdi) + text(5, "8b4d1f6e")
        (entry,) = values(fields(answer), 1)
        assert entry[:7] == text(1, "uid-a")
        (response,) = values(fields(entry), 2)
        assert response == text(1, device)


async def test_a_kubelet_that_only_knows_v1beta1_is_answered_without_shares(tmp_path: Path) -> None:
    share = {"device": "lamp-1", "shareID": "8b4d1f6e"}
    async with driver(tmp_path, allocated_claim("a", share, driver=NAME)) as peer:
        answer = await peer.call(V1BETA1 + "NodePrepareResources", claim_bytes("a"))
        (entry,) = values(fields(answer), 1)
        (response,) = values(fields(entry), 2)
        (device,) = values(fields(response), 1)
        assert [number for number, _ in fields(device)] == [1, 2, 3, 4]
        # The other version sees the same claim, prepared already.
        again = await peer.call(V1 + "NodePrepareResources", claim_bytes("a"))
        assert b"8b4d1f6e" in again
        released = await peer.call(V1BETA1 + "NodeUnprepareResources", claim_bytes("a"))
        assert fields(released) == [(1, text(1, "uid-a") + text(2, b""))]


async def test_each_claim_has_its_own_entry_and_errors_are_no_statuses(tmp_path: Path) -> None:
    async with driver(tmp_path, allocated_claim("a", {"device": "lamp-0"}, driver=NAME)) as peer:
        answer = await peer.call(V1 + "NodePrepareResources", claim_bytes("a") + claim_bytes("gone"))
        entries = {values(fields(entry), 1)[0]: values(fields(entry), 2)[0] for _, entry in fields(answer)}
        assert entries.keys() == {b"uid-a", b"uid-gone"}
        assert values(fields(entries[b"uid-a"]), 2) == []
        (error,) = values(fields(entries[b"uid-gone"]), 2)
        assert b"default/gone" in error


@pytest.mark.parametrize("version", ["v1", "v1alpha1"])
async def test_health_is_streamed_in_both_versions(tmp_path: Path, version: str) -> None:
    async with driver(tmp_path) as peer:
        stream = peer.stream(f"/{version}.DRAResourceHealth/NodeWatchResources")
        async with asyncio.timeout(10):
            message = fields(await stream.read())
        stream.cancel()
        (device,) = values(message, 1)
        found = dict(fields(device))
        assert found[1] == text(1, "node") + text(2, "lamp-0")
        assert (found[2], found[4], found[5]) == (2, 60, b"burnt out")
        assert found[3] > 1_600_000_000


@pytest.mark.parametrize("single_socket", [False, True])
async def test_what_is_not_served_is_unimplemented(tmp_path: Path, single_socket: bool) -> None:
    options = {"single_socket": True} if single_socket else {}
    async with driver(tmp_path, **options) as peer:
        for path in (
            "/k8s.io.kubelet.pkg.apis.dra.v1alpha3.Node/NodePrepareResources",
            "/v1beta1.DRAPlugin/NodePrepareResources",
            V1 + "NodeListResources",
            "/v1.PodResourcesLister/List",
        ):
            assert await peer.code(path) is grpc.StatusCode.UNIMPLEMENTED, path
        if not single_socket:
            code = await peer.code(V1 + "NodePrepareResources", registration=True)
            assert code is grpc.StatusCode.UNIMPLEMENTED


async def test_fields_of_a_newer_kubelet_are_read_over(tmp_path: Path) -> None:
    async with driver(tmp_path, allocated_claim("a", {"device": "lamp-0"}, driver=NAME)) as peer:
        newer = text(1, fields(claim_bytes("a"))[0][1] + text(9, "later")) + varint(12, 1)
        (entry,) = values(fields(await peer.call(V1 + "NodePrepareResources", newer)), 1)
        assert values(fields(values(fields(entry), 2)[0]), 2) == []


async def test_bytes_that_are_no_message_end_their_call_only(tmp_path: Path) -> None:
    async with driver(tmp_path) as peer:
        # Go's servers say INTERNAL, Python's UNKNOWN; a kubelet treats them alike, and sends no such bytes.
        assert await peer.code(V1 + "NodePrepareResources", b"\xff\xff") is grpc.StatusCode.UNKNOWN
        assert await peer.call(V1 + "NodePrepareResources") == b""


# --- the other way: our node towards a driver written in Go ---


class GoDriver(grpc.GenericRpcHandler):
    """Answers every method with the bytes it was told, and keeps what it was asked."""

    def __init__(self, answers: Mapping[str, bytes]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, bytes]] = []

    def service(self, handler_call_details: Any) -> Any:
        path = handler_call_details.method
        if path not in self.answers:
            return None

        async def answer(request: bytes, context: Any) -> bytes:
            self.asked.append((path, request))
            return self.answers[path]

        return grpc.unary_unary_rpc_method_handler(answer)


@pytest.mark.parametrize(("version", "path"), [("v1", V1), ("v1beta1", V1BETA1)])
async def test_our_node_asks_and_understands_a_driver_of_either_version(
    tmp_path: Path, version: str, path: str
) -> None:
    device = text(1, "r") + text(2, "pool") + text(3, "d") + text(4, "v.com/c=1") + text(4, "v.com/c=2")
    if version == "v1":
        device += text(5, "share")
    prepared = text(1, text(1, "uid-a") + text(2, text(1, device)))
    driver = GoDriver(
        {
            path + "NodePrepareResources": prepared,
            path + "NodeUnprepareResources": text(1, text(1, "uid-a") + text(2, "")),
        }
    )
    server = UnixServer(tmp_path / "dra.sock", [driver])
    await server.start()
    connection = DriverConnection(
        NAME, "dra.sock", tmp_path / "dra.sock", version, (), NodeMetrics(), lambda changed: None
    )
    name = ClaimName("default", "a", "uid-a")
    try:
        answer = await connection.prepare([name])
        await connection.unprepare([name])
    finally:
        await connection.close()
        await server.stop()
    assert driver.asked == [
        (path + "NodePrepareResources", claim_bytes("a")),
        (path + "NodeUnprepareResources", claim_bytes("a")),
    ]
    share = "share" if version == "v1" else None
    expected = PreparedByDriver("pool", "d", ("r",), ("v.com/c=1", "v.com/c=2"), share)
    assert answer == {"uid-a": (expected,)}


async def test_our_node_says_what_a_driver_does_not_serve(tmp_path: Path) -> None:
    server = UnixServer(tmp_path / "dra.sock", [GoDriver({})])
    await server.start()
    connection = DriverConnection(
        NAME, "dra.sock", tmp_path / "dra.sock", "v1", (), NodeMetrics(), lambda changed: None
    )
    try:
        with pytest.raises(DriverFailure, match="rpc error: code = Unimplemented"):
            await connection.prepare([ClaimName("default", "a", "uid-a")])
    finally:
        await connection.close()
        await server.stop()
