"""A namespace that is being deleted takes nothing new, subresources included: in the words of kube-apiserver 1.36.2."""

from typing import Any

import aiohttp
import pytest

from dray.testing.scenario_server import scenario_server

NS = "/api/v1/namespaces/gone"
CLAIMS = "/apis/resource.k8s.io/v1/namespaces/gone/resourceclaims"
REVIEWS = "/apis/authorization.k8s.io/v1/namespaces/gone/localsubjectaccessreviews"
POD = {"containers": [{"name": "c", "image": "i"}], "automountServiceAccountToken": False}
CLAIM = {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "c"}}]}}
BINDING = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}
EVICTION = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
ASKED = {"namespace": "gone", "verb": "get", "resource": "pods"}


async def answers(path: str, body: Any) -> tuple[int, Any]:
    async with scenario_server() as (url, tokens), aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {tokens['admin']}"}

        async def post(path: str, body: Any) -> tuple[int, Any]:
            async with session.post(url + path, json=body, headers=headers) as answer:
                return answer.status, await answer.json()

        await post("/api/v1/namespaces", {"metadata": {"name": "gone"}})
        await post(f"{NS}/serviceaccounts", {"metadata": {"name": "default"}})
        await post(f"{NS}/pods", {"metadata": {"name": "p"}, "spec": POD})
        async with session.delete(url + NS, headers=headers) as answer:
            assert answer.status == 200
        return await post(path, body)


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        (f"{NS}/configmaps", {"metadata": {"name": "a"}}, 'configmaps "a"'),
        (f"{NS}/configmaps", {"metadata": {"generateName": "a-"}}, 'configmaps "a-"'),
        (f"{NS}/configmaps", {"metadata": {"name": "b", "generateName": "a-"}}, 'configmaps "b"'),
        (f"{NS}/configmaps", {"metadata": {}}, 'configmaps "Unknown"'),
        (
            CLAIMS,
            {"metadata": {"generateName": "p-"}, "spec": CLAIM},
            'resourceclaims.resource.k8s.io "p-"',
        ),
        (f"{NS}/serviceaccounts/default/token", {"spec": {}}, 'serviceaccounts "default"'),
        (f"{NS}/pods/p/binding", BINDING, 'pods "p"'),
        (f"{NS}/pods/p/eviction", EVICTION, 'pods "p"'),
    ],
)
async def test_nothing_new_is_taken(path: str, body: Any, named: str) -> None:
    status, refusal = await answers(path, body)
    assert (status, refusal["message"]) == (
        403,
        f"{named} is forbidden: unable to create new content in namespace gone because it is being terminated",
    )
    assert [cause["reason"] for cause in refusal["details"]["causes"]] == ["NamespaceTerminating"]


async def test_questions_about_access_are_answered_all_the_same() -> None:
    status, review = await answers(REVIEWS, {"spec": {"user": "u", "resourceAttributes": ASKED}})
    assert (status, review["status"]["allowed"]) == (201, False)
