"""Which permission on its node a request to the node's server needs, and what is told to whom does not have it.

As the kubelet has it: statistics, metrics, logs of the node and checkpoints have subresources of nodes of their own;
so have its pods, its health and its configuration, where `proxy` will do as well; for all else `proxy` is needed.
"""

from typing import Final

from aiohttp import web

from dray.node.config import Authorizer, Caller

_OWN: Final = {"stats": "stats", "metrics": "metrics", "logs": "log", "checkpoint": "checkpoint"}
_FINE: Final = {"pods": "pods", "runningpods": "pods", "healthz": "healthz", "configz": "configz"}
_STREAMS: Final = frozenset({"exec", "attach", "portForward", "run"})
_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def needed(method: str, path: str) -> tuple[str, tuple[str, ...]]:
    """(verb, subresources of nodes of which any will do)."""
    part = path.split("/")[1]
    # A WebSocket begins with a GET, whatever is done over it: running a program is no reading.
    verb = "create" if part in _STREAMS else _VERBS.get(method, "get")
    if part in _OWN:
        return verb, (_OWN[part],)
    return verb, ((_FINE[part], "proxy") if part in _FINE else ("proxy",))


async def refusal(request: web.Request, authorize: Authorizer) -> web.Response | None:
    """The answer to whom may not ask; None for who may."""
    verb, subresources = needed(request.method, request.path)
    caller = caller_of(request)
    verdict = await authorize(caller, verb, subresources)
    if verdict.allowed:
        return None
    if not verdict.user:
        return web.Response(status=401, text="Unauthorized")
    listed = " ".join(subresources)
    text = f"Forbidden (user={verdict.user}, verb={verb}, resource=nodes, subresource(s)=[{listed}])\n"
    return web.Response(status=403, text=text)


def caller_of(request: web.Request) -> Caller:
    ssl_object = request.get_extra_info("ssl_object")
    certificate = ssl_object.getpeercert() if ssl_object is not None else None
    names: dict[str, list[str]] = {}
    for part in (certificate or {}).get("subject", ()):
        for key, value in part:
            names.setdefault(key, []).append(value)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return Caller(
        next(iter(names.get("commonName", ())), ""),
        tuple(names.get("organizationName", ())),
        token.strip() if scheme.lower() == "bearer" else "",
    )
