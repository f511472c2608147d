"""Connections to a pod, as admission judges them: the query is an object of its own kind."""

from typing import Final

from dray.api.meta import Object
from dray.apiserver.access import AdmissionRequest
from dray.apiserver.call import Call
from dray.apiserver.options import Query, first
from dray.apiserver.structure import TypeName

_OPTIONS: Final = {
    "exec": TypeName("v1", "PodExecOptions"),
    "attach": TypeName("v1", "PodAttachOptions"),
    "portforward": TypeName("v1", "PodPortForwardOptions"),
}
_STREAMS: Final = ("stdin", "stdout", "stderr", "tty")


async def admit_connection(call: Call, query: Query) -> None:
    """Raises what admission says."""
    type = _OPTIONS[call.subresource]
    request = AdmissionRequest(call, "CONNECT", _options(type, query), None, posted=type)
    await call.core.admission.mutate(request)
    await call.core.admission.validate(request)


def _options(type: TypeName, query: Query) -> Object:
    options: Object = {"kind": type.kind, "apiVersion": type.api_version}
    options |= {stream: True for stream in _STREAMS if first(query, stream) in ("true", "1")}
    if container := first(query, "container"):
        options["container"] = container
    if command := query.get("command"):
        options["command"] = list(command)
    if ports := query.get("ports"):
        options["ports"] = [int(port) for port in ports if port.isdigit()]
    return options
