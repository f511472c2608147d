"""The probes of one pod's containers over time: thresholds, and what they add up to.

Decides, as the kubelet: a container without a startup probe has started when it runs; liveness and readiness are not
asked before it has; a result changes only after `failureThreshold` or `successThreshold` in a row; a container without
readiness probe is ready when it has started. A container that fails its liveness or startup probe is reported once
and not probed again: it is about to be killed.
"""

import asyncio
import dataclasses
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from dray.kits.clock import Clock
from dray.kits.tasks import TaskSet
from dray.node.probes.actions import Outcome, ProbeActions, ProbeError, Target, named_ports
from dray.node.runtime.protocol import Container, ContainerState

ATTEMPTS: Final = 3
"""Tries within one probe when the probe itself cannot be run."""

Warn = Callable[[str, str], object]
"""(container name, message) -> tells of a failed probe."""


@dataclasses.dataclass(slots=True)
class _Probed:
    """One running container with its probes."""

    container: Container
    spec: Mapping[str, Any]
    tasks: TaskSet
    by_kind: dict[str, asyncio.Task[Any]]
    """`startup`, `liveness`, `readiness` -> the task that asks."""
    started: bool
    ready: bool
    failed: str = ""
    """`liveness` or `startup`, once it has failed."""


class Prober:
    """`changed()` is called whenever what `has_started`, `is_ready` or `failures` say has changed."""

    def __init__(
        self, actions: ProbeActions, clock: Clock, changed: Callable[[], object], warn: Warn
    ) -> None:
        self._actions = actions
        self._clock = clock
        self._changed = changed
        self._warn = warn
        self._probed: dict[str, _Probed] = {}

    async def follow(
        self, containers: Sequence[tuple[Mapping[str, Any], Container | None]], address: str
    ) -> None:
        """Probe exactly those of `containers` (spec, newest attempt) that run. `address`: of the pod."""
        running = {
            container.id: (spec, container)
            for spec, container in containers
            if container is not None and container.state is ContainerState.RUNNING
        }
        for gone in [key for key in self._probed if key not in running]:
            await self._probed.pop(gone).tasks.stop()
        for key, (spec, container) in running.items():
            if key not in self._probed:
                self._begin(spec, container, address)

    def _begin(self, spec: Mapping[str, Any], container: Container, address: str) -> None:
        probed = _Probed(
            container,
            spec,
            TaskSet(f"probe/{container.name}"),
            {},
            started=not spec.get("startupProbe"),
            ready=not spec.get("readinessProbe"),
        )
        self._probed[container.id] = probed
        target = Target(container.id, address, named_ports(spec))
        if not probed.started:
            self._ask(probed, "startup", target)
        else:
            self._after_start(probed, target)

    def _after_start(self, probed: _Probed, target: Target) -> None:
        for kind in ("liveness", "readiness"):
            if probed.spec.get(f"{kind}Probe"):
                self._ask(probed, kind, target)

    def _ask(self, probed: _Probed, kind: str, target: Target) -> None:
        probed.by_kind[kind] = probed.tasks.start(self._probe(probed, kind, target), kind)

    async def _probe(self, probed: _Probed, kind: str, target: Target) -> None:
        probe = probed.spec[f"{kind}Probe"]
        await asyncio.sleep(self._initial_delay(probed.container, probe))
        period = float(probe.get("periodSeconds") or 10)
        result: bool | None = None
        in_a_row = 0
        while True:
            outcome = await self._try(probed, kind, probe, target)
            if outcome is not None:
                in_a_row = in_a_row + 1 if result == outcome.success else 1
                result = outcome.success
                threshold = probe.get("successThreshold" if result else "failureThreshold")
                if in_a_row >= int(threshold or (1 if result else 3)) and self._conclude(
                    probed, kind, result, target
                ):
                    return
            await asyncio.sleep(period)

    def _initial_delay(self, container: Container, probe: Mapping[str, Any]) -> float:
        started = container.started or container.created
        due = started + dt.timedelta(seconds=float(probe.get("initialDelaySeconds") or 0))
        return max(0.0, (due - self._clock.now()).total_seconds())

    async def _try(
        self, probed: _Probed, kind: str, probe: Mapping[str, Any], target: Target
    ) -> Outcome | None:
        """None when nothing was learnt."""
        name, title = probed.container.name, kind.capitalize()
        timeout = float(probe.get("timeoutSeconds") or 1)
        for attempt in range(ATTEMPTS):
            try:
                outcome = await self._actions.run(probe, target, timeout)
            except ProbeError as error:
                if attempt == ATTEMPTS - 1:
                    self._warn(name, f"{title} probe errored and resulted in unknown state: {error}")
                continue
            if not outcome.success:
                self._warn(name, f"{title} probe failed: {outcome.output}")
            return outcome
        return None

    def _conclude(self, probed: _Probed, kind: str, success: bool, target: Target) -> bool:
        """Take up a result; True when this probe is not to be asked again."""
        if kind == "readiness":
            if probed.ready != success:
                probed.ready = success
                self._changed()
            return False
        if not success:
            probed.failed = kind
            self._changed()
            return True
        if kind == "startup":
            probed.started = True
            self._after_start(probed, target)
            self._changed()
            return True
        return False

    def has_started(self, container_id: str) -> bool:
        probed = self._probed.get(container_id)
        return probed is not None and probed.started

    def is_ready(self, container_id: str) -> bool:
        probed = self._probed.get(container_id)
        return probed is not None and probed.started and probed.ready

    def failures(self) -> dict[str, tuple[str, Mapping[str, Any]]]:
        """Container name -> (`liveness` or `startup`, the probe) of those to be killed."""
        return {
            probed.container.name: (probed.failed, probed.spec[f"{probed.failed}Probe"])
            for probed in self._probed.values()
            if probed.failed
        }

    def stop_killing(self) -> None:
        """Ask only for readiness from now on: what runs is being stopped anyway."""
        for probed in self._probed.values():
            for kind in ("startup", "liveness"):
                if (task := probed.by_kind.get(kind)) is not None:
                    task.cancel()

    async def stop(self) -> None:
        for probed in self._probed.values():
            await probed.tasks.stop()
        self._probed.clear()
