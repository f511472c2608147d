"""What happens to drivers and their nodes: crashes, restarts, reboots, updates, removal."""

import asyncio
import contextlib

import grpc.aio

from dray.api.meta import Object, name_of, uid_of
from dray.testing.conformance.reply import unresolvable
from dray.testing.conformance.rules import rule
from dray.testing.conformance.stage import Stage
from dray.testing.conformance.verdicts import NotApplicable, Violation
from dray.testing.fake_kubelet import Plugin

_OLD, _NEW = "0b7e1c5e-1111-4111-8111-111111111111", "0b7e1c5e-2222-4222-8222-222222222222"
_SETTLE_SECONDS = 2.0


async def _restarted(stage: Stage) -> Plugin:
    asked = len(stage.kubelet.notifications)
    await stage.start()
    await stage.until(
        lambda: len(stage.kubelet.notifications) > asked or None,
        stage.subject.ready_seconds,
        "the new instance registered",
    )
    return await stage.registered()


@rule()
async def remembers_claims_across_a_restart(stage: Stage) -> None:
    """After an orderly restart a prepared claim still has its devices, the same answer, and can be unprepared"""
    plugin = await stage.started()
    claim = await stage.claim("a", *await stage.devices(1))
    first = await stage.prepared(plugin, claim)
    await stage.instances[-1].stop()
    names = [name for device in first for name in device.cdi_device_ids]
    if missing := unresolvable(names, stage.kubelet.cdi_root):
        raise Violation(
            f"stopping took away {', '.join(missing)}: containers that restart meanwhile cannot start"
        )
    plugin = await _restarted(stage)
    if [str(device) for device in await stage.prepared(plugin, claim)] != [str(device) for device in first]:
        raise Violation("the answer for the claim changed with the restart")
    await stage.unprepared(plugin, claim)


@rule()
async def remembers_claims_across_a_crash(stage: Stage) -> None:
    """After SIGKILL a prepared claim still has its devices and can be unprepared"""
    plugin = await stage.started()
    claim = await stage.claim("a", *await stage.devices(1))
    await stage.prepared(plugin, claim)
    await stage.instances[-1].kill()
    plugin = await _restarted(stage)
    await stage.prepared(plugin, claim)
    await stage.unprepared(plugin, claim)


@rule()
async def survives_a_crash_while_preparing(stage: Stage) -> None:
    """A driver killed while it prepares can be asked again after its restart"""
    plugin = await stage.started()
    (device,) = await stage.devices(1)
    claim = await stage.claim("a", device)
    with stage.faults.holding("/resourceclaims/"):
        preparing = asyncio.create_task(plugin.prepare(claim))
        await asyncio.sleep(0.3)
        await stage.instances[-1].kill()
        await asyncio.wait([preparing])
    preparing.exception()
    plugin = await _restarted(stage)
    await stage.prepared(plugin, claim)
    await stage.unprepared(plugin, claim)
    await stage.prepared(plugin, await stage.claim("b", device))


@rule()
async def keeps_its_word_when_killed_among_many_claims(stage: Stage) -> None:
    """Killed while it prepares several claims at once, a driver stands by each answer it gave, and prepares the rest"""
    plugin = await stage.started()
    devices = await stage.devices(3)
    claims = [await stage.claim(f"claim-{index}", device) for index, device in enumerate(devices)]
    preparing = [asyncio.create_task(plugin.prepare(claim)) for claim in claims]
    await asyncio.wait(preparing, return_when=asyncio.FIRST_COMPLETED)
    await stage.instances[-1].kill()
    answers = await asyncio.gather(*preparing, return_exceptions=True)
    plugin = await _restarted(stage)
    for claim, answer in zip(claims, answers, strict=True):
        again = await stage.prepared(plugin, claim)
        if isinstance(answer, dict) and [str(one) for one in answer[uid_of(claim)]] != [
            str(one) for one in again
        ]:
            raise Violation(f"the answer for claim {name_of(claim)} changed with the restart")
    for claim in claims:
        await stage.unprepared(plugin, claim)


@rule()
async def prepares_again_after_a_reboot(stage: Stage) -> None:
    """After a reboot, with /var/run/cdi empty, preparing a claim again restores what containers need"""
    plugin = await stage.started()
    claim = await stage.claim("a", *await stage.devices(1))
    await stage.prepared(plugin, claim)
    await stage.instances[-1].kill()
    await stage.kubelet.restart()
    for path in stage.kubelet.cdi_root.iterdir():
        path.unlink()
    plugin = await _restarted(stage)
    await stage.prepared(plugin, claim)
    await stage.unprepared(plugin, claim)


@rule(level="should")
async def restores_lost_cdi_files(stage: Stage) -> None:
    """CDI files that were removed are restored when the claim is prepared again, without a restart"""
    plugin = await stage.started()
    claim = await stage.claim("a", *await stage.devices(1))
    before = set(stage.kubelet.cdi_root.iterdir())
    await stage.prepared(plugin, claim)
    for path in stage.kubelet.cdi_root.iterdir():
        if ("common" not in path.name and path not in before) or claim["metadata"]["uid"] in path.name:
            path.unlink()
    await stage.prepared(plugin, claim)


