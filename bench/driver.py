"""How fast a driver is: preparing over the socket, publishing, and what it costs while it does nothing.

    python bench/driver.py [--seconds 5] [--idle 20] [--only prepare,publish,idle]

The driver is the example driver in a process of its own. This process is the kubelet and the API server, so a round
trip holds both sides of the socket, the driver's read of the claim over HTTP, two durable writes of its checkpoint
(fsync), one CDI file, and the same again for unpreparing.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from dray.api.meta import Object
from dray.testing.conformance.rules import Rule
from dray.testing.conformance.stage import Stage
from dray.testing.conformance.subject import Subject
from dray.testing.fake_kubelet import Plugin

PROGRAM = (sys.executable, "-m", "dray.drivers.example")
CONCURRENT = (1, 10, 100)
DEVICES = 1000
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="for each number of concurrent claims")
    parser.add_argument("--idle", type=float, default=20.0, help="seconds to watch the driver do nothing")
    parser.add_argument("--only", default="prepare,publish,idle")
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.only.split(","), arguments.seconds, arguments.idle))


async def measure(wanted: Sequence[str], seconds: float, idle_seconds: float) -> None:
    if "prepare" in wanted:
        async with driver(max(CONCURRENT)) as (stage, plugin):
            await measure_round_trips(stage, plugin, seconds)
    if "publish" in wanted:
        await measure_publish()
    if "idle" in wanted:
        async with driver(8) as (stage, _):
            await measure_idle(stage, idle_seconds)


@asynccontextmanager
async def driver(devices: int) -> AsyncIterator[tuple[Stage, Plugin]]:
    async def nothing(stage: Stage) -> None:
        pass

    subject = Subject(PROGRAM, {"NUM_DEVICES": str(devices)})
    with tempfile.TemporaryDirectory(prefix="dray-") as directory:
        async with Stage(subject, Rule("bench", "driver", "", "must", nothing), Path(directory)) as stage:
            yield stage, await stage.started()


async def measure_round_trips(stage: Stage, plugin: Plugin, seconds: float) -> None:
    print("Round trips, each one claim with one device, fsync included")
    print(f"{'at once':>8}  {'':9}{'p50 ms':>8}{'p99 ms':>8}{'a second':>10}   driver CPU/claim")
    devices = await stage.devices(max(CONCURRENT))
    claims = [await stage.claim(f"claim-{index}", device) for index, device in enumerate(devices)]
    for count in CONCURRENT:
        prepare: list[float] = []
        unprepare: list[float] = []
        end, cpu = time.perf_counter() + seconds, cpu_seconds(stage)
        while time.perf_counter() < end:
            for times, call in ((prepare, plugin.prepare), (unprepare, plugin.unprepare)):
                times += await asyncio.gather(*(timed(call, claim) for claim in claims[:count]))
        cpu = (cpu_seconds(stage) - cpu) / len(prepare)
        both = [one + other for one, other in zip(prepare, unprepare, strict=True)]
        for name, times in (("prepare", prepare), ("unprepare", unprepare), ("both", both)):
            rate = len(prepare) / seconds if name == "both" else 0.0
            tail = f"{rate:10.0f}   {cpu * 1000:.2f} ms" if rate else ""
            print(f"{count:>8}  {name:9}{quantile(times, 0.5):8.2f}{quantile(times, 0.99):8.2f}{tail}")


async def timed(call: object, claim: Object) -> float:
    assert callable(call)
    started = time.perf_counter()
    await call(claim)
    return time.perf_counter() - started


async def measure_publish() -> None:
    started = time.perf_counter()
    async with driver(DEVICES) as (stage, _):
        until_ready = time.perf_counter() - started
        slices = len(await stage.slices())
        await stage.wipe()
        # A new instance finds nothing published: what it takes from its start to the last slice.
        await stage.instances[-1].stop()
        started, cpu = time.perf_counter(), 0.0
        await stage.start()
        await stage.published()
        again = time.perf_counter() - started
        cpu = cpu_seconds(stage)
    print(f"\nPublish {DEVICES} devices in {slices} slices")
    print(
        f"  from the start of the process until all are in the API  {until_ready:.2f} s, again {again:.2f} s"
    )
    print(f"  CPU of the driver until then                            {cpu:.2f} s")


async def measure_idle(stage: Stage, seconds: float) -> None:
    await asyncio.sleep(3.0)
    before = cpu_seconds(stage)
    await asyncio.sleep(seconds)
    cpu = (cpu_seconds(stage) - before) / seconds
    print(f"\nIdle over {seconds:.0f} s")
    print(f"  CPU     {cpu * 100:.2f} % of a core")
    print(f"  memory  {resident_mib(stage):.1f} MiB resident")


def quantile(times: Sequence[float], share: float) -> float:
    """In milliseconds."""
    return sorted(times)[min(int(len(times) * share), len(times) - 1)] * 1000


def cpu_seconds(stage: Stage) -> float:
    """User and system time of the running driver."""
    fields = Path(f"/proc/{stage.instances[-1].pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mib(stage: Stage) -> float:
    pages = int(Path(f"/proc/{stage.instances[-1].pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
