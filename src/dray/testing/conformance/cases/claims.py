"""What claims can look like: several requests, alternatives, shares, administrators, other drivers beside."""

from dray.api.meta import uid_of
from dray.testing.conformance.rules import rule
from dray.testing.conformance.stage import Stage
from dray.testing.conformance.verdicts import NotApplicable, Violation


@rule()
async def keeps_requests_apart(stage: Stage) -> None:
    """Devices are returned under the request they were allocated for"""
    plugin = await stage.started()
    claim = await stage.claim("a", *await stage.devices(2), requests=["one", "two"])
    await stage.prepared(plugin, claim)


@rule()
async def takes_several_devices_for_one_request(stage: Stage) -> None:
    """A request with several devices gets all of them"""
    plugin = await stage.started()
    claim = await stage.claim("a", *await stage.devices(2), requests=["both", "both"])
    await stage.prepared(plugin, claim)


@rule()
async def names_the_request_of_an_alternative(stage: Stage) -> None:
    """A device from a prioritized list is returned under the request, without the alternative's name"""
    plugin = await stage.started()
    claim = await stage.claim("a", *await stage.devices(1), requests=["gpu/large"])
    await stage.prepared(plugin, claim)


@rule()
async def leaves_other_drivers_devices_alone(stage: Stage) -> None:
    """Of a claim with devices of several drivers, only the own ones are prepared"""
    plugin = await stage.started()
    claim = await stage.claim("a", *await stage.devices(1), foreign=True)
    await stage.prepared(plugin, claim)
    await stage.unprepared(plugin, claim)


# Kubelets only ask the drivers that have devices in the allocation.
@rule(level="should")
async def accepts_a_claim_without_own_devices(stage: Stage) -> None:
    """A claim without devices of this driver is prepared, with no devices"""
    plugin = await stage.started()
    claim = await stage.claim("a", foreign=True)
    await stage.prepared(plugin, claim)
    await stage.unprepared(plugin, claim)


@rule()
async def lets_go_when_another_driver_fails(stage: Stage) -> None:
    """A prepared claim whose pod never started, since another driver failed, can be unprepared and prepared again"""
    plugin = await stage.started()
    (device,) = await stage.devices(1)
    first = await stage.claim("a", device, foreign=True)
    await stage.prepared(plugin, first)
    await stage.unprepared(plugin, first)
    await stage.prepared(plugin, await stage.claim("b", device))


@rule()
async def tells_shares_apart(stage: Stage) -> None:
    """Two shares of one device, in one claim and in two, are prepared side by side"""
    plugin = await stage.started()
    (device,) = await stage.devices(1, shared=True)
    both = await stage.claim("a", device, device, requests=["one", "two"])
    other = await stage.claim("b", device)
    await stage.prepared(plugin, both)
    await stage.prepared(plugin, other)
    await stage.unprepared(plugin, both)
    await stage.prepared(plugin, other)


@rule()
async def lets_administrators_look(stage: Stage) -> None:
    """A claim with administrative access is prepared beside the claim that has the device"""
    plugin = await stage.started()
    (device,) = await stage.devices(1)
    owner, admin = await stage.claim("a", device), await stage.claim("admin", device, admin=True)
    await stage.prepared(plugin, owner)
    await stage.prepared(plugin, admin)
    await stage.unprepared(plugin, admin)
    await stage.prepared(plugin, owner)


@rule(level="should")
async def gives_no_device_to_two_claims(stage: Stage) -> None:
    """A device that is prepared for one claim is refused to another one that was given it by mistake"""
    plugin = await stage.started()
    (device,) = await stage.devices(1)
    if device.is_shared:
        raise NotApplicable("the driver's devices may be shared")
    await stage.prepared(plugin, await stage.claim("a", device))
    await stage.refuses(plugin.prepare(await stage.claim("b", device)), "a device that another claim has")


@rule(level="should")
async def refuses_devices_it_does_not_have(stage: Stage) -> None:
    """A device that the driver does not offer cannot be prepared"""
    plugin = await stage.started()
    (device,) = await stage.devices(1)
    unknown = type(device)(device.pool, "no-such-device", {})
    await stage.refuses(
        plugin.prepare(await stage.claim("a", unknown)), "a device that the driver does not offer"
    )


@rule()
async def waits_for_the_old_claim_of_a_name(stage: Stage) -> None:
    """After a forced deletion, a claim of the same name works once the old one is unprepared"""
    plugin = await stage.started()
    (device,) = await stage.devices(1)
    old = await stage.claim("a", device)
    await stage.prepared(plugin, old)
    await stage.delete_claim(old)
    new = await stage.claim("a", device)
    if uid_of(new) == uid_of(old):
        raise Violation("the API server gave the new claim the old UID")
    await stage.unprepared(plugin, old)
    await stage.prepared(plugin, new)
