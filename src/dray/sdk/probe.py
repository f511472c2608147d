"""The gRPC health endpoint that liveness probes ask: does the driver still answer the kubelet?

A check goes through the real sockets, as the kubelet would: GetInfo on one, a NodePrepareResources without claims on
the other. It never touches hardware.
"""

import logging
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio

from dray.kits.klog import kv
from dray.wire.kubelet import DRA, GRPC_HEALTH, REGISTRATION
from dray.wire.rpc import RpcFailure, TcpServer, UnixChannel, service_handler

log = logging.getLogger("dray.sdk.probe")

SERVICES: Final = ("", "liveness")
_TIMEOUT_SECONDS: Final = 5.0
_SERVING, _NOT_SERVING = 1, 2


class ProbeServer:
    """Serves grpc.health.v1 on `host`:`port`; port 0 takes a free one."""

    def __init__(self, host: str, port: int, registration_socket: Path, service_socket: Path) -> None:
        self._registration_socket = registration_socket
        self._service_socket = service_socket
        handler = service_handler(GRPC_HEALTH, "Health", {"Check": self._check})
        self._server = TcpServer(host, port, [handler])
        self._host = host
        self._channels: list[UnixChannel] = []

    @property
    def port(self) -> int:
        return self._server.port

    async def start(self) -> None:
        """Raises OSError when the port is taken."""
        path = f"unix://{self._registration_socket}"
        log.info("connecting to registration socket", extra=kv(path=path))
        log.info("connecting to DRA socket", extra=kv(path=f"unix://{self._service_socket}"))
        self._channels = [UnixChannel(self._registration_socket), UnixChannel(self._service_socket)]
        await self._server.start()
        address = f"[{self._host}]" if ":" in self._host else self._host
        log.info("starting healthcheck service", extra=kv(addr=f"{address}:{self.port}"))

    async def stop(self) -> None:
        await self._server.stop()
        for channel in self._channels:
            await channel.close()

    async def _check(self, request: Any) -> Any:
        if request.service not in SERVICES:
            raise RpcFailure(grpc.StatusCode.NOT_FOUND, "unknown service")
        status = _SERVING if await self._answers() else _NOT_SERVING
        return GRPC_HEALTH.message("HealthCheckResponse")(status=status)

    async def _answers(self) -> bool:
        registration, service = self._channels
        try:
            await registration.stub(REGISTRATION, "Registration").call("GetInfo", timeout=_TIMEOUT_SECONDS)
            await service.stub(DRA["v1"], "DRAPlugin").call("NodePrepareResources", timeout=_TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError as error:
            log.error("The driver does not answer on its sockets", extra=kv(err=error.details()))
            return False
        return True
