"""Answers about pools against a naive count and against the allocator, over random pools and allocations."""

from fractions import Fraction
from itertools import combinations
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dray.allocation import Allocated, DeviceIndex, Features
from dray.api.features import FeatureGates
from dray.api.schema import decode, schema_for
from dray.api.validation.resource.pool_status import validate_pool_request_status
from dray.controllers.pool_counts import counted, summed

DRIVER = "d.example.com"
ATTRIBUTE = f"{DRIVER}/kind"
NODE = {"metadata": {"name": "n"}}
AMOUNTS = ("1", "2", "1500m", "3", "4Ki", "4Mi")
PUBLISHED = ("s0", "s1")


def costs(sets: tuple[str, ...]) -> st.SearchStrategy[dict[str, dict[str, int]]]:
    amounts = st.dictionaries(st.sampled_from("ce"), st.integers(0, 3), min_size=1)
    return st.dictionaries(st.sampled_from(sets), amounts, max_size=2)


@st.composite
def devices(draw: st.DrawFn, kinds: dict[str, Any]) -> list[dict[str, Any]]:
    """All of a kind draw on the same counters, as the API asks of drivers."""
    found = []
    for number in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(sorted(kinds)))
        key = draw(st.sampled_from(("kind", ATTRIBUTE)))
        device: dict[str, Any] = {"name": f"d{number}", "attributes": {key: {"string": kind}}}
        if kinds[kind]:
            device["consumesCounters"] = [
                {"counterSet": name, "counters": {c: {"value": str(n)} for c, n in taken.items()}}
                for name, taken in kinds[kind].items()
            ]
        if draw(st.integers(0, 2)) == 0:
            device["allowMultipleAllocations"] = True
            keys = draw(st.sets(st.sampled_from(("memory", "cores"))))
            device["capacity"] = {each: {"value": draw(st.sampled_from(AMOUNTS))} for each in sorted(keys)}
        if draw(st.integers(0, 3)) == 0:
            effect = draw(st.sampled_from(("NoSchedule", "NoExecute", "None")))
            device["taints"] = [{"key": "t", "effect": effect}]
        found.append(device)
    return found


@st.composite
def claims(draw: st.DrawFn, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    held = []
    for number in range(draw(st.integers(0, 5))):
        device = draw(st.sampled_from([*found, {"name": "gone"}]))
        result: dict[str, Any] = {"request": "r", "driver": DRIVER, "pool": "p", "device": device["name"]}
        if draw(st.integers(0, 4)) == 0:
            result["adminAccess"] = True
        if device.get("allowMultipleAllocations"):
            result["shareID"] = f"00000000-0000-4000-8000-{number:012}"
            result["consumedCapacity"] = {
                key: draw(st.sampled_from(AMOUNTS)) for key in sorted(device["capacity"])
            }
        held.append(
            {
                "metadata": {"name": f"c{number}", "namespace": "ns", "uid": f"u{number}"},
                "status": {"allocation": {"devices": {"results": [result]}}},
            }
        )
    return held


@st.composite
def worlds(
    draw: st.DrawFn, sets: tuple[str, ...] = (*PUBLISHED, "s2")
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], str | None]:
    """Slices of one pool, claims, and the attribute that only the question names, if it does.

    Devices draw on counters of `sets`.
    """
    kinds = {kind: draw(costs(sets)) for kind in "xyz"}
    found = draw(devices(kinds))
    by_question = draw(st.booleans())
    counters = [
        {"name": name, "counters": {c: {"value": str(draw(st.integers(0, 6)))} for c in "ce"}}
        for name in PUBLISHED
    ]
    base = {
        "driver": DRIVER,
        "nodeName": "n",
        "pool": {"name": "p", "generation": 1, "resourceSliceCount": 2},
    }
    parts: list[dict[str, Any]] = [{"sharedCounters": counters}, {"devices": found}]
    if not by_question:
        parts[1]["partitionTypeAttribute"] = ATTRIBUTE
    slices = [
        {"metadata": {"name": f"slice-{index}"}, "spec": {**base, **part}} for index, part in enumerate(parts)
    ]
    return slices, draw(claims(found)), ATTRIBUTE if by_question else None


def answer(world: tuple[list[dict[str, Any]], list[dict[str, Any]], str | None]) -> dict[str, Any]:
    slices, held, default = world
    (status,) = summed({"driver": DRIVER, "defaultPartitionTypeAttribute": default}, slices, held, ())
    return status


