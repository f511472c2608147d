"""The example driver, over real sockets, against recordings of the Kubernetes example driver.

tests/corpus/drivers/recorded-nodes.jsonl: per example the driver's environment, the slices it published, its CDI files,
the claims it prepared and what the kubelet was told. Recorded from Kubernetes 1.36.2 with example driver v0.4.0, the
tutorial also with v0.1.0.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dray.api.meta import Object
from dray.api.resources import RESOURCE_SLICES
from dray.drivers.example.calls import call_log
from dray.drivers.example.main import FLAGS, new_driver
from dray.drivers.example.release import release_of
from dray.sdk.options import parse
from dray.sdk.plugin import KubeletPlugin
from dray.testing.fake_kubelet import FakeKubelet
from dray.testing.memory_client import MemoryClient

CORPUS = Path(__file__).parents[2] / "corpus" / "drivers" / "recorded-nodes.jsonl"
RECORDED = [json.loads(line) for line in CORPUS.read_text().splitlines()]

# The server's answer to a field it does not serve (the alpha gate DRANodeAllocatableResources was off): the driver
# sends it all the same, and the memory client keeps it.
DROPPED_WHEN_RECORDED = {"examples/native-resource-request": "nodeAllocatableResourceMappings"}


async def recorded_minor() -> int:
    """The version of the API server that answered."""
    return 36


def by_name(devices: list[Object]) -> dict[str, Object]:
    return {device["name"]: {**device, "name": ""} for device in devices}


def nodes(recorded: dict[str, Any]) -> list[str]:
    return sorted({file["node"] for file in recorded["files"]})


CASES = [(recorded, node) for recorded in RECORDED for node in nodes(recorded)]
EVERY_CASE = pytest.mark.parametrize(
    ("recorded", "node"), CASES, ids=[f"{recorded['example']}@{node}" for recorded, node in CASES]
)


def files_of(recorded: dict[str, Any], node: str) -> Iterator[dict[str, Any]]:
    return (file for file in recorded["files"] if file["node"] == node)


class Running:
    """One example driver on one fake node."""

    def __init__(self, tmp_path: Path, recorded: dict[str, Any], node: str) -> None:
        environment = recorded["environment"] | {"NODE_NAME": node}
        self.kubelet = FakeKubelet(tmp_path)
        self.client = MemoryClient({"kind": "Node", "metadata": {"name": node, "uid": f"{node}-uid"}})
        for file in files_of(recorded, node):
            if file["claim"]:
                self.client.put(file["claim"])
        options = self.kubelet.options(node)
        release = release_of(environment)
        driver = new_driver(parse(FLAGS, [], environment, "test"), options, release)
        self.plugin = KubeletPlugin(
            driver, self.client, options, calls=call_log(release), server_minor=recorded_minor
        )

    async def __aenter__(self) -> "Running":
        await self.kubelet.__aenter__()
        await self.plugin.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.plugin.__aexit__(*exc)
        await self.kubelet.__aexit__(*exc)


@EVERY_CASE
async def test_slices_are_those_the_go_driver_published(
    tmp_path: Path, recorded: dict[str, Any], node: str
) -> None:
    expected = [entry for entry in recorded["slices"] if entry["spec"]["nodeName"] == node]
    async with Running(tmp_path, recorded, node) as running:
        await running.plugin.publisher.published()
        published = sorted(
            running.client.all(RESOURCE_SLICES), key=lambda obj: str(obj["metadata"]["generateName"])
        )
    dropped = DROPPED_WHEN_RECORDED.get(recorded["example"])
    assert len(published) == len(expected)
    for ours, theirs in zip(published, expected, strict=True):
        if recorded["example"] != "tutorial/seed":  # older drivers named slices otherwise
            assert ours["metadata"]["generateName"] == theirs["generateName"]
        ours_spec = {key: value for key, value in ours["spec"].items() if key not in ("pool", "devices")}
        theirs_spec = {key: value for key, value in theirs["spec"].items() if key not in ("pool", "devices")}
        assert ours_spec == theirs_spec
        assert ours["spec"]["pool"]["name"] == theirs["spec"]["pool"]["name"]
        devices = [
            {key: value for key, value in device.items() if key != dropped}
            for device in ours["spec"].get("devices", [])
        ]
        assert by_name(devices) == by_name(theirs["spec"].get("devices", []))


@EVERY_CASE
async def test_claims_are_prepared_as_the_go_driver_did(
    tmp_path: Path, recorded: dict[str, Any], node: str
) -> None:
    async with Running(tmp_path, recorded, node) as running:
        plugin = await running.kubelet.plugin(running.plugin.driver.name)
        for file in files_of(recorded, node):
            if file["claim"]:
                uid = file["claim"]["metadata"]["uid"]
                returned = (await plugin.prepare(file["claim"]))[uid]
                assert sorted(map(as_kubelet_state, returned), key=str) == sorted(file["kubelet"], key=str)
            text = (running.kubelet.cdi_root / file["file"]).read_text()
            ours, theirs = yaml.safe_load(text), yaml.safe_load(file["text"])
            assert by_name(ours.pop("devices")) == by_name(theirs.pop("devices"))
            assert ours == theirs


def as_kubelet_state(device: Any) -> Object:
    """A device as the kubelet's checkpoint has it."""
    return {
        "PoolName": device.pool_name,
        "DeviceName": device.device_name,
        "ShareID": device.share_id if device.HasField("share_id") else None,
        "RequestNames": list(device.request_names),
        "CDIDeviceIDs": list(device.cdi_device_ids),
    }


