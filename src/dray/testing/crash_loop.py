"""Kill an API server over and over while it is written to, and see whether it kept its word.

    python -m dray.testing.crash_loop --kills 200

Writers create, update and delete objects, each its own, and note what was acknowledged and what broke off. A watcher
follows all changes and goes on after each death from the last revision it saw. The server gets SIGKILL at random points
of the load. What must hold, checked after each restart and over the whole at the end:

- what was acknowledged is there; what broke off is there whole, or not at all;
- revisions never repeat and never go back;
- the watcher saw every acknowledged change once, in order, and nothing that nobody wrote.

A killed process leaves the machine's page cache behind, so this does not show what a loss of power does; that is what
`synchronous=FULL` is for, and the tests of a log that was cut off.
"""

import argparse
import asyncio
import contextlib
import dataclasses
import os
import pathlib
import random
import signal
import socket
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from dray.api import errors
from dray.api.resources import CONFIG_MAPS
from dray.client.config import load_config
from dray.client.http import HttpClient
from dray.client.protocol import Client, Selection, Unreachable

NAMESPACE = "default"
LAST = "w-last"
"""The object whose creation ends the load."""
OBJECTS_PER_WRITER = 5
ACKNOWLEDGED_PER_LIFE = (1, 250)
"""The server dies after so many writes were acknowledged, at random within these bounds."""
START_TIMEOUT_SECONDS = 30.0


class Broken(AssertionError):
    """The server did not keep its word."""


@dataclasses.dataclass(slots=True)
class Write:
    """One change of one object. `content` is None for a deletion."""

    name: str
    content: str | None
    acknowledged: bool = False
    revision: int = 0
    """Of the acknowledged state; 0 where the answer does not tell."""


@dataclasses.dataclass(slots=True)
class Report:
    kills: int = 0
    acknowledged: int = 0
    broken_off: int = 0
    survived: int = 0
    """Writes that broke off and yet were stored."""
    events: int = 0
    resumed: int = 0
    """How often the watch went on from a revision it had seen before a death."""

    def __str__(self) -> str:
        return (
            f"{self.kills} kills: {self.acknowledged} writes acknowledged, none lost; {self.broken_off} broke off, of which "
            f"{self.survived} were stored; {self.events} events over {self.resumed} resumed watches, no gap, no repeat"
        )


class Server:
    """`dray apiserver` as a process that may be killed at any time."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.port = _free_port()
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "dray.cli.main", "apiserver", "-v", "0"),
            *("--data-dir", str(self.directory), "--port", str(self.port)),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=None,
        )
        async with asyncio.timeout(START_TIMEOUT_SECONDS):
            while not await self._answers():
                if self.process.returncode is not None:
                    raise Broken(f"the server did not start again: exit code {self.process.returncode}")
                await asyncio.sleep(0.02)

    async def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.close()
            return (self.directory / "kubeconfig").exists()
        return False

    async def kill(self) -> None:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)
        await self.process.wait()

    def client(self) -> HttpClient:
        return HttpClient(load_config(str(self.directory / "kubeconfig")))


class Writer:
    """Changes a few objects of its own, one change after another, and remembers each."""

    def __init__(self, number: int, seed: int) -> None:
        self._names = [f"w{number}-{index}" for index in range(OBJECTS_PER_WRITER)]
        self._random = random.Random(seed * 1000 + number)
        self._serial = 0
        self.history: dict[str, list[Write]] = {name: [] for name in self._names}
        self.acknowledged = 0

    async def run(self, client: Client, told: Callable[[], None]) -> None:
        """Write until the server is gone; `told` is called after each acknowledged write."""
        while True:
            name = self._random.choice(self._names)
            write = Write(name, self._next_content(name))
            self.history[name].append(write)
            try:
                answer = await self._send(client, write)
            except (Unreachable, errors.StatusError):
                return
            write.acknowledged = True
            self.acknowledged += 1
            told()
            if write.content is not None:
                write.revision = int(answer["metadata"]["resourceVersion"])

    def present(self, name: str) -> str | None:
        """What the object should hold as far as this writer knows; None: it should not exist."""
        history = self.history[name]
        return history[-1].content if history else None

    def _next_content(self, name: str) -> str | None:
        if self.present(name) is not None and self._random.random() < 0.2:
            return None
        self._serial += 1
        return f"{name}#{self._serial}" + "x" * self._random.randrange(2000)

    async def _send(self, client: Client, write: Write) -> dict[str, Any]:
        history = self.history[write.name]
        exists = len(history) > 1 and history[-2].content is not None
        if write.content is None:
            return await client.delete(CONFIG_MAPS, write.name, NAMESPACE)
        obj: dict[str, Any] = {
            "metadata": {"name": write.name, "namespace": NAMESPACE},
            "data": {"v": write.content},
        }
        if exists:
            return await client.update(CONFIG_MAPS, obj)
        return await client.create(CONFIG_MAPS, obj, NAMESPACE)

    def settle(self, found: dict[str, dict[str, Any]], report: Report) -> None:
        """Compare with what the server has after a restart, and decide about what broke off. Raises Broken."""
        for name, history in self.history.items():
            if not history:
                continue
            obj = found.get(name)
            content = obj["data"]["v"] if obj else None
            last = history[-1]
            if not last.acknowledged:
                report.broken_off += 1
                before = history[-2].content if len(history) > 1 else None
                if content == before:
                    history.pop()
                    last = history[-1] if history else Write(name, None)
                else:
                    report.survived += 1
            if content != last.content:
                raise Broken(f"{name}: acknowledged {_shown(last.content)}, found {_shown(content)}")
            if obj and last.revision and int(obj["metadata"]["resourceVersion"]) != last.revision:
                raise Broken(
                    f"{name}: acknowledged at {last.revision}, found at {obj['metadata']['resourceVersion']}"
                )
            last.acknowledged = True


class Watcher:
    """Follows all changes, over any number of the server's lives."""

    def __init__(self, revision: str) -> None:
        self.revision = revision
        self.events: list[tuple[int, str, str | None]] = []
        self.resumed = 0
        self.seen_last = asyncio.Event()

    async def run(self, client: Client) -> None:
        """Until the server is gone. Expired is a gap, and is not caught."""
        self.resumed += 1
        with contextlib.suppress(Unreachable):
            async with client.watch(
                CONFIG_MAPS, Selection(namespace=NAMESPACE), resource_version=self.revision
            ) as stream:
                async for event in stream:
                    self._note(event.type, event.object)

    def _note(self, kind: str, obj: dict[str, Any]) -> None:
        self.revision = obj["metadata"]["resourceVersion"]
        if kind != "BOOKMARK" and obj["metadata"]["name"].startswith("w"):
            self.events.append(
                (int(self.revision), obj["metadata"]["name"], None if kind == "DELETED" else obj["data"]["v"])
            )

            if obj["metadata"]["name"] == LAST:
                self.seen_last.set()

    def check(self, writers: Sequence[Writer]) -> None:
        revisions = [revision for revision, _, _ in self.events]
        if revisions != sorted(set(revisions)):
            raise Broken("the watch repeated a revision, or went back")
        seen: dict[str, list[str | None]] = defaultdict(list)
        for _, name, content in self.events:
            seen[name].append(content)
        for writer in writers:
            for name, history in writer.history.items():
                written = [write.content for write in history]
                if seen[name] != written:
                    at = next(
                        (
                            i
                            for i, pair in enumerate(zip(seen[name], written, strict=False))
                            if pair[0] != pair[1]
                        ),
                        -1,
                    )
                    raise Broken(
                        f"{name}: {len(written)} changes, the watch saw {len(seen[name])}; they differ at {at}"
                    )


