"""One registered instance of a DRA driver: its connection, which API version it speaks, and calls to it."""

import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

import grpc
import grpc.aio

from dray.kits.tasks import TaskSet
from dray.node.dra.claiminfo import PreparedDevice
from dray.node.metrics import NodeMetrics
from dray.wire.kubelet import DRA
from dray.wire.rpc import UnixChannel

CALL_SECONDS: Final = 45.0
_REFUSAL: Final = re.compile("Connection refused|No such file or directory|Permission denied")


class DriverFailure(Exception):
    """A driver could not, or would not, do its part; the text goes into an event."""


class ClaimName(NamedTuple):
    namespace: str
    name: str
    uid: str


class DriverConnection:
    """A usable driver instance has its connection up; calls to one that has not fail after a while."""

    def __init__(
        self,
        driver: str,
        endpoint: str,
        path: Path,
        version: str,
        services: tuple[str, ...],
        metrics: NodeMetrics,
        on_change: Callable[["DriverConnection"], object],
    ) -> None:
        """`endpoint`: as the driver named it; `path`: where it lies. `services`: all that it advertised."""
        self.driver = driver
        self.endpoint = endpoint
        self.version = version
        self.services = services
        self.is_connected = False
        self._path = path
        self._metrics = metrics
        self._on_change = on_change
        self.channel = UnixChannel(path)
        self._stub = self.channel.stub(DRA[version], "DRAPlugin")
        self._prefix = f"/{DRA[version].file.package}.DRAPlugin/"
        self._tasks = TaskSet(f"driver/{driver}")

    def start(self) -> None:
        self._tasks.start(self._follow_connection(), "connection")

    async def _follow_connection(self) -> None:
        channel = self.channel.channel
        while True:
            state = channel.get_state(try_to_connect=True)
            connected = state is grpc.ChannelConnectivity.READY
            if connected != self.is_connected:
                self.is_connected = connected
                self._on_change(self)
            await channel.wait_for_state_change(state)

    async def prepare(self, claims: Iterable[ClaimName]) -> dict[str, tuple[PreparedDevice, ...]]:
        """Claim UID -> its devices of this driver, for each claim. Raises DriverFailure."""
        entries = await self._call("NodePrepareResources", list(claims))
        return {uid: tuple(_device(device) for device in entry.devices) for uid, entry in entries.items()}

    async def unprepare(self, claims: Iterable[ClaimName]) -> None:
        """Raises DriverFailure."""
        await self._call("NodeUnprepareResources", list(claims))

    async def _call(self, method: str, claims: list[ClaimName]) -> dict[str, Any]:
        request = self._stub.new_request(method)
        for claim in claims:
            request.claims.add(namespace=claim.namespace, uid=claim.uid, name=claim.name)
        code, begun = grpc.StatusCode.OK, time.monotonic()
        try:
            answer = await self._stub.call(method, request, timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            code = error.code()
            raise DriverFailure(
                f"{method}: rpc error: code = {_code_name(code)} desc = {_description(error, self._path)}"
            ) from error
        finally:
            self._metrics.grpc_call(self.driver, self._prefix + method, code, time.monotonic() - begun)
        return _checked(method, answer.claims, {claim.uid: claim.name for claim in claims})

    async def close(self) -> None:
        await self._tasks.stop()
        await self.channel.close()


def _checked(method: str, entries: Any, asked: dict[str, str]) -> dict[str, Any]:
    """The answer's entries by claim UID, once it is complete and without errors. Raises DriverFailure."""
    found: dict[str, Any] = {}
    for uid in entries:
        if uid not in asked:
            raise DriverFailure(f"{method} returned result for unknown claim UID {uid}")
        if entries[uid].error:
            raise DriverFailure(f"{method} failed for ResourceClaim {asked[uid]}: {entries[uid].error}")
        found[uid] = entries[uid]
    if missing := len(asked) - len(found):
        raise DriverFailure(f"{method} skipped {missing} ResourceClaims")
    return found


def _device(message: Any) -> PreparedDevice:
    share = message.share_id if "share_id" in message.DESCRIPTOR.fields_by_name and message.share_id else None
    return PreparedDevice(
        message.pool_name,
        message.device_name,
        tuple(message.request_names),
        tuple(message.cdi_device_ids),
        share,
    )


def _description(error: grpc.aio.AioRpcError, path: Path) -> str:
    """What went wrong; of a lost connection in the words of Go's gRPC, which those who know kubelets search for."""
    text = error.details() or ""
    if error.code() is not grpc.StatusCode.UNAVAILABLE:
        return text
    if refusal := _REFUSAL.search(text):
        dialing = f"transport: Error while dialing: dial unix {path}: connect: {refusal[0].lower()}"
        return f'connection error: desc = "{dialing}"'
    return "error reading from server: EOF" if "Socket closed" in text else text


def _code_name(code: grpc.StatusCode) -> str:
    """As Go prints it: `DeadlineExceeded`."""
    return "".join(part.capitalize() for part in code.name.split("_"))
