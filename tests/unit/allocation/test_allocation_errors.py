"""Which complaint comes first, and that none is lost on the way to a plain "no"."""

from typing import Any

import pytest

from dray.allocation import DeviceIndex, InvalidInput

DRIVER = "d.example.com"
NODE = {"metadata": {"name": "n"}}


def index_of(*devices: dict[str, Any]) -> DeviceIndex:
    index = DeviceIndex()
    index.put_class({"metadata": {"name": "c"}, "spec": {}})
    pool = {"name": "p", "generation": 1, "resourceSliceCount": 1}
    spec = {"driver": DRIVER, "nodeName": "n", "pool": pool, "devices": list(devices)}
    index.put_slice({"metadata": {"name": "devices"}, "spec": spec})
    return index


def claim(name: str, *requests: dict[str, Any], **devices: Any) -> dict[str, Any]:
    spec = {"devices": {"requests": list(requests), **devices}}
    return {"metadata": {"name": name, "namespace": "ns", "uid": name}, "spec": spec}


def request(name: str, **exactly: Any) -> dict[str, Any]:
    return {"name": name, "exactly": {"deviceClassName": "c", **exactly}}


def exactly(name: str, count: int) -> dict[str, Any]:
    return request(name, allocationMode="ExactCount", count=count)


def every(name: str, **more: Any) -> dict[str, Any]:
    return request(name, allocationMode="All", **more)


def test_claim_that_is_too_large_is_an_error_behind_one_that_asks_for_all_devices() -> None:
    claims = [claim("all", every("r", adminAccess=True)), claim("large", exactly("r", 33))]
    with pytest.raises(InvalidInput) as error:
        index_of({"name": "d0"}).prepare(claims).on_node(NODE)
    assert (
        error.value.message == "claim ns/large: number of requested devices 33 exceeds the claim limit of 32"
    )


def test_claim_that_is_too_large_is_an_error_beside_a_slice_whose_node_selector_cannot_be_read() -> None:
    index = index_of({"name": "d0"})
    term = {"matchExpressions": [{"key": "k", "operator": "Gt", "values": ["many"]}]}
    pool = {"name": "elsewhere", "generation": 1, "resourceSliceCount": 1}
    spec = {"driver": DRIVER, "pool": pool, "perDeviceNodeSelection": True, "devices": [{"name": "free"}]}
    spec["devices"][0]["nodeSelector"] = {"nodeSelectorTerms": [term]}
    index.put_slice({"metadata": {"name": "broken"}, "spec": spec})
    with pytest.raises(InvalidInput):
        index.prepare([claim("large", exactly("a", 20), exactly("b", 20))]).on_node(NODE)


def test_constraint_that_forbids_one_of_all_devices_is_found_though_the_first_device_is_taken_before() -> (
    None
):
    devices = [{"name": f"d{number}"} for number in range(3)]
    claims = [
        claim("one", exactly("r", 1)),
        claim("all", every("r"), constraints=[{"distinctAttribute": f"{DRIVER}/absent"}]),
    ]
    with pytest.raises(InvalidInput) as error:
        index_of(*devices).prepare(claims).on_node(NODE)
    assert error.value.message == (
        f"claim ns/all, request r: cannot add device {DRIVER}/p/d0 because a claim constraint would not be satisfied"
    )


@pytest.mark.parametrize(
    ("term", "complaint"),
    [
        (
            {"matchFields": [{"key": "metadata.name", "operator": "Gt", "values": ["n"]}]},
            'matchFields[0].operator: Unsupported value: "Gt": supported values: "In", "NotIn"',
        ),
        (
            {"matchExpressions": [{"key": "k", "operator": "In"}]},
            "matchExpressions[0].values: Invalid value: null: for 'in', 'notin' operators, values set can't be empty",
        ),
    ],
)
def test_node_selector_of_a_slice_that_cannot_be_read_says_where(
    term: dict[str, Any], complaint: str
) -> None:
    index = index_of({"name": "d0"})
    pool = {"name": "elsewhere", "generation": 1, "resourceSliceCount": 1}
    selector = {"nodeSelectorTerms": [term]}
    spec = {"driver": DRIVER, "pool": pool, "nodeSelector": selector, "devices": [{"name": "free"}]}
    index.put_slice({"metadata": {"name": "broken"}, "spec": spec})
    with pytest.raises(InvalidInput) as error:
        index.prepare([claim("one", exactly("r", 1))]).on_node(NODE)
    assert error.value.message.endswith(f": nodeSelectorTerms[0].{complaint}")
