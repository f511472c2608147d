"""Allocation: the 39 recorded workloads beside what Go's allocator took, and the index of a large cluster.

    again   the very same question once more, nothing having changed: how Go was measured, and what the scheduler asks for
            a pod like the last
    fresh   the question has never been asked: new request names each time, so that the claim is read anew and nothing is
            known about which nodes refuse it
    first   on an index that has just been built: every selector is evaluated for every device it meets

The ratio is Go's time to that of `again` where devices are found, and to that of `fresh` where none are: a refusal that is
remembered would be no fair comparison.

Medians of many. Go's figures are those of the recorded runs (lowest of 6 medians, 2-core machine like the tests'), so the
ratio depends on this machine too; neighbours may cost either side a factor of two. Go rebuilds its allocator for each
claim and evaluates selectors anew; here the index is kept between claims, which is the point of it.

    python bench/allocation.py [NAME ...]
"""

import copy
import itertools
import lzma
import pathlib
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import orjson

from dray.allocation import Allocated, DeviceIndex, SearchAborted
from dray.testing.corpus_alloc import features_of, load_index
from support.measure import DATA, go_figures, median_us, once_us

GOAL = {"search": 10.0, "backtrack": 10.0}
"""What some workloads must reach; the others must be ahead of Go."""

QUESTIONS_AHEAD = 500

_serial = itertools.count()


def main() -> None:
    if sys.argv[1:] == ["index"]:
        large_index()
        return
    go = go_figures("alloc")
    names = sys.argv[1:] or sorted(go)
    print(
        f"{'workload':34}{'Go us':>10}{'again us':>11}{'fresh us':>11}{'x':>8}{'first us':>11}  short of its goal"
    )
    missed = [name for name in names if not row(name, go[name])]
    print(f"{len(names) - len(missed)} of {len(names)} reach their goal", *missed)
    if not sys.argv[1:]:
        growth()
        # In a process of its own, so that its memory is its own.
        subprocess.run([sys.executable, __file__, "index"], check=True)


def row(name: str, go_us: float) -> bool:
    workload = Workload(name)
    first = once_us(workload.fresh)
    fresh = median_us(workload.fresh)
    again = median_us(workload.again)
    ratio = go_us / (again if workload.found else fresh)
    goal = next((goal for part, goal in GOAL.items() if part in name), 1.0)
    note = "" if ratio >= goal else f"  {goal:.0f}x"
    print(f"{name:34}{go_us:10.1f}{again:11.1f}{fresh:11.1f}{ratio:8.1f}{first:11.0f}{note}", flush=True)
    return ratio >= goal


class Workload:
    """One recorded input, ready to be asked about."""

    def __init__(self, name: str) -> None:
        raw: dict[str, Any] = orjson.loads(lzma.decompress((DATA / f"{name}.json.xz").read_bytes()))
        self.mode, self.length = raw["bench"]["mode"], raw["bench"].get("sequence", 1)
        self.claims, self.nodes = raw["claims"], raw["nodes"]
        self.index = load_index(raw, features_of(raw))
        self.order = self.index.order(self.nodes)
        self.found = True
        self._questions = self.questions()
        next(self._questions)

    def questions(self) -> Iterator[list[dict[str, Any]]]:
        """The claims with names of requests that were never used before; made ahead, as making them is not measured."""
        while True:
            yield from [
                [renamed(claim, f"-{next(_serial)}") for claim in self.claims] for _ in range(QUESTIONS_AHEAD)
            ]

    def fresh(self) -> None:
        self.ask(next(self._questions) if self.mode != "sequence" else self.claims)

    def again(self) -> None:
        self.ask(self.claims)

    def ask(self, claims: list[dict[str, Any]]) -> None:
        if self.mode == "sequence":
            self.sequence(claims[0])
            return
        attempt = self.index.prepare(claims)
        if self.mode == "search":
            assert attempt.find_node(self.order) is not None
            return
        answer = attempt.on_node(self.nodes[0])
        self.found = isinstance(answer, Allocated)

    def sequence(self, claim: dict[str, Any]) -> None:
        """Claims one after the other, each assumed before the next; taken back at the end."""
        held = []
        for number in range(self.length):
            found = self.index.prepare([claim]).find_node(self.order, start=number % len(self.nodes))
            assert found is not None
            uid = f"claim-{number}"
            self.index.assume(uid, found.results[0])
            held.append(uid)
        for uid in held:
            self.index.forget(uid)


def renamed(claim: dict[str, Any], suffix: str) -> dict[str, Any]:
    claim = copy.deepcopy(claim)
    devices = claim["spec"]["devices"]
    for request in devices.get("requests") or ():
        request["name"] += suffix
    for part in (*(devices.get("constraints") or ()), *(devices.get("config") or ())):
        if part.get("requests"):
            part["requests"] = [
                "/".join((name.split("/")[0] + suffix, *name.split("/")[1:])) for name in part["requests"]
            ]
    return claim


def growth() -> None:
    """A single claim on 1000 and on 5000 nodes, most of them full."""
    times = {}
    for nodes in (1000, 5000):
        workload = Workload(f"cluster{nodes}-search-90pct")
        workload.fresh()
        times[nodes] = median_us(workload.fresh)
    print(
        f"one claim, 90% full: {times[1000]:.0f} us at 1000 nodes, {times[5000]:.0f} us at 5000 ({times[5000] / times[1000]:.1f}x)"
    )


def large_index(nodes: int = 10_000, devices: int = 8) -> None:
    before = resident_bytes()
    index = DeviceIndex()
    start = time.perf_counter()
    for number in range(nodes):
        index.put_slice(node_slice(number, devices))
    seconds = time.perf_counter() - start
    grown = (resident_bytes() - before) / 2**20
    print(
        f"index of {nodes} nodes x {devices} devices: built in {seconds:.1f} s, {grown:.0f} MiB (objects included; goals 15 s, 600 MB)"
    )


def resident_bytes() -> int:
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def node_slice(number: int, devices: int) -> dict[str, Any]:
    node = f"node-{number}"
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {"name": f"slice-{number}", "uid": f"slice-{number}"},
        "spec": {
            "driver": "gpu.example.com",
            "nodeName": node,
            "pool": {"name": node, "generation": 1, "resourceSliceCount": 1},
            "devices": [
                {
                    "name": f"gpu-{index}",
                    "attributes": {
                        "index": {"int": index},
                        "uuid": {"string": f"GPU-{number}-{index}"},
                        "model": {"string": "H100"},
                        "numa": {"int": index // 4},
                        "healthy": {"bool": True},
                        "driverVersion": {"version": "550.54.15"},
                        "resource.kubernetes.io/pcieRoot": {"string": f"pci0000:{index:02x}"},
                    },
                    "capacity": {"memory": {"value": "80Gi"}, "cores": {"value": "132"}},
                }
                for index in range(devices)
            ],
        },
    }


if __name__ == "__main__":
    try:
        main()
    except SearchAborted as aborted:
        sys.exit(f"a search was given up: {aborted}")