class CrashLoop:
    def __init__(self, directory: pathlib.Path, *, writers: int = 8, seed: int = 0) -> None:
        self.server = Server(directory)
        self.report = Report()
        self._random = random.Random(seed)
        self._writers = [Writer(number, seed) for number in range(writers)]
        self._highest = 0

    async def run(self, kills: int, *, progress: bool = False) -> Report:
        """Raises Broken as soon as the server is caught breaking its word."""
        await self.server.start()
        try:
            async with self.server.client() as client:
                listed = await client.list(CONFIG_MAPS, Selection(namespace=NAMESPACE))
            self._watcher = Watcher(listed.resource_version)
            while self.report.kills < kills:
                await self._live_and_die()
                if progress:
                    sys.stderr.write(f"\r{self.report.kills}/{kills} kills")
            await self._catch_up()
        finally:
            await self.server.kill()
        self._watcher.check(self._writers)
        self.report.acknowledged = sum(writer.acknowledged for writer in self._writers)
        self.report.events = len(self._watcher.events)
        self.report.resumed = self._watcher.resumed - 1
        return self.report

    async def _live_and_die(self) -> None:
        async with self.server.client() as client:
            due = asyncio.Event()
            left = iter(range(self._random.randint(*ACKNOWLEDGED_PER_LIFE), -1, -1))

            def told() -> None:
                if not next(left, 0):
                    due.set()

            tasks = [asyncio.create_task(writer.run(client, told)) for writer in self._writers]
            watching = asyncio.create_task(self._watcher.run(client))
            await due.wait()
            await self.server.kill()
            self.report.kills += 1
            await asyncio.gather(*tasks)
            await watching
        await self.server.start()
        await self._settle()

    async def _settle(self) -> None:
        async with self.server.client() as client:
            listed = await client.list(CONFIG_MAPS, Selection(namespace=NAMESPACE))
        known = [
            write.revision for w in self._writers for history in w.history.values() for write in history[-1:]
        ]
        self._highest = max([self._highest, *known])
        if int(listed.resource_version) < self._highest:
            raise Broken(
                f"revision {self._highest} was acknowledged, the server is at {listed.resource_version}"
            )
        found = {obj["metadata"]["name"]: obj for obj in listed.items}
        for writer in self._writers:
            writer.settle(found, self.report)

    async def _catch_up(self) -> None:
        """Let the watcher see everything up to a last change, then end it."""
        async with self.server.client() as client:
            last = Writer(len(self._writers), 0)
            self._writers.append(last)
            watching = asyncio.create_task(self._watcher.run(client))
            write = Write(LAST, "end")
            last.history[LAST] = [write]
            await last._send(client, write)
            async with asyncio.timeout(START_TIMEOUT_SECONDS):
                await self._watcher.seen_last.wait()
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching


def _shown(content: str | None) -> str:
    return "nothing" if content is None else content[:20]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill an API server over and over while it is written to.")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dray-crash-") as directory:
        loop = CrashLoop(pathlib.Path(directory) / "data", writers=options.writers, seed=options.seed)
        report = asyncio.run(loop.run(options.kills, progress=True))
    sys.stderr.write("\n")
    sys.stdout.write(f"{report}\n")


if __name__ == "__main__":
    main()
