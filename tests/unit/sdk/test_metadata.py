"""Containers can read what their devices are: files per request, mounted, restored, updated, removed."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dray.cdi.files import read_spec
from dray.sdk.checkpoint import Checkpoint
from dray.sdk.claimcdi import ClaimCdi
from dray.sdk.claims import AllocatedDevice, Claim, ClaimRef, claim_for_driver
from dray.sdk.conditions import NetworkData
from dray.sdk.devices import Version
from dray.sdk.driver import DeviceMetadata, Driver, PreparedDevice, env
from dray.sdk.errors import ClaimError
from dray.sdk.metadata import MetadataFiles, read_metadata
from dray.sdk.overlap import OverlapGuard
from dray.sdk.preparation import Preparations
from dray.testing.fake_kubelet import allocated_claim

NAME = "gpu.example.com"
CDI_FILE = f"{NAME}_metadata_uid-a_gpu.json"
REF = ClaimRef("uid-a", "default", "a")


class Gpus(Driver):
    name = NAME
    metadata_versions = ("v1alpha1", "v1beta1")

    async def prepare(self, claim: Claim) -> Sequence[PreparedDevice]:
        return [
            PreparedDevice(
                device,
                env(GPU=device.device),
                metadata=DeviceMetadata({"uuid": f"uuid-{device.device}", "driver": Version("1.2.3")}),
            )
            for device in claim.devices
        ]

    async def unprepare(self, claim: ClaimRef, devices: Sequence[AllocatedDevice]) -> None:
        pass


class Node:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.cdi = root / "cdi"
        self.cdi.mkdir()

    def start(self, driver: Driver | None = None, *, boot: str = "boot-1") -> Preparations:
        driver = driver or Gpus()
        return Preparations(
            driver,
            Checkpoint(self.root / "checkpoint.jsonl", lambda error: None),
            ClaimCdi(self.cdi, driver.cdi_kind),
            OverlapGuard(),
            boot_id=boot,
            metadata=MetadataFiles(self.root, self.cdi, NAME, driver.metadata_versions),
        )

    def host_file(self, request: str = "gpu") -> Path:
        return self.root / "dra-device-metadata" / "default_a" / request / "metadata.json"

    def documents(self, request: str = "gpu") -> list[dict[str, Any]]:
        text = self.host_file(request).read_text()
        return [json.loads("{" + part) for part in ("\n" + text).split("\n{")[1:]]


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def claim(*results: dict[str, Any], annotations: dict[str, str] | None = None) -> Claim:
    obj = allocated_claim("a", *(results or ({"device": "gpu-0"},)))
    obj["metadata"]["annotations"] = annotations or {}
    return claim_for_driver(obj, NAME, REF)


async def test_the_file_has_one_document_per_version_the_newest_first(node: Node) -> None:
    await node.start().prepare([claim()])
    first, second = node.documents()
    assert first["apiVersion"] == "metadata.resource.k8s.io/v1beta1"
    assert second == {**first, "apiVersion": "metadata.resource.k8s.io/v1alpha1"}
    assert first["kind"] == "DeviceMetadata"
    assert first["metadata"] == {"name": "a", "namespace": "default", "uid": "uid-a", "generation": 1}
    assert "podClaimName" not in first
    assert first["requests"] == [
        {
            "name": "gpu",
            "devices": [
                {
                    "driver": NAME,
                    "pool": "node",
                    "name": "gpu-0",
                    "attributes": {"uuid": {"string": "uuid-gpu-0"}, "driver": {"version": "1.2.3"}},
                }
            ],
        }
    ]


async def test_the_file_is_mounted_read_only_where_containers_of_a_direct_claim_look(node: Node) -> None:
    await node.start().prepare([claim()])
    spec = read_spec(node.cdi / CDI_FILE)
    assert (spec["kind"], spec["devices"][0]["name"]) == (f"{NAME}/metadata", "uid-a_gpu")
    assert spec["devices"][0]["containerEdits"]["mounts"] == [
        {
            "hostPath": str(node.host_file()),
            "containerPath": "/var/run/kubernetes.io/dra-device-attributes/resourceclaims/a/gpu/"
            f"{NAME}-metadata.json",
            "options": ["ro", "bind"],
        }
    ]


async def test_a_claim_from_a_template_goes_by_the_pods_name_for_it(node: Node) -> None:
    await node.start().prepare([claim(annotations={"resource.kubernetes.io/pod-claim-name": "my-gpus"})])
    mount = read_spec(node.cdi / CDI_FILE)["devices"][0]["containerEdits"]["mounts"][0]
    assert "/resourceclaimtemplates/my-gpus/gpu/" in mount["containerPath"]
    assert node.documents()[0]["podClaimName"] == "my-gpus"


async def test_the_first_device_of_each_request_brings_the_requests_file(node: Node) -> None:
    wanted = claim(
        {"device": "gpu-0", "request": "x/big"}, {"device": "gpu-1", "request": "x/big"}, {"device": "gpu-2"}
    )
    returned = (await node.start().prepare([wanted]))["uid-a"]
    assert not isinstance(returned, ClaimError)
    assert [device.cdi_ids[1:] for device in returned] == [
        (f"{NAME}/metadata=uid-a_x",),
        (),
        (f"{NAME}/metadata=uid-a_gpu",),
    ]
    (request,) = node.documents("x")[0]["requests"]
    assert request["name"] == "x/big"
    assert [device["name"] for device in request["devices"]] == ["gpu-0", "gpu-1"]


async def test_a_driver_without_versions_writes_nothing(node: Node) -> None:
    class Quiet(Gpus):
        metadata_versions = ()

    await node.start(Quiet()).prepare([claim()])
    assert not (node.root / "dra-device-metadata").exists()
    assert len(list(node.cdi.iterdir())) == 1


def test_versions_that_are_not_known_are_refused(node: Node) -> None:
    with pytest.raises(ValueError, match="none of the requested metadata API versions v9 are supported"):
        MetadataFiles(node.root, node.cdi, NAME, ("v9",))


async def test_unprepare_takes_the_files_away(node: Node) -> None:
    preparations = node.start()
    await preparations.prepare([claim()])
    await preparations.unprepare([REF])
    assert list(node.cdi.iterdir()) == []
    assert not node.host_file().parent.parent.exists()


async def test_the_files_are_restored_at_a_start_and_with_the_same_answer(node: Node) -> None:
    first = await node.start().prepare([claim()])
    (node.cdi / CDI_FILE).unlink()
    await node.start().restore()
    assert (node.cdi / CDI_FILE).exists()
    node.host_file().unlink()
    assert await node.start().prepare([claim()]) == first
    assert node.host_file().exists()


async def test_an_update_reaches_the_mounted_file_as_a_new_generation(node: Node) -> None:
    preparations = node.start()
    await preparations.prepare([claim()])
    inode = node.host_file().stat().st_ino
    network = NetworkData("eth1", ("10.0.0.5/24",))
    await preparations.update_metadata("uid-a", {("node", "gpu-0"): DeviceMetadata({}, network)})
    assert node.host_file().stat().st_ino == inode
    document = node.documents()[0]
    assert document["metadata"]["generation"] == 2
    assert document["requests"][0]["devices"][0]["networkData"] == {
        "interfaceName": "eth1",
        "ips": ["10.0.0.5/24"],
    }
    await node.start().prepare([claim()])
    assert node.documents()[0] == document


async def test_only_prepared_claims_can_be_updated(node: Node) -> None:
    with pytest.raises(ClaimError, match="uid-a is not prepared"):
        await node.start().update_metadata("uid-a", {})


async def test_a_reader_takes_the_newest_version_it_knows(node: Node, tmp_path: Path) -> None:
    await node.start().prepare([claim()])
    path = tmp_path / "metadata.json"
    path.write_text('{"apiVersion": "metadata.resource.k8s.io/v7"}\n' + node.host_file().read_text())
    assert read_metadata(path)["apiVersion"] == "metadata.resource.k8s.io/v1beta1"
    path.write_text('{"apiVersion": "metadata.resource.k8s.io/v7"}')
    with pytest.raises(ValueError, match=r"no document of a known version, only metadata.resource.k8s.io/v7"):
        read_metadata(path)
    path.write_text('{"apiVersion": "metadata.resource.k8s.io/v1beta1"}')
    with pytest.raises(ValueError, match="has no list of requests"):
        read_metadata(path)
