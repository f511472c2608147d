"""What a driver program asks of the cluster before it can publish."""

import asyncio
from typing import Any, cast

import pytest

from dray.api.errors import Forbidden
from dray.client.http import HttpClient
from dray.client.protocol import Unreachable
from dray.client.versions import TRUST_SECONDS
from dray.sdk.devices import NEWEST
from dray.sdk.program import ServerVersion
from dray.testing import virtual


class Server:
    def __init__(self, *minors: str | Exception) -> None:
        self.minors = list(minors)

    async def request(self, method: str, path: str) -> dict[str, Any]:
        assert (method, path) == ("GET", "/version")
        answer = self.minors.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"major": "1", "minor": answer}


def version(*minors: str | Exception) -> ServerVersion:
    return ServerVersion(cast(HttpClient, Server(*minors)))


@pytest.mark.parametrize(("text", "minor"), [("32", 32), ("34+", 34), ("37", 37), ("", NEWEST)])
def test_version_is_what_the_server_says(text: str, minor: int) -> None:
    assert virtual.run(version(text).minor()) == minor


def test_a_server_that_hides_its_version_is_taken_for_a_new_one() -> None:
    assert virtual.run(version(Forbidden("no")).minor()) == NEWEST


def test_the_answer_is_believed_for_a_while_and_then_asked_for_again() -> None:
    async def scenario() -> list[int]:
        asked = version("34", "35")
        answers = [await asked.minor(), await asked.minor()]
        await asyncio.sleep(TRUST_SECONDS + 1)
        return [*answers, await asked.minor()]

    assert virtual.run(scenario()) == [34, 34, 35]


def test_no_answer_is_no_answer() -> None:
    async def scenario() -> int:
        asked = version(Unreachable("away"), "34")
        with pytest.raises(Unreachable):
            await asked.minor()
        return await asked.minor()

    assert virtual.run(scenario()) == 34
