"""A pair of devices that do not meet in what their requests derive: what `dray why` tells of it, and what mends it."""

import datetime as dt
from typing import Any

import pytest

from dray.allocation import Allocated, Unsatisfiable
from dray.insight.evidence import Examiner
from dray.insight.gates import gate_of_field, gates_of
from dray.insight.remedies import Doctor, Step
from dray.insight.snapshot import Snapshot
from dray.insight.world import Broken, World

GPU, NIC = "gpu.example.com", "nic.example.com"
NODE = {"kind": "Node", "metadata": {"name": "n"}}


def slice_of(driver: str, *devices: dict[str, Any]) -> dict[str, Any]:
    pool = {"name": "n", "generation": 1, "resourceSliceCount": 1}
    spec = {"driver": driver, "pool": pool, "nodeName": "n", "devices": list(devices)}
    return {"kind": "ResourceSlice", "metadata": {"name": driver}, "spec": spec}


def device(name: str, **attributes: int) -> dict[str, Any]:
    return {"name": name, "attributes": {key: {"int": value} for key, value in attributes.items()}}


def request(name: str, driver: str, expression: str) -> dict[str, Any]:
    derived = {"name": "derived/numa", "expression": f'device.attributes["{driver}"].{expression}'}
    spec = {
        "deviceClassName": driver,
        "allocationMode": "ExactCount",
        "count": 1,
        "derivedAttributes": [derived],
    }
    return {"name": name, "exactly": spec}


def claim(of_gpu: str = "numa", of_nic: str = "numaNode") -> dict[str, Any]:
    requests = [request("gpu", GPU, of_gpu), request("nic", NIC, of_nic)]
    devices = {"requests": requests, "constraints": [{"matchAttribute": "derived/numa"}]}
    meta = {"name": "pair", "namespace": "ns", "uid": "u"}
    return {"kind": "ResourceClaim", "metadata": meta, "spec": {"devices": devices}}


def world_of(asked: dict[str, Any], *slices: dict[str, Any], gates: dict[str, bool] | None = None) -> World:
    selectors = {driver: [{"cel": {"expression": f'device.driver == "{driver}"'}}] for driver in (GPU, NIC)}
    objects: dict[str, list[dict[str, Any]]] = {
        "nodes": [NODE],
        "deviceclasses": [
            {"metadata": {"name": driver}, "spec": {"selectors": each}} for driver, each in selectors.items()
        ],
        "resourceslices": list(slices),
        "resourceclaims": [asked],
    }
    server = {"version": "v1.37.0", "gates": {"DRADerivedAttributes": True} if gates is None else gates}
    snapshot = Snapshot(dt.datetime(2026, 1, 1, tzinfo=dt.UTC), objects, server=server)
    return World(snapshot, gates_of(snapshot).features())


def way_out(world: World, asked: dict[str, Any]) -> list[Step]:
    return Doctor(world, Examiner(world), [asked], NODE).way_out()


def test_gate_of_the_server_decides_whether_values_are_derived() -> None:
    asked = claim()
    slices = slice_of(GPU, device("gpu-0", numa=1)), slice_of(NIC, device("nic-0", numaNode=1))
    assert isinstance(world_of(asked, *slices).ask([asked], NODE), Allocated)
    assert isinstance(world_of(asked, *slices, gates={}).ask([asked], NODE), Unsatisfiable)
    assert gate_of_field("spec.devices.requests[gpu].exactly.derivedAttributes") == "DRADerivedAttributes"


def test_values_that_do_not_meet_are_told() -> None:
    asked = claim()
    slices = slice_of(GPU, device("gpu-0", numa=0)), slice_of(NIC, device("nic-0", numaNode=1))
    world = world_of(asked, *slices)
    refusal = world.ask([asked], NODE)
    assert isinstance(refusal, Unsatisfiable)
    evidence = Examiner(world).examine(refusal, [asked])
    assert [obstacle.text for obstacle in evidence.obstacles] == [
        "requests gpu, nic want 2 devices with the same derived/numa, at most 1 share one (0)"
        "; gpu derives 0 on 1; nic derives 1 on 1"
    ]
    (step,) = way_out(world, asked)
    assert step.fits
    assert step.remedy.advice == (
        "drop constraint #0 (matchAttribute derived/numa) of claim ns/pair, or free devices that agree"
    )


@pytest.mark.parametrize(
    ("of_nic", "advice"),
    [
        ("numanode", "write numaNode instead of numanode: numaNode is on 1 devices, numanode on 0"),
        (
            "row",
            "guard with has(...) or .?name.orValue(...) derived attribute derived/numa of request nic: "
            f'device.attributes["{NIC}"].row',
        ),
    ],
)
def test_expression_that_fails_is_named_with_what_mends_it(of_nic: str, advice: str) -> None:
    asked = claim(of_nic=of_nic)
    slices = slice_of(GPU, device("gpu-0", numa=1)), slice_of(NIC, device("nic-0", numaNode=1))
    world = world_of(asked, *slices)
    broken = world.ask([asked], NODE)
    assert isinstance(broken, Broken)
    (step,) = way_out(world, asked)
    assert step.fits
    assert step.remedy.advice == advice


def test_expression_that_does_not_compile_is_named() -> None:
    asked = claim(of_nic="numaNode +")
    slices = slice_of(GPU, device("gpu-0", numa=1)), slice_of(NIC, device("nic-0", numaNode=1))
    (step,) = way_out(world_of(asked, *slices), asked)
    assert step.fits
    assert step.remedy.advice.startswith(
        "correct (dray cel shows where it is wrong) derived attribute derived/numa"
    )
