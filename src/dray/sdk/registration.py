"""How the kubelet gets to know the driver: the registration service.

GetInfo is answered from memory, since the kubelet gives it one second, and by default from a thread of its own, so that
not even a driver that keeps the event loop busy makes it late. What the kubelet said last about the registration is
kept, for logs, readiness and `dray doctor`.
"""

import asyncio
import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import grpc

from dray.kits.klog import kv
from dray.sdk.calls import CallLog
from dray.wire.kubelet import PLUGIN_TYPE_DRA, REGISTRATION
from dray.wire.rpc import Handler, RpcFailure, service_handler
from dray.wire.threaded import plain_handler

log = logging.getLogger("dray.sdk.registration")

SILENCE_SECONDS: Final = 30.0
"""After which a kubelet that never asked is worth a warning."""
_SERVICE: Final = "Registration"
_METHODS: Final = REGISTRATION.methods(_SERVICE)


@dataclasses.dataclass(frozen=True, slots=True)
class RegistrationStatus:
    asked: bool = False
    """Whether a kubelet has called GetInfo."""
    registered: bool = False
    error: str = ""


class Registrar:
    """Introduces the driver that is served on `endpoint` to whoever calls on the socket `path`."""

    def __init__(
        self, path: Path, driver: str, endpoint: Path, supported_versions: Sequence[str], calls: CallLog
    ) -> None:
        self.path = path
        self.status = RegistrationStatus()
        self._info = REGISTRATION.message("PluginInfo")(
            type=PLUGIN_TYPE_DRA, name=driver, endpoint=str(endpoint), supported_versions=supported_versions
        )
        self._calls = calls
        self._warning: asyncio.TimerHandle | None = None

    def plain_handler(self) -> Handler:
        """For a server with threads of its own."""
        methods = {"GetInfo": self._get_info, "NotifyRegistrationStatus": self._notify}
        return plain_handler(REGISTRATION, _SERVICE, methods)

    def handler(self) -> Handler:
        """For the event loop, beside other services on one socket."""

        async def get_info(request: Any) -> Any:
            return self._get_info(request)

        async def notify(request: Any) -> Any:
            return self._notify(request)

        methods = {"GetInfo": get_info, "NotifyRegistrationStatus": notify}
        return service_handler(REGISTRATION, _SERVICE, methods)

    def expect_kubelet(self) -> None:
        """Warn if no kubelet asks within a while, until `forget`."""
        self._warning = asyncio.get_running_loop().call_later(SILENCE_SECONDS, self._warn_of_silence)

    async def forget(self) -> None:
        if self._warning is not None:
            self._warning.cancel()

    def _warn_of_silence(self) -> None:
        if not self.status.asked:
            log.warning(
                "No kubelet has asked for the driver yet. Is this the registry directory of the kubelet's root?",
                extra=kv(socket=str(self.path), seconds=SILENCE_SECONDS),
            )

    # These run in whatever thread the server has for them: they only read, and replace one attribute.

    def _get_info(self, request: Any) -> Any:
        call = self._calls.begin(_METHODS["GetInfo"].path, request)
        self.status = dataclasses.replace(self.status, asked=True)
        self._calls.answered(call, self._info)
        return self._info

    def _notify(self, request: Any) -> Any:
        call = self._calls.begin(_METHODS["NotifyRegistrationStatus"].path, request)
        registered = bool(request.plugin_registered)
        self.status = RegistrationStatus(asked=True, registered=registered, error=request.error)
        if not registered:
            log.error("The kubelet refused the registration", extra=kv(err=request.error))
            # An error makes the kubelet log the reason, too.
            raise RpcFailure(grpc.StatusCode.UNKNOWN, f"failed registration process: {request.error}")
        response = REGISTRATION.message("RegistrationStatusResponse")()
        self._calls.answered(call, response)
        self._calls.registered(self.path)
        return response