def results(held: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = [result for claim in held for result in claim["status"]["allocation"]["devices"]["results"]]
    return [result for result in found if not result.get("adminAccess")]


def kind_of(device: dict[str, Any]) -> str:
    (attribute,) = device["attributes"].values()
    return str(attribute["string"])


def taken_by(chosen: list[dict[str, Any]]) -> dict[tuple[str, str], int]:
    sums: dict[tuple[str, str], int] = {}
    for device in chosen:
        for consumption in device.get("consumesCounters", ()):
            for counter, amount in consumption["counters"].items():
                key = (consumption["counterSet"], counter)
                sums[key] = sums.get(key, 0) + int(amount["value"])
    return sums


def fit(slices: list[dict[str, Any]], used: list[dict[str, Any]], more: list[dict[str, Any]]) -> bool:
    """Whether the counters have room for `more`: only those that `more` draws on matter."""
    there = {
        (each["name"], counter): int(amount["value"])
        for each in slices[0]["spec"]["sharedCounters"]
        for counter, amount in each["counters"].items()
    }
    asked, spent = taken_by(more), taken_by(used)
    return all(key in there and spent.get(key, 0) + amount <= there[key] for key, amount in asked.items())


def number(text: str) -> Fraction:
    for suffix, factor in (("Ki", 2**10), ("Mi", 2**20), ("m", Fraction(1, 1000))):
        if text.endswith(suffix):
            return Fraction(text.removesuffix(suffix)) * factor
    return Fraction(text)


@settings(max_examples=150)
@given(worlds())
def test_partitions_are_summed_up_as_trying_every_combination_does(
    world: tuple[list[dict[str, Any]], list[dict[str, Any]], str | None],
) -> None:
    slices, held, _ = world
    found = slices[1]["spec"]["devices"]
    names = {result["device"] for result in results(held)}
    used = [device for device in found if device["name"] in names]
    expected = {}
    for kind in "xyz":
        all_of = [d for d in found if kind_of(d) == kind and d.get("consumesCounters")]
        fresh = [device for device in all_of if device not in used]
        sizes = [
            len(chosen)
            for size in range(len(fresh) + 1)
            for chosen in combinations(fresh, size)
            if fit(slices, used, list(chosen))
        ]
        if all_of:
            expected[kind] = (len(all_of), max(sizes))
    told = answer(world).get("partitionSummary", [])
    assert {each["type"]: (each["total"], each["allocatable"]) for each in told} == expected
    assert all(each["attribute"] == ATTRIBUTE for each in told)


@settings(max_examples=150)
@given(worlds())
def test_devices_and_capacities_are_summed_up_as_counting_one_by_one_does(
    world: tuple[list[dict[str, Any]], list[dict[str, Any]], str | None],
) -> None:
    slices, held, _ = world
    found = slices[1]["spec"]["devices"]
    names = {result["device"] for result in results(held)}
    status = answer(world)
    tainted = [d for d in found if any(taint["effect"] != "None" for taint in d.get("taints", ()))]
    assert status["totalDevices"] == len(found)
    assert status["allocatedDevices"] == len(names)
    assert status["unavailableDevices"] == len(tainted)
    assert status["availableDevices"] == max(0, len(found) - len(names) - len(tainted))
    shareable = [device for device in found if device.get("allowMultipleAllocations")]
    if not shareable:
        assert "shareableSummary" not in status
        return
    summary = status["shareableSummary"]
    untouched = [device for device in shareable if device["name"] not in names]
    assert summary["fullyAvailableDevices"] == len(untouched)
    assert summary["partiallyAvailableDevices"] == len(shareable) - len(untouched)
    capacities = {each["name"]: each for each in summary.get("capacity", ())}
    assert list(capacities) == sorted({key for device in shareable for key in device["capacity"]})
    for key, told in capacities.items():
        total = sum(number(d["capacity"][key]["value"]) for d in shareable if key in d["capacity"])
        consumed = sum(number(result.get("consumedCapacity", {}).get(key, "0")) for result in results(held))
        assert [number(told[word]) for word in ("total", "consumed", "available")] == [
            total,
            consumed,
            max(0, total - consumed),
        ]


@settings(max_examples=150)
@given(worlds())
def test_every_answer_is_one_that_the_api_server_takes_as_it_is(
    world: tuple[list[dict[str, Any]], list[dict[str, Any]], str | None],
) -> None:
    slices, held, _ = world
    schema = schema_for("resource.k8s.io/v1alpha3", "ResourcePoolStatusRequest")
    assert schema is not None
    for release, pools in (
        ("1.36", counted({"driver": DRIVER}, slices, held)),
        ("1.37", [answer(world)]),
    ):
        status = {"poolCount": 1, "pools": pools}
        assert validate_pool_request_status(status, None) == []
        read = decode({"status": status}, schema, gates=FeatureGates(release=release).later())
        assert read.strict_errors == ()
        assert read.object["status"] == status


@settings(max_examples=100)
@given(worlds(PUBLISHED))
def test_what_is_allocatable_can_be_had_from_the_allocator_and_no_more(
    world: tuple[list[dict[str, Any]], list[dict[str, Any]], str | None],
) -> None:
    slices, held, _ = world
    for device in slices[1]["spec"]["devices"]:
        # Of a shared partition in use the allocator may give another share, which the summary does not count.
        device.pop("allowMultipleAllocations", None)
    for result in results(held):
        result.pop("shareID", None)
    names = {result["device"] for result in results(held)}
    # Where more was given out than there is, the allocator gives out nothing of the set, whatever its other counters say.
    assume(fit(slices, [], [device for device in slices[1]["spec"]["devices"] if device["name"] in names]))
    index = DeviceIndex(Features())
    index.put_class({"metadata": {"name": "c"}, "spec": {}})
    for entry in slices:
        index.put_slice(entry)
    for claim in held:
        index.put_claim(claim)
    for each in answer(world).get("partitionSummary", ()):
        for count in (each["allocatable"], each["allocatable"] + 1):
            if count:
                outcome = index.prepare([asking(each["type"], count)]).on_node(NODE)
                assert isinstance(outcome, Allocated) == (count == each["allocatable"])


def asking(kind: str, count: int) -> dict[str, Any]:
    exactly = {
        "deviceClassName": "c",
        "allocationMode": "ExactCount",
        "count": count,
        "selectors": [{"cel": {"expression": f'device.attributes["{DRIVER}"].kind == "{kind}"'}}],
        "tolerations": [{"operator": "Exists"}],
    }
    metadata = {"name": "asking", "namespace": "ns", "uid": "asking"}
    return {"metadata": metadata, "spec": {"devices": {"requests": [{"name": "r", "exactly": exactly}]}}}
