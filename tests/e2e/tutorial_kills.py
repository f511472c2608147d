"""Kills a cluster in the middle of every step of the tutorial, and sees whether the tutorial goes on.

    python tests/e2e/tutorial_kills.py --passes 5 --seed 1

In each step the cluster gets SIGKILL a moment after the command was given: while it is being answered, or while
the controllers, the scheduler, the nodes and the driver act on it. Half of the deaths take the pods' processes along, as
a machine's death does. Then `dray up` goes on, the user gives the same command again, and must see what the
tutorial shows, within the patience of a reader.
"""

import argparse
import asyncio
import contextlib
import dataclasses
import os
import pathlib
import random
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence

from processes import ClusterProcess, descendants, processes_below

from dray.cli.tutorial.run import Outcome, local_command, run_command, run_step
from dray.cli.tutorial.steps import Edition, Step, steps

PATIENCE_SECONDS = 30.0
LATEST_KILL_SECONDS = 0.8
"""Longer than any step takes to show its whole effect; most happens early, and so do most deaths."""


@dataclasses.dataclass(frozen=True, slots=True)
class Death:
    step: Step
    after_seconds: float
    with_pods: bool
    up_seconds: float
    """Until `dray up` was ready again."""
    outcome: Outcome

    def __str__(self) -> str:
        scope = "cluster and pods" if self.with_pods else "cluster"
        verdict = "goes on" if self.outcome.is_right else "STUCK"
        return (
            f"{verdict:8} {self.step.command[:60]:60} {scope:16} killed after {self.after_seconds:.2f} s, "
            f"up in {self.up_seconds:.1f} s, right after {self.outcome.seconds:.1f} s"
        )


class Tutorial:
    """One pass through the tutorial, in `home`, with a death in each step that is wanted."""

    def __init__(self, home: pathlib.Path, edition: Edition = "latest", *, chance: random.Random) -> None:
        self._home = home
        self._edition: Edition = edition
        self._chance = chance
        self._cluster = ClusterProcess(home)
        self._restarted = False

    async def run(self, wanted: Callable[[Step], bool], tell: Callable[[Death], None]) -> list[Death]:
        """Every death, whether the tutorial went on after it or not; ends at the first step that went wrong."""
        deaths: list[Death] = []
        try:
            for step in steps(self._edition):
                if step.is_explained_only:
                    continue
                if wanted(step):
                    deaths.append(await self._die_in(step))
                    tell(deaths[-1])
                    outcome = deaths[-1].outcome
                else:
                    outcome = await self._run(step, again=False)
                if not outcome.is_right:
                    raise AssertionError(f"{step.command}\n{outcome.difference}\n{outcome.output}")
        finally:
            if self._cluster.process.poll() is None:
                self._cluster.interrupt()
        assert processes_below(self._home) == []
        return deaths

    async def _die_in(self, step: Step) -> Death:
        after, with_pods = LATEST_KILL_SECONDS * self._chance.random() ** 2, self._chance.random() < 0.5
        command = asyncio.create_task(self._answer(step))
        await asyncio.sleep(after)
        self._kill(with_pods=with_pods)
        command.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await command
        started = time.monotonic()
        self._cluster = await asyncio.to_thread(ClusterProcess, self._home)
        up_seconds = time.monotonic() - started
        self._restarted = True
        return Death(step, after, with_pods, up_seconds, await self._run(step, again=True))

    def _kill(self, *, with_pods: bool) -> None:
        """The cluster first, so that it cannot see its pods die."""
        family = descendants(self._cluster.process.pid) if with_pods else set()
        self._cluster.kill()
        for pid, _ in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def _answer(self, step: Step) -> str:
        return await run_command(local_command(step.command, self._edition), self._cluster.environment)

    async def _run(self, step: Step, *, again: bool) -> Outcome:
        outcome = await run_step(
            _tolerant(step) if self._restarted else step, self._edition, self._cluster.environment
        )
        if again and not outcome.is_right and _is_done(step, outcome.output):
            return dataclasses.replace(outcome, difference=None)
        return outcome


def _tolerant(step: Step) -> Step:
    """What a step shows after a death: containers may have been started anew, and have a new log then."""
    if "kubectl logs -l" in step.command:
        return dataclasses.replace(step, expected="<any>")
    expected = re.sub(r"Running 0 <age>", "Running <any>", step.expected)
    is_read = " get " in step.command or " logs " in step.command
    patience = PATIENCE_SECONDS if is_read else 0.0
    return dataclasses.replace(step, expected=expected, wait_seconds=patience)


def _is_done(step: Step, output: str) -> bool:
    """Whether the command, given again, finds that it was done before the death."""
    if " create " in step.command:
        return "(AlreadyExists)" in output
    return " delete " in step.command and "(NotFound)" in output


async def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--passes", type=int, default=1, help="how often through the whole tutorial")
    parser.add_argument("--edition", choices=["latest", "2025"], default="latest")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    deaths: list[Death] = []
    for number in range(options.passes):
        chance = random.Random(f"{options.seed}/{number}")
        with tempfile.TemporaryDirectory(prefix="dray-kills-") as home:
            tutorial = Tutorial(pathlib.Path(home), options.edition, chance=chance)
            deaths += await tutorial.run(lambda step: True, lambda death: print(death, flush=True))
    slowest = max(deaths, key=lambda death: death.outcome.seconds)
    ups = sorted(death.up_seconds for death in deaths)
    print(
        f"{len(deaths)} deaths, {sum(death.with_pods for death in deaths)} with the pods; up again in "
        f"{ups[len(ups) // 2]:.1f} s (at most {ups[-1]:.1f} s); right again at most {slowest.outcome.seconds:.1f} s after"
    )
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
