"""How devices of pools are counted: as kube-controller-manager 1.36.2 did, and as 1.37 does."""

import gzip
import json
import pathlib

import pytest

from dray.api.meta import Object
from dray.controllers.pool_counts import counted, is_incomplete, summed
from tests.unit.controllers.harness import obj

RECORDED = pathlib.Path(__file__).parents[2] / "corpus" / "controllers" / "pool_statuses.jsonl.gz"
POOLS = [json.loads(line) for line in gzip.decompress(RECORDED.read_bytes()).splitlines()]
ASKED: Object = {"driver": "d"}


def slice_of(*devices: Object, name: str = "s", generation: int = 1, of: int = 1, **spec: object) -> Object:
    pool = {"name": "p", "generation": generation, "resourceSliceCount": of}
    return obj("ResourceSlice", name, spec={"driver": "d", "pool": pool, "devices": list(devices), **spec})


def claim(*devices: str, **result: object) -> Object:
    results = [{"request": "r", "driver": "d", "pool": "p", "device": device, **result} for device in devices]
    return obj("ResourceClaim", "c", "ns", status={"allocation": {"devices": {"results": results}}})


def rule(effect: str, **selector: str) -> Object:
    return obj(
        "DeviceTaintRule", "t", spec={"deviceSelector": selector, "taint": {"key": "k", "effect": effect}}
    )


def sums(*slices: Object, claims: tuple[Object, ...] = (), rules: tuple[Object, ...] = ()) -> Object:
    (found,) = summed(ASKED, slices, claims, rules)
    return found


def numbers(status: Object) -> tuple[int, ...]:
    """Total, allocated, available, unavailable."""
    return tuple(status[f"{word}Devices"] for word in ("total", "allocated", "available", "unavailable"))


def device(name: str, effect: str = "") -> Object:
    return {"name": name, **({"taints": [{"key": "k", "effect": effect}]} if effect else {})}


@pytest.mark.parametrize("recorded", POOLS)
def test_pools_are_counted_as_kube_controller_manager_136_counted_them(recorded: Object) -> None:
    for request in recorded["requests"]:
        ours = counted(request["spec"], recorded["slices"], recorded["claims"])
        if "status" in request:
            assert ours == request["status"].get("pools", [])
            assert len(ours) == request["status"]["poolCount"]
        else:
            # Kubernetes never answers where slices are missing, or where an answer would have to say generation 0.
            assert any(is_incomplete(pool) or pool["generation"] == 0 for pool in ours)


def test_more_slices_than_announced_are_all_counted() -> None:
    slices = [slice_of(device("a"), name="1"), slice_of(device("b"), name="2")]
    (found,) = counted(ASKED, slices, [])
    assert (found["resourceSliceCount"], found["totalDevices"]) == (2, 2)


def test_device_that_several_claims_share_is_allocated_once_since_137() -> None:
    shared = (claim("a"), claim("a"), claim("a"))
    pool = slice_of(device("a"), device("b"))
    assert numbers(sums(pool, claims=shared)) == (2, 1, 1, 0)
    (before,) = counted(ASKED, [pool], shared)
    assert numbers(before) == (2, 3, 0, 0)


def test_administrators_hold_nothing_since_137() -> None:
    watching = (claim("a", adminAccess=True), claim("b", adminAccess=False))
    pool = slice_of(device("a"), device("b"))
    assert numbers(sums(pool, claims=watching)) == (2, 1, 1, 0)
    (before,) = counted(ASKED, [pool], watching)
    assert numbers(before) == (2, 2, 0, 0)


@pytest.mark.parametrize(
    ("effect", "unavailable"), [("NoSchedule", 1), ("NoExecute", 1), ("None", 0), ("Later", 0)]
)
def test_taint_that_keeps_pods_away_makes_a_device_unavailable_since_137(
    effect: str, unavailable: int
) -> None:
    pool = slice_of(device("a", effect), device("b"))
    assert numbers(sums(pool)) == (2, 0, 2 - unavailable, unavailable)
    assert numbers(sums(slice_of(device("a"), device("b")), rules=(rule(effect, device="a"),))) == (
        2,
        0,
        2 - unavailable,
        unavailable,
    )
    (before,) = counted(ASKED, [pool], [])
    assert numbers(before) == (2, 0, 2, 0)


@pytest.mark.parametrize(
    ("selector", "unavailable"),
    [({}, 2), ({"driver": "d", "pool": "p"}, 2), ({"pool": "q"}, 0), ({"device": "b"}, 1), (None, 0)],
)
def test_rule_taints_what_it_selects_and_without_selector_nothing(
    selector: dict[str, str] | None, unavailable: int
) -> None:
    tainting = rule("NoSchedule")
    tainting["spec"]["deviceSelector"] = selector
    assert sums(slice_of(device("a"), device("b")), rules=(tainting,))["unavailableDevices"] == unavailable


def test_device_that_is_tainted_and_allocated_is_taken_off_twice() -> None:
    pool = slice_of(device("a", "NoSchedule"), device("b"), device("c"))
    assert numbers(sums(pool, claims=(claim("a"),))) == (3, 1, 1, 1)
    assert sums(slice_of(device("a", "NoSchedule")), claims=(claim("a"),))["availableDevices"] == 0


def test_pool_that_lacks_slices_has_no_numbers_and_says_so_after_a_word_since_137() -> None:
    pool = slice_of(device("a"), of=2, generation=7)
    text = "pool d/p is incomplete: observed 1/2 slices at generation 7"
    expected = {"driver": "d", "poolName": "p", "generation": 7}
    assert counted(ASKED, [pool], []) == [{**expected, "validationError": text}]
    assert sums(pool) == {**expected, "validationError": f"PoolIncomplete: {text}"}
    assert is_incomplete(sums(pool))


def test_what_cannot_be_summed_up_is_counted_all_the_same() -> None:
    found = sums(slice_of(device("a"), partitionTypeAttribute="d/kind"))
    assert numbers(found) == (1, 0, 1, 0)
    assert found["validationError"].startswith("PartitionTypeMissing: ")
    assert not is_incomplete(found)


def test_reason_is_cut_between_characters() -> None:
    partition = {
        "name": "a" * 63,
        "attributes": {"kind": {"string": "é" * 32}},
        "consumesCounters": [{"counterSet": "s", "counters": {"c": {"value": "1"}}}],
    }
    other = {**partition, "name": "b", "consumesCounters": []}
    costly = {
        **partition,
        "name": "c",
        "consumesCounters": [{"counterSet": "s", "counters": {"c": {"value": "2"}}}],
    }
    spec = {"pool": {"name": "p" * 133, "generation": 1, "resourceSliceCount": 1}}
    pool = slice_of(partitionTypeAttribute="d/kind", sharedCounters=[{"name": "s", "counters": {}}])
    pool["spec"] |= spec | {"devices": [partition, other, costly]}
    for length in range(100, 134):
        pool["spec"]["pool"]["name"] = "p" * length
        text = sums(pool)["validationError"]
        assert len(text.encode()) <= 256
        assert "�" not in text
