"""Claims on record: who may prepare, what drivers are asked, what survives on disk."""

import asyncio
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest

from dray.api.meta import Object
from dray.node.dra.checkpoint import Checkpoint, decode, encode
from dray.node.dra.claiminfo import ClaimInfo, PreparedDevice
from dray.node.dra.containers import ClaimUnknown, cdi_devices, resource_health
from dray.node.dra.preparation import ClaimPreparation, PrepareFailure, UnprepareFailure
from dray.node.metrics import NodeMetrics
from dray.node.plugins.connection import ClaimName, DriverFailure, _checked
from dray.node.plugins.drivers import RegistrationRefused, validate
from dray.testing.memory_client import MemoryClient
from dray.wire.kubelet import DRA
from tests.unit.node.builders import container, pod


class FakeDriver:
    def __init__(self, name: str, calls: list[tuple[str, str, tuple[str, ...]]]) -> None:
        self.name = name
        self.calls = calls
        self.failure = ""
        self.gate: asyncio.Event | None = None

    async def _call(self, verb: str, claims: Iterable[ClaimName]) -> list[ClaimName]:
        asked = list(claims)
        self.calls.append((verb, self.name, tuple(claim.name for claim in asked)))
        if self.gate is not None:
            await self.gate.wait()
        if self.failure:
            raise DriverFailure(self.failure)
        return asked

    async def prepare(self, claims: Iterable[ClaimName]) -> dict[str, tuple[PreparedDevice, ...]]:
        asked = await self._call("prepare", claims)
        return {
            claim.uid: (PreparedDevice("pool", f"{self.name}-0", cdi_ids=(f"{self.name}/gpu={claim.name}",)),)
            for claim in asked
        }

    async def unprepare(self, claims: Iterable[ClaimName]) -> None:
        await self._call("unprepare", claims)


class FakeDrivers:
    def __init__(self) -> None:
        self.calls: list[tuple[str, str, tuple[str, ...]]] = []
        self.present = {name: FakeDriver(name, self.calls) for name in ("a", "b")}

    def find(self, driver: str) -> FakeDriver:
        if driver not in self.present:
            raise DriverFailure(f"DRA driver {driver} is not registered")
        return self.present[driver]

    def is_registered(self, driver: str) -> bool:
        return driver in self.present


class Node:
    def __init__(self, path: Path) -> None:
        self.client = MemoryClient()
        self.drivers = FakeDrivers()
        self.path = path
        self.restart()

    def restart(self, *, with_groups: bool = False) -> None:
        drivers: Any = self.drivers
        self.claims = ClaimPreparation(
            self.client, drivers, Checkpoint(self.path), NodeMetrics(), with_groups=with_groups
        )

    def claim(self, name: str, *drivers: str, pods: Iterable[Object] = (), uid: str = "") -> Object:
        results = [{"request": "gpu", "driver": driver, "pool": "pool", "device": "d"} for driver in drivers]
        status: Object = {
            "reservedFor": [{"resource": "pods", "name": name_of(each), "uid": uid_of(each)} for each in pods]
        }
        if drivers:
            status["allocation"] = {"devices": {"results": results}}
        meta = {"name": name, "namespace": "default", "uid": uid or f"uid-{name}"}
        return self.client.put({"kind": "ResourceClaim", "metadata": meta, "spec": {}, "status": status})


def name_of(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def uid_of(obj: Object) -> str:
    return str(obj["metadata"]["uid"])


def user(name: str, *claims: str) -> Object:
    entries = [{"name": claim, "resourceClaimName": claim} for claim in claims]
    uses = [{"name": claim} for claim in claims]
    meta = {"name": name, "uid": f"uid-{name}"}
    return pod(container(resources={"claims": uses}), resourceClaims=entries, metadata=meta)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path / "dra_manager_state")


async def refusal(node: Node, who: Object) -> str:
    with pytest.raises(PrepareFailure) as failure:
        await node.claims.prepare(who)
    return str(failure.value)


# --- preparing ---


async def test_each_driver_is_asked_once_for_all_claims_of_the_pod(node: Node) -> None:
    who = user("p", "one", "two")
    node.claim("one", "a", pods=[who])
    node.claim("two", "a", "b", pods=[who])
    await node.claims.prepare(who)
    assert node.drivers.calls == [("prepare", "a", ("one", "two")), ("prepare", "b", ("two",))]
    await node.claims.prepare(who)
    assert len(node.drivers.calls) == 2, "what is prepared costs no call"