@rule(level="should")
async def starts_with_damaged_state(stage: Stage) -> None:
    """A driver whose files were cut off in the middle starts, and releases claims"""
    plugin = await stage.started()
    claim = await stage.claim("a", *await stage.devices(1))
    await stage.prepared(plugin, claim)
    await stage.instances[-1].kill()
    for path in (stage.kubelet.plugins_directory / stage.driver).rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    plugin = await _restarted(stage)
    await stage.unprepared(plugin, claim)


async def _both(stage: Stage) -> tuple[Plugin, Plugin]:
    """The old instance of a rolling update and, once it is registered, the new one."""
    old = await stage.started(_OLD)
    await stage.start(_NEW)
    try:
        new = await stage.registered(count=2)
    except Violation:
        if len(stage.kubelet.instances()) == 1 and stage.kubelet.instances()[0].socket == old.socket:
            raise NotApplicable("both instances use one socket: POD_UID is not in its name") from None
        raise
    if old.socket == new.socket:
        raise NotApplicable("both instances use one socket: POD_UID is not in its name")
    return old, new


@rule(level="should")
async def updates_without_a_gap(stage: Stage) -> None:
    """Two instances run side by side during a rolling update and hand over claims and slices untouched"""
    old, new = await _both(stage)
    before = _versions(await stage.published())
    devices = await stage.devices(1)
    claim = await stage.claim("a", *devices)
    await stage.prepared(old, claim)
    await stage.prepared(new, claim)
    await stage.instances[0].stop()
    await asyncio.sleep(_SETTLE_SECONDS)
    if _versions(await stage.published()) != before:
        raise Violation("the ResourceSlices changed during the update")
    await stage.unprepared(new, claim)
    await stage.prepared(new, await stage.claim("b", *devices))


@rule(level="should")
async def survives_a_failed_update(stage: Stage) -> None:
    """When the new instance of an update is killed, the old one goes on"""
    old, _ = await _both(stage)
    claim = await stage.claim("a", *await stage.devices(1))
    await stage.instances[-1].kill()
    await stage.prepared(old, claim)
    await stage.unprepared(old, claim)


@rule(level="should")
async def sweeps_dead_sockets_of_updates(stage: Stage) -> None:
    """Sockets of killed instances do not pile up: their names never come again"""
    old = await stage.started(_OLD)
    await stage.instances[-1].kill()
    await stage.start(_NEW)

    def other() -> Plugin | None:
        return next((one for one in stage.kubelet.instances() if one.socket != old.socket), None)

    try:
        await stage.until(other, stage.subject.ready_seconds, "the new instance registered")
    except Violation:
        raise NotApplicable("both instances use one socket: POD_UID is not in its name") from None
    if old.socket.exists():
        raise Violation(f"{old.socket.name} of the killed instance is still there")


@rule()
async def keeps_slices_across_a_restart(stage: Stage) -> None:
    """A restart within the kubelet's 30 seconds changes no ResourceSlice"""
    await stage.started()
    before = _versions(await stage.published())
    await stage.instances[-1].stop()
    if _versions(await stage.slices()) != before:
        raise Violation("stopping changed the ResourceSlices: pods cannot be scheduled until it is back")
    await _restarted(stage)
    await asyncio.sleep(_SETTLE_SECONDS)
    if _versions(await stage.published()) != before:
        raise Violation("the restart changed the ResourceSlices")


@rule()
async def stays_gone_when_it_is_uninstalled(stage: Stage) -> None:
    """Once a stopped driver's slices are wiped, nothing brings them back"""
    await stage.started()
    await stage.instances[-1].stop()
    await stage.wipe()
    await asyncio.sleep(_SETTLE_SECONDS)
    if left := await stage.slices():
        raise Violation(f"slices that are not the node's own are left: {[name_of(obj) for obj in left]}")


@rule()
async def waits_for_the_api_server(stage: Stage) -> None:
    """A driver that starts while the API server is down comes up when it is there"""
    stage.faults.down = True
    await stage.start()
    await asyncio.sleep(_SETTLE_SECONDS)
    stage.faults.down = False
    if stage.instances[-1].exit_code is not None:
        await stage.start()  # ending is allowed: the kubelet starts it again
    plugin = await stage.registered()
    await stage.published()
    claim = await stage.claim("a", *await stage.devices(1))
    await stage.prepared(plugin, claim)


@rule()
async def unprepares_after_the_kubelet_was_away(stage: Stage) -> None:
    """A claim deleted while the kubelet was down can be unprepared when it is back"""
    plugin = await stage.started()
    claim = await stage.claim("a", *await stage.devices(1))
    await stage.prepared(plugin, claim)
    await stage.delete_claim(claim)
    plugin = await stage.restarted_kubelet()
    await stage.unprepared(plugin, claim)


@rule()
async def finishes_calls_across_a_kubelet_restart(stage: Stage) -> None:
    """A call that was in progress when the kubelet restarted does not keep the claim from being prepared"""
    plugin = await stage.started()
    claim = await stage.claim("a", *await stage.devices(1))
    with stage.faults.holding("/resourceclaims/"):
        preparing = asyncio.create_task(plugin.prepare(claim))
        await asyncio.sleep(0.3)
        plugin = await stage.restarted_kubelet()
    with contextlib.suppress(grpc.aio.AioRpcError, asyncio.CancelledError):
        await preparing  # its connection went with the restart
    await stage.prepared(plugin, claim)
    await stage.unprepared(plugin, claim)


def _versions(slices: list[Object]) -> list[tuple[str, str]]:
    return [(name_of(obj), obj["metadata"]["resourceVersion"]) for obj in slices]
