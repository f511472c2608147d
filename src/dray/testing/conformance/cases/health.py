"""Device health, of drivers that report it."""

import asyncio
from contextlib import aclosing
from typing import Any

import grpc.aio

from dray.testing.conformance.rules import rule
from dray.testing.conformance.stage import Stage
from dray.testing.conformance.verdicts import NotApplicable, Violation
from dray.testing.fake_kubelet import Plugin
from dray.wire.kubelet import SERVICE_HEALTH

_FIRST_SECONDS = 15.0
_DEFAULT_TIMEOUT_SECONDS = 30


def _offered(plugin: Plugin) -> list[str]:
    versions = [version for version, service in SERVICE_HEALTH.items() if service in plugin.advertised]
    if not versions:
        raise NotApplicable("the driver does not offer device health")
    return versions


async def _next(stream: Any, seconds: float, what: str) -> Any:
    try:
        async with asyncio.timeout(seconds):
            return await anext(stream)
    except TimeoutError:
        raise Violation(f"{what}: nothing came within {seconds:.0f} s") from None
    except (StopAsyncIteration, grpc.aio.AioRpcError) as error:
        raise Violation(f"{what}: the stream ended: {error}") from None


@rule()
async def reports_every_device(stage: Stage) -> None:
    """Each message of the health stream has all the devices, by pool and name, in every version offered"""
    plugin = await stage.started()
    expected = {
        (obj["spec"]["pool"]["name"], device["name"])
        for obj in await stage.published()
        for device in obj["spec"].get("devices") or ()
    }
    for version in _offered(plugin):
        async with aclosing(plugin.health_messages(version)) as stream:
            message = await _next(stream, _FIRST_SECONDS, f"health {version}")
        got = {(one.device.pool_name, one.device.device_name) for one in message.devices}
        if got != expected:
            raise Violation(
                f"health {version}: missing {sorted(expected - got)}, not published {sorted(got - expected)}"
            )


@rule()
async def repeats_itself_before_the_timeout(stage: Stage) -> None:
    """Health is sent again before its timeout, or the kubelet takes the devices for unknown"""
    plugin = await stage.started()
    version = _offered(plugin)[0]
    async with aclosing(plugin.health_messages(version)) as stream:
        message = await _next(stream, _FIRST_SECONDS, f"health {version}")
        timeouts = [one.health_check_timeout_seconds or _DEFAULT_TIMEOUT_SECONDS for one in message.devices]
        await _next(stream, min(timeouts, default=_DEFAULT_TIMEOUT_SECONDS), "the next message")


@rule()
async def serves_streams_and_calls_on_one_connection(stage: Stage) -> None:
    """Several health streams and a preparation work at once, on one connection"""
    plugin = await stage.started()
    version = _offered(plugin)[0]
    claim = await stage.claim("a", *await stage.devices(1))
    async with (
        aclosing(plugin.health_messages(version)) as one,
        aclosing(plugin.health_messages(version)) as two,
    ):
        await _next(one, _FIRST_SECONDS, "the first stream")
        await stage.prepared(plugin, claim)
        await _next(two, _FIRST_SECONDS, "the second stream")
        await stage.unprepared(plugin, claim)
