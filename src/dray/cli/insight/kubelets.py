"""What kubelets tell of DRA drivers, in their metrics, which the API server passes on to whoever may `get` nodes/proxy."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any

from dray.client.http import HttpClient
from dray.client.protocol import Unreachable

MAX_NODES = 500
"""Asked; of the rest nothing is known."""
_AT_ONCE = 16
_SECONDS = 5.0
_GATE = re.compile(
    r'^kubernetes_feature_enabled\{name="(?P<name>\w+)",stage="\w*"\} (?P<value>[01])', re.MULTILINE
)
_PLUGIN = re.compile(
    r'^plugin_manager_total_plugins\{socket_path="(?P<socket>[^"]+)",state="(?P<state>\w+)"\} [1-9]',
    re.MULTILINE,
)


async def ask_kubelets(client: HttpClient, nodes: Sequence[str]) -> dict[str, Any]:
    """Node -> `plugins`: socket path -> registered, and `gates` where told; or `unknown`: why it could not be asked."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def ask(node: str) -> dict[str, Any]:
        async with places:
            text, refusal = await read_metrics(client, f"/api/v1/nodes/{node}/proxy/metrics")
        if refusal:
            return {"unknown": refusal}
        gates = {
            name: on for name, on in gates_in(text).items() if name.startswith(("DRA", "DynamicResource"))
        }
        return {"plugins": _plugins(text), "gates": gates}

    asked = nodes[:MAX_NODES]
    return dict(zip(asked, await asyncio.gather(*map(ask, asked)), strict=True))


def gates_in(text: str) -> dict[str, bool]:
    """The feature gates that a component tells in its metrics."""
    return {match["name"]: match["value"] == "1" for match in _GATE.finditer(text)}


def _plugins(text: str) -> dict[str, bool]:
    """A socket that the kubelet wants to register is in its desired state, one that it has registered in its actual."""
    found: dict[str, bool] = {}
    for match in _PLUGIN.finditer(text):
        registered = match["state"] == "actual_state_of_world"
        found[match["socket"]] = found.get(match["socket"], False) or registered
    return found


async def read_metrics(client: HttpClient, path: str) -> tuple[str, str]:
    """The text of metrics, and "" or why they cannot be read."""
    try:
        async with client.open("GET", path, accept="text/plain", timeout_seconds=_SECONDS) as response:
            data = await response.read()
            status = response.status
    except Unreachable as error:
        return "", str(error)
    if status == 200:
        return data.decode(errors="replace"), ""
    return "", "you may not get nodes/proxy" if status == 403 else f"GET {path} answers {status}"