async def test_why_a_pod_may_not_prepare_is_said_in_the_kubelets_words(node: Node) -> None:
    who, other = user("p", "c"), user("q", "c")
    assert (await refusal(node, who)).startswith("prepare dynamic resources: fetch ResourceClaim c: ")
    node.claim("c", "a", pods=[other])
    assert await refusal(node, who) == (
        "prepare dynamic resources: pod p (uid-p) is not allowed to use ResourceClaim c (uid-c)"
    )
    node.claim("c", pods=[who])
    assert await refusal(node, who) == "prepare dynamic resources: ResourceClaim c: not allocated"
    node.claim("c", "nobody", pods=[who])
    assert await refusal(node, who) == "prepare dynamic resources: DRA driver nobody is not registered"
    assert node.drivers.calls == []
    assert node.claims.claims() == []


@pytest.mark.parametrize("with_groups", [True, False])
async def test_a_claim_of_the_pods_group_is_its_to_use_where_groups_have_claims(
    node: Node, with_groups: bool
) -> None:
    node.restart(with_groups=with_groups)
    who = pod(
        resourceClaims=[{"name": "gpu", "resourceClaimTemplateName": "t"}],
        schedulingGroup={"podGroupName": "g"},
    )
    who["status"] = {"resourceClaimStatuses": [{"name": "gpu", "resourceClaimName": "made"}]}
    made = node.claim("made", "a")
    group = {"name": "g", "uid": "uid-g"}
    made["metadata"]["ownerReferences"] = [
        {"apiVersion": "scheduling.k8s.io/v1alpha2", "kind": "PodGroup", "controller": True, **group}
    ]
    made["status"]["reservedFor"] = [{"apiGroup": "scheduling.k8s.io", "resource": "podgroups", **group}]
    node.client.put(made)
    if with_groups:
        await node.claims.prepare(who)
        assert node.drivers.calls == [("prepare", "a", ("made",))]
        return
    assert await refusal(node, who) == (
        "prepare dynamic resources: ResourceClaim default/made was not created for Pod default/pod (Pod is not owner)"
    )


async def test_a_claim_of_another_group_is_not_the_pods_to_use(node: Node) -> None:
    node.restart(with_groups=True)
    who = pod(
        resourceClaims=[{"name": "gpu", "resourceClaimName": "c"}], schedulingGroup={"podGroupName": "g"}
    )
    other = node.claim("c", "a")
    entry = {"apiGroup": "scheduling.k8s.io", "resource": "podgroups", "name": "h", "uid": "uid-h"}
    other["status"]["reservedFor"] = [entry]
    node.client.put(other)
    assert "is not allowed to use ResourceClaim c (uid-c)" in await refusal(node, who)


async def test_a_claim_from_a_template_must_exist_and_be_the_pods_own(node: Node) -> None:
    who = pod(resourceClaims=[{"name": "gpu", "resourceClaimTemplateName": "t"}])
    assert await refusal(node, who) == (
        'prepare dynamic resources: pod "default/pod": ResourceClaim not created yet'
    )
    who["status"] = {"resourceClaimStatuses": [{"name": "gpu", "resourceClaimName": "made"}]}
    node.claim("made", "a", pods=[who])
    assert "was not created for Pod default/pod (Pod is not owner)" in await refusal(node, who)
    who["status"] = {"resourceClaimStatuses": [{"name": "gpu"}]}
    await node.claims.prepare(who)


async def test_an_old_claim_of_the_same_name_stands_in_the_way_until_it_is_given_back(node: Node) -> None:
    old, new = user("old", "c"), user("new", "c")
    node.claim("c", "a", pods=[old], uid="first")
    await node.claims.prepare(old)
    node.claim("c", "a", pods=[new], uid="second")
    assert await refusal(node, new) == (
        "prepare dynamic resources: old ResourceClaim with same name c and different UID first still exists "
        "(previous pod force-deleted?!)"
    )
    await node.claims.unprepare("uid-old")
    await node.claims.prepare(new)


