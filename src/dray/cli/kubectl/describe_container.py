"""Of a container in a description: its probes, and what it tells itself of its resources."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from dray.api.meta import Object
from dray.api.quantity import InvalidQuantity, parse_quantity
from dray.api.schema.go_text import show

_PROBES: Final = (
    ("Liveness", "livenessProbe"),
    ("Readiness", "readinessProbe"),
    ("Startup", "startupProbe"),
)
_TIMES: Final = (
    ("delay={}s", "initialDelaySeconds"),
    ("timeout={}s", "timeoutSeconds"),
    ("period={}s", "periodSeconds"),
    ("#success={}", "successThreshold"),
    ("#failure={}", "failureThreshold"),
)


def probe_lines(container: Object) -> Iterator[str]:
    for title, field in _PROBES:
        if probe := container.get(field):
            yield f"    {title}:\t{_probe(probe)}"


def _probe(probe: Mapping[str, Any]) -> str:
    return f"{_action(probe)} {' '.join(text.format(probe.get(field, 0)) for text, field in _TIMES)}"


def _action(probe: Mapping[str, Any]) -> str:
    if "exec" in probe:
        return f"exec {show(list(probe['exec'].get('command') or ()))}"
    if http := probe.get("httpGet"):
        path = str(http.get("path", ""))
        slash = "" if path.startswith("/") or not path else "/"
        return f"http-get {http.get('scheme', '').lower()}://{_host(http)}:{http['port']}{slash}{path}"
    if tcp := probe.get("tcpSocket"):
        return f"tcp-socket {tcp.get('host', '')}:{tcp['port']}"
    if grpc := probe.get("grpc"):
        return f"grpc <pod>:{grpc['port']} {grpc.get('service') or ''}"
    return "unknown"


def _host(http: Mapping[str, Any]) -> str:
    host = str(http.get("host", ""))
    return f"[{host}]" if ":" in host else host


def resource_value(container: Object, reference: Mapping[str, Any]) -> str:
    """What the downward API says of a container's own limit or request; of a limit that it lacks, whose it is."""
    kind, _, name = str(reference["resource"]).partition(".")
    amount = ((container.get("resources") or {}).get(kind) or {}).get(name)
    value = _in_parts(amount, reference.get("divisor"), is_cpu=name == "cpu") if amount is not None else 0
    is_of_node = not value and reference["resource"] in ("limits.cpu", "limits.memory")
    return "node allocatable" if is_of_node else str(value)


def _in_parts(amount: str | int, divisor: str | int | None, *, is_cpu: bool) -> int:
    """Rounded up. A divisor of zero is one."""
    try:
        whole, part = parse_quantity(amount), parse_quantity(divisor or 1)
    except InvalidQuantity:
        return 0
    if is_cpu:
        return -(-whole.milli_value() // (part.milli_value() or 1000))
    return -(-whole.value() // (part.value() or 1))
