"""Requests for service account tokens that are refused, and connections to pods that cannot be: over HTTP, as recorded."""

from typing import Any

import aiohttp

from dray.api.meta import Object
from dray.testing.scenario_server import scenario_server

NS = "/api/v1/namespaces/n"
STALE = "does not match the UID in record. The object might have been deleted and then recreated"


def _bound(**reference: Any) -> Object:
    return {"spec": {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "p", **reference}}}


REFUSED = [
    (
        {"metadata": {"name": "other"}},
        422,
        'TokenRequest.authentication.k8s.io "default" is invalid: metadata.name: Invalid value: "other": must match the service account name if specified',
    ),
    (
        {"metadata": {"uid": "other"}},
        409,
        'Operation cannot be fulfilled on TokenRequest.authentication.k8s.io "default": the UID in the token request (other) does not match the UID of the service account (<uid>)',
    ),
    (_bound(name="none"), 404, 'pods "none" not found'),
    (
        _bound(uid="x"),
        409,
        f'Operation cannot be fulfilled on Pod "p": the UID in the bound object reference (x) {STALE}',
    ),
    (_bound(kind="Gizmo"), 400, "cannot bind token to object of type /v1, Kind=Gizmo"),
    (_bound(apiVersion="apps/v1"), 400, "cannot bind token to object of type apps/v1, Kind=Pod"),
    (
        _bound(name="q"),
        400,
        'cannot bind token for serviceaccount "default" to pod running with different serviceaccount name.',
    ),
]
UNREACHABLE = [
    ("exec?command=ls&container=x", "container x is not valid for pod p"),
    ("attach?container=x", "container x is not valid for pod p"),
    ("exec", "pod p does not have a host assigned"),
    ("portforward?container=x", "pod p does not have a host assigned"),
]


async def test_refusals() -> None:
    async with scenario_server() as (url, tokens), aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {tokens['admin']}"}

        async def post(path: str, body: Any) -> tuple[int, Any]:
            async with session.post(url + path, json=body, headers=headers) as answer:
                return answer.status, await answer.json()

        await post("/api/v1/namespaces", {"metadata": {"name": "n"}})
        _, account = await post(f"{NS}/serviceaccounts", {"metadata": {"name": "default"}})
        await post(f"{NS}/serviceaccounts", {"metadata": {"name": "second"}})
        for name, owner in (("p", "default"), ("q", "second")):
            spec = {"serviceAccountName": owner, "containers": [{"name": "c", "image": "b"}]}
            await post(f"{NS}/pods", {"metadata": {"name": name}, "spec": spec})
        for request, code, message in REFUSED:
            status, answer = await post(f"{NS}/serviceaccounts/default/token", request)
            assert status == code, answer
            assert answer["message"] == message.replace("<uid>", account["metadata"]["uid"])
        for request in (_bound(), {"metadata": {"uid": account["metadata"]["uid"]}}, {"spec": {}}):
            status, answer = await post(f"{NS}/serviceaccounts/default/token", request)
            assert status == 201, answer
        for path, message in UNREACHABLE:
            status, answer = await post(f"{NS}/pods/p/{path}", None)
            assert (status, answer["message"]) == (400, message)