SINGLE = [(recorded, node) for recorded, node in CASES if recorded["example"].startswith("tutorial/")]


@pytest.mark.parametrize(("recorded", "node"), SINGLE, ids=[recorded["example"] for recorded, _ in SINGLE])
async def test_tutorial_files_are_the_same_to_the_byte(
    tmp_path: Path, recorded: dict[str, Any], node: str
) -> None:
    async with Running(tmp_path, recorded, node) as running:
        plugin = await running.kubelet.plugin("gpu.example.com")
        for file in files_of(recorded, node):
            if file["claim"]:
                await plugin.prepare(file["claim"])
            assert (running.kubelet.cdi_root / file["file"]).read_text() == file["text"]


@pytest.mark.parametrize(("recorded", "node"), SINGLE, ids=[recorded["example"] for recorded, _ in SINGLE])
async def test_tutorial_logs_say_the_same(
    tmp_path: Path, recorded: dict[str, Any], node: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Line for line, but for times, source names, and warnings of API versions that dray does not use."""
    from dray.kits.klog import KlogFormatter

    caplog.set_level("INFO", "dra")
    async with Running(tmp_path, recorded, node) as running:
        plugin = await running.kubelet.plugin("gpu.example.com")
        claim = next(file["claim"] for file in files_of(recorded, node) if file["claim"])
        await plugin.prepare(claim)
        await plugin.unprepare(claim)
    ours = [KlogFormatter().format(record) for record in caplog.records if record.name == "dra"]
    theirs = [line for line in recorded["log"] if "health.go" not in line and "warnings.go" not in line]
    expected = [line.partition("] ")[2] for line in theirs]
    if recorded["example"] == "tutorial/seed":
        assert [line.partition("] ")[2] for line in ours] == expected
    else:
        assert [without_version(line.partition("] ")[2]) for line in ours] == [
            without_version(line) for line in expected
        ]


def without_version(line: str) -> str:
    return line.replace("dra.v1beta1.", "dra.v1.")


async def test_health_lines_of_the_tutorial_are_said_at_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorded, node = next(case for case in SINGLE if case[0]["example"] == "tutorial/v1")
    caplog.set_level("INFO", "dray.sdk.probe")
    running = Running(tmp_path, recorded, node)
    object.__setattr__(running.plugin.options, "healthcheck_port", 0)
    async with running:
        pass
    said = [record.getMessage() for record in caplog.records if record.name == "dray.sdk.probe"]
    assert said == [
        "connecting to registration socket",
        "connecting to DRA socket",
        "starting healthcheck service",
    ]
