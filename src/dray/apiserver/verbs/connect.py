"""Connections to a pod, as admission judges them: the query is an object of its own kind."""

from typing import Final

from dray.api import errors
from dray.api.meta import Object
from dray.apiserver.core import AdmissionRequest, Call
from dray.apiserver.options import Query, first
from dray.apiserver.type_name import TypeName

_OPTIONS: Final = {
    "exec": TypeName("v1", "PodExecOptions"),
    "attach": TypeName("v1", "PodAttachOptions"),
    "portforward": TypeName("v1", "PodPortForwardOptions"),
}
_PROXIES: Final = {
    "pods": TypeName("v1", "PodProxyOptions"),
    "services": TypeName("v1", "ServiceProxyOptions"),
    "nodes": TypeName("v1", "NodeProxyOptions"),
}
_STREAMS: Final = ("stdin", "stdout", "stderr", "tty")


async def admit_connection(call: Call, query: Query) -> None:
    """Raises what admission says, or BadRequest for a dry run: nobody can say what a connection would do."""
    type = _OPTIONS[call.subresource]
    await _admit(call, query, type, _options(type, query))


async def admit_proxy(call: Call, query: Query, path: str) -> None:
    """`path` is what follows `proxy`. Raises what admission says, or BadRequest for a dry run."""
    type = _PROXIES[call.kind.resource.plural]
    options: Object = {"kind": type.kind, "apiVersion": type.api_version}
    await _admit(call, query, type, options | ({"path": path} if path else {}))


async def _admit(call: Call, query: Query, type: TypeName, options: Object) -> None:
    if "dryRun" in query:
        raise errors.BadRequest("dryRun is not supported")
    request = AdmissionRequest(call, "CONNECT", options, None, posted=type)
    await call.core.admission.mutate(request)
    await call.core.admission.validate(request)


def _options(type: TypeName, query: Query) -> Object:
    options: Object = {"kind": type.kind, "apiVersion": type.api_version}
    options |= {
        stream: True
        for stream in _STREAMS
        if stream in query and first(query, stream).lower() not in ("0", "false")
    }
    if container := first(query, "container"):
        options["container"] = container
    if command := query.get("command"):
        options["command"] = list(command)
    if ports := query.get("ports"):
        options["ports"] = [int(port) for port in ports if port.isdigit()]
    return options
