"""Pod addresses where pods share the machine's network.

A pod there has the node's address, as a host-network pod has. One range is better: every address of 127.0.0.0/8 is
answered by a Linux machine, so a node whose pod CIDR lies in it gives each pod an address that is its own and works.
"""

import asyncio
import ipaddress
import os
import sys
from collections.abc import Iterable
from typing import Final

from dray.node.runtime.protocol import RuntimeFailure

DIAL_SECONDS: Final = 10.0
_LOCAL: Final = ("127.0.0.1", "::1")
"""Where a program listens that nobody else shall reach: every pod's own on a cluster, one for all of them here."""
_LOOPBACK = ipaddress.IPv4Network("127.0.0.0/8")


class PodAddresses:
    def __init__(self, node_address: str, pod_cidr: str) -> None:
        self._node_address = node_address
        self._network = _usable_network(pod_cidr)
        self._taken: set[str] = set()
        self._last = 0

    def restore(self, addresses: Iterable[str]) -> None:
        self._taken.update(addresses)

    def take(self, *, host_network: bool, wanted: str = "") -> str:
        """An address for a new pod; the node's own where pods share it, or all others are taken."""
        if self._network is None or host_network:
            return self._node_address
        if wanted and wanted not in self._taken and ipaddress.ip_address(wanted) in self._network:
            self._taken.add(wanted)
            return wanted
        size = self._network.num_addresses - 2
        for _ in range(size):
            self._last = self._last % size + 1
            address = str(self._network[self._last])
            if address not in self._taken and address != self._node_address:
                self._taken.add(address)
                return address
        return self._node_address

    def give_back(self, address: str) -> None:
        self._taken.discard(address)


async def dial(address: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect with whoever listens on the pod's address, or else on the machine's own. Raises RuntimeFailure."""
    failure = ""
    for host in dict.fromkeys((address, *_LOCAL)):
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                return await asyncio.open_connection(host, port)
        except (OSError, TimeoutError) as error:
            failure = failure or f"dial tcp {host}:{port}: {_reason(error)}"
    raise RuntimeFailure(f"failed to connect to the pod: {failure}")


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError) or not error.errno:
        return "i/o timeout"
    return f"connect: {os.strerror(error.errno).lower()}"


def _usable_network(pod_cidr: str) -> ipaddress.IPv4Network | None:
    if not pod_cidr or sys.platform != "linux":
        return None
    network = ipaddress.ip_network(pod_cidr, strict=False)
    if (
        isinstance(network, ipaddress.IPv4Network)
        and network.subnet_of(_LOOPBACK)
        and network.num_addresses > 3
    ):
        return network
    return None
