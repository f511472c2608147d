"""NodePorts: two pods on one node cannot listen on the same host port."""

from collections.abc import Callable, Iterable

from dray.scheduler.happenings import NODE_PORTS
from dray.scheduler.pod_view import HostPort, PodView
from dray.scheduler.snapshot import NodeView
from dray.scheduler.verdict import Rejection

TAKEN = Rejection(NODE_PORTS, ("node(s) didn't have free ports for the requested pod ports",))
ANY_ADDRESS = "0.0.0.0"


def prepare(pod: PodView) -> Callable[[NodeView], Rejection | None] | None:
    wanted = pod.host_ports
    if not wanted:
        return None
    return lambda node: TAKEN if any(_is_taken(port, node.ports) for port in wanted) else None


def _is_taken(wanted: HostPort, used: Iterable[HostPort]) -> bool:
    return any(
        other.port == wanted.port
        and other.protocol == wanted.protocol
        and (ANY_ADDRESS in (other.ip, wanted.ip) or other.ip == wanted.ip)
        for other in used
    )