async def test_when_the_second_driver_fails_the_first_is_not_forgotten(node: Node) -> None:
    who = user("p", "c")
    node.claim("c", "a", "b", pods=[who])
    node.drivers.present["b"].failure = "no"
    assert await refusal(node, who) == "prepare dynamic resources: no"
    node.restart()
    node.drivers.present["b"].failure = ""
    await node.claims.unprepare("uid-p")
    assert node.drivers.calls[-2:] == [("unprepare", "a", ("c",)), ("unprepare", "b", ("c",))]


async def test_two_pods_never_prepare_one_claim_at_the_same_time(node: Node) -> None:
    pods = [user("p", "c"), user("q", "c")]
    node.claim("c", "a", pods=pods)
    gate = node.drivers.present["a"].gate = asyncio.Event()
    both = asyncio.gather(*(node.claims.prepare(each) for each in pods))
    for _ in range(20):
        await asyncio.sleep(0)
    gate.set()
    await both
    assert node.drivers.calls == [("prepare", "a", ("c",))]


# --- giving back ---


async def test_only_the_last_user_gives_a_claim_back(node: Node) -> None:
    pods = [user("p", "c"), user("q", "c")]
    node.claim("c", "a", pods=pods)
    for each in pods:
        await node.claims.prepare(each)
    await node.claims.unprepare("uid-p")
    await node.claims.unprepare("uid-stranger")
    assert node.drivers.calls == [("prepare", "a", ("c",))]
    await node.claims.unprepare("uid-q")
    assert node.drivers.calls[-1] == ("unprepare", "a", ("c",))
    assert node.claims.claims() == []


async def test_a_driver_that_refuses_keeps_its_part_and_only_its_part(node: Node) -> None:
    who = user("p", "c")
    node.claim("c", "a", "b", pods=[who])
    await node.claims.prepare(who)
    node.drivers.present["a"].failure = "still hot"
    with pytest.raises(UnprepareFailure, match="unprepare dynamic resources: still hot") as failure:
        await node.claims.unprepare("uid-p")
    assert failure.value.drivers == ()
    node.drivers.present["a"].failure = ""
    await node.claims.unprepare("uid-p")
    assert node.drivers.calls[-1] == ("unprepare", "a", ("c",))
    assert node.drivers.calls.count(("unprepare", "b", ("c",))) == 1


async def test_a_missing_driver_can_be_given_up(node: Node) -> None:
    who = user("p", "c")
    node.claim("c", "a", pods=[who])
    await node.claims.prepare(who)
    del node.drivers.present["a"]
    with pytest.raises(UnprepareFailure, match="DRA driver a is not registered") as failure:
        await node.claims.unprepare("uid-p")
    (given_up,) = node.claims.abandon("uid-p", failure.value.drivers)
    assert given_up.name == "c"
    assert node.claims.claims() == []


async def test_the_record_survives_a_restart_and_prepares_again(node: Node) -> None:
    who = user("p", "c")
    node.claim("c", "a", pods=[who])
    await node.claims.prepare(who)
    node.restart()
    assert node.claims.pods() == {"uid-p"}
    await node.claims.prepare(who)
    (claim,) = node.claims.claims()
    assert len(claim.drivers["a"]) == 1, "a repeated prepare lists no device twice"


# --- on disk ---


def test_an_empty_record_is_the_kubelets_own_byte_for_byte() -> None:
    document = orjson.loads(encode([]))
    assert document == {
        "Data": '{"kind":"DRACheckpoint","apiVersion":"checkpoint.dra.kubelet.k8s.io/v1","ClaimInfoStateList":[]}',
        "Checksum": 2361995144,
    }


def test_a_record_reads_back_as_it_was_written() -> None:
    device = PreparedDevice("pool", "gpu-0", ("gpu",), ("vendor/gpu=0",), "share")
    claim = ClaimInfo("uid", "c", "ns", {"a": (device,), "b": ()}, {"uid-p"})
    assert decode(encode([claim])) == [claim]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        encode([]).replace(b"2361995144", b"1"),
        orjson.dumps({"Data": '{"kind":"Other"}', "Checksum": zlib.crc32(b'{"kind":"Other"}')}),
    ],
)
def test_an_unreadable_record_is_set_aside_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "dra_manager_state"
    path.write_bytes(content)
    assert Checkpoint(path).load() == []
    assert not path.exists()
    assert (tmp_path / "dra_manager_state.unreadable").read_bytes() == content


