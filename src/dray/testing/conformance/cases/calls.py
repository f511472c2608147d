"""What kubelets call and how: batches, repetitions, retries, deadlines, an API server in trouble."""

import asyncio
import contextlib

import grpc.aio

from dray.api.meta import uid_of
from dray.sdk.claims import ClaimRef
from dray.testing.conformance.rules import rule
from dray.testing.conformance.stage import NAMESPACE, Stage
from dray.testing.conformance.verdicts import Violation

_UNKNOWN = ClaimRef("3f0c1b52-0000-4000-8000-000000000000", NAMESPACE, "never-heard-of")


@rule()
async def prepares_and_unprepares(stage: Stage) -> None:
    """A claim is prepared with CDI devices that runtimes can resolve, and unprepared without leaving any"""
    plugin = await stage.started()
    before = set(stage.kubelet.cdi_root.iterdir())
    claim = await stage.claim("a", *await stage.devices(1))
    await stage.prepared(plugin, claim)
    await stage.unprepared(plugin, claim)
    left = sorted(path.name for path in set(stage.kubelet.cdi_root.iterdir()) - before)
    if left:
        raise Violation(f"CDI files are left behind: {', '.join(left)}")


@rule()
async def repeats_the_same_answer(stage: Stage) -> None:
    """Preparing a prepared claim gives the same answer"""
    plugin = await stage.started()
    claim = await stage.claim("a", *await stage.devices(1))
    first = [str(device) for device in await stage.prepared(plugin, claim)]
    for _ in range(2):
        again = [str(device) for device in await stage.prepared(plugin, claim)]
        if again != first:
            raise Violation(f"the answer changed from {first} to {again}")


@rule()
async def unprepares_twice(stage: Stage) -> None:
    """Unpreparing an unprepared claim succeeds"""
    plugin = await stage.started()
    claim = await stage.claim("a", *await stage.devices(1))
    await stage.prepared(plugin, claim)
    await stage.unprepared(plugin, claim)
    await stage.unprepared(plugin, claim)
    await stage.prepared(plugin, claim)


@rule()
async def unprepares_what_it_never_prepared(stage: Stage) -> None:
    """Unpreparing a claim that was never prepared, or never existed, succeeds"""
    plugin = await stage.started()
    await stage.unprepared(plugin, await stage.claim("a", *await stage.devices(1)))
    released = await stage.answers(plugin.unprepare(_UNKNOWN), "unprepare of an unknown claim")
    if _UNKNOWN.uid not in released:
        raise Violation("the answer has no entry for the unknown claim; kubelets count that as an error")


@rule()
async def unprepares_deleted_claims(stage: Stage) -> None:
    """Unpreparing works when the claim is gone from the API, as after a forced deletion"""
    plugin = await stage.started()
    claim = await stage.claim("a", *await stage.devices(1))
    await stage.prepared(plugin, claim)
    await stage.delete_claim(claim)
    await stage.unprepared(plugin, claim)


@rule()
async def unprepares_without_the_api_server(stage: Stage) -> None:
    """Unpreparing needs no API server"""
    plugin = await stage.started()
    claim = await stage.claim("a", *await stage.devices(1))
    await stage.prepared(plugin, claim)
    stage.faults.down = True
    await stage.unprepared(plugin, claim)


@rule()
async def answers_for_every_claim_of_a_batch(stage: Stage) -> None:
    """A call with several claims has an entry for each of them, and no others"""
    plugin = await stage.started()
    devices = await stage.devices(2)
    claims = [await stage.claim(name, device) for name, device in zip("ab", devices, strict=True)]
    wanted = {uid_of(claim) for claim in claims}
    prepared = await stage.answers(plugin.prepare(*claims), "prepare")
    released = await stage.answers(plugin.unprepare(*claims), "unprepare")
    for what, got in (("prepare", set(prepared)), ("unprepare", released)):
        if got != wanted:
            raise Violation(f"{what}: the answer has entries for {sorted(got)}, asked for {sorted(wanted)}")


