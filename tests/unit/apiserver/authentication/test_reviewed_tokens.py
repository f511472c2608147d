"""A TokenReview tells for whom of those asked about a token is good, as kube-apiserver 1.36.2 answered."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from dray.api.meta import Object
from dray.testing.scenario_server import scenario_server

OWN = "https://kubernetes.default.svc"
INVALID = "invalid bearer token"


class Reviews:
    def __init__(self, url: str, admin: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {admin}"}
        self._session = session

    async def post(self, path: str, body: Object) -> Object:
        async with self._session.post(f"{self._url}{path}", json=body, headers=self._headers) as answer:
            found: Object = await answer.json()
            return found

    async def token(self, audiences: list[str]) -> str:
        path = "/api/v1/namespaces/default/serviceaccounts/sa/token"
        answer = await self.post(path, {"spec": {"audiences": audiences}})
        return str(answer["status"]["token"])

    async def status(self, token: str, audiences: list[str]) -> Object:
        path = "/apis/authentication.k8s.io/v1/tokenreviews"
        review = await self.post(path, {"spec": {"token": token, "audiences": audiences}})
        status: Object = review["status"]
        return status


@pytest.fixture
async def reviews() -> AsyncIterator[Reviews]:
    async with scenario_server() as (url, tokens), aiohttp.ClientSession() as session:
        found = Reviews(url, tokens["admin"], session)
        await found.post("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "sa"}})
        yield found


def mismatch(has: list[str], asked: list[str]) -> str:
    shown = [" ".join(f'"{name}"' for name in names) for names in (has, asked)]
    why = f"token audiences [{shown[0]}] is invalid for the target audiences [{shown[1]}]"
    return f"[{INVALID}, {why}]"


@pytest.mark.parametrize(
    ("has", "asked", "granted"),
    [
        ([], [], [OWN]),
        ([], ["x", "z", OWN], [OWN]),
        (["x", OWN], [], [OWN]),
        (["x", OWN], ["x"], ["x"]),
        (["x", OWN], ["x", "z", OWN], ["x", OWN]),
        (["x", "y"], ["x"], ["x"]),
    ],
)
async def test_of_audiences_asked_about_those_are_told_that_the_token_has(
    reviews: Reviews, has: list[str], asked: list[str], granted: list[str]
) -> None:
    status = await reviews.status(await reviews.token(has), asked)
    assert status["authenticated"]
    assert status["audiences"] == granted


@pytest.mark.parametrize(("has", "asked"), [([], ["x"]), (["x", "y"], []), (["x", OWN], ["z"])])
async def test_a_token_for_others_is_refused(reviews: Reviews, has: list[str], asked: list[str]) -> None:
    status = await reviews.status(await reviews.token(has), asked)
    assert status == {"user": {}, "error": mismatch(has or [OWN], asked or [OWN])}


async def test_a_static_token_is_for_the_server_alone(reviews: Reviews) -> None:
    assert (await reviews.status("tok-alice", []))["audiences"] == [OWN]
    assert (await reviews.status("tok-alice", ["x", OWN]))["audiences"] == [OWN]
    assert await reviews.status("tok-alice", ["x"]) == {"user": {}, "error": INVALID}


async def test_what_is_no_token_is_refused(reviews: Reviews) -> None:
    assert await reviews.status("nope", []) == {"user": {}, "error": INVALID}