def test_a_write_that_fails_leaves_the_record_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = Checkpoint(tmp_path / "dra_manager_state")
    checkpoint.save([])

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save([ClaimInfo("uid", "c", "ns", {})])
    assert checkpoint.load() == []
    assert [path.name for path in tmp_path.iterdir()] == ["dra_manager_state"]


# --- what containers get ---


def find(*claims: ClaimInfo) -> Any:
    return lambda namespace, name: next((each for each in claims if each.name == name), None)


DEVICES = (
    PreparedDevice("pool", "gpu-0", ("big",), ("k/gpu=common", "k/gpu=0")),
    PreparedDevice("pool", "gpu-1", ("small",), ("k/gpu=common", "k/gpu=1")),
    PreparedDevice("pool", "gpu-2"),
)
CLAIM = ClaimInfo("uid", "c", "default", {"a": DEVICES})


def using(*uses: Object) -> tuple[Object, Object]:
    spec = container(resources={"claims": list(uses)})
    return pod(spec, resourceClaims=[{"name": "gpu", "resourceClaimName": "c"}]), spec


def test_a_container_gets_the_devices_of_its_request_each_once() -> None:
    assert cdi_devices(*using({"name": "gpu"}), find(CLAIM)) == ["k/gpu=common", "k/gpu=0", "k/gpu=1"]
    assert cdi_devices(*using({"name": "gpu", "request": "small"}), find(CLAIM)) == [
        "k/gpu=common",
        "k/gpu=1",
    ]
    assert cdi_devices(*using(), find(CLAIM)) == []


def test_a_claim_that_is_not_on_record_is_an_error_not_a_container_without_devices() -> None:
    with pytest.raises(ClaimUnknown, match="unable to get information for ResourceClaim c"):
        cdi_devices(*using({"name": "gpu"}), find())


def test_devices_under_one_id_are_as_healthy_as_the_worst_of_them() -> None:
    def health(driver: str, pool: str, device: str) -> tuple[str, str]:
        return ("Unhealthy", "hot") if device == "gpu-1" else ("Healthy", "")

    (row,) = resource_health(*using({"name": "gpu"}), find(CLAIM), health)
    assert row == {
        "name": "claim:gpu",
        "resources": [
            {"resourceID": "k/gpu=common", "health": "Unhealthy", "message": "hot"},
            {"resourceID": "a/pool/gpu-2", "health": "Healthy"},
        ],
    }


# --- what drivers answer ---


def answer(**entries: str) -> Any:
    message = DRA["v1"].message("NodePrepareResourcesResponse")()
    for uid, error in entries.items():
        message.claims[uid].error = error
    return message.claims


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        ({"u1": "hot", "u2": ""}, "NodePrepareResources failed for ResourceClaim one: hot"),
        ({"u1": ""}, "NodePrepareResources skipped 1 ResourceClaims"),
        ({"u1": "", "u2": "", "u3": ""}, "NodePrepareResources returned result for unknown claim UID u3"),
    ],
)
def test_an_answer_must_speak_of_every_claim_and_of_no_other(entries: dict[str, str], text: str) -> None:
    with pytest.raises(DriverFailure) as failure:
        _checked("NodePrepareResources", answer(**entries), {"u1": "one", "u2": "two"})
    assert str(failure.value) == text


# --- versions ---


def test_the_first_known_version_of_the_drivers_list_is_spoken() -> None:
    assert validate("a", "/s", ("v9.DRAPlugin", "v1beta1.DRAPlugin", "v1.DRAPlugin")) == "v1beta1"


@pytest.mark.parametrize(
    ("driver", "services", "text"),
    [
        ("", ("v1.DRAPlugin",), "DRA driver name is empty"),
        ("a", (), "empty list of supported gRPC services (aka supported versions)"),
        ("a", ("v1",), "none of services supported by the plugin ([v1]) are supported by the kubelet "
         "([v1.DRAPlugin v1beta1.DRAPlugin])"),
    ],
)  # fmt: skip
def test_a_driver_that_cannot_be_spoken_to_is_refused(
    driver: str, services: tuple[str, ...], text: str
) -> None:
    with pytest.raises(RegistrationRefused) as refusal:
        validate(driver, "/s", services)
    assert text in str(refusal.value)
