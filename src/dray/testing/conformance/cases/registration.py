"""How a driver introduces itself to kubelets: old and new ones, restarting, refusing and impatient ones."""

import asyncio
import re
from pathlib import Path

from dray.testing.conformance.rules import rule
from dray.testing.conformance.stage import Stage
from dray.testing.conformance.verdicts import NotApplicable, Violation
from dray.wire.kubelet import DRA, SERVICE_DRA

_DNS_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_DRA_SERVICES = [SERVICE_DRA[version] for version in DRA]


@rule()
async def introduces_itself_within_a_second(stage: Stage) -> None:
    """GetInfo is answered within a second, with a DNS name and the services by their full names."""
    await stage.start()
    plugin = await stage.registered()
    if not _DNS_NAME.fullmatch(plugin.driver) or len(plugin.driver) > 63:
        raise Violation(f"the name {plugin.driver!r} must be a DNS name of at most 63 characters")
    if not any(service in plugin.advertised for service in _DRA_SERVICES):
        raise Violation(
            f"supported_versions must hold {' or '.join(_DRA_SERVICES)}, got {list(plugin.advertised)}"
        )


@rule(level="should")
async def prefers_the_newest_service(stage: Stage) -> None:
    """v1 stands before v1beta1: kubelets take the first service that they know"""
    await stage.start()
    plugin = await stage.registered()
    offered = [service for service in plugin.advertised if service in _DRA_SERVICES]
    if offered != _DRA_SERVICES:
        raise Violation(
            f"supported_versions should hold {', '.join(_DRA_SERVICES)} in this order, got {offered}"
        )


@rule()
async def serves_before_it_registers(stage: Stage) -> None:
    """The service answers from the moment the driver is registered"""
    await stage.start()
    plugin = await stage.registered()
    response = await stage.answers(plugin.call("NodePrepareResources", [], 5.0), "a call without claims")
    if len(response.claims):
        raise Violation("the answer to a call without claims must be empty")


@rule(kubelet_versions=("v1beta1",))
async def works_with_a_kubelet_of_1_32(stage: Stage) -> None:
    """A kubelet that only knows v1beta1 can register the driver and prepare claims"""
    plugin = await stage.started()
    claim = await stage.claim("a", *await stage.devices(1))
    await stage.prepared(plugin, claim)
    await stage.unprepared(plugin, claim)


@rule(kubelet_versions=("v1",))
async def works_with_a_kubelet_without_beta(stage: Stage) -> None:
    """A kubelet that only knows v1 can register the driver and prepare claims"""
    plugin = await stage.started()
    claim = await stage.claim("a", *await stage.devices(1))
    await stage.prepared(plugin, claim)
    await stage.unprepared(plugin, claim)


@rule()
async def is_found_again_by_a_restarted_kubelet(stage: Stage) -> None:
    """A kubelet that restarts finds the driver again, as often as it likes"""
    plugin = await stage.started()
    claim = await stage.claim("a", *await stage.devices(1))
    await stage.prepared(plugin, claim)
    for _ in range(3):
        plugin = await stage.restarted_kubelet()
    await stage.unprepared(plugin, claim)


@rule()
async def survives_a_broken_get_info(stage: Stage) -> None:
    """A GetInfo call that breaks off does no harm: the next one is answered"""
    stage.kubelet.impatience = 3
    await stage.start()
    await stage.registered()


@rule()
async def survives_a_refusal(stage: Stage) -> None:
    """A kubelet that refuses the registration can accept it later"""
    stage.kubelet.refusal = "not now, says the test"
    instance = await stage.start()

    def refused() -> bool | None:
        return len(stage.kubelet.notifications) >= 2 or None

    await stage.until(refused, stage.subject.ready_seconds, "the driver stays while the kubelet refuses it")
    if instance.exit_code is not None:
        raise Violation("the driver ended because the kubelet refused it")
    stage.kubelet.refusal = ""
    await stage.registered()


@rule()
async def answers_get_info_while_it_prepares(stage: Stage) -> None:
    """GetInfo is answered within a second while claims are being prepared"""
    plugin = await stage.started()
    claim = await stage.claim("a", *await stage.devices(1))
    with stage.faults.holding("/resourceclaims/"):
        preparing = asyncio.create_task(plugin.prepare(claim))
        await asyncio.sleep(0.3)
        await stage.kubelet.restart()
        plugin = await stage.registered(seconds=5.0)
    await asyncio.wait([preparing])  # its connection went with the restart
    await stage.prepared(plugin, claim)


@rule()
async def registers_while_the_api_server_is_slow(stage: Stage) -> None:
    """Registration does not wait for the API server: the kubelet is answered in its deadlines"""
    with stage.faults.holding("/apis/resource.k8s.io"):
        await stage.start()
        await stage.registered()
    await stage.published()


@rule()
async def takes_its_sockets_away_on_sigterm(stage: Stage) -> None:
    """SIGTERM ends the driver with exit code 0 in its grace period, and its sockets are gone"""
    await stage.started()
    code = await stage.instances[-1].stop()
    left = _sockets(stage.kubelet.root)
    if left:
        raise Violation(f"sockets are left behind: {', '.join(left)}")
    if code != 0:
        raise Violation(f"the exit code after SIGTERM must be 0, not {code}")


@rule()
async def replaces_stale_sockets(stage: Stage) -> None:
    """Sockets that a killed instance left do not keep the next one from registering"""
    plugin = await stage.started()
    claim = await stage.claim("a", *await stage.devices(1))
    await stage.instances[-1].kill()
    if not _sockets(stage.kubelet.registry):
        raise NotApplicable("the killed driver left no socket")
    asked = len(stage.kubelet.notifications)
    await stage.start()

    def again() -> bool | None:
        return len(stage.kubelet.notifications) > asked or None

    await stage.until(again, stage.subject.ready_seconds, "the new instance registered")
    plugin = await stage.registered()
    await stage.prepared(plugin, claim)


@rule(level="should")
async def comes_back_when_its_socket_is_removed(stage: Stage) -> None:
    """When its registration socket is removed, the driver serves it again, or ends so that it is restarted"""
    plugin = await stage.started()
    plugin.socket.unlink()
    instance = stage.instances[-1]

    def noticed() -> bool | None:
        return plugin.socket.exists() or instance.exit_code is not None or None

    await stage.until(noticed, 30.0, "the missing socket is noticed")


def _sockets(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.rglob("*") if path.is_socket())
