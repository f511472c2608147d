"""The requests by which the real scheduler, controller manager and kubelet run a cluster get the answers they expect.

`component-requests.jsonl` is one story, a request a line: `by` whom, to `do` what, `to` which path, with which `query`; `body`
for a new object, a patch or options, `edit` for a merge patch on the object as it is; the `code` and `kind` of the answer
where they are not the usual ones, and what it `shows` among others (null: nothing there). "uid of PATH" stands for the uid of what is there.
"""

import json
import pathlib
from typing import Any

import aiohttp
from go_client import PROTOBUF, TYPED, Answer, GoClient, assert_decodes, metadata_of

from dray.api.meta import Object
from dray.api.patch import merge_patch
from dray.testing.go_bodies import encode_object
from dray.testing.scenario_server import scenario_server

CORPUS = pathlib.Path(__file__).parents[2] / "corpus" / "api" / "component-requests.jsonl"
STORY = [json.loads(line) for line in CORPUS.read_text().splitlines()]
PATCHES = {
    "strategic": "application/strategic-merge-patch+json",
    "merge": "application/merge-patch+json",
}
APPLY = "application/apply-patch+yaml"
ACCEPT = {
    "metadata": metadata_of("PartialObjectMetadata"),
    "metadata list": metadata_of("PartialObjectMetadataList"),
}
METHODS = {"get": "GET", "create": "POST", "put": "PUT", "delete": "DELETE", "deletecollection": "DELETE"}


class Cluster:
    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        self._session, self._url, self._token = session, url, token

    def client(self, who: str) -> GoClient:
        return GoClient(self._session, self._url, self._token, who)

    async def send(self, step: Object) -> Answer:
        client, does = self.client(step["by"]), step["do"]
        path = f"{step['to']}?{step['query']}" if "query" in step else step["to"]
        accept = ACCEPT.get(step.get("accept", ""), step.get("accept", TYPED))
        if does in ("patch", "apply"):
            kind_of_patch = APPLY if does == "apply" else PATCHES[step["type"]]
            data = json.dumps(await self._filled(step["body"])).encode()
            return await client.ask("PATCH", path, accept=accept, content_type=kind_of_patch, data=data)
        if does == "put":
            obj = merge_patch(await self._read(step["to"]), await self._filled(step["edit"]))
        else:
            obj = await self._filled(step.get("body"))
        if obj is None:
            return await client.ask(METHODS[does], path, accept=accept)
        return await client.ask(
            METHODS[does], path, accept=accept, content_type=PROTOBUF, data=encode_object(obj)
        )

    async def _filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: await self._filled(item) for key, item in value.items()}
        if isinstance(value, list):
            return [await self._filled(item) for item in value]
        if isinstance(value, str) and value.startswith("uid of "):
            return (await self._read(value.removeprefix("uid of ")))["metadata"]["uid"]
        return value

    async def _read(self, path: str) -> Object:
        path = path.removesuffix("/approval").removesuffix("/finalize")
        answer = await self.client("admin").ask("GET", path)
        if answer.code != 200:
            raise LookupError(f"{path}: {answer}")
        return answer.body


def expected_kind(step: Object) -> str:
    if "kind" in step:
        return str(step["kind"])
    given = step.get("body") or {}
    return "Status" if step.get("code", 200) >= 400 else given.get("kind", "")


def complaint(step: Object, answer: Answer) -> str:
    """What a client in Go would trip over; "" for nothing."""
    if answer.code != step.get("code", 201 if step["do"] == "create" else 200):
        return str(answer)
    kind = expected_kind(step)
    if kind not in ("", "*", answer.body["kind"]):
        return f"a {answer.body['kind']}"
    if (missing := unshown(step.get("shows"), answer.body)) is not None:
        return f"does not show {missing}"
    try:
        if not answer.body["kind"].startswith("PartialObjectMetadata"):
            assert_decodes(answer.body)
    except Exception as error:
        return f"does not decode: {error!r}"
    return ""


def unshown(wanted: Any, seen: Any) -> Any:
    """The first part of `wanted` that `seen` lacks; None for none."""
    if wanted is None:
        return None
    if isinstance(wanted, dict) and isinstance(seen, dict):
        parts = [(value, seen.get(key)) for key, value in wanted.items()]
    elif isinstance(wanted, list) and isinstance(seen, list) and len(wanted) == len(seen):
        parts = list(zip(wanted, seen, strict=True))
    else:
        return None if wanted == seen else wanted
    for part, found in parts:
        if part is None and found:
            return f"nothing in place of {found}"
        if (missing := unshown(part, found)) is not None:
            return missing
    return None


async def test_every_request_of_the_components_is_answered_as_they_expect() -> None:
    wrong = []
    async with scenario_server() as (url, tokens), aiohttp.ClientSession() as session:
        cluster = Cluster(session, url, tokens["admin"])
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "d"}}
        await cluster.client("admin").send("POST", "/api/v1/namespaces", namespace)
        for step in STORY:
            try:
                found = complaint(step, await cluster.send(step))
            except LookupError as error:
                found = str(error)
            if found:
                wrong.append(f"{step['by']} {step['do']} {step['to']}: {found}")
    assert wrong == []
    assert len(STORY) > 100


async def test_a_controller_acts_under_the_token_that_its_manager_asked_for() -> None:
    account = "/api/v1/namespaces/kube-system/serviceaccounts"
    metadata = {"name": "job-controller", "namespace": "kube-system"}
    async with scenario_server() as (url, tokens), aiohttp.ClientSession() as session:
        manager = GoClient(session, url, tokens["admin"], "controller-manager")
        made = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
        await manager.send("POST", account, made)
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "metadata": metadata}
        request["spec"] = {"audiences": None, "expirationSeconds": 3600}
        answer = await manager.send("POST", f"{account}/job-controller/token", request)
        headers = {"Authorization": f"Bearer {answer.body['status']['token']}", "Accept": TYPED}
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        async with session.post(url + path, json=review, headers=headers) as seen:
            user = (await seen.json())["status"]["userInfo"]
        assert user["username"] == "system:serviceaccount:kube-system:job-controller"
        for path, code in (("/apis/batch/v1/jobs", 200), ("/api/v1/secrets", 403)):
            async with session.get(url + path, headers=headers) as listed:
                assert listed.status == code