@rule(level="should")
async def fails_one_claim_without_the_others(stage: Stage) -> None:
    """One claim of a batch that cannot be prepared does not fail the others"""
    plugin = await stage.started()
    good = await stage.claim("a", *await stage.devices(1))
    try:
        response = await plugin.call("NodePrepareResources", [good, _UNKNOWN])
    except grpc.aio.AioRpcError as error:
        raise Violation(f"the whole call failed: {error.details()}") from None
    errors = {uid: entry.error for uid, entry in response.claims.items()}
    if errors.get(uid_of(good)) != "":
        raise Violation(f"the good claim failed with the bad one: {errors.get(uid_of(good), 'no entry')}")
    if not errors.get(_UNKNOWN.uid):
        raise Violation("the claim that does not exist has no error")


@rule()
async def refuses_claims_that_do_not_exist(stage: Stage) -> None:
    """A claim that is not in the API is not prepared"""
    plugin = await stage.started()
    await stage.refuses(plugin.prepare(_UNKNOWN), "a claim that does not exist")


@rule()
async def refuses_claims_without_allocation(stage: Stage) -> None:
    """A claim without an allocation is not prepared"""
    plugin = await stage.started()
    claim = await stage.unallocated("a", ["r0"])
    await stage.refuses(plugin.prepare(claim), "a claim without an allocation")


@rule()
async def refuses_a_replaced_claim(stage: Stage) -> None:
    """A claim that was deleted and made again under its name is another claim: the UID decides"""
    plugin = await stage.started()
    (device,) = await stage.devices(1)
    old = await stage.claim("a", device)
    await stage.delete_claim(old)
    await stage.claim("a", device)
    await stage.refuses(plugin.prepare(old), "a claim whose name belongs to a newer one")


@rule()
async def recovers_when_the_api_server_does(stage: Stage) -> None:
    """Preparing fails while the API server is down, and succeeds when it is back"""
    plugin = await stage.started()
    claim = await stage.claim("a", *await stage.devices(1))
    stage.faults.down = True
    await stage.refuses(plugin.prepare(claim), "a claim that cannot be read")
    stage.faults.down = False
    await stage.prepared(plugin, claim)


@rule()
async def survives_calls_that_are_given_up(stage: Stage) -> None:
    """A call that the kubelet gave up does no harm: the next one succeeds, and so does unpreparing"""
    plugin = await stage.started()
    claim = await stage.claim("a", *await stage.devices(1))
    with stage.faults.holding("/resourceclaims/"):
        for _ in range(3):
            try:
                await plugin.prepare(claim, timeout=0.3)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
                    raise Violation(f"the call failed before its deadline: {error.details()}") from None
    await stage.prepared(plugin, claim)
    await stage.unprepared(plugin, claim)


@rule()
async def agrees_with_itself_in_parallel(stage: Stage) -> None:
    """The same claim prepared several times at once gets the same answer each time"""
    plugin = await stage.started()
    claim = await stage.claim("a", *await stage.devices(1))
    answers = await asyncio.gather(*(stage.prepared(plugin, claim) for _ in range(5)))
    shown = {str([str(device) for device in devices]) for devices in answers}
    if len(shown) != 1:
        raise Violation(f"different answers to the same claim: {sorted(shown)}")


@rule()
async def unprepare_has_the_last_word(stage: Stage) -> None:
    """A claim that is unprepared while its preparation hangs stays unprepared"""
    plugin = await stage.started()
    (device,) = await stage.devices(1)
    before = set(stage.kubelet.cdi_root.iterdir())
    claim = await stage.claim("a", device)
    with stage.faults.holding("/resourceclaims/"):
        with contextlib.suppress(grpc.aio.AioRpcError):
            await plugin.prepare(claim, timeout=0.3)
        await stage.unprepared(plugin, claim)
    await stage.delete_claim(claim)
    await stage.prepared(plugin, await stage.claim("b", device))
    await stage.unprepared(plugin, claim)
    names = [path.name for path in set(stage.kubelet.cdi_root.iterdir()) - before]
    if any(uid_of(claim) in name for name in names):
        raise Violation("the late preparation left a CDI file of the claim that was unprepared")
