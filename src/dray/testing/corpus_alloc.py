"""Replaying recorded allocations: the same input to the allocator, its outcome beside the recorded one.

A recording is one JSON object a line (`.jsonl`, or `.jsonl.gz`): `id`, `node`, `claims`, `classes`, `slices`,
`allocated` (what is held already: device results or ResourceClaims), `features`, and `expect` with `ok`, `result`,
`error`, `errorOnlyThisNode`. Where the recorded outcome depends on a defect of the recorded allocator,
`expect.withoutQuirks` has the outcome without it, which is the one that counts. Every share ID is recorded as `*`.
"""

import dataclasses
import gzip
from collections.abc import Callable, Container, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from dray.allocation import Allocated, DeviceIndex, Features, InvalidInput, SearchAborted
from dray.api.meta import Object

_FEATURES = {
    "adminAccess": "admin_access",
    "consumableCapacity": "consumable_capacity",
    "deviceBindingAndStatus": "device_binding_and_status",
    "deviceTaints": "device_taints",
    "listTypeAttributes": "list_type_attributes",
    "partitionableDevices": "partitionable_devices",
    "prioritizedList": "prioritized_list",
}
_STEPS_MAX = 1_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt came to: results, or an error, or neither where nothing fits."""

    ok: bool
    result: list[Object] | None = None
    error: str = ""
    only_this_node: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Disagreement:
    id: str
    recorded: Outcome
    actual: Outcome


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """How a replay went; `disagreements` holds one entry for each case that failed."""

    passed: int
    disagreements: tuple[Disagreement, ...]
    excused: tuple[str, ...] = ()
    """Cases that disagree, as was known."""

    @property
    def failed(self) -> int:
        return len(self.disagreements)


def replay(
    path: str | Path,
    *,
    known: Container[str] = (),
    on_progress: Callable[[int], None] = lambda done: None,
) -> Report:
    """Run every case of a recording. `known`: ids of cases that may disagree. `on_progress` hears of every case."""
    passed = 0
    disagreements: list[Disagreement] = []
    excused: list[str] = []
    for done, case in enumerate(read_cases(path)):
        on_progress(done)
        recorded, actual = recorded_outcome(case), run_case(case)
        if recorded == actual:
            passed += 1
        elif case["id"] in known:
            excused.append(case["id"])
        else:
            disagreements.append(Disagreement(case["id"], recorded, actual))
    return Report(passed, tuple(disagreements), tuple(excused))


def read_cases(path: str | Path) -> Iterator[Object]:
    """The cases of a recording, in order."""
    name = str(path)
    with gzip.open(name, "rb") if name.endswith(".gz") else open(name, "rb") as lines:
        for line in lines:
            if line.strip():
                yield orjson.loads(line)


def recorded_outcome(case: Mapping[str, Any]) -> Outcome:
    """The recorded outcome, without the defects of the recorded allocator."""
    expect = case["expect"].get("withoutQuirks") or case["expect"]
    only_this_node = bool(case["expect"].get("errorOnlyThisNode")) and bool(expect["error"])
    return Outcome(expect["ok"], expect["result"], expect["error"], only_this_node)


def features_of(case: Mapping[str, Any]) -> Features:
    """The features of a case; those it does not name are on."""
    named = case.get("features") or {}
    return Features(**{field: bool(named.get(key, True)) for key, field in _FEATURES.items()})


def load_index(case: Mapping[str, Any], features: Features | None = None) -> DeviceIndex:
    """An index that knows everything a case starts from."""
    index = DeviceIndex(features or features_of(case), new_share_id=lambda: "*")
    for device_class in case["classes"]:
        index.put_class(device_class)
    for resource_slice in case["slices"]:
        index.put_slice(resource_slice)
    for holder in holders_of(case):
        index.put_claim(holder)
    return index


def holders_of(case: Mapping[str, Any]) -> list[Object]:
    """The claims that hold devices before a case begins."""
    return [_holder(number, held) for number, held in enumerate(case["allocated"])]


def _holder(number: int, held: Object) -> Object:
    """A claim that holds what a recorded entry says: a whole claim, or a single device."""
    identity = {"namespace": "recorded", "name": f"holder-{number}", "uid": f"holder-{number}"}
    status = held.get("status") or {"allocation": {"devices": {"results": [held]}}}
    return {"metadata": identity, "status": status}


def run_case(case: Mapping[str, Any]) -> Outcome:
    """What this allocator makes of a case."""
    index = load_index(case)
    try:
        found = index.prepare(case["claims"]).on_node(case["node"], max_steps=_STEPS_MAX)
    except InvalidInput as error:
        return Outcome(ok=False, error=error.message, only_this_node=error.only_this_node)
    except SearchAborted as aborted:
        return Outcome(ok=False, error=str(aborted))
    if isinstance(found, Allocated):
        return Outcome(ok=True, result=found.results)
    return Outcome(ok=False)
